"""Which pixels a slot of S3D sees, what its pools and gates do at the edges, and sizes that it refuses."""

import time
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vtexplore.blocks.bag_of_words import BagConfig, BagOfWords, word_ids
from vtexplore.blocks.s3d import HOWTO100M, KINETICS, S3D, TORCHVISION, Gate, Pool, S3DConfig, SpaceToDepth, window_mean
from vtexplore.errors import ConfigError

TINY_BAG = BagConfig(words=21, word_width=6, inner=10)
MIL = replace(HOWTO100M, divide=8, text=TINY_BAG, embedding=16)
FULL = replace(MIL, stem="full")
KIN = replace(KINETICS, divide=8, classes=5)
ALL = {"mil": MIL, "full": FULL, "kin": KIN}


def net(config: S3DConfig) -> S3D:
    """With statistics that are not those of a fresh batch norm."""
    model = S3D(config).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.05, 0.3)
    return model


@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_shapes_and_strides(name: str) -> None:
    config = ALL[name]
    video = torch.rand(2, 32, 3, 64, 96)
    steps = dict(net(config).steps(video))
    grids = {n: tuple(x.shape[2:]) for n, x in steps.items()}
    assert grids["stem"] == (16, 32, 48) and grids["2a"] == grids["gate"] == (16, 16, 24)
    assert grids["3a"] == grids["3c"] == (16, 8, 12) and grids["4a"] == grids["4f"] == (8, 4, 6)
    assert grids["5a"] == grids["5c"] == config.grid(32, 64, 96) == (4, 2, 3)
    wide = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    named = ["3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"]
    assert [8 * steps[n].shape[1] for n in named] == wide and config.out_width == 128
    assert list(steps) == ["stem", "2a", "2b", "2c", "gate", "3a", "3b", "3c", "4a", *named[2:7], "5a", "5b", "5c"]


@settings(max_examples=12)
@given(st.sampled_from(sorted(ALL)), st.integers(1, 26), st.integers(1, 70), st.integers(1, 70))
@torch.no_grad()
def test_any_size_or_a_reason(name: str, frames: int, height: int, width: int) -> None:
    config, video = ALL[name], torch.rand(1, frames, 3, height, width)
    model = S3D(config).eval()
    try:
        grid = config.grid(frames, height, width)
    except ConfigError:
        with pytest.raises(ConfigError):
            model(video)
        return
    out = model(video)
    assert out.shape == (1, *grid, 128) and out.isfinite().all()


def test_what_is_refused_says_what_to_do() -> None:
    model = S3D(MIL)
    with pytest.raises(ConfigError, match="even numbers.*15 × 48 × 50.*to 14 × 48 × 50"):
        model(torch.rand(1, 15, 3, 48, 50))
    for size in ((16, 47, 48), (16, 48, 47)):
        with pytest.raises(ConfigError, match="16 × 46 × 48|16 × 48 × 46"):
            MIL.grid(*size)
    assert FULL.grid(15, 47, 47) == (2, 2, 2), "odd sizes are no trouble to the other stems"
    with pytest.raises(ConfigError, match="too few.*5 frames of 17 × 17"):
        KIN.grid(4, 64, 64)
    assert KIN.grid(5, 17, 17) == (1, 1, 1)
    with pytest.raises(ConfigError, match="13 frames"):
        S3D(KIN).eval().logits(torch.rand(1, 12, 3, 32, 32))
    assert S3D(KIN).eval().logits(torch.rand(2, 13, 3, 32, 32)).shape == (2, 5)
    with pytest.raises(ConfigError, match="embeds nothing"):
        S3D(KIN).embed(torch.rand(1, 16, 3, 32, 32))
    with pytest.raises(ConfigError, match="no classes"):
        S3D(MIL).logits(torch.rand(1, 16, 3, 32, 32))
    with pytest.raises(ConfigError, match="space_to_depth, full, separable"):
        S3DConfig(stem="other")
    with pytest.raises(ConfigError, match="1, 2, 4 or 8"):
        S3DConfig(divide=3)


# ── who sees what ─────────────────────────────────────────────────────────────────────────────────


def changed(before: Tensor, after: Tensor, axis: int) -> set[int]:
    """Indices of an axis of [batch, channel, frame, row, column] where anything is different."""
    rest = [a for a in range(5) if a != axis]
    return set((before != after).amax(rest).nonzero().flatten().tolist())


STEMS = {  # slot t sees frames 2t + first … 2t + last; place y rows 2y + first … 2y + last
    "mil": ((0, 3), (-2, 5)),
    "full": ((-1, 1), (-3, 3)),
    "kin": ((-3, 3), (-3, 3)),
}


@pytest.mark.parametrize("name", STEMS)
@torch.no_grad()
def test_what_the_stem_sees(name: str) -> None:
    model = net(ALL[name])
    for p in model.stem.parameters():
        p.abs_()  # nothing that is seen stays below the threshold of the ReLU
    video = torch.rand(1, 12, 3, 24, 28)
    before = next(model.steps(video))[1]
    for axis, (dim, (first, last)) in enumerate(((1, STEMS[name][0]), (3, STEMS[name][1]), (4, STEMS[name][1])), 2):
        size = video.shape[dim]
        for place in (0, 1, 5, size - 1):
            lit = video.clone()
            lit.select(dim, place).add_(1)
            expected = {i for i in range(size // 2) if 2 * i + first <= place <= 2 * i + last}
            assert changed(before, next(model.steps(lit))[1], axis) == expected


@torch.no_grad()
def test_channels_of_space_to_depth() -> None:
    """Blocks in order of time, row, column, and the colour varies fastest."""
    stem = SpaceToDepth(MIL, 8)
    taken: list[Tensor] = []
    stem.unit.register_forward_pre_hook(lambda _, args: taken.append(args[0]))
    video = torch.arange(2.0 * 3 * 4 * 6 * 8).view(2, 3, 4, 6, 8)
    stem(video)
    for channel in range(24):
        (rest, colour) = divmod(channel, 3)
        t, y, x = rest // 4, rest // 2 % 2, rest % 2
        assert torch.equal(taken[0][:, channel], video[:, colour, t::2, y::2, x::2])


@torch.no_grad()
def test_gates_let_everything_see_everything() -> None:
    """A single mean carries news to all places; without gates, only neighbours hear of it."""
    for gating, everyone in ((True, True), (False, False)):
        model = net(replace(MIL, gating=gating))
        video = torch.rand(1, 24, 3, 32, 32)
        lit = video.clone()
        lit[:, 0] += 1
        before, after = dict(model.steps(video)), dict(model.steps(lit))
        assert changed(before["2c"], after["2c"], 2) == {0, 1}, "the stem hears one slot, 2c its neighbour, too"
        assert (changed(before["gate"], after["gate"], 2) == set(range(12))) == everyone
        assert len([m for m in model.modules() if isinstance(m, Gate)]) == (1 + 9 * 4) * gating


@torch.no_grad()
def test_a_gate_by_hand() -> None:
    gate = Gate(3)
    x = torch.randn(2, 3, 2, 4, 5)
    for item in range(2):
        share = torch.sigmoid(gate.fc.weight @ x[item].flatten(1).mean(1) + gate.fc.bias)
        assert torch.allclose(gate(x)[item], x[item] * share[:, None, None, None])
    gate.fc.weight.zero_()
    gate.fc.bias.fill_(-100.0)
    assert gate(x).abs().max() < 1e-30


def test_pools_at_the_edges() -> None:
    row = torch.tensor([5.0, 1, 2, 1, 1, 3, 4]).view(1, 1, 1, 1, 7)
    same, around = (Pool((1, 1, 3), (1, 1, 2), s) for s in (True, False))
    assert same(row).flatten().tolist() == [5, 2, 4, 4]  # 0–2, 2–4, 4–6, 6–
    assert around(row).flatten().tolist() == [5, 2, 3, 4]  # –1, 1–3, 3–5, 5–
    assert same(row[..., :6]).flatten().tolist() == [5, 2, 3]  # 0–2, 2–4, 4–
    assert around(row[..., :6]).flatten().tolist() == [5, 2, 3]
    same, around = (Pool((1, 1, 2), (1, 1, 2), s) for s in (True, False))
    assert same(row).flatten().tolist() == [5, 2, 3, 4] and around(row).flatten().tolist() == [5, 2, 3]
    x = torch.rand(2, 3, 9, 11, 13)
    assert torch.equal(Pool((3, 3, 3), (2, 2, 2), False)(x), F.max_pool3d(x, 3, 2, 1))


def test_the_mean_of_windows() -> None:
    grid = torch.rand(2, 3, 2, 2, 4)
    slots = grid.mean((2, 3))
    assert torch.allclose(window_mean(grid), (slots[:, 0] + 2 * slots[:, 1] + slots[:, 2]) / 4)
    assert torch.allclose(window_mean(grid[:, :2]), slots[:, :2].mean(1))
    with pytest.raises(ConfigError, match="two slots"):
        window_mean(grid[:, :1])


# ── heads, pixels, words ──────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def test_heads() -> None:
    video, model = torch.rand(2, 8, 3, 32, 32), net(MIL)
    assert model.features(video).shape == (2, 128) and model.embed(video).shape == (2, 16)
    assert torch.allclose(model.features(video), model(video).mean((1, 2, 3)))
    assert model.text is not None and model.text(torch.zeros(3, 16, dtype=torch.long)).shape == (3, 16)
    assert S3D(replace(MIL, embedding=0)).text is None, "a text with nothing to be compared to"
    video, model = torch.rand(1, 30, 3, 32, 32), net(KIN)
    assert KIN.grid(30, 224, 224) == (4, 7, 7), "VideoBERT's 1.5 s"
    mean = model.logits(torch.rand(1, 16, 3, 32, 32))
    assert mean.shape == (1, 5)
    assert torch.allclose(model.logits(video), F.linear(window_mean(model(video)), *flat(model)), atol=1e-6)


def flat(model: S3D) -> tuple[Tensor, Tensor]:
    assert model.classify is not None and model.classify.bias is not None
    return model.classify.weight.flatten(1), model.classify.bias


@torch.no_grad()
def test_pixels_are_0_to_1_for_all() -> None:
    model, other = net(KIN), S3D(replace(TORCHVISION, divide=8, classes=5)).eval()
    other.load_state_dict(model.state_dict())
    video = torch.rand(1, 13, 3, 32, 32)
    mean, std = (torch.tensor(n).view(3, 1, 1) for n in (TORCHVISION.mean, TORCHVISION.std))
    assert torch.allclose(other((video * 2 - 1) * std + mean), model(video), atol=1e-5)
    assert not torch.allclose(other(video), model(video), atol=1e-3)


def test_words() -> None:
    words = ["a", "the", "don't", "pour", "2"]
    assert word_ids(["Pour the -- ZEBRA", "DON'T pour 2", "", "zebra"], words, 4).tolist() == [
        [4, 2, 0, 0],
        [3, 4, 5, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert word_ids(["a zebra the a the a"], words, 3).tolist() == [[1, 2, 1]], "cut after what is known"


def test_padding_takes_part_in_the_maximum() -> None:
    bag = BagOfWords(TINY_BAG, 4).eval()
    short, padded = torch.tensor([[3, 5]]), torch.tensor([[3, 5, 0, 0]])
    assert not torch.allclose(bag.pooled(short), bag.pooled(padded))
    assert torch.equal(bag(padded), bag(torch.tensor([[0, 5, 0, 3]]))), "words have no order"


def test_a_miniature_is_fast_and_learns() -> None:
    torch.manual_seed(1)
    model = S3D(replace(KIN, momentum=0.1, classes=2)).train()
    video, target = torch.rand(4, 16, 3, 32, 32), torch.tensor([0, 1, 0, 1])
    start = time.process_time()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(6):
        loss = F.cross_entropy(model.logits(video), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert losses[-1] < losses[0]
    assert time.process_time() - start < 20
