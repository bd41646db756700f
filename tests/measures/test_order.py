"""Which of two events came first: models made by hand that know it, know nothing, or go by where a frame stands."""

from pathlib import Path

import numpy as np
import pytest
from toy_order import FALLS, RISES, Blind, Judge, Placer, Relater, stairs, story_words

from vtexplore.data.prepare import prepare
from vtexplore.measures import order
from vtexplore.measures.tally import Tally
from vtexplore.registry import family, load, names, shipped
from vtexplore.types import Batch
from vtexplore.world import sample_scene

SWAPPED = np.array([True, False, True])


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return story_words(tmp_path_factory.mktemp("story"))


def batch(model: Judge, text: str = RISES) -> Batch:
    clips = [stairs(levels) for levels in ((0.1, 0.3, 0.5, 0.7), (0.2, 0.3, 0.6, 0.9), (0.1, 0.1, 0.8, 0.8))]
    return prepare(clips, [text] * 3, model.inputs)


def test_who_knows_order_is_right_whichever_way_round_it_is_shown(words: str) -> None:
    for head in (Placer(words), Relater(words)):
        for swapped in (SWAPPED, ~SWAPPED):
            assert order.by_head(head, batch(head), swapped).tolist() == [1.0] * 3
    judge = Judge(words)
    assert order.by_match(judge, batch(judge), SWAPPED).tolist() == [1.0] * 3
    assert order.by_match(judge, batch(judge, FALLS), SWAPPED).tolist() == [0.0] * 3


def test_who_knows_nothing_is_right_half_the_time(words: str) -> None:
    """Who goes by places says that what is shown first came first, and the coin makes that one half."""
    assert order.by_match(Blind(words), batch(Blind(words)), SWAPPED).tolist() == [0.5] * 3
    placer = Placer(words, knows=False)
    assert order.by_head(placer, batch(placer), SWAPPED).tolist() == (~SWAPPED).astype(float).tolist()


@pytest.mark.parametrize("name", [n for n in names() if shipped(n)])
def test_the_shipped_ones_are_asked_under_every_control(name: str, tmp_path: Path) -> None:
    tally, model = Tally(), load(name)
    order.order(model, 4, 1, tally)
    told = {n.removeprefix("order of two events: ") for n in tally.values}
    assert told >= {"the clip", "the opposite told", "a film of one frame"}
    assert ("no words" in told) == bool(order.HEADS & set(family(name).heads))
    assert all(len(found) == 4 and set(found) <= {0.0, 0.5, 1.0} for found in tally.values.values())


def test_the_opposite_is_told_of_the_same_clip() -> None:
    scenes = [sample_scene(i, form=order.FORMS) for i in range(4)]
    shown = order.shown(load("violet"), scenes)
    assert shown["the opposite told"].texts == tuple(s.foil("order").caption.text for s in scenes)
    assert shown["the clip"].texts == tuple(s.caption.text for s in scenes)
    assert all(shown[c].video.equal(shown["the clip"].video) for c in ("the opposite told", "no words"))
    assert (shown["a film of one frame"].video.var(dim=1) == 0).all()
