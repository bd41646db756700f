"""Benchmarks run, and their documents hold what the README's table needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vtexplore.registry import names

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_recording_overhead_at_a_tiny_size() -> None:
    command = [sys.executable, "benchmarks/record_overhead.py", "--smoke", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["condition"]: row for row in found["rows"]}
    assert set(rows) == {"plain", "recorded", "frames", "sdpa", "eager"} and len(found["goals"]) == 5
    layers, heads, words, tokens = (*(found["shape"][k] for k in ("layers", "heads", "words")), 64)
    assert rows["recorded"]["kept_bytes"] == 4 * layers * heads * words * tokens
    assert rows["frames"]["kept_bytes"] == 4 * layers * heads * words * (found["shape"]["frames"] + 1)
    assert rows["eager"]["kept_bytes"] == 4 * layers * heads * tokens * tokens
    for row in rows.values():
        assert row["cpu_s"] > 0 and row["cpu_ratio"] > 0 and row["torch_bytes"] > 0
        assert row["torch_for_attention_bytes"] >= 0 and "told" in row and row["tokens"] == tokens


def test_every_script_stands_in_the_table() -> None:
    table = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    assert not [p.name for p in (ROOT / "benchmarks").glob("*.py") if f"`{p.name}`" not in table]


@pytest.mark.slow
def test_all_orders_of_four_frames_score_as_one_by_one() -> None:
    command = [sys.executable, "benchmarks/reorder.py", "--smoke", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["family"] for row in found["rows"]} == set(names())
    for row in found["rows"]:
        assert row["orders"] == 24 and row["largest_difference"] < 1e-4 and row["cpu_s"] > 0 and row["cpu_ratio"] > 0
