"""Pixels that are missing, guessed from those around them: Rong et al. 2022, arXiv:2202.00449, "noisy linear".

A patch in one colour is seen at once, and its outline tells where the thing was. So each missing pixel becomes the
weighted mean of its eight neighbours, of which a side counts twice as much as a corner; all of them together are one
linear system. A little noise is added, for a smooth patch is seen as well.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

SIDE, CORNER = 1 / 6, 1 / 12  # weights of the neighbours, 1 in all where there are eight
STEPS = {(dy, dx): CORNER if dy and dx else SIDE for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx}
NOISE = 0.01  # standard deviation; pixels are 0..1


def impute(picture: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The picture [colour, height, width] with pixels bool [height, width] that are ``missing`` guessed, no noise.

    At the edge there are fewer neighbours, and their weights are larger. What is wholly missing stays as it is.
    """
    if not missing.any() or missing.all():
        return picture
    height, width = missing.shape
    y, x = np.nonzero(missing)
    number = np.full(missing.shape, -1)
    number[missing] = np.arange(len(y))
    rows, columns, weights = [], [], []
    total, known = np.zeros(len(y)), np.zeros((len(y), len(picture)))
    for (dy, dx), weight in STEPS.items():
        there = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        own, near = np.flatnonzero(there), (y[there] + dy, x[there] + dx)
        total[own] += weight
        unknown = missing[near]
        rows.append(own[unknown])
        columns.append(number[near][unknown])
        weights.append(np.full(int(unknown.sum()), -weight))
        known[own] += weight * np.where(unknown, 0, picture[:, near[0], near[1]]).T
    at = np.concatenate(rows), np.concatenate(columns)
    system = csr_matrix((np.concatenate(weights), at), shape=(len(y), len(y))) + diags(total)
    out = np.array(picture, dtype=float)
    out[:, missing] = spsolve(system.tocsc(), known).reshape(len(y), -1).T
    return out.astype(picture.dtype)


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """The noise that is added where something is missing: float32, the same for the same seed."""
    return np.random.default_rng(seed).normal(0, NOISE, shape).astype(np.float32)
