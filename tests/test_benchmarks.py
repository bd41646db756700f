"""Benchmarks run, and their documents hold what the README's table needs."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

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


def published_size() -> Any:
    spec = importlib.util.spec_from_file_location("published_size", ROOT / "benchmarks" / "published_size.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shares_of_the_matrix_rate_are_those_of_known_products() -> None:
    size = published_size()
    a, b = torch.rand(30, 40), torch.rand(40, 50)
    q = torch.rand(1, 2, 6, 8)
    with torch.inference_mode():
        assert size.operations(lambda: a @ b) == 2 * 30 * 40 * 50
        attended = size.operations(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q))
    assert attended == 2 * 2 * (6 * 6 * 8) * 2  # two products of each of two heads
    assert size.share(6e9, 2.0, 4e9) == 0.75
    assert 1e6 < size.matrix_rate(torch.device("cpu"), "fp32", 256, 2) < 1e14


def test_a_published_size_is_measured_beside_its_plain_forward() -> None:
    """The arithmetic of a GPU's document, on miniatures and a CPU."""
    size = published_size()
    found = size.measure("mini", torch.device("cpu"), "fp32", (1, 2), 2, 64, quiet=True)
    rows = {(row["family"], row["clips"], row["condition"]): row for row in found["rows"]}
    assert len(rows) == 2 * 2 * 3
    for (family, clips, condition), row in rows.items():
        plain = rows[family, clips, "plain"]
        assert row["seconds"] > 0 and row["record_bytes"] == row["foreseen_bytes"] <= row["peak_bytes"]
        low, high = row["ratio_spread"]
        assert low <= row["ratio"] <= high and (row["record_bytes"] > 0) == (condition != "plain")
        assert (
            plain["ratio"] == 1 and rows[family, 2, "plain"]["operations"] == 2 * rows[family, 1, "plain"]["operations"]
        )
        rate = found["matrices"]["operations_per_s"]
        assert plain["share"] == pytest.approx(plain["operations"] / plain["seconds"] / rate)
    assert size.table(found).count("| violet |") == len(rows) / 2
