"""One training loop, for every miniature (on accelerate).

    fit(task, Recipe(steps=4000), folder)

A ``Task`` draws the data of a step from a random generator and gives named losses; the loop does the
rest: AdamW with warm-up and cosine, gradients averaged over processes, a progress bar, a log, and
checkpoints. Everything random in step n comes from (seed, n, process), and nothing else lives between
steps but the weights, the optimizer's moments and the task's own explicit state; so a run killed at any
step and resumed is equal, to the bit on a CPU, to one that was never interrupted.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vtexplore.errors import ConfigError

CHECKPOINT_EVERY_S = 60.0
LOG_EVERY = 20  # steps


@dataclass(frozen=True)
class Recipe:
    """How long and how hard to train.

    ``batch`` counts clips of all processes together; ``lr`` is the peak, reached after ``warmup`` (a
    share of ``steps``), then a cosine to ``lr_end`` × peak; ``clip`` bounds the gradient's norm.
    ``slow`` lists (prefix of a parameter's name, factor on lr): parts that start pretrained. ``bf16``: matrices are
    multiplied in 16 bits (weights stay in 32), where a processor can in about two thirds of the time.
    """

    steps: int
    batch: int = 32
    lr: float = 1.2e-3
    lr_end: float = 0.02
    warmup: float = 0.04
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.05
    clip: float = 1.0
    seed: int = 0
    slow: tuple[tuple[str, float], ...] = ()
    bf16: bool = False

    def lr_at(self, step: int) -> float:
        """The learning rate's factor at a step, 0..1."""
        rise = max(1, round(self.warmup * self.steps))
        if step < rise:
            return (step + 1) / rise
        fall = (step - rise) / max(1, self.steps - rise)
        return self.lr_end + (1 - self.lr_end) * 0.5 * (1 + math.cos(math.pi * fall))


class Task(nn.Module):
    """What a miniature is trained on: subclasses draw data and compute named losses.

    ``weights`` of the losses in the total come from ``weight``; a task's parameters are what is
    trained; buffers registered on it are its explicit state and travel in the checkpoint.
    """

    weight: dict[str, float] = {}  # noqa: RUF012 (a constant of the class)
    progress: float = 0.0
    """Share of the run that is done, 0..1; set by the loop, for schedules."""

    def prepare(self, recipe: Recipe, rank: int, processes: int, quiet: bool = False) -> None:
        """What has to be there before the first step, by (seed, process) alone; nothing, for most."""

    def draw(self, rng: np.random.Generator, count: int, split: str = "train") -> Any:
        """The data of one step for one process: ``count`` clips. Runs in loader processes too."""
        raise NotImplementedError

    def losses(self, data: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """Named scalar losses; names that begin with "_" are only watched."""
        raise NotImplementedError

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """The weighted sum that is minimised."""
        parts = [self.weight.get(k, 1.0) * v for k, v in losses.items() if not k.startswith("_")]
        return torch.stack(parts).sum()


class _Steps(Dataset[Any]):
    """Step numbers → data; what a step sees depends on nothing but (seed, step, process)."""

    def __init__(self, task: Task, recipe: Recipe, rank: int, count: int) -> None:
        self.task, self.recipe, self.rank, self.count = task, recipe, rank, count

    def __getitem__(self, step: int) -> Any:
        return self.task.draw(step_rng(self.recipe.seed, step, self.rank), self.count)


def _as_drawn(data: Any) -> Any:
    """What a task drew, as it is: a pair stays a pair."""
    return data


def step_rng(seed: int, step: int, rank: int = 0) -> np.random.Generator:
    """The generator of one step of one process: streams of different steps are independent."""
    return np.random.default_rng([seed, step, rank, 0x7E])


def fit(task: Task, recipe: Recipe, folder: Path, *, workers: int | None = None, quiet: bool = False) -> dict[str, Any]:
    """Train ``task`` by ``recipe``; returns what a card wants to know (wall time, loss curve, …).

    ``folder`` receives ``log.jsonl`` and ``checkpoint.pt``; a run found there goes on where it stopped.
    Raises ``ConfigError`` if the folder holds a run of another recipe.
    """
    from accelerate import Accelerator
    from accelerate.utils import send_to_device

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes
    if recipe.batch % world:
        raise ConfigError(f"a batch of {recipe.batch} cannot be shared by {world} processes equally")
    task.to(device).train()
    optimizer = _optimizer(task, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    start, spent_s = _resume(task, optimizer, recipe, folder)
    if start < recipe.steps:
        task.prepare(recipe, rank, world, quiet or rank > 0)
    loader = DataLoader(
        _Steps(task, recipe, rank, recipe.batch // world),
        batch_size=None,
        sampler=range(start, recipe.steps),
        collate_fn=_as_drawn,
        num_workers=workers if workers is not None else 0 if device.type == "cpu" else 12,
    )
    bar = _bar(recipe, start, quiet or not accelerator.is_main_process)
    began_s = saved_s = time.monotonic()
    generator = torch.Generator(device)
    for step, data in enumerate(loader, start):
        seed = int(step_rng(recipe.seed, step, rank + 1_000).integers(2**62))
        torch.manual_seed(seed)  # dropout
        generator.manual_seed(seed)
        task.progress = step / recipe.steps
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):  # accelerate's is fixed for a process
            losses = task.losses(send_to_device(data, device), generator)
        total = task.total(losses)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(total)
        norm = _average_and_clip(task, accelerator, recipe.clip)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * recipe.lr_at(step)
        optimizer.step()
        bar.update()
        done, now_s = step + 1, time.monotonic()
        if step % LOG_EVERY == 0 or done == recipe.steps:
            values = {k.lstrip("_"): round(float(v.detach()), 4) for k, v in losses.items()}
            if not all(map(math.isfinite, values.values())):
                raise FloatingPointError(f"a loss is not finite at step {step}: {values}")
            rate = (done - start) * recipe.batch / (now_s - began_s)
            bar.set_postfix({**values, "clips/s": f"{rate:.1f}"}, refresh=False)
            if accelerator.is_main_process:
                row = {"step": step, **values, "norm": round(norm, 3), "clips_per_s": round(rate, 2)}
                with (folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps(row) + "\n")
        if done == recipe.steps or now_s - saved_s > CHECKPOINT_EVERY_S:
            saved_s = now_s
            if accelerator.is_main_process:
                _save(task, optimizer, recipe, folder, done, spent_s + now_s - began_s)
    bar.close()
    accelerator.wait_for_everyone()
    task.eval()
    total_s = spent_s + time.monotonic() - began_s
    return {
        "recipe": asdict(recipe),
        "processes": world,
        "device": device.type,
        "wall_s": round(total_s, 1),
        "curve": _curve(folder),
    }


def _optimizer(task: Task, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; biases, norms and single numbers are not decayed, pretrained parts learn slowly."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in task.named_parameters():
        if parameter.requires_grad:
            factor = next((f for prefix, f in recipe.slow if name.startswith(prefix)), 1.0)
            decay = recipe.weight_decay if parameter.dim() > 1 else 0.0
            groups.setdefault((factor, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": p, "peak": recipe.lr * factor, "lr": recipe.lr * factor, "weight_decay": decay}
            for (factor, decay), p in groups.items()
        ],
        betas=recipe.betas,
    )


def _average_and_clip(task: Task, accelerator: Any, clip: float) -> float:
    """Mean gradient over processes, in one message; returns its norm before clipping.

    By hand and not by DistributedDataParallel, because an objective may touch a different set of
    parameters in each step (no patch masked in a batch, say), which DDP takes for an error.
    """
    parameters = [p for p in task.parameters() if p.requires_grad]
    if accelerator.num_processes > 1:
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = accelerator.reduce(torch.cat([g.flatten() for g in grads]), reduction="mean")
        for p, g in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            p.grad = g.view_as(p)
    return float(nn.utils.clip_grad_norm_(parameters, clip))


def _bar(recipe: Recipe, start: int, quiet: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=recipe.steps, initial=start, disable=quiet, unit="step", mininterval=2, smoothing=0.05)


def _save(
    task: Task,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    folder: Path,
    done: int,
    spent_s: float,
) -> None:
    state = {
        "task": task.state_dict(),
        "optimizer": optimizer.state_dict(),
        "recipe": json.dumps(asdict(recipe)),
        "done": done,
        "spent_s": spent_s,
    }
    partial = folder / f".checkpoint.{os.getpid()}"
    torch.save(state, partial)
    partial.replace(folder / "checkpoint.pt")  # atomic: a kill leaves the old one or the new one


def _resume(task: Task, optimizer: torch.optim.Optimizer, recipe: Recipe, folder: Path) -> tuple[int, float]:
    """Steps done and seconds spent by the run found in ``folder``; (0, 0.0) if there is none."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        (folder / "log.jsonl").unlink(missing_ok=True)
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != json.dumps(asdict(recipe)):
        raise ConfigError(f"{folder} holds a run of another recipe; give another folder, or remove this one")
    task.load_state_dict(state["task"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["done"]), float(state["spent_s"])


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The log's rows, the last one of each step (a resumed run repeats a few)."""
    rows: dict[int, dict[str, Any]] = {}
    for line in (folder / "log.jsonl").read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # a line that a kill cut off
            continue
        rows[row["step"]] = row
    return iter(rows[k] for k in sorted(rows))


def _curve(folder: Path, points: int = 40) -> list[dict[str, Any]]:
    """The loss curve for a card: about ``points`` rows of the log."""
    rows = list(_rows(folder))
    return rows[:-1][:: max(1, len(rows) // points)] + rows[-1:]
