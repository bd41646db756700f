"""Items that were right or wrong become rates, with 95 % intervals from a bootstrap over clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vtexplore.statistics import bootstrap


def rounds(total: int, at_once: int, told: str, quiet: bool, unit: str = "clip") -> Iterator[tuple[int, int]]:
    """Where each round begins, and how many of ``total`` things it is for: ``at_once`` or the rest. A progress bar."""
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=unit, desc=told, disable=quiet) as bar:
        for start in range(0, total, at_once):
            some = min(at_once, total - start)
            yield start, some
            bar.update(some)


@dataclass(frozen=True)
class Rate:
    """A share of items, 0..1, with its 95 % interval over ``clips`` clips."""

    value: float
    low: float
    high: float
    clips: int

    def __str__(self) -> str:
        return f"{100 * self.value:5.1f} %  [{100 * self.low:.1f}, {100 * self.high:.1f}]  n = {self.clips}"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, four digits."""
        return {k: round(v, 4) for k, v in vars(self).items()}


@dataclass
class Tally:
    """Items of named measurements with the clip that each belongs to."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    clips: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float, clip: int) -> None:
        """One item: usually 1.0 right, 0.0 wrong, 0.5 a tie."""
        self.values[name].append(float(value))
        self.clips[name].append(clip)

    def rates(self) -> dict[str, Rate]:
        """All of them, in the order in which they first came up."""
        out = {}
        for name, values in self.values.items():
            clips = np.array(self.clips[name])
            mean, low, high = bootstrap(np.array(values)[:, None], clips)
            out[name] = Rate(float(mean[0]), float(low[0]), float(high[0]), len(set(self.clips[name])))
        return out
