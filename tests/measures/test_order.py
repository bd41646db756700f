"""Which of two events came first: models made by hand that know it, know nothing, or go by where a frame stands."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from toy_order import FALLS, RISES, Blind, Judge, Placer, Relater, stairs, story_words

from vtexplore.data.prepare import prepare
from vtexplore.measures import order
from vtexplore.measures.tally import Tally
from vtexplore.registry import family, load, names, shipped
from vtexplore.types import Batch, Output
from vtexplore.world import sample_scene


class Whole:
    """A model of which nothing but its forward is known."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, batch: Batch) -> Output:
        return self.model(batch)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return story_words(tmp_path_factory.mktemp("story"))


def batch(model: Judge, text: str = RISES) -> Batch:
    clips = [stairs(levels) for levels in ((0.1, 0.3, 0.5, 0.7), (0.2, 0.3, 0.6, 0.9), (0.1, 0.1, 0.8, 0.8))]
    return prepare(clips, [text] * 3, model.inputs)


def test_who_knows_order_is_right_whichever_way_round_it_is_shown(words: str) -> None:
    for head in (Placer(words), Relater(words)):
        assert order.by_head(head, [batch(head)]).tolist() == [[1.0] * 3]
    judge = Judge(words)
    told = [batch(judge), batch(judge, FALLS)]
    assert order.by_match(judge, told).tolist() == [[1.0] * 3, [0.0] * 3]


def test_who_knows_nothing_is_right_half_the_time(words: str) -> None:
    """Who goes by places says that what is shown first came first, and is right one way round of two."""
    assert order.by_match(Blind(words), [batch(Blind(words))]).tolist() == [[0.5] * 3]
    placer = Placer(words, knows=False)
    assert order.by_head(placer, [batch(placer)]).tolist() == [[0.5] * 3]


def test_a_film_of_one_frame_is_the_same_both_ways_round(words: str) -> None:
    """Whoever is asked; also one who knows order, and one who says anything at all."""
    judge = Judge(words)
    films = batch(judge)
    still = [replace(films, video=films.video[:, :1].expand_as(films.video))]
    for head in (Placer(words), Relater(words), Placer(words, knows=False)):
        assert order.by_head(head, still).tolist() == [[0.5] * 3]
    assert order.by_match(judge, still).tolist() == [[0.5] * 3]


@pytest.mark.parametrize("name", [n for n in names() if shipped(n)])
def test_the_shipped_ones_are_asked_under_every_control(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each film is embedded once, whatever is said of it, and the answers are those of a forward for each text."""
    tally, model, looked = Tally(), load(name), []
    embed = model.embed
    monkeypatch.setattr(model, "embed", lambda batch: looked.append(len(batch)) or embed(batch))
    order.order(model, 4, 1, tally, quiet=True)
    assert looked == [4] * (2 if order.HEADS & set(family(name).heads) else 4)  # clips and stills, swapped or not
    films, _ = order.shown(model, [sample_scene(i, form=order.FORMS) for i in range(2)])
    with torch.inference_mode():
        here, alone = (order.scores(one, [*films.values()]) for one in (model, Whole(model)))
    assert torch.allclose(here, alone, atol=1e-5)
    told = {n.removeprefix("order of two events: ") for n in tally.values}
    assert told >= {"the clip", "the opposite told", "a film of one frame"}
    assert ("no words" in told) == bool(order.HEADS & set(family(name).heads))
    assert all(len(found) == 4 and set(found) <= {0.0, 0.25, 0.5, 0.75, 1.0} for found in tally.values.values())


def test_the_opposite_is_told_of_the_same_clip() -> None:
    scenes = [sample_scene(i, form=order.FORMS) for i in range(4)]
    shown, stills = order.shown(load("violet"), scenes)
    assert shown["the opposite told"].texts == tuple(s.foil("order").caption.text for s in scenes)
    assert shown["the clip"].texts == tuple(s.caption.text for s in scenes)
    assert all(shown[c].video.equal(shown["the clip"].video) for c in ("the opposite told", "no words"))
    assert (stills["a film of one frame"].video.var(dim=1) == 0).all()
