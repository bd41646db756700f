"""Sizes meet data: times, squares, views, pairs and masked words."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vtexplore.data.prepare import fit, mask_word, prepare, sample_times, subtitles, word_positions
from vtexplore.errors import ConfigError, TextError
from vtexplore.types import Clip, Inputs, Speech

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "circle", "slide", "##s", "tri", "##angle", ","]


class Recorded:
    """Grey frames whose brightness is the time in tenths of a second; it notes what it is asked."""

    def __init__(self, width=160, height=90):
        self.shape, self.asked = (height, width), []

    def sample(self, times_s, short_side_px):
        self.asked.append((tuple(times_s), short_side_px))
        scale = short_side_px / min(self.shape)
        height, width = (round(n * scale) for n in self.shape)
        return np.stack([np.full((height, width, 3), round(t * 10), np.uint8) for t in times_s])

    def waveform(self, start_s, end_s):
        return None


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    file = tmp_path_factory.mktemp("prepare") / "vocab.txt"
    file.write_text("\n".join(PIECES) + "\n", "utf-8")
    return Inputs(frames=4, size_px=32, max_words=12, vocabulary=str(file))


def clip(**kwargs):
    return Clip(Recorded(**kwargs), duration_s=10.0, fps=24, times_s=(0.0,))


def test_asks_for_exactly_the_frames_wanted(inputs):
    one = clip()
    batch = prepare(one, "a red circle", inputs)
    assert one.source.asked == [((2.0, 4.0, 6.0, 8.0), 32)]
    assert batch.video.shape == (1, 4, 3, 32, 32)
    assert batch.video.dtype == torch.float32
    assert (batch.video[0, :, 0, 16, 16] * 255).round().tolist() == [20, 40, 60, 80]
    assert batch.times_s.tolist() == [[2, 4, 6, 8]]
    assert batch.durations_s.tolist() == [10]


def test_middles_of_equal_parts():
    assert sample_times(clip(), Inputs(frames=2, sampling="middle")) == (2.5, 7.5)
    with pytest.raises(ConfigError, match="interior"):
        sample_times(clip(), Inputs(sampling="random"))


@pytest.mark.parametrize(("width", "height"), [(160, 90), (90, 160), (33, 32), (64, 64), (71, 50)])
@pytest.mark.parametrize("how", ["pad", "crop"])
def test_view_is_where_the_square_lies_in_the_picture(width, height, how):
    picture = np.full((1, height, width, 3), 200, np.uint8)
    square, box = fit(picture, 96, how)
    assert square.shape == (1, 96, 96, 3)
    x0, y0, x1, y1 = box
    assert (x1 - x0) * width == pytest.approx((y1 - y0) * height)
    # Where the view says that the picture is, there it is; where it says that there is none, it is black.
    for at in range(96):
        for value, start, stop in ((square[0, 48, at, 0], x0, x1), (square[0, at, 48, 0], y0, y1)):
            low, high = (start + (stop - start) * (at + d) / 96 for d in (-2, 3))
            if low >= 0 and high <= 1:
                assert value == 200
            if high < 0 or low > 1:
                assert value == 0
    inside = min(box) >= 0 and max(box) <= 1
    assert inside == (how == "crop") or width == height


def test_resizing_is_pillows_bilinear():
    noise = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    wanted = np.asarray(Image.fromarray(noise[1]).resize((40, 40), Image.Resampling.BILINEAR))
    assert (fit(noise, 40)[0][1] == wanted).all()
    assert (fit(noise, 96)[0] == noise).all()
    with pytest.raises(ConfigError, match="'pad' or 'crop'"):
        fit(noise, 40, "stretch")


def test_one_goes_with_all_and_is_decoded_once(inputs):
    one = clip()
    batch = prepare(one, ["a", "red", "circle"], inputs)
    assert len(batch) == 3
    assert len(one.source.asked) == 1
    assert (batch.video[0] == batch.video[2]).all()
    assert len(prepare([clip(), clip()], "a", inputs)) == 2
    assert prepare([clip(), clip()], ["a", "red"], inputs).texts == ("a", "red")
    with pytest.raises(ConfigError, match="2 clips and 3 texts"):
        prepare([clip(), clip()], ["a", "red", "circle"], inputs)
    with pytest.raises(ConfigError, match="at least one"):
        prepare([], "a", inputs)


def test_a_batch_takes_clips_of_different_shapes(inputs):
    batch = prepare([clip(), clip(width=90, height=160)], "a", inputs)
    assert batch.video.shape == (2, 4, 3, 32, 32)
    assert batch.view[0].tolist() == batch.view[1][[1, 0, 3, 2]].tolist()


def test_mask_word_takes_all_its_pieces_and_leaves_punctuation(inputs):
    batch = prepare(clip(), ["a red triangle, slides", "slides"], inputs)
    assert word_positions(batch, 2).tolist() == [3, 4]
    masked = mask_word(batch, 2, item=0, vocabulary=inputs.vocabulary)
    assert masked.pieces[0][:7] == ("[CLS]", "a", "red", "[MASK]", "[MASK]", ",", "slide")
    assert (masked.word_ids[0, 3:5] == 4).all()
    assert (masked.word_ids[1] == batch.word_ids[1]).all()
    assert batch.pieces[0][3] == "tri"
    with pytest.raises(TextError, match="has 1 words, so there is no word 2"):
        mask_word(batch, 2, vocabulary=inputs.vocabulary)
    assert mask_word(batch, 0, vocabulary=inputs.vocabulary).pieces[1][1:3] == ("[MASK]",) * 2


def test_a_scene_of_the_world_as_clip_and_as_file_prepares_alike(tmp_path):
    from vtexplore.data.video import read_video
    from vtexplore.world import sample_scene, write_mp4

    scene = sample_scene(3)
    text = scene.caption.text
    drawn = prepare(scene.clip(), text)
    filmed = prepare(read_video(write_mp4(scene, tmp_path / "scene.mp4")), text)
    assert drawn.video.shape == filmed.video.shape == (1, 4, 3, 96, 96)
    assert (drawn.video - filmed.video).abs().mean() < 0.03
    assert (drawn.word_ids == filmed.word_ids).all()
    assert drawn.view.tolist() == [[0, 0, 1, 1]]
    assert drawn.times_s == pytest.approx(filmed.times_s, abs=0.03)
    # The truth of a world and the pieces of a text count words in the same way.
    assert drawn.piece_words.max() == len(text.split()) - 1 == scene.caption.words[-1].word


# ---------------------------------------------------------------- what is said


def test_lines_of_several_clips(inputs):
    listens = replace(inputs, max_lines=3)
    said = [[Speech(0, 1, "a red circle"), Speech(1.5, 2, "a red")], [], [Speech(3, 4, "circle")]]
    lines = subtitles(said, listens)
    assert lines.word_ids.shape == (3, 2, 5) and lines.word_mask.sum(2).tolist() == [[5, 4], [0, 0], [3, 0]]
    assert lines.spans_s[0].tolist() == [[0, 1], [1.5, 2]] and np.isnan(lines.spans_s[1]).all()
    assert lines.texts == (("a red circle", "a red"), ("", ""), ("circle", ""))
    flat = lines.flat()
    assert len(flat) == 6 and torch.equal(flat.word_ids[4], lines.word_ids[2, 0])
    assert flat.pieces[0][1:4] == ("a", "red", "circle") and set(flat.pieces[3]) == {"[PAD]"}
    turned = lines.take([2, 2, 0])
    assert turned.texts == (lines.texts[2], lines.texts[2], lines.texts[0])
    assert torch.equal(turned.word_ids, lines.word_ids[[2, 2, 0]]) and turned.spans_s[0, 0].tolist() == [3, 4]


def test_speech_goes_along_if_asked_for(inputs):
    talking = replace(clip(), speech=(Speech(0, 1, "a red circle"),))
    listens = replace(inputs, max_lines=1)
    assert prepare(talking, "red", listens).speech is None
    batch = prepare([talking, clip()], "red", listens, speech=True)
    assert batch.speech.texts == (("a red circle",), ("",))
    again = batch.take([1, 0, 0])
    assert again.speech.texts[1:] == (("a red circle",),) * 2 and len(again) == 3
    with pytest.raises(ConfigError, match="does not listen"):
        prepare(talking, "red", inputs, speech=True)
    chatty = replace(talking, speech=talking.speech * 2)
    with pytest.raises(ConfigError, match="2 lines are said in a clip, and this model reads 1"):
        prepare(chatty, "red", listens, speech=True)
