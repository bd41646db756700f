"""Pictures of gaps and of visual words: what they show, that they can be read, and that nothing hangs over the edge."""

from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest
from toy_film import ToyReader

from vtexplore.errors import ConfigError
from vtexplore.probes._show import kinds
from vtexplore.probes.cloze import cloze
from vtexplore.probes.forecast import ForecastResult, forecast
from vtexplore.probes.illustrate import illustrate
from vtexplore.probes.read_words import ReadWordsResult, read_words
from vtexplore.views.visual_words import PAGE

LONG = "that magenta disc dwindles there and then it fades there and then " * 4


def painted(model: Any, item: int) -> np.ndarray:
    return np.full((2, 8, 8, 3), 50 + item, np.uint8)


@pytest.fixture(scope="module")
def model(toy_model: Any) -> ToyReader:
    return ToyReader(toy_model.inputs.vocabulary)


@pytest.fixture(scope="module")
def foreseen(model: ToyReader, toy_clip: Any) -> ForecastResult:
    return forecast(model, toy_clip, at=1, ahead=(1, 2, 4), k=2, draw=painted)


@pytest.fixture(scope="module")
def read(model: ToyReader, toy_clip: Any) -> ReadWordsResult:
    return read_words(model, toy_clip, draw=painted)


def longer(result: Any) -> Any:
    """The same of a clip of 24 moments with a long name."""
    many = {f: np.repeat(getattr(result, f), 6, axis=0) for f in ("codes", "times_s", "frames")}
    more = ("nearest", "distance", "nearest_distance") if isinstance(result, ReadWordsResult) else ()
    return replace(result, clip=LONG, **many, **{f: np.repeat(getattr(result, f), 6) for f in more})


@pytest.fixture(scope="module")
def results(model: ToyReader, toy_clip: Any, foreseen: Any, read: Any) -> list[Any]:
    gaps = cloze(model, replace(toy_clip, name=LONG), "the [MASK] [MASK] slides [MASK] and [MASK].", others=[toy_clip])
    return [
        foreseen,
        replace(longer(foreseen), at=18),
        read,
        longer(read),
        replace(read, exemplars=read.exemplars[:0], counts=read.counts[:0]),
        illustrate(model, "the red disc slides right and the blue square stands still", 6, 3, draw=painted),
        gaps,
        cloze(model, toy_clip, "the [MASK] disc", against=(), top=2),
    ]


def test_letters_can_be_read_and_stay_inside(results: list[Any]) -> None:
    for some in results:
        for kind in kinds(some):
            picture = some.plot(kind)
            picture.canvas.draw()
            whole = picture.bbox
            for text in picture.findobj(matplotlib.text.Text):
                if text.get_text().strip() and text.get_visible():
                    assert text.get_fontsize() >= 11
                    box = text.get_window_extent()
                    assert whole.x0 - 2 <= box.x0 and box.x1 <= whole.x1 + 2, (kind, text.get_text())
                    assert whole.y0 - 2 <= box.y0 and box.y1 <= whole.y1 + 2, (kind, text.get_text())
            assert len(picture.alt) > 40 and picture.get_figwidth() <= 12.8


def images(picture: Any, side: int) -> list[int]:
    """The brightness of every exemplar (of a side of so many pixels), in order."""
    found = [np.asarray(a.images[0].get_array()) for a in picture.axes if a.images]
    return [int(image.max()) - 50 for image in found if image.shape[0] == side]


def test_a_forecast_shows_what_came_and_four_answers(foreseen: ForecastResult) -> None:
    """Word n is as bright as 10 · n: the true word, the model's two, the last one, the commonest one."""
    assert images(foreseen.plot(), 8) == [20, 20, 0, 10, 30, 30, 20, 0, 10, 30, 20, 0, 10, 30]
    alt = foreseen.plot().alt
    assert "1 ahead: the model; 2 ahead: common" in alt and "4 ahead: the clip has ended" in alt


def test_a_clip_is_a_sentence_of_exemplars(read: ReadWordsResult) -> None:
    assert images(read.plot(), 8) == [0, 10, 20, 30]
    assert "4 moments, 4 different words of 4; all are the nearest words." in read.plot().alt
    other = replace(read, nearest=read.codes[[0, 1, 2, 0]])
    outlined = [bool(a.patches) for a in other.plot().axes]
    assert outlined == [False] * 7 + [True] and "3 are the nearest words" in other.plot().alt


def test_the_gallery_has_pages(read: ReadWordsResult) -> None:
    assert "branch 0: 2 words; branch 1: 2 words" in read.plot("gallery").alt
    many = replace(
        read,
        words=np.arange(PAGE + 3),
        paths=tuple((i // 8, i % 8) for i in range(PAGE + 3)),
        counts=np.zeros(PAGE + 3, int),
        exemplars=np.zeros((PAGE + 3, 8, 8, 3), np.uint8),
        vocabulary=PAGE + 3,
    )
    assert "page 2 of 2" in many.plot("gallery", page=1).alt and len(many.plot("gallery", page=1).axes) == 3
    with pytest.raises(ConfigError, match="2 pages"):
        many.plot("gallery", page=2)
