"""What only VIOLET does: two ways of choosing what to hide, and foils that see but the cross-modal transformer."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from vtexplore import registry
from vtexplore.data.text import encode
from vtexplore.errors import ConfigError
from vtexplore.objectives import matching
from vtexplore.types import Batch

TEXTS = ["a red circle slides left", "the blue star grows and then it spins", "a green ring vanishes", "a red star"]


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return registry.build("violet", depth=2)


@pytest.fixture(scope="module")
def batch(model: Any) -> Batch:
    words = encode(TEXTS, model.inputs.max_words)
    bare = Batch.bare(torch.rand(4, 4, 3, 96, 96), torch.from_numpy(words.ids), torch.from_numpy(words.mask))
    return replace(bare, pieces=words.pieces, piece_words=words.piece_words)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_sequence(model: Any, batch: Batch) -> None:
    video, text = model.embed(batch)
    assert len(video) == 4 * (1 + 36) and len(text) == 24
    tokens = model.fuse(video, text).tokens()[0]
    assert tokens.labels[0] == "[CLS] of frame 1" and tokens.labels[4 * 37] == "[CLS]"
    assert model(batch).code_logits.shape == (4, 144, 256)


def test_parts_are_the_tokens(model: Any, batch: Batch) -> None:
    """Positions cut from the joint sequence are those that their Tokens say."""
    video, text = model.embed(batch)
    tokens = (video + text).tokens()[1]
    number = torch.arange(len(tokens)).expand(4, -1)
    patches, words = model.parts(number, batch)
    assert [tokens.labels[i] for i in patches[1, 2, 3]] == [f"row 4 column {c} of frame 3" for c in range(1, 7)]
    assert tuple(tokens.labels[i] for i in words[1]) == batch.pieces[1]


@pytest.mark.parametrize("attended", [0.0, 0.5, 1.0])
def test_special_positions_are_never_hidden(model: Any, batch: Batch, attended: float) -> None:
    some = registry.build("violet", depth=1, attended=attended)
    for seed in range(4):
        patches, words = some.choose(batch, seeded(seed))
        assert patches.shape == (4, 4, 6, 6) and not (words & some.ids.special(batch.word_ids)).any()
        assert patches.flatten(1).any(1).all()
        if attended == 1:
            drawn = patches.flatten(1).sum(1) + words.sum(1)
            assert (drawn == int(0.15 * (4 * 37 + 24))).all()


def test_attention_received_adds_up(model: Any, batch: Batch) -> None:
    from vtexplore.objectives.attended import attention_received

    total = attention_received(lambda: model(batch), "fusion")
    assert torch.allclose(total.sum(1), torch.tensor(2.0 * total.shape[1]), rtol=1e-4)  # layers × queries
    received = model.received(batch)
    allowed = received > 0
    assert torch.equal(received[allowed], total[allowed]) and not received.requires_grad
    patches, words = model.parts(allowed, batch)
    assert patches.all() and torch.equal(words, ~model.ids.special(batch.word_ids))


def test_hiding(model: Any, batch: Batch) -> None:
    patches, words = model.choose(batch, seeded(1))
    codes = model.codes(batch)
    dropped = replace(batch, video_mask=torch.tensor([True, True, False, True]))
    hidden, code_is, word_is = model.hide(dropped, patches, words, codes)
    assert codes.shape == patches.shape and not codes.requires_grad
    assert torch.equal(code_is >= 0, patches & dropped.has_video[:, None, None, None])
    assert torch.equal(word_is >= 0, words) and (hidden.word_ids[words] == model.ids.mask).all()
    assert (hidden.video.unfold(3, 16, 16).unfold(4, 16, 16).amax((2, 5, 6)) == 0).equal(patches)


def test_foils_cost_only_the_fusion(model: Any, batch: Batch) -> None:
    """The losses are those of scoring every pair from its pixels."""
    patches, words = model.choose(batch, seeded(2))
    hidden, code_is, word_is = model.hide(batch, patches, words, model.codes(batch))
    others = matching.others(4, seeded(3))
    with torch.no_grad():
        losses = model.losses(hidden, code_is, word_is, others)
        scores = [model(hidden).match_logits]
        for column in others.T:
            text = hidden.take(column.tolist())
            paired = replace(hidden, word_ids=text.word_ids, word_mask=text.word_mask)
            scores.append(model(paired).match_logits)
    expected = matching.loss(torch.stack(scores, dim=1))
    assert losses["match"].item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_lone_pair_and_nothing_hidden(model: Any, batch: Batch) -> None:
    one = batch.take([0])
    none = torch.zeros(1, 4, 6, 6, dtype=torch.bool), torch.zeros_like(one.word_ids, dtype=torch.bool)
    losses = model.losses(*model.hide(one, *none, model.codes(one)), matching.others(1, seeded()))
    assert {k: float(v.detach()) for k, v in losses.items()} == {"words": 0, "codes": 0, "match": 0}


def test_settings_that_contradict(batch: Batch) -> None:
    with pytest.raises(ConfigError, match="Swin must end"):
        registry.build("violet", device="meta", width=64)
    blind = registry.build("violet", depth=1, dvae=None)
    with pytest.raises(ConfigError, match="without a discrete VAE"):
        blind.loss(batch, seeded())
    assert blind.loss(batch, seeded(), torch.zeros(4, 4, 6, 6, dtype=torch.long))
    longer = replace(batch, video=torch.rand(4, 7, 3, 96, 96))
    with pytest.raises(ConfigError, match="7 frames"):
        blind(longer)
