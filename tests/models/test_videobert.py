"""What only VideoBERT does: video as words of one vocabulary, in one sequence whose places skip what is hidden."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fresh import fresh

from vtexplore import registry
from vtexplore.blocks.clip_words import ClipWords
from vtexplore.blocks.s3d import KINETICS
from vtexplore.blocks.tap import listening
from vtexplore.data.text import encode
from vtexplore.errors import ConfigError
from vtexplore.objectives import alignment
from vtexplore.objectives.masked_words import hide_bert
from vtexplore.types import Batch, Stream
from vtexplore.visual_words import VisualWords

TEXTS = ["a red circle slides left", "the blue star grows and then it spins", "a green ring vanishes", "a red star"]


@pytest.fixture(scope="module")
def model() -> Any:
    return fresh("videobert", depth=2)


@pytest.fixture(scope="module")
def batch(model: Any) -> Batch:
    words = encode(TEXTS, model.inputs.max_words)
    bare = Batch.bare(torch.rand(4, 48, 3, 64, 64), torch.from_numpy(words.ids), torch.from_numpy(words.mask))
    return replace(bare, pieces=words.pieces, piece_words=words.piece_words)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ── the sequence ──────────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def test_the_sequence_without_gaps(model: Any, batch: Batch) -> None:
    """``[CLS] words [>] visual words [SEP]``, as if no padding stood between."""
    joint = model.fuse(*model.embed(batch))
    codes = model.codes(batch)
    assert codes.shape == (4, 6) and int(codes.max()) < 64
    for item in range(4):
        length = int(batch.word_mask[item].sum())
        ids = torch.cat(
            [
                batch.word_ids[item, : length - 1],
                torch.tensor([model.joiner]),
                model.first + codes[item],
                torch.tensor([model.ids.end]),
            ]
        )[None]
        kinds = (torch.arange(length + 7) >= length).long()[None]
        bare = Stream(model.words.look_up(ids, kinds), torch.ones_like(ids, dtype=torch.bool), lambda: [])
        compact = model.fusion(model.words.join(bare)).hidden
        assert torch.allclose(joint.hidden[item][joint.mask[item]], compact[0], atol=1e-5)


@torch.no_grad()
def test_what_it_is_called(model: Any, batch: Batch) -> None:
    joint = model.fuse(*model.embed(batch))
    tokens = joint.tokens()[0]
    text, moments = model.parts(torch.arange(len(tokens)).expand(4, -1), batch)
    pieces = [p for p in batch.pieces[0] if p not in ("[SEP]", "[PAD]")]
    assert [tokens.labels[i] for i in text[0]][: len(pieces) + 1] == [*pieces, "[>]"]
    assert [tokens.labels[i] for i in moments[0]] == [f"moment {i}" for i in range(1, 7)]
    assert tokens.labels[-1] == "[SEP]" and "special" in tokens.modality[-1]
    assert tokens.box[moments[0, 0]].tolist() == [0, 0, 1, 1]
    spans = tokens.span_s[moments[0].numpy()]
    assert spans[0, 0] == 0 and spans[-1, 1] == 48 and (spans[1:, 0] == spans[:-1, 1]).all()
    alone = model.see(batch, model.codes(batch) + model.first, alone=True).tokens()[0]
    assert alone.labels[0] == "[CLS]" and len(alone) == 8
    assert model.text(batch, joined=False).tokens()[0].labels[len(pieces)] == "[SEP]"


@torch.no_grad()
def test_a_stretch_of_time_is_one_token(model: Any, batch: Batch) -> None:
    """Without layers, new frames change the tokens whose span holds them, if their word becomes another."""
    kept: list[Stream] = []

    class Ear:
        def hear(self, call: Any) -> None: ...

        def see(self, site: str, stream: Stream) -> None:
            kept.append(stream)

    codes = model.codes(batch)
    other = replace(batch, video=batch.video.clone())
    other.video[:, 16:24] = 1 - other.video[:, 16:24] ** 3
    assert (codes != model.codes(other)).any(0).tolist() == [False, False, True, False, False, False]
    for shown in (batch, other):
        with listening(Ear()):
            model.fuse(*model.embed(shown))
        joined = model.words.join(sum(reversed(model.embed(shown)[:1]), model.embed(shown)[1]))
        kept.append(joined)
    before, after = kept[2], kept[5]
    item = int((codes != model.codes(other)).any(1).nonzero()[0])
    changed = (before.hidden != after.hidden)[item].any(1).nonzero().flatten().tolist()
    tokens = before.tokens()[item]
    assert [tokens.labels[i] for i in changed] == ["moment 3"]
    assert tokens.span_s[changed[0]].tolist() == [16, 24]


@torch.no_grad()
def test_heads_split_one_vocabulary(model: Any, batch: Batch) -> None:
    video, text = model.embed(batch)
    joint = model.fuse(video, text).hidden
    output = model.read(video, text, batch)
    whole = model.word_head(joint)
    assert whole.shape[-1] == model.ids.size + model.config.codes + 1
    assert torch.equal(output.word_logits, whole[:, :24, : model.ids.size])
    assert torch.equal(output.code_logits, whole[:, 24:-1, model.ids.size : -1])
    aligned, wrong = model.align_head(joint[:, 0]).unbind(1)
    assert torch.allclose(output.match_logits, aligned - wrong, atol=1e-6), "higher is a match"


def test_rows_start_from_centroids(model: Any) -> None:
    other = registry.build("videobert", depth=1)
    before = other.words.word.weight.detach().clone()
    words = model.eyes.words
    other.take(words)
    first = other.first
    assert torch.equal(other.words.word.weight[first : first + len(words)], words.word_centroids)
    assert torch.equal(other.words.word.weight[:first], before[:first])
    assert torch.equal(other.word_head.decoder.weight, other.words.word.weight)
    assert torch.equal(other.eyes.words.children, words.children)
    with pytest.raises(ConfigError, match="as wide as the features"):
        registry.build("videobert", depth=1, width=64).take(words)


def test_eyes_never_learn() -> None:
    eyes = ClipWords(replace(KINETICS, divide=8, classes=0), 8, 2, 1)
    eyes.train()
    assert not any(m.training for m in eyes.modules()) and not any(p.requires_grad for p in eyes.parameters())
    with pytest.raises(ConfigError, match="12 frames are not whole stretches of 8"):
        eyes(torch.rand(1, 12, 3, 32, 32))
    assert eyes(torch.rand(1, 16, 3, 32, 32)).tolist() == [[0, 0]], "a fresh tree has one word"
    with pytest.raises(ConfigError, match="2 branches, 1 levels"):
        eyes.take(VisualWords.fit(torch.randn(60, 128), 3, 2))
    bare = ClipWords(replace(KINETICS, divide=8, classes=0), 8, 2, 1, tree=False)
    with pytest.raises(ConfigError, match="nobody published"):
        _ = bare.words
    again = ClipWords(replace(KINETICS, divide=8, classes=0), 8, 2, 1)
    eyes.take(VisualWords.fit(torch.randn(60, 128), 2, 1))
    again.load_state_dict(eyes.state_dict())
    assert torch.equal(again.words.centroids, eyes.words.centroids) and len(again.words) == 2


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────


def test_bert_hides() -> None:
    ids = torch.arange(40_000).view(4, -1) % 50 + 5
    may = ids % 2 == 0
    hidden, target = hide_bert(ids, may, 0.15, 4, 200, seeded())
    asked = target >= 0
    assert abs(float(asked[may].float().mean()) - 0.15) < 0.01 and not asked[~may].any()
    assert torch.equal(hidden[~asked], ids[~asked]) and torch.equal(target[asked], ids[asked])
    share = [float(x[asked].float().mean()) for x in (hidden == 4, hidden == ids)]
    assert abs(share[0] - 0.8) < 0.02 and abs(share[1] - 0.1) < 0.02
    assert int(hidden.max()) > 100, "any of the vocabulary may stand in"


def test_every_rth_word() -> None:
    codes = torch.arange(7).repeat(3, 1)
    some, real = alignment.subsample(codes, torch.tensor([1, 2, 5]))
    assert some.tolist() == [[0, 1, 2, 3, 4, 5, 6], [0, 2, 4, 6, 0, 0, 0], [0, 5, 0, 0, 0, 0, 0]]
    assert real.sum(1).tolist() == [7, 4, 2]


def test_partners_and_alignment() -> None:
    whose = torch.stack([alignment.partners(8, seeded(s), 4) for s in range(200)])
    mine = whose == torch.arange(8)
    assert abs(float(mine.float().mean()) - 0.5) < 0.05
    assert torch.equal(whose // 4, torch.arange(8).expand_as(whose) // 4), "foils are of the own group"
    assert alignment.partners(1, seeded()).tolist() == [0]
    logits, aligned = torch.tensor([[9.0, -9], [-9, 9], [9, -9]]), torch.tensor([True, False, False])
    keep = torch.tensor([True, True, False])
    assert alignment.loss(logits, aligned, keep) < 1e-4 < alignment.loss(logits, aligned, torch.ones(3).bool())
    assert alignment.loss(logits, aligned, torch.zeros(3).bool()) == 0


def test_nothing_is_asked_of_dropped_clips(model: Any, batch: Batch) -> None:
    losses = model.loss(replace(batch, video_mask=torch.zeros(4, dtype=torch.bool)), seeded())
    assert losses["codes"] == 0 and losses["match"] == 0 and losses["words"] > 0
    known = model.loss(batch, seeded(), model.codes(batch))
    looked = model.loss(batch, seeded())
    assert all(torch.equal(known[k], looked[k]) for k in known)
