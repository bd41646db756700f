"""Pixels guessed from their neighbours: of pictures whose missing pixels are known by arithmetic."""

import numpy as np
import pytest
import torch

from vtexplore.probes._impute import NOISE, impute, noise
from vtexplore.probes._removal import to_noisy_linear
from vtexplore.types import Batch

Y, X = np.mgrid[0:12, 0:16] / 16
SLOPES = np.stack([0.2 + 0.5 * X, 0.9 - 0.3 * Y, 0.1 + 0.2 * X + 0.4 * Y])


def hole(rows: slice, columns: slice) -> np.ndarray:
    out = np.zeros((12, 16), dtype=bool)
    out[rows, columns] = True
    return out


def test_a_slope_is_found_again_whole() -> None:
    """Neighbours lie around a pixel in pairs, so that each pixel of a slope is their mean."""
    missing = hole(slice(3, 9), slice(4, 12))
    given = np.where(missing, 0.77, SLOPES)  # what stood in the hole is not looked at
    assert np.allclose(impute(given, missing), SLOPES, atol=1e-9)


def test_one_pixel_is_the_weighted_mean_of_its_eight_neighbours() -> None:
    picture = np.random.default_rng(0).random((3, 12, 16))
    missing = hole(slice(5, 6), slice(7, 8))
    sides = picture[:, [4, 6, 5, 5], [7, 7, 6, 8]].sum(axis=1)
    corners = picture[:, [4, 4, 6, 6], [6, 8, 6, 8]].sum(axis=1)
    assert np.allclose(impute(picture, missing)[:, 5, 7], sides / 6 + corners / 12)


def test_at_a_corner_three_neighbours_weigh_as_eight() -> None:
    picture = np.random.default_rng(0).random((3, 12, 16))
    found = impute(picture, hole(slice(0, 1), slice(0, 1)))[:, 0, 0]
    assert np.allclose(found, (2 * picture[:, 0, 1] + 2 * picture[:, 1, 0] + picture[:, 1, 1]) / 5)
    level = np.full((3, 12, 16), 0.4)
    assert np.allclose(
        impute(np.where(hole(slice(0, 12), slice(0, 15)), 0, level), hole(slice(0, 12), slice(0, 15))), level
    )


def test_what_is_left_stays_and_what_is_gone_has_noise() -> None:
    grey = torch.full((2, 2, 3, 64, 64), 0.5)
    grey[0, 0, :, :16, :16] = 0.9  # something to take away
    gone = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    gone[0, 0, 0, 0] = True
    gone[1, 1] = True
    video = to_noisy_linear(Batch.bare(grey, torch.zeros(2, 1, dtype=torch.long)), gone).video
    square = video[0, 0, :, :16, :16]
    assert abs(float(square.mean()) - 0.5) < 0.002 and float(square.std()) == pytest.approx(NOISE, rel=0.1)
    assert torch.equal(video[0, 1], grey[0, 1]) and torch.equal(video[0, 0, :, 16:], grey[0, 0, :, 16:])
    assert float(video[1, 1].mean()) == pytest.approx(0.5, abs=0.002)  # all of it gone: the mean colour, and noise
    assert np.array_equal(noise((2, 3)), noise((2, 3))) and not np.array_equal(noise((2, 3)), noise((2, 3), 1))
