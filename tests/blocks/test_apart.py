"""Frames that do not see each other, in one sequence; MERLOT's frame encoder and stem."""

import pytest
import torch

from vtexplore.blocks.apart import ApartAttention, CellPlaces, FrameEncoder, PreNorm, StillViT
from vtexplore.blocks.resnet_stem import ResNetStem, StandardisedConv, StemConfig
from vtexplore.blocks.tap import Call, listening, name_taps
from vtexplore.blocks.vit import ViT, ViTConfig, unnamed
from vtexplore.errors import ConfigError
from vtexplore.types import Stream

SMALL = ViTConfig(size_px=32, width=16, depth=2, heads=2, inner=32)
TINY = StemConfig(depths=(1, 1, 2), widths=(8, 8, 16), groups=4)


def stream(x: torch.Tensor, mask: torch.Tensor | None = None) -> Stream:
    return Stream(x, torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask, unnamed(*x.shape[:2]))


class Ear:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def hear(self, call: Call) -> None:
        self.calls.append(call)

    def see(self, site: str, stream: Stream) -> None: ...


@torch.no_grad()
def test_a_part_by_itself_is_as_in_the_sequence() -> None:
    torch.manual_seed(0)
    attention, x = ApartAttention(16, 4), torch.randn(2, 12, 16)
    mask = torch.rand(2, 12) < 0.7
    mask[:, ::4] = True
    whole = attention(stream(x, mask), 3)
    for part in range(3):
        at = slice(4 * part, 4 * part + 4)
        assert torch.allclose(whole[:, at], attention(stream(x[:, at], mask[:, at])), atol=1e-6)
    assert not torch.allclose(whole, attention(stream(x, mask)), atol=1e-3)
    with pytest.raises(ConfigError, match="5 heads"):
        ApartAttention(16, 5)


@torch.no_grad()
def test_what_is_shown_to_the_tap_says_who_met_whom() -> None:
    ear, model = Ear(), name_taps(PreNorm(1, 16, 4, 32))
    with listening(ear):
        model(stream(torch.randn(2, 12, 16)), 3)
        model(stream(torch.randn(2, 12, 16)))
    apart, together = ear.calls
    assert apart.groups is not None and apart.groups.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert apart.weights().shape == (2, 3 * 4, 4, 4) and together.groups is None
    assert together.weights().shape == (2, 4, 12, 12)


@torch.no_grad()
def test_some_tokens_alone_hear_what_they_hear_among_all() -> None:
    torch.manual_seed(0)
    ear, model, x = Ear(), name_taps(PreNorm(2, 16, 4, 32)), torch.randn(2, 12, 16)
    mask = torch.rand(2, 12) < 0.7
    mask[:, 0] = True
    whole = model(stream(x, mask)).hidden
    with listening(ear):
        some = model(stream(x, mask), only=[9, 0, 4])
    assert torch.allclose(some.hidden, whole[:, [9, 0, 4]], atol=1e-6) and torch.equal(some.mask, mask[:, [9, 0, 4]])
    assert [tuple(call.weights().shape[2:]) for call in ear.calls] == [(12, 12), (3, 12)]
    named = [tokens.labels for tokens in (stream(x).tokens()[0], some.tokens()[0])]
    assert named[1] == tuple(named[0][i] for i in (9, 0, 4))


@torch.no_grad()
def test_alike_means_that_a_token_first_looks_at_its_like() -> None:
    torch.manual_seed(0)
    kind = torch.arange(2).repeat_interleave(8)
    tokens = torch.randn(2, 64)[kind][None] + 0.1 * torch.randn(1, 16, 64)
    own = {}
    for alike in (False, True):
        ear, model = Ear(), name_taps(PreNorm(1, 64, 4, 64, alike=alike))
        with listening(ear):
            model(stream(tokens))
        own[alike] = float((ear.calls[0].weights()[0] * (kind[:, None] == kind)).sum(-1).mean())
    assert abs(own[False] - 0.5) < 0.15 and own[True] > 0.65


@torch.no_grad()
def test_norms_stand_before_the_branches_and_at_the_end() -> None:
    model, x = PreNorm(2, 16, 4, 32), torch.randn(1, 3, 16)
    for layer in model.layers:
        torch.nn.init.zeros_(layer.attention.proj.weight)  # type: ignore[union-attr]
        torch.nn.init.zeros_(layer.mlp[2].weight)  # type: ignore[union-attr,index]
    assert torch.allclose(model(stream(x)).hidden, torch.nn.functional.layer_norm(x, (16,)), atol=1e-5)


@torch.no_grad()
def test_a_vit_that_sees_stills_is_a_vit_shown_one_frame() -> None:
    torch.manual_seed(0)
    still, other = StillViT(SMALL), ViT(SMALL)
    other.load_state_dict(still.state_dict())
    video = torch.randn(2, 3, 3, 32, 32)
    maps = still(video)
    assert maps.shape == (2, 3, 2, 2, 16)
    for frame in range(3):
        alone = other.read(video[:, frame : frame + 1])[0][-1]
        assert torch.allclose(maps[:, frame], alone[:, 0], atol=1e-5)


@torch.no_grad()
def test_frames_are_encoded_by_themselves_and_pooled() -> None:
    torch.manual_seed(0)
    encode, maps = FrameEncoder(6, 16, 2, 4, 32, 8), torch.randn(2, 3, 4, 4, 6)
    hidden, marks = encode(maps, unnamed(2, 3 * 18))
    assert hidden.shape == (2, 3, 1 + 4, 16) and marks.shape == (2, 3, 16)
    other = maps.clone()
    other[:, 1] += torch.randn(4, 4, 6)
    changed, moved = encode(other, unnamed(2, 3 * 18))
    assert ((changed - hidden).abs().amax((2, 3)) > 1e-4).tolist() == [[False, True, False]] * 2
    assert ((moved - marks).abs().amax(2) > 1e-4).tolist() == [[False, True, False]] * 2
    assert not torch.allclose(hidden[:, :, 0], marks, atol=1e-3), "two [CLS] for two ends"


@torch.no_grad()
def test_pooled_cells_are_means_of_neighbours() -> None:
    """Without branches a cell is its map with its place, and a pooled one the mean of a square of them."""
    encode = FrameEncoder(16, 16, 1, 4, 32, 4)
    for layer in encode.layers.layers:
        torch.nn.init.zeros_(layer.attention.proj.weight)  # type: ignore[union-attr]
        torch.nn.init.zeros_(layer.mlp[2].weight)  # type: ignore[union-attr,index]
    maps = torch.randn(1, 1, 4, 4, 16)
    cells = encode.norm(encode.enter(maps) + encode.places.cell)
    cells = torch.nn.functional.layer_norm(cells, (16,))[0, 0]
    hidden, _ = encode(maps, unnamed(1, 18))
    assert torch.allclose(hidden[0, 0, 2], cells[:2, 2:].mean((0, 1)), atol=1e-4)
    assert torch.allclose(hidden[0, 0, 3], cells[2:, :2].mean((0, 1)), atol=1e-4)


@torch.no_grad()
def test_places_of_a_smaller_grid_are_the_corner_of_the_table() -> None:
    places = CellPlaces(4, 8, 2)
    out = places(2, 3)
    assert out.shape == (2 + 6, 8) and torch.equal(out[2 + 4], places.cell[1, 1]) and torch.equal(out[1], places.cls[1])
    with pytest.raises(ConfigError, match="5 × 2 cells"):
        places(5, 2)


# ---------------------------------------------------------------- the stem


@torch.no_grad()
def test_filters_are_standardised() -> None:
    conv, x = StandardisedConv(3, 4, 3), torch.randn(1, 3, 8, 8)
    before = conv(x)
    conv.weight.mul_(7).add_(2)
    assert torch.allclose(conv(x), before, atol=1e-4), "scale and shift of a filter mean nothing"
    centre = (conv.weight - conv.weight.mean((1, 2, 3), keepdim=True)) / conv.weight.std(
        (1, 2, 3), keepdim=True, correction=0
    )
    assert torch.allclose(before, torch.nn.functional.conv2d(x, centre, padding=1), atol=1e-4)


@torch.no_grad()
def test_a_place_is_sixteen_pixels_and_frames_do_not_meet() -> None:
    torch.manual_seed(0)
    stem, video = ResNetStem(TINY), torch.rand(2, 2, 3, 64, 48) - 0.5
    maps = stem(video)
    assert maps.shape == (2, 2, 4, 3, TINY.out_width) and (maps >= 0).all()
    assert torch.allclose(maps[1:, 1:], stem(video[1:, 1:]), atol=1e-5), "nothing depends on the batch"


def test_the_paper_has_sixteen_blocks_in_three_stages() -> None:
    with torch.device("meta"):
        stem = ResNetStem(StemConfig())
    assert len(stem.blocks) == 16 and StemConfig().out_width == 1024
    assert [b.stride for b in stem.blocks].count(2) == 2  # type: ignore[union-attr]
    out = stem(torch.empty(1, 1, 3, 96, 96, device="meta"))
    assert out.shape == (1, 1, 6, 6, 1024)
