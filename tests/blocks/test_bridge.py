"""The bridge: who looks at what, and which state of the question a layer hears."""

from __future__ import annotations

import numpy as np
import torch

from vtexplore.blocks.bridge import Bridge, CrossAttention, in_frames
from vtexplore.types import Stream, Tokens

FRAMES, EACH, WORDS, WIDTH = 3, 4, 5, 8


def video(batch: int = 2) -> Stream:
    """Patches without a [CLS]; frame t lasts from t to t + 1."""
    spans = np.stack([np.repeat(np.arange(FRAMES), EACH), np.repeat(np.arange(FRAMES) + 1, EACH)], axis=1)
    tokens = Tokens.make([f"p{i}" for i in range(FRAMES * EACH)], [{"video"}] * (FRAMES * EACH), span_s=spans)
    return Stream(
        torch.randn(batch, FRAMES * EACH, WIDTH),
        torch.ones(batch, FRAMES * EACH, dtype=torch.bool),
        lambda: [tokens] * batch,
    )


def question(batch: int = 2, real: int = WORDS) -> Stream:
    tokens = Tokens.make([f"w{i}" for i in range(WORDS)], [{"text"}] * WORDS, word=np.arange(WORDS) - 1)
    mask = (torch.arange(WORDS) < real).expand(batch, -1)
    return Stream(torch.randn(batch, WORDS, WIDTH), mask, lambda: [tokens] * batch)


def test_a_word_is_repeated_for_each_frame_and_has_its_time() -> None:
    asked, seen = question(real=4), video()
    spread = in_frames(asked, seen, FRAMES)
    assert len(spread) == 1 + FRAMES * (WORDS - 1)
    assert torch.equal(spread.hidden[:, 0], asked.hidden[:, 0])
    for frame in range(FRAMES):
        own = slice(1 + frame * (WORDS - 1), 1 + (frame + 1) * (WORDS - 1))
        assert torch.equal(spread.hidden[:, own], asked.hidden[:, 1:])
        assert torch.equal(spread.mask[:, own], asked.mask[:, 1:])
        tokens = spread.tokens()[0][own]
        assert tokens.labels == ("w1", "w2", "w3", "w4") and (tokens.span_s == [frame, frame + 1]).all()
        assert tokens.word.tolist() == [0, 1, 2, 3]


@torch.no_grad()
def test_a_words_frame_is_all_it_hears_and_the_cls_hears_all() -> None:
    torch.manual_seed(0)
    cross, seen = CrossAttention(WIDTH, 2), video()
    asking = in_frames(question(), seen, FRAMES)
    plain = cross(asking, seen, FRAMES)
    other = seen.hidden.clone()
    other[:, EACH : 2 * EACH] += 1  # the second frame
    change = (cross(asking, seen.with_hidden(other), FRAMES) - plain).norm(dim=-1)[0] > 1e-6
    assert change.tolist() == [True] + [False] * 4 + [True] * 4 + [False] * 4


@torch.no_grad()
def test_nothing_to_hear_is_no_nan() -> None:
    cross, seen = CrossAttention(WIDTH, 2), video()
    gone = Stream(seen.hidden, torch.zeros_like(seen.mask), seen.tokens)
    asking = in_frames(question(), seen, FRAMES)
    heard = cross(asking, gone, FRAMES)
    assert torch.equal(heard, cross.proj.bias.expand_as(heard))


@torch.no_grad()
def test_layer_i_hears_the_question_half_as_deep() -> None:
    torch.manual_seed(0)
    bridge, asked = Bridge(4, WIDTH, 2, 16), [question() for _ in range(2)]
    seen = [
        Stream(torch.cat([torch.zeros(2, 1, WIDTH), s.hidden], 1), torch.ones(2, 13, dtype=torch.bool), s.tokens)
        for s in [video() for _ in range(4)]
    ]
    states = [s.hidden for s in bridge.states(seen, asked, FRAMES)]
    deeper = [asked[0], asked[1].with_hidden(asked[1].hidden + 1)]
    changed = [not torch.equal(a, b.hidden) for a, b in zip(states, bridge.states(seen, deeper, FRAMES))]
    assert changed == [False, False, True, True]
    later = [*seen[:3], seen[3].with_hidden(seen[3].hidden + torch.randn(WIDTH))]
    changed = [not torch.equal(a, b.hidden) for a, b in zip(states, bridge.states(later, asked, FRAMES))]
    assert changed == [False, False, False, True]


@torch.no_grad()
def test_padding_of_the_question_is_not_heard() -> None:
    torch.manual_seed(0)
    bridge, short = Bridge(2, WIDTH, 2, 16), question(real=3)
    seen = [Stream(torch.randn(2, 13, WIDTH), torch.ones(2, 13, dtype=torch.bool), lambda: []) for _ in range(2)]
    other = short.hidden.clone()
    other[:, 3:] += 1
    one, two = (bridge(seen, [short.with_hidden(x)], FRAMES) for x in (short.hidden, other))
    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)
