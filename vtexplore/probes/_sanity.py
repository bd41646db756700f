"""Would the map be the same if the model had learnt nothing, or had been asked something else?

Weights are drawn anew from the last layer to the first (Adebayo et al. 2018, arXiv:1810.03292, "cascade"), and after
each stage the map is compared with the original. New weights have the mean and the deviation of the old ones, tensor
by tensor, so that states keep their size.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr
from torch import nn

from vtexplore.probes._case import Case

LIKE = ("spearman", "spearman of sizes", "ssim", "top 10 %")
DRAWS = 50  # of a shuffled map, for the level of chance


def stages_of(case: Case, most: int) -> list[list[str]]:
    """The parameters of a model in at most ``most`` stages, those that are used last first: names [stage][…].

    Layers of a list are kept together. What is said does not depend on (other heads), is left out; what no gradient
    reaches, but runs before all that it does reach (frozen eyes), is not.
    """
    model = case.model
    used: dict[str, None] = {}
    paths = {module: path for path, module in model.named_modules()}
    handles = [
        module.register_forward_hook(lambda m, *_: used.__setitem__(paths[m], None))
        for module in model.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    try:
        case(case.batch)
    finally:
        for handle in handles:
            handle.remove()
    reached = _reached(case)
    order = list(used)
    first = next((i for i, path in enumerate(order) if path in reached), len(order))
    groups: dict[str, list[str]] = {}
    for path in reversed([p for i, p in enumerate(order) if i < first or p in reached]):
        name = re.match(r".*?\.\d+(?=\.|$)|[^.]*", path)
        assert name is not None
        own = [f"{path}.{n}".lstrip(".") for n, _ in model.get_submodule(path).named_parameters(recurse=False)]
        groups.setdefault(name.group(), []).extend(own)
    names = list(groups.values())
    if len(names) <= most:
        return names
    return [sum((names[i] for i in part), []) for part in np.array_split(np.arange(len(names)), most)]


def _reached(case: Case) -> set[str]:
    """The paths of modules to whose parameters a gradient of the number comes."""
    parameters = {name: p for name, p in case.model.named_parameters() if p.requires_grad}
    with torch.inference_mode(False), torch.enable_grad():
        said = case.score(case.model(case.batch)).sum()
        if not parameters or not said.requires_grad:
            return set()
        slopes = torch.autograd.grad(said, list(parameters.values()), allow_unused=True)
    return {name.rpartition(".")[0] for name, slope in zip(parameters, slopes, strict=True) if slope is not None}


def redrawn(case: Case, stages: list[list[str]], seed: int, alone: bool = False) -> Iterator[Case]:
    """The case with a copy of its model, after each stage; ``alone``: that stage's weights are new, and no others."""
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(case.model)
    original = {name: p.detach().clone() for name, p in model.named_parameters()} if alone else {}
    parameters = dict(model.named_parameters())
    for stage in stages:
        with torch.no_grad():
            for name in stage:
                p = parameters[name]
                spread = p.std() if p.numel() > 1 else p.abs().max()
                p.copy_((torch.randn(p.shape, generator=generator) * spread.cpu() + p.mean().cpu()).to(p))
        yield replace(case, model=model)
        with torch.no_grad():
            for name in stage if alone else ():
                parameters[name].copy_(original[name])


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How alike two maps [frame, row, column] are, [measure] in the order of ``LIKE``, ≤ 1 each (NaN: even)."""
    flat = a.ravel(), b.ravel()
    if any(np.ptp(x) <= 1e-12 * max(1e-30, np.abs(x).max()) for x in flat):
        return np.full(len(LIKE), np.nan)
    rank, sizes = (_rank(*pair) for pair in (flat, (np.abs(flat[0]), np.abs(flat[1]))))
    count = max(1, round(0.1 * a.size))
    tops = [set(np.argsort(-np.abs(x), kind="stable")[:count].tolist()) for x in flat]
    return np.array([rank, sizes, ssim(a, b), len(tops[0] & tops[1]) / count])


def _rank(a: np.ndarray, b: np.ndarray) -> float:
    return float(spearmanr(a, b).statistic) if np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")


def ssim(a: np.ndarray, b: np.ndarray, window: int = 3) -> float:
    """Structural similarity of two maps [frame, row, column], each on its own scale, −1..1.

    The mean over windows of ``window`` × ``window`` patches in each frame (Wang et al. 2004).
    """
    x, y = (m / max(float(np.abs(m).max()), 1e-30) for m in (a, b))
    if min(x.min(), y.min()) < 0:  # made for pictures: of two minus signs, one in the means, it would make a plus
        x, y = (1 + x) / 2, (1 + y) / 2
    size = (1, *(min(window, n) for n in a.shape[1:]))
    spread = max(float(np.ptp(x)), float(np.ptp(y)))
    c1, c2 = (0.01 * spread) ** 2, (0.03 * spread) ** 2
    mean_x, mean_y = uniform_filter(x, size), uniform_filter(y, size)
    both = uniform_filter(x * y, size) - mean_x * mean_y
    each = uniform_filter(x * x, size) - mean_x**2 + uniform_filter(y * y, size) - mean_y**2
    index = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (each + c2))
    return float(index.mean())


def by_chance(a: np.ndarray, seed: int) -> np.ndarray:
    """How alike a map and its own patches in any order are: the mean of ``DRAWS`` draws, [measure]."""
    rng = np.random.default_rng(seed)
    drawn = [alike(a, rng.permutation(a.ravel()).reshape(a.shape)) for _ in range(DRAWS)]
    return np.asarray(np.mean(drawn, axis=0))


def named(stage: list[str]) -> str:
    """A stage by its first and last layer: "word_head", "fusion.layers.2", "text … swin.stages.0"."""
    parts = list(dict.fromkeys(_short(name) for name in stage))
    return parts[0] if len(parts) == 1 else f"{parts[0]} … {parts[-1]}"


def _short(name: str) -> str:
    found = re.match(r".*?\.\d+(?=\.|$)|[^.]*", name)
    return found.group() if found else name


def random_layers(model: Any) -> bool:
    """Whether there is anything to draw anew."""
    return isinstance(model, nn.Module) and any(True for _ in model.parameters())
