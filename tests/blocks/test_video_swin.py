"""Windows that tile a grid exactly, tubes of pixels that become slots, and a slow attention to hold the fast one to."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vtexplore.blocks.tap import Call, listening, name_taps
from vtexplore.blocks.video_swin import (
    DropPath,
    PatchMerging,
    SwinConfig,
    VideoSwin,
    WindowAttention,
    inflate,
    normalise,
    spread_over_time,
    unnamed,
)
from vtexplore.blocks.windows import relative_index, windows

sides = st.tuples(*[st.integers(1, 11)] * 3)
small = st.tuples(*[st.integers(1, 5)] * 3)


@given(sides, small, st.booleans())
def test_windows_tile_the_grid(grid: tuple[int, int, int], window: tuple[int, int, int], shifted: bool) -> None:
    cut = windows(grid, window, shifted)
    places = cut.groups[cut.groups >= 0]
    assert sorted(places.tolist()) == list(range(int(np.prod(grid))))
    assert cut.groups.shape == (np.prod(cut.counts), np.prod(cut.size))
    assert all(s == min(n, w) for s, n, w in zip(cut.size, grid, window))
    assert all(s == (w // 2 if shifted and n > w else 0) for s, n, w in zip(cut.shift, grid, window))
    assert (cut.mask is None) == (not any(cut.shift))


@given(sides, small)
def test_only_neighbours_see_each_other(grid: tuple[int, int, int], window: tuple[int, int, int]) -> None:
    cut = windows(grid, window, True)
    if cut.mask is None:
        return
    assert set(cut.mask.unique().tolist()) <= {-100.0, 0.0}
    place = np.stack(np.unravel_index(cut.groups.clamp(min=0).numpy(), grid))  # [axis, window, n]
    apart = np.abs(place[:, :, :, None] - place[:, :, None, :])
    real = (cut.groups >= 0).numpy()
    both = real[:, :, None] & real[:, None, :]
    near = (apart < np.array(cut.size)[:, None, None, None]).all(0)
    open_ = (cut.mask[:, 0] == 0).numpy()
    assert (near | ~open_)[both].all(), "two that may see each other fit into one unrolled window"


@given(sides, small, st.booleans())
def test_cut_and_uncut(grid: tuple[int, int, int], window: tuple[int, int, int], shifted: bool) -> None:
    cut = windows(grid, window, shifted)
    x = torch.arange(float(np.prod(grid))).view(1, *grid, 1)
    assert torch.equal(cut.uncut(cut.cut(x), grid), x)


def test_relative_index_by_hand() -> None:
    index = relative_index((2, 3, 3))
    assert index.shape == (18, 18) and index.min() == 0 and index.max() == 3 * 5 * 5 - 1
    assert (index.diagonal() == (1 * 5 + 2) * 5 + 2).all()
    assert index[0, 17] == 0 and index[17, 0] == 74  # from the first corner to the last, and back
    assert index[1, 0] - index[0, 0] == 1 and index[3, 0] - index[0, 0] == 5 and index[9, 0] - index[0, 0] == 25


@settings(max_examples=15)
@given(st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 7)), st.booleans())
def test_attention_is_what_the_slow_way_gives(grid: tuple[int, int, int], shifted: bool) -> None:
    """Token by token, over the tokens of its window; padding stands there with the bias of qkv as its key."""
    torch.manual_seed(0)
    layer = WindowAttention(4, 2, (2, 3, 3)).eval()
    torch.nn.init.normal_(layer.bias_table)
    torch.nn.init.normal_(layer.qkv.bias)
    x = torch.randn(1, *grid, 4)
    cut = windows(grid, (2, 3, 3), shifted)
    flat = torch.cat([x.view(-1, 4), torch.zeros(1, 4)])  # index −1 is padding
    n = cut.groups.shape[1]
    out = torch.zeros(len(flat), 4)
    for number, group in enumerate(cut.groups):
        q, k, v = layer.qkv(flat[group]).view(n, 3, 2, 2).unbind(1)  # [n, head, channel]
        for head in range(2):
            logits = q[:, head] @ k[:, head].T / 2**0.5 + layer.bias_table[relative_index((2, 3, 3))[:n, :n], head]
            if cut.mask is not None:
                logits = logits + cut.mask[number, 0]
            out[group, 2 * head : 2 * head + 2] = logits.softmax(-1) @ v[:, head]
    expected = layer.proj(out[:-1]).view(x.shape)
    assert torch.allclose(layer(x, shifted, partial(unnamed, 1)), expected, atol=1e-5)


def test_a_tap_sees_windows() -> None:
    swin = name_taps(VideoSwin(SwinConfig(width=4, depths=(2, 1), heads=(1, 2), window=(2, 3, 3))).eval())
    calls: list[Call] = []

    class Ear:
        def hear(self, call: Call) -> None:
            calls.append(call)

        def see(self, site: str, stream: object) -> None:
            pass

    with listening(Ear()), torch.no_grad():
        swin(torch.rand(3, 4, 3, 20, 20))
    assert [c.site for c in calls] == ["stages.0.blocks.0", "stages.0.blocks.1", "stages.1.blocks.0"]
    for call in calls:
        assert call.groups is not None and call.q.shape[1] % len(call.groups) == 0
        assert len(call.keys()[0]) == int(call.groups.max()) + 1 and len(call.keys()) == 3
        assert torch.allclose(call.weights().sum(-1), torch.ones(()), atol=1e-5)


@pytest.mark.parametrize("stride,sees", [(1, {0: {0}, 1: {0, 1}, 4: {3, 4}}), (2, {0: {0}, 1: {0}, 2: {1}, 4: {2}})])
def test_which_slots_a_frame_reaches(stride: int, sees: dict[int, set[int]]) -> None:
    swin = VideoSwin(SwinConfig(time_stride=stride, width=4, depths=(1,), heads=(1,), window=(2, 2, 2))).eval()
    video = torch.rand(1, 5, 3, 8, 8)
    base = swin.patch(video)
    assert base.shape[1] == swin.config.grid(5, 8, 8)[0] == (5 if stride == 1 else 3)
    for frame, slots in sees.items():
        lit = video.clone()
        lit[0, frame] += 1
        changed = (swin.patch(lit) - base).abs().amax((0, 2, 3, 4)) > 1e-6
        assert set(changed.nonzero().flatten().tolist()) == slots


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(5, 40), st.integers(5, 40), st.integers(1, 3))
def test_any_clip_any_number_of_stages(frames: int, height: int, width: int, stages: int) -> None:
    config = SwinConfig(time_stride=1, width=4, depths=(1,) * stages, heads=(1,) * stages, window=(2, 3, 3))
    with torch.no_grad():
        out = VideoSwin(config).eval()(torch.rand(2, frames, 3, height, width))
    assert out.shape == (2, *config.grid(frames, height, width), config.out_width)
    assert out.isfinite().all()


def test_merging_takes_the_published_order() -> None:
    merge = PatchMerging(1, 1e-5)
    taken: list[torch.Tensor] = []
    merge.norm.register_forward_pre_hook(lambda _, args: taken.append(args[0]))
    merge(torch.tensor([[[[[0.0], [1.0], [4.0]], [[2.0], [3.0], [5.0]]]]]))
    assert taken[0].flatten().tolist() == [0, 2, 1, 3, 4, 5, 0, 0]


def test_drop_path() -> None:
    x = torch.ones(4000, 3)
    layer = DropPath(0.25)
    y = layer.train()(x)
    assert y.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (y.std(dim=1) == 0).all() and abs(float((y[:, 0] == 0).float().mean()) - 0.25) < 0.03
    assert layer.eval()(x) is x
    swin = VideoSwin(SwinConfig(width=4, depths=(2, 2), heads=(1, 1), window=(2, 2, 2), drop_path=0.3))
    rates = [m.rate for m in swin.modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])


def test_stills_become_clips() -> None:
    flat = {"patch_embed.proj.weight": torch.rand(4, 3, 4, 4), "a.relative_position_bias_table": torch.rand(25, 2)}
    grown = inflate(flat | {"a.relative_position_index": torch.zeros(9), "attn_mask": torch.zeros(1)}, 2, (4, 3, 3))
    assert set(grown) == set(flat)
    assert torch.allclose(grown["patch_embed.proj.weight"].sum(2), flat["patch_embed.proj.weight"])
    assert torch.equal(
        grown["a.relative_position_bias_table"].view(7, 25, 2)[5], flat["a.relative_position_bias_table"]
    )

    config = SwinConfig(time_stride=1, width=4, depths=(2,), heads=(1,), window=(2, 2, 2))
    swin = VideoSwin(config)
    spread_over_time(swin)
    table = swin.stages[0].blocks[0].attention.bias_table.view(3, 9, 1)
    assert torch.equal(table[0], table[1]) and torch.equal(table[2], table[1])


def test_normalise() -> None:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    assert torch.allclose(normalise(mean.expand(2, 3, 4, 4)), torch.zeros(()), atol=1e-6)
