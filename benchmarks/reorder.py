"""What do all orders of six frames cost? `reorder`'s way beside a forward for each order.

    python benchmarks/reorder.py                      a table; some minutes on one quiet core
    python benchmarks/reorder.py --json > out.json    the same as one JSON document
    python benchmarks/reorder.py --smoke              four frames: does it run at all?

Each family's miniature (fresh weights where none is shipped) is asked for one text beside one clip in all 720 orders
of six units: frames, or the groups of frames that it takes in as one. The plain way is a loop: one forward of the
whole model an order, nothing remembered. Both ways run once, all orders measured, the shorter one first; CPU time of
all threads and wall time. Scores must agree to 1e-4.

Goals: at least 10 times less CPU time where units are encoded one by one (they are encoded once), at least 3 times
elsewhere (orders share a batch). Orders in which only equals change places are asked once: "different" says how many
are left, and is part of what is gained.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.probes._moves import ONCE, move, tube
from vtexplore.probes._orders import all_orders
from vtexplore.types import Batch
from vtexplore.world import sample_scene

SAME = 1e-4


def model_of(name: str) -> Any:
    torch.manual_seed(0)
    return registry.load(name) if registry.shipped(name) else registry.build(name)


def asked(model: Any, units: int) -> tuple[Batch, str, int]:
    """A clip beside its caption as so many units, what they are, and how many frames each has."""
    clip = sample_scene(3, form="then").clip()
    each, overlap = tube(model, prepare([clip], [clip.caption or ""], model.inputs))
    each = 1 if overlap else each
    batch = prepare([clip], [clip.caption or ""], replace(model.inputs, frames=units * each))
    return batch, "frames" if each == 1 else "tubelets", each


def loop(model: Any, batch: Batch, rows: np.ndarray, each: int) -> np.ndarray:
    """The plain way: scores [order]."""
    out = []
    with torch.inference_mode():
        for row in rows:
            frames = (row[:, None] * each + np.arange(each)).ravel()
            out.append(float(model(replace(batch, video=batch.video[:, torch.from_numpy(frames)])).match_logits[0]))
    return np.array(out)


def timed(run: Any) -> tuple[np.ndarray, float, float]:
    """What it gives, CPU seconds, wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def measure(name: str, units: int) -> dict[str, Any]:
    """One family's row."""
    model = model_of(name)
    batch, what, each = asked(model, units)
    rows = all_orders(units)
    loop(model, batch, rows[:1], each)  # buffers of the kernels
    how: list[str] = []
    different: list[int] = []

    def ours() -> np.ndarray:
        moving = move(model, batch, what)
        how.append(moving.how)
        different.append(len(np.unique(moving.kinds[rows], axis=0)))
        return moving.scores(rows)[:, 0]

    mine, mine_cpu, mine_wall = timed(ours)
    plain, plain_cpu, plain_wall = timed(lambda: loop(model, batch, rows, each))
    once = how[0] == ONCE
    return {
        "family": name,
        "weights": getattr(model, "weights_hash", None),
        "what": what,
        "frames": int(batch.video.shape[1]),
        "orders": len(rows),
        "different": different[0],
        "how": how[0],
        "cpu_s": mine_cpu,
        "wall_s": mine_wall,
        "loop_cpu_s": plain_cpu,
        "loop_wall_s": plain_wall,
        "cpu_ratio": plain_cpu / mine_cpu,
        "wall_ratio": plain_wall / mine_wall,
        "goal": 10 if once else 3,
        "largest_difference": float(np.abs(mine - plain).max()),
    }


def table(found: dict[str, Any]) -> str:
    """The rows as a Markdown table."""
    head = ["family", "what", "how", "different orders", "loop, CPU s", "reorder, CPU s", "× CPU", "× wall", "goal"]
    head.append("largest difference")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found["rows"]:
        met = "" if row["cpu_ratio"] >= row["goal"] else " (missed)"
        lines.append(
            f"| {row['family']} | {row['what']} | {row['how']} | {row['different']} "
            f"| {row['loop_cpu_s']:.1f} | {row['cpu_s']:.2f} "
            f"| {row['cpu_ratio']:.1f} | {row['wall_ratio']:.1f} | {row['goal']}{met} "
            f"| {row['largest_difference']:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    ask.add_argument("--smoke", action="store_true", help="four units, 24 orders: does it run?")
    ask.add_argument("--family", action="append", choices=registry.names(), help="one family; may be given again")
    ask.add_argument("--threads", type=int, default=1)
    given = ask.parse_args()
    torch.set_num_threads(given.threads)
    rows = [measure(name, 4 if given.smoke else 6) for name in given.family or registry.names()]
    if wrong := [row["family"] for row in rows if row["largest_difference"] > SAME]:
        raise SystemExit(f"other scores than one by one: {', '.join(wrong)}")
    found = {
        "benchmark": "reorder",
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "rows": rows,
    }
    print(json.dumps(found, indent=1) if given.json else table(found))


if __name__ == "__main__":
    main()
