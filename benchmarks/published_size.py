"""What do a plain and a recorded forward cost at the size that the authors published?

    python benchmarks/published_size.py                      a table; some minutes on a CPU
    python benchmarks/published_size.py --json > out.json    the same as one JSON document
    python benchmarks/published_size.py --smoke              miniatures, in seconds: does it run at all?
    python benchmarks/published_size.py --device cuda --precision bf16 --clips 1 8 32

VIOLET and BridgeFormer at full size with random weights (speed does not depend on what they know) see clips of noise
and read a caption of 12 words. Plain; recorded (the words' rows of all layers and heads); recorded with
reduce="frames". All in one process and in every round, each round beginning with another; ratios are medians of those
within rounds, to the plain forward.

Time is CPU time of all threads on a CPU (what others do there counts for little), wall time between synchronisations
on a GPU. "share" is what a plain forward reaches of the rate at which this device multiplies square matrices in this
precision, measured in the same process by the same clock: multiplications that torch counts in the forward (times two),
per second, over those of the matrices.

Memory: on a CPU, the most bytes that torch's allocator held at one time beyond those before, by the profiler; on a GPU
by its allocator. "record" is what the record keeps, "foreseen" what was foretold before it was begun.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from record_overhead import kept_by, peak_of_torch

from vtexplore import registry
from vtexplore.devices import PRECISIONS, computing, device_of, free_bytes, precision_of
from vtexplore.foresight import foreseen
from vtexplore.record import Recorder, record
from vtexplore.types import Batch, Output

FAMILIES = ("violet", "bridgeformer")
WORDS = 12
SIDES = {"cpu": 1024, "cuda": 8192, "mps": 4096}  # of the matrices: large enough to keep the device busy
TOLD = {"plain": "plain", "recorded": "recorded: words' rows", "frames": "recorded: words × frames"}
MB = 1e6


def batch_of(model: Any, clips: int, device: torch.device) -> Batch:
    """Clips of noise, and a caption of ``WORDS`` words between [CLS] and [SEP]."""
    numbers, inputs = torch.Generator().manual_seed(0), model.inputs
    video = torch.rand(clips, inputs.frames, 3, inputs.size_px, inputs.size_px, generator=numbers)
    ids = torch.arange(5, 5 + WORDS + 2).expand(clips, -1).contiguous()
    return Batch.bare(video, ids).to(device)


def runs_of(model: Any, batch: Batch) -> dict[str, Callable[[], Any]]:
    def plain() -> Output:
        with torch.inference_mode():
            return model(batch)

    return {
        "plain": plain,
        "recorded": partial(record, model, batch),
        "frames": partial(record, model, batch, reduce="frames"),
    }


# ── time ──────────────────────────────────────────────────────────────────────────────────────────


def seconds_of(run: Callable[[], Any], device: torch.device) -> float:
    """CPU seconds of all threads on a CPU; elsewhere wall seconds until the device has done it."""
    if device.type == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    wait = torch.cuda.synchronize if device.type == "cuda" else torch.mps.synchronize
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def matrix_rate(device: torch.device, precision: str, side: int, rounds: int) -> float:
    """Operations a second (an addition and a multiplication are two) of the quickest product of square matrices."""
    a, b = (torch.rand(side, side, device=device, dtype=PRECISIONS[precision]) for _ in range(2))
    with torch.inference_mode():
        return 2 * side**3 / min(seconds_of(lambda: a @ b, device) for _ in range(rounds + 1))


def operations(run: Callable[[], Any]) -> int:
    """Additions and multiplications of matrix products, convolutions and attention in one forward, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(q, k, v))

    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # the one that torch does not count by itself
    with FlopCounterMode(display=False, custom_mapping={kernel: attention}) as count:
        run()
    return int(count.get_total_flops())


def share(count: float, seconds: float, rate: float) -> float:
    """What ``count`` operations in so many seconds are of a rate, 0..1."""
    return count / seconds / rate


def timed(runs: dict[str, Callable[[], Any]], rounds: int, device: torch.device, bar: Any) -> dict[str, dict[str, Any]]:
    """Medians in seconds, and of the ratios to the plain forward of the same round, with their spread."""
    names, spent = list(runs), {name: [0.0] * rounds for name in runs}
    for turn in range(-1, rounds):  # round −1 warms up
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took = seconds_of(runs[name], device)
            bar.update()
            if turn >= 0:
                spent[name][turn] = took
    ratios = {name: [a / b for a, b in zip(spent[name], spent["plain"], strict=True)] for name in names}
    return {
        name: {
            "seconds": statistics.median(spent[name]),
            "ratio": statistics.median(ratios[name]),
            "ratio_spread": [min(ratios[name]), max(ratios[name])],
        }
        for name in names
    }


# ── memory ────────────────────────────────────────────────────────────────────────────────────────


def peak_and_kept(run: Callable[[], Any], device: torch.device) -> tuple[int | None, int]:
    """The most bytes held at one time beyond those before (None: nobody tells), and those of the maps kept."""
    if device.type == "cpu":
        return peak_of_torch(run)
    if device.type != "cuda":
        return None, kept_by(run())
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    kept = kept_by(run())
    return torch.cuda.max_memory_allocated(device) - before, kept


# ── the document ──────────────────────────────────────────────────────────────────────────────────


def rows_of(
    family: str, size: str, device: torch.device, precision: str, clips: tuple[int, ...], rounds: int, rate: float,
    bar: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each number of clips and each way to run."""
    torch.manual_seed(0)
    model = computing(registry.build(family, size).to(device), precision)
    rows = []
    for count in clips:
        batch = batch_of(model, count, device)
        runs = runs_of(model, batch)
        spent, done = timed(runs, rounds, device, bar), operations(runs["plain"])
        for name, run in runs.items():
            question = {"reduce": "frames"} if name == "frames" else {}
            told = None if name == "plain" else foreseen(model, batch, Recorder(**question))
            peak, kept = peak_and_kept(run, device)
            bar.update()
            about = {"family": family, "size": size, "clips": count, "condition": name, "told": TOLD[name]}
            rows.append(
                about
                | spent[name]
                | {"peak_bytes": peak, "record_bytes": kept, "foreseen_bytes": 0 if told is None else told.bytes}
                | ({"operations": done, "share": share(done, spent[name]["seconds"], rate)} if name == "plain" else {})
            )
    return rows


def measure(
    size: str, device: torch.device, precision: str, clips: tuple[int, ...], rounds: int, side: int, quiet: bool = False
) -> dict[str, Any]:
    """The whole document."""
    from tqdm import tqdm

    busy, rows = os.getloadavg()[0] if hasattr(os, "getloadavg") else None, []
    rate = matrix_rate(device, precision, side, rounds)
    with tqdm(total=len(FAMILIES) * len(clips) * len(TOLD) * (rounds + 2), unit="forward", disable=quiet) as bar:
        for family in FAMILIES:
            rows += rows_of(family, size, device, precision, clips, rounds, rate, bar)
    return {
        "benchmark": "published_size",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "clock": "CPU time" if device.type == "cpu" else "wall time",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load_before": busy,
        "shared": device.type == "cpu" and busy is not None and busy > 0.5,
        "free_bytes": free_bytes(device),
        "precision": precision,
        "rounds": rounds,
        "words": WORDS,
        "matrices": {"side": side, "operations_per_s": rate},
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "rows": rows,
    }


def table(found: dict[str, Any]) -> str:
    """The rows as a Markdown table."""
    head = ["model", "clips", "forward", found["clock"], "× plain", "peak MB", "record MB", "share of the matrix rate"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found["rows"]:
        reached = f"{100 * row['share']:.0f} %" if "share" in row else "–"
        peak = "–" if row["peak_bytes"] is None else f"{row['peak_bytes'] / MB:.0f}"
        cells = [row["family"], row["clips"], row["told"], f"{row['seconds']:.3f} s", f"{row['ratio']:.2f}", peak]
        lines.append("| " + " | ".join(map(str, [*cells, f"{row['record_bytes'] / MB:.2f}", reached])) + " |")
    shared = "; other programs ran beside" if found["shared"] else ""
    return "\n".join([*lines, "", f"{found['device']}, {found['precision']}, {found['threads']} threads{shared}."])


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    ask.add_argument("--smoke", action="store_true", help="miniatures: does it run?")
    ask.add_argument("--device", default="auto")
    ask.add_argument("--precision", default="auto")
    ask.add_argument("--clips", type=int, nargs="+", default=[1])
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--threads", type=int, default=1)
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    device = device_of(asked.device)
    precision = precision_of(asked.precision, device)
    size, rounds, side = ("mini", 2, 128) if asked.smoke else ("published", asked.rounds, SIDES[device.type])
    found = measure(size, device, precision, tuple(asked.clips), rounds, side, quiet=asked.smoke)
    print(json.dumps(found, indent=1) if asked.json else table(found))


if __name__ == "__main__":
    main()
