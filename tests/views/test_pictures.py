"""Pictures show what the numbers say: checked on the pixels, in the words, and in the files."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import av
import matplotlib
import numpy as np
import pytest
from PIL import Image
from toy import ToyAnswerer

from vtexplore.errors import ConfigError
from vtexplore.probes._show import draw, kinds
from vtexplore.probes.answer import AnswerResult, answer
from vtexplore.probes.attend import AttendResult, attend
from vtexplore.probes.fill_mask import fill_mask
from vtexplore.probes.grounding import ground
from vtexplore.probes.retrieve import RetrieveResult, retrieve
from vtexplore.views import VIEWS
from vtexplore.views.overlay import heat_at, painted
from vtexplore.views.words import percent, place


@pytest.fixture(scope="module")
def result(toy_model: Any, toy_clip: Any) -> AttendResult:
    return attend(toy_model, toy_clip)


@pytest.fixture(scope="module")
def answered(toy_answerer: Any, toy_clip: Any) -> AnswerResult:
    return answer(toy_answerer, toy_clip, "the [red disc] slides right", choices=["red disc", "blue square"])


@pytest.fixture(scope="module")
def found(toy_answerer: Any, toy_clip: Any) -> RetrieveResult:
    """Seven clips of one look: all tie, and the last text's own clip is not among the first five."""
    clips = [replace(toy_clip, name=f"take {i} of a film with a long name") for i in range(7)]
    return retrieve(toy_answerer, clips, ["the red disc slides right", *["the blue square"] * 6])


def results(toy_model: Any, toy_clip: Any) -> list[Any]:
    answerer = ToyAnswerer(toy_model.inputs.vocabulary)
    return [
        answer(
            answerer, toy_clip, "the [red disc] slides right", choices=["red disc", "blue square"], against=[toy_clip]
        ),
        retrieve(
            answerer,
            [toy_clip, replace(toy_clip, name="x " * 90)],
            ["the red disc", "the red disc and " * 3 + "a square"],
        ),
        attend(toy_model, toy_clip),
        attend(toy_model, toy_clip, method="rollout"),
        fill_mask(toy_model, toy_clip, word="red", frames=True, foils=["red", "blue", "square"]),
        ground(toy_model, [toy_clip], resamples=10),
    ]


# ── pixels ──


def test_the_brightest_patch_lies_where_the_model_looks(result: AttendResult) -> None:
    """In frame 2 the model looks at the patch of the disc, left of the middle, in the upper half."""
    height, width = result.frames.shape[1:3]
    heat = heat_at(result, 1, 1, height, width)
    y, x = np.argwhere(heat == heat.max()).mean(0) / (height, width)
    assert abs(x - 2.5 / 6) < 0.02 and y < 0.3
    picture = painted(result, 1, 1, result.frames[1], float(result.heat("red").max()))
    change = np.abs(picture - 0.7 * result.frames[1] / 255).sum(-1)
    inside = heat > 0.5 * heat.max()
    assert change[inside].min() > 5 * change[~inside].max()


def test_what_the_model_did_not_see_stays_dark(result: AttendResult) -> None:
    """Tokens that reach outside the picture (padding) do not move the heat: rows 0 and 5 are half outside."""
    total = heat_at(result, 0, 0, 120, 160)
    assert np.ptp(total) < 1e-3  # an even word is even everywhere in the picture


def test_smooth_heat_has_its_peak_in_the_same_patch(result: AttendResult) -> None:
    sharp, smooth = (heat_at(result, 1, 1, 90, 120, s) for s in (False, True))
    at = np.unravel_index(smooth.argmax(), smooth.shape)
    assert sharp[at] == sharp.max()


def test_frames_keep_their_aspect(result: AttendResult) -> None:
    picture = result.plot("overlay", word="red")
    boxes = [axes.get_window_extent() for axes in picture.axes if axes.images]
    assert len(boxes) == 4
    assert all(abs(box.width / box.height - 4 / 3) < 0.03 for box in boxes)


def test_the_strip_says_which_scale_it_has(result: AttendResult) -> None:
    def said(scale: str) -> str:
        picture = result.plot("overlay", word="red", scale=scale)
        return " ".join(axes.get_ylabel() for axes in picture.axes)

    assert "one scale for all" in said("global") and "own scale each" in said("frame")
    with pytest.raises(ConfigError, match="global and frame"):
        result.overlay("red", scale="log")


def test_the_strip_names_its_origin(result: AttendResult) -> None:
    picture = result.overlay("red")
    texts = " ".join(t.get_text() for t in picture.texts)
    for part in ("toy", "mini", "layers.1, head 1", "toy clip", "red"):
        assert part in texts
    times = [axes.get_xlabel() for axes in picture.axes if axes.images]
    assert times == ["frame 1 · 0.8 s", "frame 2 · 1.6 s", "frame 3 · 2.4 s", "frame 4 · 3.2 s"]


def test_letters_can_be_read_from_the_last_row(toy_model: Any, toy_clip: Any) -> None:
    for some in results(toy_model, toy_clip):
        for kind in kinds(some):
            picture = some.plot(kind)
            sizes = [t.get_fontsize() for t in picture.findobj(matplotlib.text.Text) if t.get_text().strip()]
            assert min(sizes) >= 11 and picture.get_figwidth() <= 12.8, kind


def test_nothing_hangs_over_the_edge(toy_model: Any, toy_clip: Any) -> None:
    for some in results(toy_model, toy_clip):
        for kind in kinds(some):
            picture = some.plot(kind)
            picture.canvas.draw()
            whole = picture.bbox
            for text in picture.findobj(matplotlib.text.Text):
                if text.get_text().strip() and text.get_visible():
                    box = text.get_window_extent()
                    assert whole.x0 - 2 <= box.x0 and box.x1 <= whole.x1 + 2, (kind, text.get_text())


# ── words ──


def test_alt_texts_state_what_is_shown(toy_model: Any, toy_clip: Any, result: AttendResult) -> None:
    alt = result.overlay("red").alt
    assert "attention of 'red'" in alt and re.search(r"4\d %", alt) and "on the red disc" in alt and "top" in alt
    assert "layers.1, head 1" in result.plot("head_grid", word="red").alt
    assert "'red' frame" in result.plot("word_frame").alt
    assert "red: " in fill_mask(toy_model, toy_clip, word="red").plot().alt


def test_what_falls_beside_the_picture_is_said(result: AttendResult) -> None:
    """A wide picture in a square of 6 × 6: none of its rows is wholly padding; in 4:3 one quarter is, cut in half."""
    assert "padding" not in result.overlay("red").alt
    look = result.looks[0]
    box = look.tokens.box.copy()
    box[:, [1, 3]] -= 0.5  # now the upper rows lie beside the picture
    moved = replace(look, tokens=replace(look.tokens, box=box))
    beside = replace(result, looks=(moved, *result.looks[1:]), site="layers.0", head=0)
    assert "% is on the padding around the picture" in beside.overlay("the").alt


def test_places_and_shares_in_words() -> None:
    assert (place(0.1, 0.1), place(0.5, 0.5), place(0.9, 0.5), place(0.5, 0.99)) == (
        "top left",
        "centre",
        "bottom",
        "right",
    )
    assert (percent(0.624), percent(0.001), percent(0), percent(1)) == ("62 %", "< 1 %", "0 %", "100 %")


def test_every_kind_of_every_result_can_be_drawn_and_read(toy_model: Any, toy_clip: Any) -> None:
    seen = set()
    for some in results(toy_model, toy_clip):
        for kind in kinds(some):
            assert len(draw(some, kind).alt) > 40
        seen.add(type(some).__name__)
        html = some._repr_html_()
        assert 'alt="' in html and some._repr_png_().startswith(b"\x89PNG")
    drawn = {"AttendResult", "FillMaskResult", "GroundingResult", "AnswerResult", "RetrieveResult"}
    assert seen == drawn and seen <= set(VIEWS)
    with pytest.raises(ConfigError, match="overlay, word_frame, head_grid"):
        attend(toy_model, toy_clip).plot("pie")


def test_html_is_escaped(result: AttendResult) -> None:
    evil = replace(result, clip='"><script>alert(1)</script>', notes=("<b onmouseover=x>",))
    html = evil._repr_html_()
    assert "<script>" not in html and "<b " not in html and "&lt;script&gt;" in html


def test_drawing_leaves_matplotlib_as_it_was(result: AttendResult) -> None:
    before = dict(matplotlib.rcParams)
    result.overlay("red").png()
    assert dict(matplotlib.rcParams) == before
    import sys

    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


# ── answers and retrieval ──


LEFT, RIGHT = np.s_[35:45, 27:37], np.s_[123:133, 165:175]  # in the first frame: on the disc, on the square


def first_frame(picture: Any) -> np.ndarray:
    return np.asarray(next(a for a in picture.axes if a.images).images[0].get_array())


def test_a_choice_has_heat_on_its_own_patches(answered: AnswerResult) -> None:
    frame = answered.frames[0] / 255
    for_red, for_blue = (first_frame(answered.overlay(choice)) for choice in (0, 1))
    assert np.allclose(for_red[RIGHT], 0.7 * frame[RIGHT]) and np.allclose(for_blue[LEFT], 0.7 * frame[LEFT])
    for shown, mine in ((for_red, LEFT), (for_blue, RIGHT)):
        assert np.abs(shown[mine] - 0.7 * frame[mine]).mean() > 0.1


def test_a_flip_has_two_sides(answered: AnswerResult) -> None:
    picture = answered.overlay("red disc", foil="blue square")
    orange, purple = (first_frame(picture)[at].mean((0, 1)) for at in (LEFT, RIGHT))
    assert orange[0] > orange[2] + 0.1 and purple[2] > purple[1] + 0.05
    assert "rather than 'blue square'" in picture.alt and "Orange: for it" in picture.alt


def test_bars_of_choices_say_all_baselines(answered: AnswerResult) -> None:
    picture = answered.plot()
    bars = [patch for axes in picture.axes for patch in axes.patches]
    assert len(bars) == len(answered.choices) * len(answered.conditions) == 12
    labels = [t.get_text() for axes in picture.axes if (key := axes.get_legend()) for t in key.get_texts()]
    assert labels[:5] == ["with the clip", "no clip", "even colour", "other clips (mean of 8)", "options only"]
    assert re.fullmatch(r"one frame \(\d · \d\.\d s\)", labels[5]) and "smallest over 4 nulls" in picture.alt
    looks = {(bar.get_facecolor(), bar.get_hatch()) for bar in bars}
    assert len(looks) == 6 and "With one frame (" in picture.alt and "50 % with options only" in picture.alt
    assert "red disc ✓" in [t.get_text() for axes in picture.axes for t in axes.get_yticklabels()]
    assert "the _____ slides right" in picture.alt and "50 % with no clip" in picture.alt
    alt = answered.plot("options").alt
    assert "the same for all choices" in alt and "What speaks for 'red disc': " in alt and "is on the red disc" in alt


def test_the_right_clip_is_shown_wherever_it_ranks(found: RetrieveResult) -> None:
    picture = found.plot(6)
    said = [t.get_text() for t in picture.texts]
    assert [s for s in said if re.fullmatch(r"\d( ✓)?", s)] == ["1", "2", "3", "4", "5", "7 ✓"]
    assert "take 6" in picture.alt and "the right one" in picture.alt and "in the mean over ties" in picture.alt
    assert found.plot("the red disc slides right").alt == found.plot(0).alt == found.plot("hits", text=0).alt
    assert "first 5: 71 %, chance 71 %" in found.plot("recalls").alt


# ── files ──


def test_a_png_has_the_size_asked_for_and_its_alt_text(result: AttendResult, tmp_path: Any) -> None:
    picture = result.overlay("red")
    for dpi in (50, 100):
        picture.save(tmp_path / "a.png", dpi=dpi)
        with Image.open(tmp_path / "a.png") as image:
            assert image.size[0] == round(12.8 * dpi) and image.text["Description"] == picture.alt


def test_an_svg_is_xml_with_text_as_text(result: AttendResult, tmp_path: Any) -> None:
    picture = result.overlay("red")
    picture.save(tmp_path / "a.svg")
    tree = ET.parse(tmp_path / "a.svg")
    texts = " ".join(tree.getroot().itertext())
    assert "frame 3" in texts and picture.alt in texts
    first = (tmp_path / "a.svg").read_bytes()
    result.overlay("red").save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == first


def test_a_gif_plays_the_clip(result: AttendResult, tmp_path: Any) -> None:
    result.overlay("red").save(tmp_path / "a.gif", dpi=40)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == len(result.film)
        lasts_ms = 0
        for i in range(image.n_frames):
            image.seek(i)
            lasts_ms += image.info["duration"]
    assert abs(lasts_ms - 4000) < 100


def test_an_mp4_plays_the_clip(result: AttendResult, tmp_path: Any) -> None:
    result.overlay("red").save(tmp_path / "a.mp4", dpi=40)
    with av.open(str(tmp_path / "a.mp4")) as film:
        frames = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    assert abs(len(frames) / 24 - 4) < 0.1
    assert np.abs(frames[0].astype(int) - frames[len(frames) // 2]).max() > 60  # the heat moves


def test_a_still_can_be_a_film(result: AttendResult, tmp_path: Any) -> None:
    result.plot("word_frame").save(tmp_path / "a.gif", dpi=40)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.format == "GIF"


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.PNGX"])
def test_other_endings_are_refused_in_one_sentence(result: AttendResult, tmp_path: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=r"saved as \.png, \.svg, \.gif, \.mp4"):
        result.overlay("red").save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_what_was_there(result: AttendResult, tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    picture = result.overlay("red")

    def fail(*args: Any, **options: Any) -> None:
        args[0].write_bytes(b"half")
        raise RuntimeError

    monkeypatch.setattr(picture, "savefig", fail)
    with pytest.raises(RuntimeError):
        picture.save(tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"] and (tmp_path / "a.png").read_bytes() == b"old"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        result.overlay("red").save(tmp_path / "file" / "a.png")
