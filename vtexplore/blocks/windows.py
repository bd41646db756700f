"""Cutting a grid of frames × rows × columns into windows, shifted or not (Liu et al., arXiv 2106.13230, §3.1).

Kept on purpose from the published code: padding positions are keys like any other, and regions that the
shift brings together are kept apart by −100, not −inf.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int, int]
"""frames, rows, columns"""


@dataclass(frozen=True)
class Windows:
    """How a grid is cut into windows: sizes, the shift, who sits where, and who may not see whom."""

    counts: Grid
    size: Grid
    shift: Grid
    padding: Grid
    groups: Tensor  # [window, n] index in the frame-major grid, −1 = padding
    mask: Tensor | None  # [window, 1, n, n] 0 or −100

    def cut(self, x: Tensor) -> Tensor:
        """Pad and shift: [batch, frame, row, column, channel], whole windows on each axis."""
        t, h, w = self.padding
        if t or h or w:
            x = F.pad(x, (0, 0, 0, w, 0, h, 0, t))
        return x.roll([-s for s in self.shift], (1, 2, 3)) if any(self.shift) else x

    def uncut(self, x: Tensor, grid: Grid) -> Tensor:
        """The inverse of ``cut``."""
        x = x.roll(self.shift, (1, 2, 3)) if any(self.shift) else x
        t, h, w = grid
        return x[:, :t, :h, :w] if any(self.padding) else x


def _each(rule: Callable[[int, int], int], a: Grid, b: Grid) -> Grid:
    return rule(a[0], b[0]), rule(a[1], b[1]), rule(a[2], b[2])


@lru_cache(maxsize=128)
def windows(grid: Grid, window: Grid, shifted: bool, device: str = "cpu") -> Windows:
    """Cut ``grid`` into windows of (at most) ``window``, shifted by half of it or not.

    An axis no longer than its window becomes one window and is never shifted.
    """
    size = _each(min, grid, window)
    shift = _each(lambda n, w: w // 2 if shifted and n > w else 0, grid, window)
    counts = _each(lambda n, s: ceil(n / s), grid, size)
    padding = _each(lambda n, s: -n % s, grid, size)

    def cut(a: np.ndarray) -> np.ndarray:
        (a_, t), (b, h), (c, w) = zip(counts, size, strict=True)
        return a.reshape(a_, t, b, h, c, w).transpose(0, 2, 4, 1, 3, 5).reshape(a_ * b * c, -1)

    index = np.arange(np.prod(grid)).reshape(grid)
    index = np.pad(index, [(0, p) for p in padding], constant_values=-1)
    groups = cut(np.roll(index, [-s for s in shift], (0, 1, 2)))
    mask = None
    if any(shift):
        # after the roll, the last window of an axis holds its end and, wrapped round, its beginning
        region = np.zeros(index.shape, dtype=int)
        for axis, (s, w) in enumerate(zip(shift, size, strict=True)):
            n = index.shape[axis]
            label = np.zeros(n, dtype=int)
            if s:
                label[n - w : n - s], label[n - s :] = 1, 2
            region = region * 3 + label.reshape([-1 if a == axis else 1 for a in range(3)])
        region = cut(region)
        apart = np.where(region[:, :, None] != region[:, None, :], -100.0, 0.0)
        mask = torch.from_numpy(apart.astype(np.float32))[:, None].to(device)
    return Windows(counts, size, shift, padding, torch.from_numpy(groups).to(device), mask)


def relative_index(window: Grid) -> Tensor:
    """Which row of the bias table a pair of places in a window uses: int64 [n, n]."""
    axes = torch.meshgrid(*(torch.arange(w) for w in window), indexing="ij")
    place = torch.stack([a.flatten() for a in axes])  # [axis, n]
    offset = place[:, :, None] - place[:, None, :]  # [axis, n, n]
    t, h, w = (offset[a] + window[a] - 1 for a in range(3))
    return (t * (2 * window[1] - 1) + h) * (2 * window[2] - 1) + w
