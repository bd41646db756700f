"""What do all orders of six frames cost? `reorder`'s way beside a forward for each order.

    python benchmarks/reorder.py                      a table; some minutes on one quiet core
    python benchmarks/reorder.py --json > out.json    the same as one JSON document
    python benchmarks/reorder.py --orders 48          some of the orders, for a busy machine
    python benchmarks/reorder.py --smoke              four frames: does it run at all?

Each family's miniature (fresh weights where none is shipped) is asked for one text beside one clip in all 720 orders
of six units: frames, or the groups of frames that it takes in as one. The plain way is a loop: one forward of the
whole model an order, nothing remembered. All orders are measured both ways, ours between two halves of the loop; CPU
time of all threads and wall time. Scores must agree to 1e-4.

Goals: at least 10 times less CPU time where units are encoded one by one (they are encoded once), at least 3 times
elsewhere (orders share a batch, and nothing but the match is asked for). Orders in which only equals change places are
asked once: "different" says how many are left, and is part of what is gained.

How much could be gained? "gflop" is what reorder's way multiplies and adds for one order, "gflop_s" what this machine
does in a large product of matrices (both at two operations a multiplication); the loop's time over that of the
arithmetic alone is the "bound": no way to ask for the same sums can do better, here, in fp32.

VIOLET misses its goal on a CPU: 1.4 in three runs, of 48, 48 and all 720 orders, where the bound was 2.9, 3.5 and 2.2.
A gain of 3 would take the rate of a large product throughout, softmax and norms included, or more, and there is little
to share. Its frames meet in the first layer: slot t sees frames t and t + 1, and windows are 4 slots long, so the
first window holds five of six frames, and all 720 orders differ there. What does not differ: the patches of a slot (36
pairs of frames, a last one's zero frame included, in place of 4,320), and the second window (30 pairs of frames), up
to the first shift of windows in time, in the second block of the second stage. Shared, that would save 0.17 of 1.01
GFLOP an order (counted by hand, not built), for which the backbone would have to know of other clips. Nor does a batch
save much: one clip's matrices have hundreds or thousands of rows as it is; 35, 31, 27, 27, 27, 29 ms a clip were
measured for 1, 2, 4, 8, 16, 32 at a time, all heads asked (8 at a time: 17 in the backbone, 7 in the cross-modal
transformer, 1 in the heads). What reorder's way leaves out is the last layer but for the text's [CLS] (3 of the 7 ms)
and the heads for words and codes. On a GPU, where a small forward is mostly waiting, it was not measured.

MERLOT gains 9.3 to 12.4 in five runs, its goal being 10: its frames are encoded once, but meet the words in all layers
of the joint transformer, which is asked anew for each order. After the last layer only that is asked for which the
match is read off; all of it, with all heads, 6.4 were measured. HERO's stretches are seen one by one and only then
meet in time: seen once, 30 in place of 1.3.
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
from torch.utils.flop_counter import FlopCounterMode

from vtexplore import registry
from vtexplore.blocks.tap import Call, listening
from vtexplore.data.prepare import prepare
from vtexplore.probes._moves import ONCE, move, tube
from vtexplore.probes._orders import all_orders
from vtexplore.types import Batch, Stream
from vtexplore.world import sample_scene

SAME = 1e-4


def model_of(name: str) -> Any:
    torch.manual_seed(0)
    model = registry.load(name) if registry.shipped(name) else registry.build(name)
    return model.requires_grad_(False)  # torch's counter stumbles over weights that modules hand to each other


def asked(model: Any, units: int) -> tuple[Batch, str, int]:
    """A clip beside its caption as so many units, what they are, and how many frames each has."""
    clip = sample_scene(3, form="then").clip()
    each, overlap = tube(model, prepare([clip], [clip.caption or ""], model.inputs))
    each = 1 if overlap else each
    batch = prepare([clip], [clip.caption or ""], replace(model.inputs, frames=units * each))
    return batch, "frames" if each == 1 else "tubelets", each


def loop(model: Any, batch: Batch, rows: np.ndarray, each: int) -> np.ndarray:
    """The plain way: scores of orders [order]."""
    out = []
    with torch.inference_mode():
        for row in rows:
            frames = (row[:, None] * each + np.arange(each)).ravel()
            out.append(float(model(replace(batch, video=batch.video[:, torch.from_numpy(frames)])).match_logits[0]))
    return np.array(out)


class Products:
    """A listener that counts what attention multiplies and adds; its fused kernel escapes torch's counter."""

    flop = 0

    def hear(self, call: Call) -> None:
        """Queries times keys, and weights times values."""
        self.flop += 4 * call.q.numel() * call.k.shape[-2]

    def see(self, site: str, stream: Stream) -> None:
        """States cost nothing."""


def gflop(run: Any) -> float:
    """10⁹ multiplications and additions in products of matrices, attention and convolution."""
    with torch.inference_mode(), listening(Products()) as heard, FlopCounterMode(display=False) as counted:
        run()
    return float((counted.get_total_flops() + heard.flop) / 1e9)


def gflop_s(side: int = 1024, rounds: int = 5) -> float:
    """10⁹ multiplications and additions a second of CPU time in a product of matrices; the best of some rounds."""
    a = torch.rand(side, side)
    return max(2 * side**3 / 1e9 / timed(lambda: a @ a)[1] for _ in range(rounds))


def timed(run: Any) -> tuple[np.ndarray, float, float]:
    """What it gives, CPU seconds, wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def measure(name: str, units: int, most: int | None = None) -> dict[str, Any]:
    """One family's row."""
    model = model_of(name)
    batch, what, each = asked(model, units)
    rows = all_orders(units)
    rows = rows if most is None else rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]
    loop(model, batch, rows[:1], each)  # buffers of the kernels
    how: list[str] = []
    different: list[int] = []

    def ours() -> np.ndarray:
        moving = move(model, batch, what)
        how.append(moving.how)
        different.append(len(np.unique(moving.kinds[rows], axis=0)))
        return moving.scores(rows)[:, 0]

    half = len(rows) // 2
    first = timed(lambda: loop(model, batch, rows[:half], each))
    mine, mine_cpu, mine_wall = timed(ours)
    second = timed(lambda: loop(model, batch, rows[half:], each))
    plain, (plain_cpu, plain_wall) = np.concatenate([first[0], second[0]]), np.add(first[1:], second[1:]).tolist()
    once, moving = how[0] == ONCE, move(model, batch, what)
    some = min(moving.at_once, len(rows))
    needed = gflop(lambda: moving.ask(rows[:some])) / some
    rate = gflop_s()
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
        "loop_gflop": gflop(lambda: loop(model, batch, rows[:1], each)),
        "gflop": needed,
        "gflop_s": rate,
        "bound": plain_cpu * rate / (needed * different[0]),
        "largest_difference": float(np.abs(mine - plain).max()),
    }


def table(found: dict[str, Any]) -> str:
    """The rows as a Markdown table."""
    head = ["family", "what", "how", "different orders", "loop, CPU s", "reorder, CPU s", "× CPU", "× wall", "goal"]
    head += ["bound", "GFLOP an order", "largest difference"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found["rows"]:
        met = "" if row["cpu_ratio"] >= row["goal"] else " (missed)"
        lines.append(
            f"| {row['family']} | {row['what']} | {row['how']} | {row['different']} "
            f"| {row['loop_cpu_s']:.1f} | {row['cpu_s']:.2f} "
            f"| {row['cpu_ratio']:.1f} | {row['wall_ratio']:.1f} | {row['goal']}{met} "
            f"| {row['bound']:.1f} | {row['gflop']:.3g} | {row['largest_difference']:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    ask.add_argument("--smoke", action="store_true", help="four units, 24 orders: does it run?")
    ask.add_argument("--family", action="append", choices=registry.names(), help="one family; may be given again")
    ask.add_argument("--orders", type=int, help="so many orders, evenly drawn from all")
    ask.add_argument("--threads", type=int, default=1)
    given = ask.parse_args()
    torch.set_num_threads(given.threads)
    rows = [measure(name, 4 if given.smoke else 6, given.orders) for name in given.family or registry.names()]
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
