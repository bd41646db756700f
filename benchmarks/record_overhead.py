"""What does it cost to record a forward? Time and memory, beside a plain forward and transformers' own way.

    python benchmarks/record_overhead.py                      a table; some ten minutes on one quiet core
    python benchmarks/record_overhead.py --json > out.json    the same as one JSON document
    python benchmarks/record_overhead.py --smoke              tiny, in seconds: does it run at all?

An encoder of BERT-base shape (12 layers of width 768, 12 heads, random weights, fp32, CPU) reads 32 words
and, for the rest, patches of 8 frames. Ours: plain; recorded (the words' rows, all layers and heads); recorded
with reduce="frames" (words × frames). transformers' BertModel of the same shape: sdpa; eager with
output_attentions=True.

Time: all conditions in one process and in every round, each round beginning with another one. Ratios are
medians over rounds of the ratio to the plain forward of the same round and the same library, in CPU time (all
threads) and wall time.

Memory, each condition in a process of its own, after a short warm-up:
  torch    the most bytes that torch's CPU allocator held at one time during the forward, beyond what it held
           before: counted event by event by the profiler, the same in every run
  process  how far the process's resident memory rose above what it was before (Linux: VmHWM, reset first)
  kept     bytes of the attention weights that are still there afterwards
"for the attention" is what a condition needs beyond the plain forward of its own library.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vtexplore.blocks.tap import name_taps
from vtexplore.blocks.transformer import Encoder
from vtexplore.record import Record, record
from vtexplore.types import Batch, Output, Stream, Tokens

WORDS, FRAMES = 32, 8
SHAPES = {  # name: (layers, width, heads, tokens, rounds)
    "base": (12, 768, 12, (200, 800, 1600), 9),
    "smoke": (2, 48, 4, (64,), 2),
}
CONDITIONS = {  # name: (library, the plain forward that it is measured against)
    "plain": ("vtexplore", "plain"),
    "recorded": ("vtexplore", "plain"),
    "frames": ("vtexplore", "plain"),
    "sdpa": ("transformers", "sdpa"),
    "eager": ("transformers", "sdpa"),
}
TOLD = {
    "plain": "vtexplore, plain",
    "recorded": "vtexplore, recorded: words' rows",
    "frames": "vtexplore, recorded: words × frames",
    "sdpa": "transformers, plain (sdpa)",
    "eager": "transformers, output_attentions=True (eager)",
}
MB = 1e6


class Reader(nn.Module):
    """An encoder that reads a given Stream, whatever the batch, and hands on its states."""

    def __init__(self, layers: int, width: int, heads: int, stream: Stream) -> None:
        super().__init__()
        self.encoder, self.stream = Encoder(layers, width, heads, 4 * width), stream

    def forward(self, batch: Batch) -> Output:
        return Output(video_embedding=self.encoder(self.stream).hidden)


def stream_of(tokens: int, width: int) -> Stream:
    """Patches of 8 frames (the first frames have one more, if need be), then 32 words."""
    frame = np.arange(tokens - WORDS) * FRAMES // (tokens - WORDS)
    span_s = np.stack([frame, frame + 1], axis=1).astype(float)
    box = np.tile([0.0, 0.0, 1.0, 1.0], (len(frame), 1))
    video = Tokens.make(["patch"] * len(frame), [{"video"}] * len(frame), box, span_s)
    words = Tokens.make(["word"] * WORDS, [{"text"}] * WORDS, word=np.arange(WORDS))
    hidden = torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(0))
    both = [video + words]
    return Stream(hidden, torch.ones(1, tokens, dtype=torch.bool), lambda: both)


def ours(shape: tuple[Any, ...], tokens: int) -> dict[str, Callable[[], Any]]:
    layers, width, heads = shape[:3]
    torch.manual_seed(0)
    model = name_taps(Reader(layers, width, heads, stream_of(tokens, width))).eval()
    batch = Batch.bare(torch.zeros(1, 1, 3, 1, 1), torch.zeros(1, 1, dtype=torch.long))

    def plain() -> Output:
        with torch.inference_mode():
            return model(batch)

    return {
        "plain": plain,
        "recorded": partial(record, model, batch),
        "frames": partial(record, model, batch, reduce="frames"),
    }


def theirs(shape: tuple[Any, ...], tokens: int, ways: tuple[str, ...]) -> dict[str, Callable[[], Any]]:
    from transformers import BertConfig, BertModel

    layers, width, heads = shape[:3]
    sizes = {"num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads}
    config = BertConfig(**sizes, intermediate_size=4 * width, max_position_embeddings=tokens, vocab_size=WORDS)
    states = stream_of(tokens, width).hidden
    mask = torch.ones(1, tokens, dtype=torch.long)

    def forward(model: Any, attentions: bool) -> Any:
        with torch.inference_mode():
            return model(inputs_embeds=states, attention_mask=mask, output_attentions=attentions)

    runs = {}
    for way in ways:
        torch.manual_seed(0)
        model = BertModel._from_config(config, attn_implementation=way).eval()
        runs[way] = partial(forward, model, way == "eager")
    return runs


def runs_of(shape: tuple[Any, ...], tokens: int, only: str | None = None) -> dict[str, Callable[[], Any]]:
    """The conditions as functions without arguments; ``only`` builds what one of them needs."""
    if only is not None:
        library = CONDITIONS[only][0]
        found = ours(shape, tokens) if library == "vtexplore" else theirs(shape, tokens, (only,))
        return {only: found[only]}
    return ours(shape, tokens) | theirs(shape, tokens, ("sdpa", "eager"))


def kept_by(result: Any) -> int:
    """Bytes of the attention weights in a result, views counted with what they hold alive."""
    if isinstance(result, Record):
        weights = [a.weights for a in result.attention.values()]
    else:
        weights = list(getattr(result, "attentions", None) or ())
    return sum({w.untyped_storage().data_ptr(): w.untyped_storage().nbytes() for w in weights}.values())


# ── time ──────────────────────────────────────────────────────────────────────────────────────────


def timed(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Medians in seconds, and medians of the ratios within rounds."""
    names = list(runs)
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1, rounds):  # round −1 warms up
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start_wall, start_cpu = time.perf_counter(), time.process_time()
            runs[name]()
            spent_cpu, spent_wall = time.process_time() - start_cpu, time.perf_counter() - start_wall
            if turn >= 0:
                cpu[name].append(spent_cpu)
                wall[name].append(spent_wall)

    def ratio(spent: dict[str, list[float]], name: str) -> list[float]:
        return [a / b for a, b in zip(spent[name], spent[CONDITIONS[name][1]], strict=True)]

    return {
        name: {
            "cpu_s": statistics.median(cpu[name]),
            "wall_s": statistics.median(wall[name]),
            "cpu_ratio": statistics.median(ratio(cpu, name)),
            "wall_ratio": statistics.median(ratio(wall, name)),
            "cpu_ratio_spread": [min(ratio(cpu, name)), max(ratio(cpu, name))],
        }
        for name in names
    }


# ── memory ────────────────────────────────────────────────────────────────────────────────────────


def resident() -> tuple[int, int]:
    """Resident bytes now and at their highest since the last reset; 0, 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return 0, 0
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return 1024 * kb["VmRSS"], 1024 * kb["VmHWM"]


def peak_of_process(run: Callable[[], Any]) -> int | None:
    """How far resident memory rose during one call; None where the system does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "utf-8")  # the high-water mark starts anew
    except OSError:
        return None
    before = resident()[0]
    result = run()
    after = resident()[1]
    del result
    return after - before


def peak_of_torch(run: Callable[[], Any]) -> tuple[int, int]:
    """The most bytes that torch's CPU allocator held at one time beyond those before, and the bytes kept."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        result = run()
    events = (event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]")
    changes = sorted((event.start_ns(), event.nbytes()) for event in events)
    held = np.cumsum([change for _, change in changes])
    return max(0, int(held.max(initial=0))), kept_by(result)


def memory_of(shape_name: str, tokens: int, condition: str) -> dict[str, Any]:
    """In this process: the memory of one forward."""
    run = runs_of(SHAPES[shape_name], tokens, condition)[condition]
    small = runs_of((2, *SHAPES[shape_name][1:]), WORDS + FRAMES, condition)[condition]
    small()  # thread pools, buffers of the kernels
    rise = peak_of_process(run)
    torch_bytes, kept = peak_of_torch(run)
    return {"torch_bytes": torch_bytes, "process_bytes": rise, "kept_bytes": kept}


def memory(shape_name: str, tokens: int) -> dict[str, dict[str, Any]]:
    """Each condition in a fresh process; beyond the plain forward of its library: ``*_for_attention``."""
    found = {}
    for name in CONDITIONS:
        asked = ["--shape", shape_name, "--memory-of", name, "--tokens", str(tokens)]
        threads = ["--threads", str(torch.get_num_threads())]
        done = subprocess.run([sys.executable, __file__, *asked, *threads], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name} at {tokens} tokens: {done.stderr.strip().splitlines()[-1]}")
        found[name] = json.loads(done.stdout.splitlines()[-1])
    for name, (_, plain) in CONDITIONS.items():
        for kind in ("torch", "process"):
            mine, base = found[name][f"{kind}_bytes"], found[plain][f"{kind}_bytes"]
            found[name][f"{kind}_for_attention_bytes"] = None if mine is None else max(0, mine - base)
    return found


# ── the table ─────────────────────────────────────────────────────────────────────────────────────


def measure(shape_name: str, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """The whole document."""
    shape = SHAPES[shape_name]
    rows = []
    for tokens in sizes:
        runs = runs_of(shape, tokens)
        spent = timed(runs, rounds)
        del runs
        held = memory(shape_name, tokens)
        rows += [
            {"tokens": tokens, "condition": name, "told": TOLD[name], **spent[name], **held[name]}
            for name in CONDITIONS
        ]
    import transformers

    versions = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
    return {
        "benchmark": "record_overhead",
        "shape": {"layers": shape[0], "width": shape[1], "heads": shape[2], "words": WORDS, "frames": FRAMES},
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "versions": versions | {"python": platform.python_version()},
        "rows": rows,
        "goals": goals(rows),
    }


def goals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What was to be reached, and what was, at the longest sequence."""
    longest = max(row["tokens"] for row in rows)
    last = {row["condition"]: row for row in rows if row["tokens"] == longest}
    eager, mine, frames = last["eager"], last["recorded"], last["frames"]
    return {
        "tokens": longest,
        "time: recorded / plain, CPU, worst length (goal: at most 1.05)": round(
            max(r["cpu_ratio"] for r in rows if r["condition"] in ("recorded", "frames")), 3
        ),
        "memory kept: eager / recorded (goal: at least 20)": round(eager["kept_bytes"] / mine["kept_bytes"], 1),
        "memory at its peak, for the attention: eager / recorded (goal: at least 20)": round(
            eager["torch_for_attention_bytes"] / max(1, mine["torch_for_attention_bytes"]), 1
        ),
        "kept by words × frames, MB (goal: at most 1)": round(frames["kept_bytes"] / MB, 3),
    }


def table(found: dict[str, Any]) -> str:
    """The rows as a Markdown table."""
    head = [
        "tokens",
        "forward",
        "CPU s",
        "× plain, CPU",
        "wall",
        "peak MB",
        "for the attention",
        "process MB",
        "kept MB",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found["rows"]:
        times = [f"{row[kind]:.2f}" for kind in ("cpu_s", "cpu_ratio", "wall_ratio")]
        kinds = ("torch_bytes", "torch_for_attention_bytes", "process_bytes", "kept_bytes")
        cells = [row["tokens"], row["told"], *times, *(_mb(row[kind]) for kind in kinds)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _mb(count: int | None) -> str:
    return "–" if count is None else f"{count / MB:.{2 if count < 10 * MB else 0}f}"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    ask.add_argument("--smoke", action="store_true", help="tiny: does it run?")
    ask.add_argument("--shape", choices=SHAPES, default="base")
    ask.add_argument("--tokens", type=int, nargs="+", help="lengths; left out: the shape's")
    ask.add_argument("--rounds", type=int, help="how often each condition runs")
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--memory-of", choices=CONDITIONS, help=argparse.SUPPRESS)
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    shape_name = "smoke" if asked.smoke else asked.shape
    sizes = tuple(asked.tokens or SHAPES[shape_name][3])
    if asked.memory_of:
        print(json.dumps(memory_of(shape_name, sizes[0], asked.memory_of)))
        return
    found = measure(shape_name, sizes, asked.rounds or SHAPES[shape_name][4])
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    print(table(found))
    print()
    for goal, reached in found["goals"].items():
        print(f"{goal}: {reached}")


if __name__ == "__main__":
    main()
