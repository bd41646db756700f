"""Codes of frames, frames from codes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtexplore.blocks.dvae import DiscreteVAE, DVAEConfig, map_pixels, unmap_pixels


@pytest.fixture(scope="module")
def dvae() -> DiscreteVAE:
    torch.manual_seed(0)
    return DiscreteVAE(DVAEConfig(width=4, blocks=1, codes=11, decoder_width=3)).eval()


@given(st.floats(0, 1))
def test_pixels_there_and_back(value: float) -> None:
    x = torch.tensor([value])
    assert 0.1 - 1e-6 <= map_pixels(x).item() <= 0.9 + 1e-6
    assert unmap_pixels(map_pixels(x)).item() == pytest.approx(value, abs=1e-6)
    assert unmap_pixels(torch.tensor([0.0, 1.0])).tolist() == [0, 1]


@pytest.mark.parametrize("lead", [(2,), (2, 3), ()])
def test_shapes_and_ranges(dvae: DiscreteVAE, lead: tuple[int, ...]) -> None:
    frames = torch.rand(*lead, 3, 24, 32)
    codes = dvae.codes(frames)
    assert codes.shape == (*lead, 3, 4) and codes.dtype == torch.int64 and not codes.requires_grad
    assert codes.min() >= 0 and codes.max() < 11
    painted = dvae.decode(codes)
    assert painted.shape == frames.shape and painted.min() >= 0 and painted.max() <= 1


def test_codes_on_a_grid(dvae: DiscreteVAE) -> None:
    frames = torch.rand(2, 4, 3, 96, 96)
    assert dvae.codes(frames, (6, 6)).shape == (2, 4, 6, 6)
    same = torch.rand(1, 3, 48, 48)
    assert torch.equal(dvae.codes(same, (6, 6)), dvae.codes(same))


def test_a_frame_is_coded_alone(dvae: DiscreteVAE) -> None:
    clip = torch.rand(1, 3, 3, 16, 16)
    assert torch.equal(dvae.codes(clip)[:, [2, 0, 1]], dvae.codes(clip[:, [2, 0, 1]]))


def test_a_code_paints_its_own_place(dvae: DiscreteVAE) -> None:
    """Far from the place, changing a code changes no pixel: the decoder only looks around."""
    codes = torch.zeros(1, 12, 12, dtype=torch.long)
    other = codes.clone()
    other[0, 0, 0] = 5
    change = (dvae.decode(codes) - dvae.decode(other)).detach().abs().amax((0, 1))
    assert change[:8, :8].max() > 0 and change[-16:, -16:].max() == 0
