"""How the miniatures are made, one command each:

    vtexplore train video_swin      a shared part: a backbone, a discrete VAE, a text encoder
    vtexplore train violet          a family; parts that are missing are trained first

The published models start from pretrained eyes and words and are then pretrained on pairs; so do these.
A part is trained once and shared. Every result is a safetensors file in fp16 with a card beside it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vtexplore import registry
from vtexplore.assets import find
from vtexplore.blocks import video_swin
from vtexplore.blocks.clip_words import ClipWords
from vtexplore.blocks.dvae import STRIDE_PX
from vtexplore.blocks.video_swin import VideoSwin
from vtexplore.blocks.vit import ViT
from vtexplore.errors import ConfigError
from vtexplore.exemplars import word_scene
from vtexplore.eyes import Eyes
from vtexplore.moments import Moments
from vtexplore.tasks import Codes, Pretrain, Words, scene_batch
from vtexplore.train import Recipe, Task, fit, step_rng
from vtexplore.visual_words import VisualWords
from vtexplore.weights import save_miniature, save_part, start_from_parts
from vtexplore.world import SHAPES_THEME, WORDS
from vtexplore.world.act import DURATION_S
from vtexplore.world.vocabulary import PATH as VOCABULARY

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

    ``about`` says what it is, in words for its card; ``stages``: name → (task from the host model, recipe);
    ``keep``: beginnings of the names of the tensors to store.
    """

    about: str
    stages: dict[str, tuple[Callable[[Any, str], Task], Recipe]]
    keep: tuple[str, ...] = ("",)


class _Backbone(nn.Module):
    """A Video Swin or a ViT that takes pixels in 0..1 and gives grids, and a ViT's summary of the last.

    Of a ViT, ``EARLY`` blocks before its end places are asked as well: BridgeFormer's bridge reads what enters a block.
    """

    EARLY = (2,)

    def __init__(self, tower: VideoSwin | ViT) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor | None]:
        """[batch, frame, rgb, height, width] to [depth, batch, frame, row, column, channel] and [batch, channel]."""
        pixels = video_swin.normalise(video)
        return self.tower.read(pixels, self.EARLY) if isinstance(self.tower, ViT) else (self.tower(pixels)[None], None)


def _eyes(frames: int | None, spread: bool = True, where: bool = False) -> Callable[[Any, str], Task]:
    def task(host: Any, prefix: str) -> Task:
        tower, inputs = host.get_submodule(prefix.rstrip(".")), host.config.inputs
        if frames is None and spread:
            video_swin.spread_over_time(tower)
        seen, sizes = inputs.frames if frames is None else frames, tower.config
        return Eyes(_Backbone(tower), sizes.out_width, SHAPES_THEME, seen, inputs.size_px, sizes.patch_px, where)

    return task


def _moments(*sites: str, whole: bool = False) -> Callable[[Any, str], Task]:
    def task(host: Any, prefix: str) -> Task:
        tower, inputs, window = host.get_submodule(prefix.rstrip(".")), host.config.inputs, host.config.window
        return Moments(tower, SHAPES_THEME, window, inputs.frames / DURATION_S, inputs.size_px, sites, whole)

    return task


def _codes(hottest: float) -> Callable[[Any, str], Task]:
    def task(host: Any, prefix: str) -> Task:
        dvae = host.get_submodule(prefix.rstrip("."))
        _, rows, _ = host.config.swin.grid(host.config.inputs.frames, *[host.config.inputs.size_px] * 2)
        return Codes(dvae.requires_grad_(True), rows * STRIDE_PX, hottest)

    return task


def _words(host: Any, prefix: str) -> Task:
    return Words(host.text, host.fusion, host.word_head, host.config.inputs)


PARTS = {
    "video_swin": Part(
        "Video Swin, supervised by the world's labels at each place: first on stills, then on clips",
        {
            "stills": (_eyes(1), Recipe(steps=1500, batch=128, lr=5e-3)),
            "clips": (_eyes(None), Recipe(steps=700, batch=32, lr=2.5e-3)),
            "clips, warm restart": (_eyes(None, spread=False), Recipe(steps=400, batch=32, lr=2e-3)),
        },
    ),
    "vit": Part(
        "Vision transformer, supervised by the world's labels at each place, also of where things are, on stills",
        {
            "stills": (_eyes(1, where=True), Recipe(steps=2200, batch=128, lr=2e-3, bf16=True)),
            "stills, warm restart": (_eyes(1, where=True), Recipe(steps=800, batch=128, lr=1e-3, bf16=True)),
        },
    ),
    "s3d": Part(
        "S3D, supervised by the world's labels: at each place, from its first maps to its last; then for moments, the "
        "action and what acts",
        {
            "first maps": (_moments("2c"), Recipe(steps=100, batch=64, lr=3e-3, lr_end=0.3)),
            "small places": (_moments("2c", "3c"), Recipe(steps=900, batch=64, lr=3e-3, lr_end=0.3)),
            "larger places": (_moments("3c", "4f"), Recipe(steps=700, batch=64, lr=3e-3, lr_end=0.3)),
            "moments": (_moments("3c", "4f", whole=True), Recipe(steps=1800, batch=64, lr=3e-3)),
        },
    ),
    "dvae": Part(
        "Discrete VAE, trained to paint frames again",
        {
            "frames": (_codes(1.0), Recipe(steps=1200, batch=24, lr=5e-3, weight_decay=0.0)),
            "frames, warm restart": (_codes(0.4), Recipe(steps=800, batch=48, lr=4e-3, weight_decay=0.0)),
        },
    ),
    "text": Part(
        "Text encoder, trained on masked words of the world's sentences alone",
        {"sentences": (_words, Recipe(steps=1200, batch=64, lr=2e-3))},
        keep=("text.", "fusion.", "word_head."),
    ),
}


def host_of(kind: str) -> tuple[Any, str]:
    """A fresh miniature that has a part, and the prefix of the part's names in it."""
    for name in registry.names():
        prefix = registry.family(name).parts.get(kind)
        if isinstance(prefix, str):  # not a family that takes but some of the part
            torch.manual_seed(0)
            return registry.build(name).train(), prefix
    raise ConfigError(f"No family has a part called {kind!r}; there are {', '.join(PARTS)}.")


def train_part(kind: str, folder: Path, steps: int | None = None) -> dict[str, Any]:
    """Train a shared part, store it, and return its card."""
    host, prefix = host_of(kind)
    stages: dict[str, Any] = {}
    task: Task | None = None
    for stage, (task_of, recipe) in PARTS[kind].stages.items():
        recipe = recipe if steps is None else replace(recipe, steps=steps)
        learned: dict[str, Any] = task.state_dict() if task is not None else {}
        task = task_of(host, prefix)
        task.load_state_dict(learned, strict=False)
        stages[stage] = fit(task, recipe, folder / stage.replace(", ", "_").replace(" ", "_"))
    assert task is not None, f"{kind} has no stages"
    card = {
        "kind": kind,
        "about": PARTS[kind].about,
        "stages": stages,
        "heldout": measure(task) if steps is None else measure(task, 1, 16),
        "versions": versions(),
    }
    if is_main():
        save_part(host, kind, prefix, find("miniatures"), card, PARTS[kind].keep)
    return card


def measure(task: Task, batches: int = 16, count: int = 64, seed: int = 1) -> dict[str, float]:
    """A task's losses and watched numbers on held-out scenes, averaged over the batches that have them."""
    found: dict[str, list[float]] = {}
    generator = torch.Generator().manual_seed(seed)
    task.progress = 1.0
    with torch.inference_mode():
        for i in range(batches):
            losses = task.losses(task.draw(step_rng(seed, i, 77), count, "heldout"), generator)
            for name, value in losses.items():
                found.setdefault(name, []).append(float(value))
    return {k.lstrip("_"): round(float(np.mean(v)), 4) for k, v in found.items()}


def versions() -> dict[str, str]:
    """What a miniature was made with."""
    return {"vtexplore": version("vtexplore"), "torch": torch.__version__, "numpy": np.__version__}


WORD_CLIPS = 4_096  # whose moments are clustered, for a family that reads video in words


# ── families ──────────────────────────────────────────────────────────────────────────────────────


def train_family(name: str, folder: Path, steps: int | None = None) -> dict[str, Any]:
    """Pretrain a family's miniature from the shared parts, store it with its card, and return that.

    The card lacks what is measured on the file as shipped: ``vtexplore evaluate NAME --store`` adds it.
    """
    page = registry.family(name)
    plan = page.pretraining
    torch.manual_seed(plan.seed)
    model: Any = registry.build(name).train()
    start_from_parts(model, page.parts, find("miniatures"))
    if isinstance(getattr(model, "eyes", None), ClipWords):
        model.take(visual_words(model, WORD_CLIPS if steps is None else WORD_CLIPS // 64, plan.seed, folder))
    usual, about = model.config, {}
    for number, (stage, how) in enumerate(plan.stages.items()):
        if steps is not None:  # a trial needs no pool of thousands
            how = replace(how, pool=min(how.pool, 2 * how.batch))
        model.config = replace(usual, **how.settings)
        slow = tuple((f"model.{prefix}", factor) for prefix, factor in how.slow)
        recipe = Recipe(steps or how.steps, how.batch, how.lr, seed=plan.seed + number, slow=slow, bf16=how.bf16)
        about[stage] = fit(Pretrain(model, plan, how), recipe, folder / stage)
    card = {
        "name": name,
        "title": page.title,
        "knows": "the miniature world of moving shapes, and nothing else",
        "world": SHAPES_THEME.name,
        "lexicon": sorted(WORDS),
        "vocabulary_sha256": hashlib.sha256(VOCABULARY.read_bytes()).hexdigest(),
        "objectives": list(page.objectives),
        "deviations": list(plan.deviations),
        "training": about,
        "parameters": sum(p.numel() for p in model.parameters()),
        "versions": versions(),
    }
    if isinstance(getattr(model, "eyes", None), ClipWords):
        card["visual_words"] = model.eyes.words.made  # exemplars are drawn again from it
    if is_main():
        save_miniature(model, name, page.parts, find("miniatures"), card)
    return card


def visual_words(model: Any, clips: int, seed: int, folder: Path) -> VisualWords:
    """Clusters of what a model's eyes make of the moments of so many clips; found again in ``folder``."""
    path = folder / f"visual_words_{clips}.safetensors"
    about = {"world": SHAPES_THEME.name, "clips": clips, "moments": model.config.inputs.frames // model.eyes.window}
    if path.exists():
        words = VisualWords.load(path)
        return replace(words, made=words.made | about)
    scenes = (word_scene(seed, i) for i in range(clips))
    seen = []
    while some := list(islice(scenes, 32)):
        batch = scene_batch(some, model.config.inputs)
        seen.append(model.eyes.features(batch.video).flatten(0, 1))
    words = VisualWords.fit(torch.cat(seen), model.eyes.branching, model.eyes.levels, seed)
    words = replace(words, made=words.made | about)
    if is_main():
        folder.mkdir(parents=True, exist_ok=True)
        words.save(path)
    return words


def is_main() -> bool:
    """Whether this process is the one that writes files."""
    return os.environ.get("RANK", "0") == "0"


def train(name: str, processes: int = 1, folder: Path | None = None, steps: int | None = None) -> None:
    """Make a shared part or a family's miniature, in so many processes; ``vtexplore train``.

    Parts that a family starts from are made first if they are not there. A run found in ``folder`` (else
    ``runs/NAME``) goes on where it stopped. Raises ``ConfigError`` for an unknown name.
    """
    folder = Path("runs") / name if folder is None else folder
    if name not in PARTS:
        for kind in registry.family(name).parts:
            if not (find("miniatures") / "shared" / f"{kind}.safetensors").exists():
                train(kind, processes)
    if processes > 1 and "RANK" not in os.environ:
        short = [] if steps is None else ["--steps", str(steps)]
        if code := launch(["train", name, "--folder", str(folder), *short], processes):
            raise SystemExit(code)
    elif name in PARTS:
        train_part(name, folder, steps)
    else:
        train_family(name, folder, steps)


# ── launching ─────────────────────────────────────────────────────────────────────────────────────


def launch(arguments: list[str], processes: int) -> int:
    """Run ``python -m vtexplore …`` in so many processes that train together; returns the exit code.

    On CPUs, two processes of one thread each are faster than one of two.
    """
    environment = {**FAST_MALLOC, **os.environ, "OMP_NUM_THREADS": "1"}
    group = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    process = subprocess.Popen([sys.executable, *group, "-m", "vtexplore", *arguments], env=environment)
    stopped = False
    while True:
        try:
            return process.wait() and (130 if stopped else process.returncode)
        except KeyboardInterrupt:  # the others heard it as well: they end first, so that none is left behind
            stopped = True
