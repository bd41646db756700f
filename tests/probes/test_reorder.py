"""Orders of frames, on models that know all or nothing of them, and on every family."""

from dataclasses import replace
from math import factorial
from typing import Any

import numpy as np
import pytest
import torch
from fresh import ready
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toy_order import FALLS, RISES, Blind, Framewise, Judge, stairs, story_words

from vtexplore import registry
from vtexplore.data.prepare import prepare, subtitles
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._moves import ONCE, Once, _at_input, _tubes_moved, move, tube
from vtexplore.probes._orders import all_orders, differences, dose, kendall, middle_p, orders_of, rank_p
from vtexplore.probes.reorder import CONTROLS, ReorderResult, reorder
from vtexplore.types import Batch, Output, Speech
from vtexplore.world import sample_scene


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return story_words(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def known(words: str) -> ReorderResult:
    return reorder(Judge(words), stairs(), foil=FALLS)


# ── orders ────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(2, 9), st.integers(1, 60), st.integers(0, 9))
def test_the_true_order_comes_first_and_once(units: int, draws: int, seed: int) -> None:
    orders = orders_of(units, draws, seed)
    assert len(np.unique(orders.rows, axis=0)) == len(orders.rows)
    assert (np.sort(orders.rows, axis=1) == np.arange(units)).all()
    assert (orders.rows[0] == np.arange(units)).all() and not orders.drawn[0]
    assert orders.drawn.sum() == (factorial(units) - 1 if units <= 6 else draws)
    rows = {name: orders.rows[at].tolist() for name, at in orders.named.items()}
    assert rows["reversed"] == list(range(units))[::-1] and rows["as it is"] == list(range(units))
    assert kendall(orders.rows)[orders.named["reversed"]] == units * (units - 1) // 2
    assert kendall(np.array([rows["neighbours swapped"]]))[0] == units // 2


def test_seeds_draw_and_one_thing_has_no_order() -> None:
    a, b, c = (orders_of(8, 9, seed).rows for seed in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert orders_of(5, 1).named["halves swapped"] == orders_of(5, 1).rows.tolist().index([2, 3, 4, 0, 1])
    for units, draws in ((1, 5), (7, 0)):
        with pytest.raises(ConfigError):
            orders_of(units, draws)


@given(arrays(np.float32, st.integers(2, 40), elements=st.floats(-5, 5, width=32)))
def test_p_is_a_share_of_orders(scores: np.ndarray) -> None:
    gaps = differences(scores, np.arange(len(scores)) > 0)
    p, middle = rank_p(gaps), middle_p(gaps)
    assert 1 / len(scores) <= p <= 1 and 0 < middle < 1 and middle <= p
    assert (p == 1 / len(scores)) == bool((gaps > 0).all())


@given(st.integers(2, 30))
def test_the_middle_p_is_a_half_in_the_mean_by_chance(count: int) -> None:
    drawn = np.arange(count) > 0
    turned = [np.roll(np.arange(count, dtype=np.float32), k) for k in range(count)]
    assert np.isclose(np.mean([middle_p(differences(scores, drawn)) for scores in turned]), 0.5)
    tied = differences(np.zeros(count, dtype=np.float32), drawn)
    assert middle_p(tied) == 0.5 and rank_p(tied) == 1


# ── known answers ─────────────────────────────────────────────────────────────────────────────────


def test_who_counts_inversions_is_read_off_exactly(known: ReorderResult) -> None:
    assert known.rows.shape == (24, 4) and known.all_orders
    assert np.array_equal(known.scores[:, 0], 6 - 2 * kendall(known.rows))
    assert np.isclose(known.delta(), 6 * 24 / 23) and known.p() == 1 / 24 == known.least_p
    assert np.isclose(known.rho(), -1) and np.isclose(known.delta(1), -known.delta()) and known.p(1) == 1
    assert known.right[0] == 1 and known.right[known.named["reversed"]] == 0
    assert np.isclose(known.flips, np.mean(kendall(all_orders(4))[1:] >= 3))


def test_a_film_of_one_frame_loses_nothing(words: str, known: ReorderResult) -> None:
    model = Judge(words)
    result = reorder(model, stairs((0.4, 0.4, 0.4, 0.4)), foil=FALLS)
    assert result.delta() == 0 and result.p() == 1 and np.isnan(result.rho()) and result.right[0] == 0.5
    assert known.still_delta() == 0 and known.still_moved.shape == (CONTROLS, 2)
    asked = Judge(words)
    reorder(asked, stairs())
    controls = 1 + CONTROLS + 4 + 1  # whether it matches, a film of one frame, single frames, no clip
    assert asked.asked == 24 + controls
    assert model.asked == 2 * (1 + controls) - 1  # equal orders are asked once, beside both texts


def test_who_sees_no_order_says_so(words: str) -> None:
    result = reorder(Blind(words), stairs(), foil=FALLS)
    assert result.delta() == 0 and result.p() == 1 and result.flips == 0 and np.isnan(result.rho())
    assert np.isclose(result.stills[:, 0], [0.1, 0.3, 0.5, 0.7], atol=0.01).all()
    assert result.surest_still == 3 and result.still_right() == 1 and (result.blind == 0).all()
    assert "All orders score the same." in result.plot().alt


def test_the_oracle_frame_needs_the_answer(words: str) -> None:
    class Moody(Judge):
        """Sure of the foil by the dark frames, a little for the text by the brightest."""

        def seen(self, batch: Batch) -> torch.Tensor:
            bright = batch.video.mean(dim=(2, 3, 4))
            return torch.where(bright > 0.6, 0.5, -2.0).mean(dim=1)

    result = reorder(Moody(words), stairs(), foil=FALLS)
    assert result.still_right("oracle") == 1 and result.still_right() == 0 and result.still_right("mean") == 0
    alone = reorder(Moody(words), stairs())
    assert alone.surest_still is None and np.isnan(alone.still_right()) and np.isnan(alone.flips)


def test_many_frames_are_drawn_from(words: str) -> None:
    result = reorder(Judge(words, frames=7), stairs(np.linspace(0.1, 0.9, 7)), draws=30, seed=3)
    assert result.rows.shape[1] == 7 and result.drawn.sum() == 30 and not result.all_orders
    assert result.p() == 1 / 31 and np.isclose(result.rho(), -1)
    assert len(result.rows) == 31 + 3  # named orders beside those that were drawn


def test_notes_say_what_few_orders_cannot(known: ReorderResult, words: str) -> None:
    three = reorder(Judge(words), stairs(), frames=3)
    assert any("6 orders cannot give a p below 0.167" in note for note in three.notes)
    assert not any("cannot give a p" in note for note in known.notes)
    assert any("One clip" in note for note in known.notes)


def test_it_survives_its_file_and_refuses_nonsense(known: ReorderResult, words: str, tmp_path: Any) -> None:
    known.save(tmp_path / "x.npz")
    assert ReorderResult.load(tmp_path / "x.npz").to_dict() == known.to_dict()
    with pytest.raises(ConfigError, match="tubelets"):
        reorder(Judge(words), stairs(), what="pixels")

    class Mute(Judge):
        def forward(self, batch: Batch) -> Output:
            return Output()

    with pytest.raises(Unsupported, match="no head for matching"):
        reorder(Mute(words), stairs())


@given(st.permutations(range(5)))
def test_the_dose_is_a_rank(order: list[int]) -> None:
    rows = all_orders(5)[:30]
    assert np.isclose(dose(-3.0 * kendall(rows).astype(np.float32), rows), -1)
    assert np.isnan(dose(np.ones(30, dtype=np.float32), rows))
    assert kendall(np.array([order]))[0] + kendall(np.array([order[::-1]]))[0] == 10


# ── what changes places ───────────────────────────────────────────────────────────────────────────


def test_three_interventions_say_the_same_of_frames_that_never_met(words: str) -> None:
    model = Framewise(words)
    found = {what: reorder(model, stairs(), what=what) for what in ("frames", "features", "places")}
    assert np.ptp(found["frames"].scores) > 0.01
    for what in ("features", "places"):
        assert np.allclose(found[what].scores, found["frames"].scores, atol=1e-4), what
        assert found[what].how == ONCE and any("What changed places" in note for note in found[what].notes)


def test_and_not_of_frames_that_have_met(words: str) -> None:
    torch.manual_seed(1)
    model = Framewise(words, meets=True)
    found = {what: reorder(model, stairs(), what=what).scores for what in ("frames", "features", "places")}
    assert np.allclose(found["features"], found["places"], atol=1e-4)
    assert np.abs(found["frames"] - found["features"]).max() > 0.01


def test_who_cannot_have_an_intervention_says_why(words: str) -> None:
    for what, said in (("tubelets", "one by one"), ("features", "before it reads"), ("places", "before it reads")):
        with pytest.raises(Unsupported, match=said):
            reorder(Judge(words), stairs(), what=what)

    class Baked(Framewise):
        """Its embedding holds places, and nobody can see where they came from."""

        def embed(self, batch: Batch) -> Any:
            video, text = super().embed(batch)
            return video.with_hidden(video.hidden * 2), text

    with pytest.raises(Unsupported, match="place in time already"):
        reorder(Baked(words), stairs(), what="features")
    with pytest.raises(Unsupported, match="none that could be moved"):
        reorder(Baked(words), stairs(), what="places")


def test_whole_tubelets_move_with_what_is_inside() -> None:
    """Disjoint tubes of two frames: moved at the input, and where they leave the patch embedding, is the same."""
    swin = replace(registry.family("violet").config().swin, time_stride=2)
    torch.manual_seed(0)
    model = registry.build("violet", swin=swin)
    clip = sample_scene(3, form="then").clip()
    batch = prepare([clip], [clip.caption or ""], model.inputs)
    assert tube(model, batch) == (2, False)
    rows = all_orders(2)
    with torch.inference_mode():
        inside = _tubes_moved(model, batch, rows).numpy()
    assert np.allclose(_at_input(model, batch, 2).scores(rows), inside, atol=1e-5)
    assert np.ptp(inside) > 1e-5
    assert move(model, batch, "tubelets").units == 2 and move(model, batch, "frames").units == 4


EARLY = [name for name in registry.names() if hasattr(registry.family(name).build, "understand")]


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("name", EARLY)
def test_what_is_seen_before_it_is_understood_is_seen_once(name: str, said: bool) -> None:
    """All orders of stretches that a model sees one by one and understands together, as one forward each has them."""
    torch.manual_seed(0)
    model = ready(registry.build(name))
    clip = sample_scene(3, form="then").clip()
    batch = prepare([clip, clip], [clip.caption or "", "a red circle spins"], model.inputs)
    if said:
        lines = [Speech(0.0, 1.7, "a red circle spins"), Speech(1.0, 4.0, "the blue star slides left")]
        batch = replace(batch, speech=subtitles([lines, lines], model.inputs))
    each, _ = tube(model, batch)
    batch = replace(batch, video=batch.video[:, : 4 * each], times_s=batch.times_s[:, : 4 * each])
    looks: list[int] = []
    hook = model.eyes.register_forward_hook(lambda _, given, out: looks.append(len(given[0])))
    moving = move(model, batch, "tubelets")
    scores = moving.scores(all_orders(4))
    hook.remove()
    assert moving.how == ONCE and sum(looks) < 10
    for row, found in zip(all_orders(4)[::5], scores[::5], strict=True):
        frames = torch.from_numpy((row[:, None] * each + np.arange(each)).ravel())
        with torch.inference_mode():
            there = model(replace(batch, video=batch.video[:, frames])).match_logits
        assert np.allclose(found, there, atol=1e-5)
    assert np.ptp(scores, axis=0).min() > 1e-4


# ── every family ──────────────────────────────────────────────────────────────────────────────────

MATCHING = [name for name in registry.names() if "match_logits" in registry.family(name).heads]


@pytest.fixture(scope="module", params=MATCHING)
def family(request: Any) -> Any:
    torch.manual_seed(0)
    name = request.param
    return registry.load(name) if registry.shipped(name) else ready(registry.build(name))


@pytest.fixture(scope="module")
def scene() -> Any:
    return sample_scene(3, form="then").clip()


def test_every_family_can_be_reordered(family: Any, scene: Any) -> None:
    result = reorder(family, scene, draws=2)
    batch = prepare([scene], [scene.caption], family.inputs)
    with torch.inference_mode():
        back = float(family(replace(batch, video=batch.video.flip(1))).match_logits[0])
        there = float(family(batch).match_logits[0])
    assert np.allclose(result.scores[[0, result.named["reversed"]], 0], [there, back], atol=1e-4)
    assert result.still_delta() == 0
    if registry.family(family.name).frames_independent:
        assert result.how == ONCE and result.delta() == 0 and result.p() == 1 and np.ptp(result.scores) < 1e-6
    each, _ = tube(family, batch)
    assert any("tubelets" in note for note in result.notes) == (each > 1)


def test_features_and_places_are_one_where_nothing_else_tells_time(family: Any, scene: Any) -> None:
    batch = prepare([scene], [scene.caption], family.inputs)
    try:
        features = move(family, batch, "features")
    except Unsupported as lacking:  # a frame's place is part of what the model makes of it
        assert "Move what='frames'" in str(lacking)
        return
    rows = np.stack([np.roll(np.arange(features.units), k) for k in (0, 1, -1)])
    moved = features.scores(rows)
    with torch.inference_mode():
        there = float(family(batch).match_logits[0])
        once = Once.of(family, batch)
    assert abs(float(moved[0, 0]) - there) < 1e-4 and once is not None and len(once.slots) == features.units
    if registry.family(family.name).frames_independent:
        assert np.ptp(moved) < 1e-6
        with pytest.raises(Unsupported, match="none that could be moved"):
            move(family, batch, "places")
        return
    try:
        places = move(family, batch, "places")
    except Unsupported as lacking:
        assert "Move what='frames'" in str(lacking)
        return
    assert np.allclose(places.scores(rows), moved, atol=1e-4)
    assert RISES and np.ptp(moved) > 1e-6
