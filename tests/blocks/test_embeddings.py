"""What positions stand for: times, boxes, words."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtexplore.blocks.embeddings import (
    BERT_WORDS,
    PatchPlaces,
    WordEmbeddings,
    WordIds,
    frame_spans,
    grid_tokens,
    word_tokens,
)
from vtexplore.blocks.heads import MaskedWords, Perceptron, pick
from vtexplore.data.text import encode
from vtexplore.errors import ConfigError
from vtexplore.types import Batch


def batch(frames: int = 3, items: int = 2) -> Batch:
    ids = torch.tensor([[2, 7, 8, 3, 0], [2, 7, 3, 0, 0]])[:items]
    return Batch.bare(torch.rand(items, frames, 3, 8, 8), ids, ids != 0)


def test_spans_by_hand() -> None:
    assert frame_spans(np.array([1.0, 2.0, 3.0]), 4.0).tolist() == [[0.5, 1.5], [1.5, 2.5], [2.5, 3.5]]
    assert frame_spans(np.array([0.2, 3.8]), 4.0).tolist() == [[0.0, 2.0], [2.0, 4.0]]  # clamped at both ends
    assert frame_spans(np.array([1.3]), 4.0).tolist() == [[0.0, 4.0]]
    assert frame_spans(np.array([]), 4.0).shape == (0, 2)


@given(st.lists(st.floats(0.01, 9.99), min_size=1, max_size=8, unique=True))
def test_spans_hold_their_frames_and_do_not_overlap(times: list[float]) -> None:
    times = sorted(times)
    spans = frame_spans(np.array(times), 10.0)
    assert (spans[:, 0] <= times).all() and (times <= spans[:, 1]).all()
    assert (spans[1:, 0] == spans[:-1, 1]).all() and spans.min() >= 0 and spans.max() <= 10


def test_a_grid_row_by_row_frame_by_frame() -> None:
    tokens = grid_tokens(batch(2), (2, 2, 3), cls=True)()[0]
    assert len(tokens) == 2 * (1 + 6)
    assert tokens.labels[0] == "[CLS] of frame 1" and tokens.labels[9] == "row 1 column 2 of frame 2"
    assert np.isnan(tokens.box[[0, 7]]).all() and not np.isnan(tokens.box[1:7]).any()
    assert tokens.box[5].tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3, 1])
    assert tokens.where("video").sum() == 12 and tokens.where("special").sum() == 2
    assert tokens.span_s[0].tolist() == tokens.span_s[6].tolist() == [0, 1] and tokens.span_s[7].tolist() == [1, 2]


def test_boxes_are_the_clips_not_the_squares() -> None:
    wide = replace(batch(1, 1), view=np.array([[0.0, -0.5, 1.0, 1.5]]))  # twice as wide as tall, padded
    box = grid_tokens(wide, (1, 2, 2))()[0].box
    assert box[0].tolist() == [0, -0.5, 0.5, 0.5] and box[3].tolist() == [0.5, 0.5, 1, 1.5]


def test_frames_that_share_a_slot() -> None:
    spans = grid_tokens(batch(5, 1), (3, 1, 1))()[0].span_s
    assert spans.tolist() == [[0, 2], [2, 4], [4, 5]]


def test_tokens_are_built_once() -> None:
    build = grid_tokens(batch(), (3, 1, 1))
    assert build() is build()


def test_words_and_their_padding() -> None:
    first, second = word_tokens(batch())
    assert [sorted(m) for m in second.modality] == [
        ["special", "text"],
        ["text"],
        ["special", "text"],
        ["pad"],
        ["pad"],
    ]
    assert first.word.tolist() == [-1, 0, 1, -1, -1] and first.where("text").tolist() == [0, 1, 1, 0, 0]
    short = replace(batch(), pieces=(("[CLS]", "a", "b", "[SEP]"), ("[CLS]", "a", "[SEP]")))
    assert word_tokens(short)[1].labels == ("[CLS]", "a", "[SEP]", "[PAD]", "[PAD]")


def test_word_embeddings() -> None:
    layer = WordEmbeddings(20, 6, 8).eval()
    out = layer(batch())
    row = layer.norm(layer.word.weight[7] + layer.position.weight[1] + layer.kind.weight[0])
    assert torch.allclose(out.hidden[:, 1], row.expand(2, -1), atol=1e-6)
    assert torch.equal(out.mask, batch().word_mask)
    with pytest.raises(ConfigError, match="positions"):
        WordEmbeddings(20, 4, 8)(batch())


def test_places_of_patches() -> None:
    places = PatchPlaces(8, patches=6, frames=2)
    x = torch.randn(3, 2, 2, 3, 8)
    out = places(x)
    assert out.shape == (3, 14, 8)
    patch = places.norm(x[0, 1, 1, 0] + places.place[0, 0, 4] + places.time[0, 1, 0])
    assert torch.allclose(out[0, 7 + 4], patch, atol=1e-6)
    cls = places.norm(places.cls[0, 0, 0] + places.place[0, 0, 0] + places.time[0, 1, 0])
    assert torch.allclose(out[:, 7], cls.expand(3, -1), atol=1e-6)
    for frames, rows in ((3, 2), (2, 3)):
        with pytest.raises(ConfigError, match="2 frames of 6"):
            places(torch.zeros(1, frames, rows, 3, 8))


def test_ids_come_from_the_vocabulary() -> None:
    ids = WordIds.of("world")
    words = torch.from_numpy(encode(["a red circle"], 8).ids)
    assert ids.special(words).tolist() == [[True, False, False, False, True, True, True, True]]
    assert ids.size > int(words.max()) and len({ids.pad, ids.start, ids.end, ids.mask}) == 4
    assert BERT_WORDS.size == 30522


def test_heads() -> None:
    words = torch.nn.Embedding(12, 8)
    tied, own = MaskedWords(8, 12, tied=words), MaskedWords(8, 12)
    assert tied.decoder.weight is words.weight and own.decoder.weight.shape == (12, 8)
    assert tied(torch.randn(2, 3, 8)).shape == (2, 3, 12)
    assert Perceptron(8, 16, 5)(torch.randn(2, 8)).shape == (2, 5)
    states, target = pick(torch.arange(6.0).view(2, 3, 1), torch.tensor([[-1, 4, -1], [0, -1, -1]]))
    assert states.flatten().tolist() == [1, 3] and target.tolist() == [4, 0]
