"""Which tokens are places in a video, and how they lie."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from vtexplore.errors import Unsupported
from vtexplore.record import frames_of
from vtexplore.types import Tokens

REGIONS = "The model reads regions: what is on each is spread evenly over its box, and a cell holds what lies on it."


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


def regions(tokens: Tokens) -> bool:
    """Whether the places of a sequence are regions, whose boxes lie anywhere."""
    return bool(tokens.where("region").any()) and bool((tokens.where("region") >= patches(tokens)).all())


def spread_over(tokens: Tokens, cells: Tokens) -> np.ndarray:
    """How what is on each token is laid evenly over its box and span, on cells: float [token, cell], rows sum to 1.

    A token that touches no cell goes to the nearest one.
    """
    sides = [
        np.minimum(tokens.box[:, None, axis + 2], cells.box[None, :, axis + 2])
        - np.maximum(tokens.box[:, None, axis], cells.box[None, :, axis])
        for axis in (0, 1)
    ]
    time = np.minimum(tokens.span_s[:, None, 1], cells.span_s[None, :, 1]) - np.maximum(
        tokens.span_s[:, None, 0], cells.span_s[None, :, 0]
    )
    met = np.prod(np.clip([*sides, time], 0, None), axis=0)
    lost = met.sum(axis=1) <= 0
    far = np.linalg.norm(_middles(tokens)[lost, None] - _middles(cells)[None], axis=-1)
    met[lost, far.argmin(axis=1)] = 1
    return np.asarray(met / met.sum(axis=1, keepdims=True))


def _middles(tokens: Tokens) -> np.ndarray:
    """Middle of each token's span, in 100ths of a second, so that time is asked first, and of its box: [token, 3]."""
    return np.column_stack([tokens.span_s.mean(axis=1) * 100, (tokens.box[:, :2] + tokens.box[:, 2:]) / 2])


def on_cells(rows: np.ndarray, tokens: Tokens, cells: Tokens | None) -> tuple[np.ndarray, Tokens]:
    """What is on tokens, float [..., token], and the tokens: regions' shares laid over ``cells``, all else as it is."""
    if cells is None or len(cells) == 0 or not regions(tokens):
        return rows, tokens
    at = patches(tokens)
    laid = rows[..., at] @ spread_over(tokens[at], cells)
    return np.concatenate([rows[..., ~at], laid], axis=-1).astype(rows.dtype), tokens[~at] + cells


class Gridded:
    """A result whose maps lie on ``patches``."""

    patches: Tokens

    @cached_property
    def grid(self) -> np.ndarray:
        """Which of ``patches`` is at each place: int [frame, row, column]."""
        return grid_of(self.patches, patches(self.patches))
