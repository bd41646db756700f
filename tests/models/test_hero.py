"""What only HERO does: lines bound to their own frames, then time; a line taken out; frames that change places."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fresh import fresh

from vtexplore import registry
from vtexplore.blocks.lines import Lines
from vtexplore.blocks.tap import listening
from vtexplore.data.prepare import prepare, subtitles
from vtexplore.errors import ConfigError
from vtexplore.objectives import masked_frames
from vtexplore.tasks import scene_batch
from vtexplore.types import Batch, Speech
from vtexplore.world import sample_scene

SAID = (
    (Speech(0.0, 1.4, "a red circle slides left"), Speech(2.0, 4.0, "the blue star spins")),
    (Speech(0.9, 2.9, "a green ring vanishes"),),
)


@pytest.fixture(scope="module")
def model() -> Any:
    return fresh("hero", depths=(1, 1))


@pytest.fixture(scope="module")
def batch(model: Any) -> Batch:
    return scene_batch([sample_scene(i) for i in range(2)], model.inputs)


@pytest.fixture(scope="module")
def told(model: Any, batch: Batch) -> Batch:
    return replace(batch, speech=subtitles(SAID, model.inputs))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def test_a_line_changes_its_own_frames_before_time_is_seen(model: Any, told: Batch) -> None:
    """Six moments of 2/3 s: the first line holds two, the second three; the other clip's line the middle three."""
    video = model.see(told)
    bare, bound = model.bind(video, None), model.bind(video, Lines.spoken(model.words, told, video.mask))
    assert (bare != bound).any(2).tolist() == [[1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 0, 0]]
    other = replace(
        told, speech=subtitles((SAID[0][:1] + (Speech(2.0, 4.0, "the blue star grows"),), SAID[1]), model.inputs)
    )
    again = model.bind(video, Lines.spoken(model.words, other, video.mask))
    moved = (again - bound).abs().amax(2) > 1e-6
    assert moved.tolist() == [[0, 0, 0, 1, 1, 1], [0] * 6]
    seen, seen_again = (model.watch(video, x) for x in (bound, again))
    changed = (seen - seen_again).abs().amax(2) > 1e-7
    assert changed[0].all() and not changed[1].any(), "then every frame of that video hears of it"


@torch.no_grad()
def test_what_is_said_changes_match_and_order_but_not_the_words_asked_for(
    model: Any, batch: Batch, told: Batch
) -> None:
    silent, heard = model(batch), model(told)
    assert torch.equal(silent.word_logits, heard.word_logits)
    for head in ("match_logits", "order_logits", "span_logits"):
        assert not torch.allclose(getattr(silent, head), getattr(heard, head), atol=1e-5), head


@torch.no_grad()
def test_lines_that_are_not_there_change_nothing(model: Any, told: Batch) -> None:
    """The second clip has one line, the batch room for two."""
    assert told.speech is not None and told.speech.word_ids.shape[1] == 2
    alone = replace(told.take([1]), speech=subtitles(SAID[1:], model.inputs))
    together, apart = model(told), model(alone)
    for head in together.heads():
        assert torch.allclose(getattr(together, head)[1], getattr(apart, head)[0], atol=1e-5), head
    turned = model(told.take([1, 0]))
    assert torch.allclose(turned.match_logits, together.match_logits.flip(0), atol=1e-6)


@torch.no_grad()
def test_a_line_without_frames_is_a_query(model: Any, told: Batch) -> None:
    video = model.see(told)
    lines = Lines.spoken(model.words, told, video.mask)
    gone = replace(lines, there=torch.zeros_like(lines.there))
    words = model.local(video, gone)[1]
    real = lines.words.mask
    assert torch.allclose(words[real], model.fusion(lines.words).hidden[real], atol=1e-5)


@torch.no_grad()
def test_moved_frames_stand_elsewhere(model: Any, told: Batch) -> None:
    here = torch.arange(6).expand(2, 6)
    assert torch.allclose(model.reorder(told, here).order_logits, model(told).order_logits, atol=1e-5)
    turned = model.reorder(told, here.flip(1)).order_logits
    assert turned.shape == (2, 6, 24) and not torch.allclose(turned, model(told).order_logits.flip(1), atol=1e-3)


@torch.no_grad()
def test_a_hidden_frame_is_hidden_at_both_clocks(model: Any, told: Batch) -> None:
    video = model.see(told)
    lines, gone = Lines.spoken(model.words, told, video.mask), torch.zeros(2, 6, dtype=torch.bool)
    gone[0, 0] = True
    other = video.with_hidden(video.hidden.clone())
    other.hidden[0, 0] += torch.arange(128.0)
    assert torch.allclose(model.bind(video, lines, gone), model.bind(other, lines, gone), atol=1e-6)
    assert not torch.allclose(model.bind(video, lines), model.bind(other, lines), atol=1e-3)


def test_losses_with_speech_reach_every_weight(told: Batch) -> None:
    model = fresh("hero", depths=(1, 1)).train()
    losses = model.loss(told, seeded())
    assert set(losses) == {"words", "frames", "order", "span", "match"} and all(v.isfinite() for v in losses.values())
    sum(losses.values()).backward()
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]


def test_a_line_is_not_heard_while_it_is_looked_for(model: Any, told: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all lines taken out, what is seen is what is seen in silence."""
    seen = []
    watch = model.watch
    monkeypatch.setattr(model, "watch", lambda video, bound: seen.append(bound) or watch(video, bound))
    video = model.see(told)
    with torch.no_grad():
        model.lost_lines(video, Lines.spoken(model.words, told, video.mask), seeded())
        assert torch.allclose(seen[0], model.bind(video, None), atol=1e-6)


def test_order_is_asked_of_what_was_bound(
    model: Any, batch: Batch, told: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caption is no line of speech: spoken through the whole clip, its frames' places would give the order away."""
    heard = []
    bind = model.bind
    monkeypatch.setattr(model, "bind", lambda video, lines, *gone: heard.append(lines) or bind(video, lines, *gone))
    with torch.no_grad():
        model.loss(batch, seeded())
        model.loss(told, seeded())
    assert isinstance(heard[0], Lines) and heard[1] is None and isinstance(heard[3], Lines)


def test_dropped_clips_have_nothing_to_hide(model: Any, told: Batch) -> None:
    hidden = replace(told, video_mask=torch.tensor([False, True]))
    video = model.see(hidden)
    assert not video.hidden[0].any() and not masked_frames.draw(video.mask, 0.9, seeded())[0].any()
    lines = Lines.spoken(model.words, hidden, video.mask)
    assert not lines.there[0].any() and lines.there[1].any()


def test_tokens_of_lines(model: Any, told: Batch) -> None:
    kept = []

    class Ear:
        def hear(self, call: Any) -> None:
            kept.append((call.site, call.queries()))

        def see(self, site: str, stream: Any) -> None: ...

    with torch.no_grad(), listening(Ear()):
        model.embed(told)
    (site, lines), (later, video) = kept
    assert (site, later) == ("fusion.layers.0", "temporal.layers.0") and len(lines) == 4 and len(video) == 2
    assert lines[0].labels[:4] == ("moment 1", "moment 2", "[PAD]", "[CLS]") and "circle" in lines[0].labels
    assert all("pad" in m for m in lines[3].modality), "a line that is not there"
    assert video[0].labels == tuple(f"moment {i}" for i in range(1, 7))


def test_features_made_offline_are_read_as_they_are() -> None:
    torch.manual_seed(0)
    small = registry.build("hero", s3d=None, window=1, features=7, depths=(1, 1))
    ids = torch.tensor([[2, 9, 9, 3]])
    with torch.no_grad():
        out = small(Batch.bare(torch.randn(1, 5, 7), ids))
    assert out.order_logits.shape == (1, 5, 24) and out.span_logits.shape == (1, 5, 2)


def test_more_frames_than_places(model: Any) -> None:
    long = Batch.bare(torch.rand(1, 8 * 25, 3, 64, 64), torch.tensor([[2, 9, 3]]))
    with pytest.raises(ConfigError, match="25 positions are too many"):
        model(long)


def test_a_clip_with_speech_becomes_lines(model: Any) -> None:
    clip = sample_scene(3).clip()
    silent, heard = (prepare(clip, "a red circle", model.inputs, speech=s) for s in (False, True))
    assert silent.speech is None and heard.speech is not None
    assert heard.speech.texts == (tuple(s.words for s in clip.speech),)
    assert heard.speech.spans_s[0].tolist() == [[s.start_s, s.end_s] for s in clip.speech]
