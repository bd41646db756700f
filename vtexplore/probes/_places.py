"""Which tokens are places in a video, and how they lie."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from vtexplore.errors import Unsupported
from vtexplore.record import frames_of
from vtexplore.types import Tokens


def patches(tokens: Tokens) -> np.ndarray:
    """bool [token]: those that are a place in a frame."""
    return tokens.where("video") & ~np.isnan(tokens.box).any(axis=1)


def grid_of(tokens: Tokens, patches: np.ndarray) -> np.ndarray:
    """Which token is at each place: int [frame, row, column]; ``Unsupported`` if they form no grid."""
    frames = [at[patches[at]] for at in frames_of(tokens)]
    rows = np.unique(tokens.box[patches][:, 1].round(4))
    columns = np.unique(tokens.box[patches][:, 0].round(4))
    grid = np.full((len(frames), len(rows), len(columns)), -1)
    for frame, at in enumerate(frames):
        row = np.searchsorted(rows, tokens.box[at, 1].round(4))
        grid[frame, row, np.searchsorted(columns, tokens.box[at, 0].round(4))] = at
    if not grid.size or (grid < 0).any():
        raise Unsupported("The video tokens of this site are not patches of a grid; see rows() and their Tokens.")
    return grid


class Gridded:
    """A result whose maps lie on ``patches``."""

    patches: Tokens

    @cached_property
    def grid(self) -> np.ndarray:
        """Which of ``patches`` is at each place: int [frame, row, column]."""
        return grid_of(self.patches, patches(self.patches))
