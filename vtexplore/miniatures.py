"""How the miniatures are made, one command each:

    vtexplore train video_swin      a shared part: a backbone, a discrete VAE, a text encoder
    vtexplore train violet          a family; parts that are missing are trained first

The published models start from pretrained eyes and words and are then pretrained on pairs; so do these.
A part is trained once and shared. Every result is a safetensors file in fp16 with a card beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore import registry
from vtexplore.blocks import video_swin
from vtexplore.blocks.video_swin import VideoSwin
from vtexplore.errors import ConfigError
from vtexplore.eyes import Eyes
from vtexplore.tasks import Codes, Pretrain, Words
from vtexplore.train import Recipe, Task, fit
from vtexplore.world import SHAPES_THEME

FAST_MALLOC = {
    # Large tensors come and go in every step; without this glibc gives their pages back each time, and a
    # third of a training step is spent in the kernel getting them again.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "536870912",
}


# ── shared parts ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Part:
    """A part that miniatures share: its stages are run in order on one and the same weights.

    ``stages``: name → (task from the host model, recipe). ``keep`` picks the tensors to save.
    """

    stages: dict[str, tuple[Callable[[nn.Module, str], Task], Recipe]]


class _Backbone(nn.Module):
    """A Video Swin that takes pixels in 0..1."""

    def __init__(self, swin: VideoSwin) -> None:
        super().__init__()
        self.swin = swin

    def forward(self, video: Tensor) -> Tensor:
        """[batch, frame, rgb, height, width] to [batch, frame, row, column, channel]."""
        out: Tensor = self.swin(video_swin.normalise(video))
        return out


def _eyes(frames: int | None) -> Callable[[nn.Module, str], Task]:
    def task(host: nn.Module, prefix: str) -> Task:
        swin, inputs = host.get_submodule(prefix.rstrip(".")), host.config.inputs
        if frames != 1:
            video_swin.spread_over_time(swin)
        stride = swin.config.patch[1] * 2 ** (len(swin.config.depths) - 1)
        seen = inputs.frames if frames is None else frames
        return Eyes(_Backbone(swin), swin.config.out_width, SHAPES_THEME, seen, inputs.size_px, stride)

    return task


def _codes(host: nn.Module, prefix: str) -> Task:
    dvae = host.get_submodule(prefix.rstrip("."))
    _, rows, _ = host.config.swin.grid(host.config.inputs.frames, *[host.config.inputs.size_px] * 2)
    return Codes(dvae.requires_grad_(True), rows * 8)


def _words(host: nn.Module, prefix: str) -> Task:
    return Words(host.text, host.fusion, host.word_head, host.config.inputs)


PARTS = {
    # "the world's ImageNet", then "the world's Kinetics"
    "video_swin": Part(
        {
            "stills": (_eyes(1), Recipe(steps=1500, batch=128, lr=5e-3)),
            "clips": (_eyes(None), Recipe(steps=1300, batch=32, lr=2.5e-3)),
        }
    ),
    "dvae": Part({"frames": (_codes, Recipe(steps=1500, batch=32, lr=3e-3, weight_decay=0.0))}),
    "text": Part({"sentences": (_words, Recipe(steps=1500, batch=64, lr=1.5e-3))}),
}


def host_of(kind: str) -> tuple[nn.Module, str]:
    """A fresh miniature that has a part, and the prefix of the part's names in it."""
    for name in registry.names():
        page = registry.family(name)
        if kind in page.parts:
            torch.manual_seed(0)
            return registry.build(name).train(), page.parts[kind]
    raise ConfigError(f"No family has a part called {kind!r}; there are {', '.join(PARTS)}.")


def train_part(kind: str, folder: Path, steps: int | None = None) -> dict[str, Any]:
    """Train a shared part; returns what its card says of the training."""
    host, prefix = host_of(kind)
    about = {}
    for stage, (task_of, recipe) in PARTS[kind].stages.items():
        if steps is not None:
            recipe = replace(recipe, steps=steps)
        about[stage] = fit(task_of(host, prefix), recipe, folder / stage)
    return about


# ── launching ─────────────────────────────────────────────────────────────────────────────────────


def launch(arguments: list[str], processes: int) -> int:
    """Run ``python -m vtexplore …`` in so many processes that train together; returns the exit code.

    On CPUs, two processes of one thread each are faster than one of two.
    """
    environment = {**FAST_MALLOC, **os.environ, "OMP_NUM_THREADS": "1"}
    group = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    return subprocess.call([sys.executable, *group, "-m", "vtexplore", *arguments], env=environment)
