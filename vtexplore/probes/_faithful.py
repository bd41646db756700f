"""Does a map tell what the model uses? Measures of one map on one case; see ``faithfulness`` for what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from captum.metrics import infidelity, sensitivity_max

from vtexplore.errors import ConfigError
from vtexplore.probes._extremes import MOST, aopc, extremes
from vtexplore.probes._removal import Without

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of ERASER's AOPC (DeYoung et al. 2020, arXiv:1911.03429)
TOP = 0.1  # patches whose sign is held against what taking them away does
LEAST = 0.05  # of a number: with less than this between all and nothing, there is nothing to explain
DRAWS = 64  # random sets of patches for infidelity


def counts_of(units: int, steps: int) -> np.ndarray:
    """How many of ``units`` are taken after each step: int [step + 1], from 0 to all, each once."""
    return np.unique(np.linspace(0, units, steps + 1).round().astype(int))


def order_of(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Units from the highest value to the lowest; equal ones in any order, or else the top left would win."""
    mixed = rng.permutation(len(values))
    return np.asarray(mixed[np.argsort(-values[mixed], kind="stable")])


@dataclass(frozen=True)
class Units:
    """What is taken away as one: ``member`` bool [unit, patch], or of words (``of`` "words") [unit, word]."""

    of: str
    member: np.ndarray

    @staticmethod
    def by(of: str, grid: tuple[int, int, int], words: int, masked: int | None) -> Units:
        """ "patches" one by one, "frames", or "words" (all but the one in question)."""
        patches = int(np.prod(grid))
        if of == "words":
            return Units(of, np.delete(np.eye(words, dtype=bool), [] if masked is None else [masked], axis=0))
        if of == "frames":
            return Units(of, np.repeat(np.eye(grid[0], dtype=bool), patches // grid[0], axis=1))
        return Units(of, np.eye(patches, dtype=bool))

    def ask(self, without: Without, kept: np.ndarray) -> np.ndarray:
        """The number for each row of kept units: bool [item, unit] → [item]."""
        some = kept.astype(int) @ self.member.astype(int) > 0
        if self.of == "words":
            other = ~self.member.any(axis=0)
            return without(np.ones((len(kept), without.patches), dtype=bool), some | other)
        return without(some)

    def values(self, patches: np.ndarray, words: np.ndarray) -> np.ndarray:
        """What a map gives to each unit: the sum over its members."""
        flat = words if self.of == "words" else patches.ravel()
        return np.asarray(self.member @ np.nan_to_num(flat))


def keep_last(order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What is left when the first of an order are taken away: bool [step, unit]."""
    kept = np.ones((len(counts), len(order)), dtype=bool)
    for row, count in enumerate(counts):
        kept[row, order[:count]] = False
    return kept


def keep_first(order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What there is when the first of an order are put in: bool [step, unit]."""
    return ~keep_last(order, counts)


def area(curve: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mean height of curves [..., step] over ``shares`` [step] from 0 to 1, by trapezoids."""
    return np.asarray(np.trapezoid(curve, shares, axis=-1))


def normalised(curve: np.ndarray, whole: Any, none: Any) -> np.ndarray:
    """(f − f(∅)) / (f(x) − f(∅)) for curves [..., step]; NaN where there is too little between the two."""
    span = np.asarray(whole, dtype=float) - np.asarray(none, dtype=float)
    span = np.where(span > LEAST, span, np.nan)
    return np.asarray((curve - np.asarray(none)[..., None]) / span[..., None])


@dataclass(frozen=True)
class Curves:
    """One removal on one case: ``ends`` f(x) and f(∅); curves of the number, [step] each, by method.

    ``random`` [order, step] takes units away in random orders.
    """

    ends: tuple[float, float]
    deletion: dict[str, np.ndarray] = field(default_factory=dict)
    insertion: dict[str, np.ndarray] = field(default_factory=dict)
    comprehensiveness: dict[str, np.ndarray] = field(default_factory=dict)
    sufficiency: dict[str, np.ndarray] = field(default_factory=dict)
    random: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


def curves(
    without: Without, units: Units, values: dict[str, np.ndarray], steps: int, orders: int, rng: np.random.Generator
) -> Curves:
    """Take units away, and put them in, in the order of each map's ``values`` [unit], and in random ``orders``."""
    count = len(units.member)
    at = counts_of(count, steps)
    ends = units.ask(without, np.stack([np.ones(count, dtype=bool), np.zeros(count, dtype=bool)]))
    found = Curves((float(ends[0]), float(ends[1])))
    some = np.maximum(1, np.round(np.array(SHARES) * count).astype(int))
    for name, value in values.items():
        order = order_of(value, rng)
        found.deletion[name] = units.ask(without, keep_last(order, at))
        found.insertion[name] = units.ask(without, keep_first(order, at))
        found.comprehensiveness[name] = ends[0] - units.ask(without, keep_last(order, some))
        found.sufficiency[name] = ends[0] - units.ask(without, keep_first(order, some))
    drawn = np.concatenate([keep_last(rng.permutation(count), at) for _ in range(orders)])
    return Curves(
        found.ends,
        found.deletion,
        found.insertion,
        found.comprehensiveness,
        found.sufficiency,
        units.ask(without, drawn).reshape(orders, len(at)),
    )


def aopcs(without: Without, units: Units, values: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """AOPC of each map, one unit at a time: [method]."""
    count = len(units.member)
    orders = [keep_last(order_of(value, rng), np.arange(count + 1)) for value in values.values()]
    return aopc(units.ask(without, np.concatenate(orders)).reshape(len(orders), count + 1))


def reach(without: Without, units: Units, beam: int) -> np.ndarray:
    """The lowest and the highest AOPC of all orders, [2]. ``ConfigError`` for too many units."""
    if len(units.member) > MOST:
        raise ConfigError(f"{len(units.member)} {units.of} have too many orders; at most {MOST} are searched: beam=0.")
    return np.array(extremes(lambda kept: units.ask(without, kept), len(units.member), beam))


def polarity(without: Without, units: Units, value: np.ndarray) -> float:
    """Share of the strongest units whose sign is not that of what taking them away alone does, 0..1.

    The faithfulness violation of Liu et al. 2022 (arXiv:2201.12114). NaN for a map that is 0.
    """
    top = np.argsort(-np.abs(value), kind="stable")[: max(1, round(TOP * len(value)))]
    top = top[np.abs(value[top]) > 0]
    if not len(top):
        return float("nan")
    alone = ~np.eye(len(value), dtype=bool)[top]
    whole = units.ask(without, np.ones((1, len(value)), dtype=bool))[0]
    return float((np.sign(value[top]) != np.sign(whole - units.ask(without, alone))).mean())


def unfaithful(without: Without, units: Units, value: np.ndarray, seed: int, draws: int = DRAWS) -> float:
    """captum's infidelity (Yeh et al. 2019, arXiv:1901.09392) when random sets of units are taken away, ≥ 0.

    The map is scaled as fits best, since not all methods have the number's unit, and the error is a share of what
    taking those sets away changes: 0 is a map whose parts sum to every change, 1 a map of zeros. NaN without draws.
    """
    if not draws or not np.abs(value).max(initial=0) > 0:
        return float("nan")
    rng = np.random.default_rng(seed)
    changes: list[np.ndarray] = []
    whole = units.ask(without, np.ones((1, len(value)), dtype=bool))[0]

    def ask(kept: torch.Tensor) -> torch.Tensor:
        said = units.ask(without, kept.numpy() > 0.5)
        if not kept.all():
            changes.append(whole - said)
        return torch.from_numpy(said)

    def take(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        share = rng.uniform(0.1, 0.5, size=(len(kept), 1))
        gone = torch.from_numpy(rng.random(tuple(kept.shape)) < share).to(kept)
        return gone, kept - gone

    x = torch.ones(1, len(value), dtype=torch.float64)
    error = infidelity(ask, take, x, torch.from_numpy(value)[None].double(), n_perturb_samples=draws, normalize=True)
    return float(error) / max(float(np.mean(np.concatenate(changes) ** 2)), 1e-30)


def sensitivity(explain: Any, video: torch.Tensor, samples: int, radius: float = 0.02) -> float:
    """captum's largest change of a map, as a share of the map, when pixels move by up to ``radius``, ≥ 0.

    ``explain`` maps videos [item, …] to maps [item, patch] (Yeh et al. 2019).
    """

    def ask(given: Any) -> Any:
        return (explain(given[0]),)  # a tuple of one comes in; a tensor handed back would be read row by row

    found = sensitivity_max(ask, video, perturb_radius=radius, n_perturb_samples=samples, max_examples_per_batch=1)
    return float(found)
