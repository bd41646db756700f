"""Measures of maps where the right answer is known: a model that adds, a map that is perfect, one that is random."""

from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from toy_why import GRID, Evidence, brightness, noise_clip

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError
from vtexplore.probes import _faithful
from vtexplore.probes._methods import METHODS, Found, Method
from vtexplore.probes._sanity import alike, by_chance, ssim
from vtexplore.probes.ablate_heads import AblateHeadsResult, _instead, ablate_heads
from vtexplore.probes.faithfulness import FaithfulnessResult, faithfulness


@pytest.fixture(scope="module")
def model(toy_model: Any) -> Any:
    """A few patches are worth much, most are worth little; all for."""
    torch.manual_seed(2)
    return Evidence(toy_model.inputs.vocabulary, torch.rand(GRID) ** 6, {"red": 1.0})


def chance(case: Any) -> Found:
    seed = int(case.batch.video.sum() * 1000) % 2**31
    return Found(np.random.default_rng(seed).random(case.grid), np.zeros(len(case.words)))


def backwards(case: Any) -> Found:
    found = METHODS["occlusion"].find(case)
    return Found(-found.patches, -found.words)


@pytest.fixture(scope="module")
def tried(model: Any) -> FaithfulnessResult:
    kept = dict(METHODS)
    METHODS["chance"] = Method(chance, signed=False, model=False)  # type: ignore[index]
    METHODS["backwards"] = Method(backwards, signed=True)  # type: ignore[index]
    try:
        return faithfulness(
            model,
            [noise_clip(i) for i in range(4)],
            methods=("occlusion", "ig", "relevancy", "raw", "edges", "chance", "backwards"),
            moves=1,
            randomise=1,
        )
    finally:
        METHODS.clear()  # type: ignore[attr-defined]
        METHODS.update(kept)  # type: ignore[attr-defined]


def test_a_perfect_map_has_the_best_deletion_there_is(model: Any, tried: FaithfulnessResult) -> None:
    """Of a sum, taking away the largest part first is best: no order does better than the parts' own."""
    clip = noise_clip(0)
    bright = brightness(prepare([clip], [str(clip.caption)], model.inputs).video)[0]
    parts = np.sort((bright * model.weight.each.detach()).numpy().ravel())[::-1]
    at = np.linspace(0, 144, 21).round().astype(int)
    best = _faithful.area(np.array([parts[n:].sum() / parts.sum() for n in at]), tried.share)
    areas = tried.areas("attention")
    assert areas["deletion"][0, 0] == pytest.approx(best, abs=2e-3)
    assert (areas["random"][0] > areas["deletion"][0, 0] + 0.1).all() and tried.better("attention")[0, 0] == 1 / 21
    assert areas["insertion"][0, 0] == pytest.approx(1 - best, abs=2e-3)  # a sum is what was taken and what is left


def test_random_is_nothing_and_backwards_is_worst(tried: FaithfulnessResult) -> None:
    told = tried.summary("attention")
    mean, low, high = told["chance"]["deletion"]
    assert abs(mean) < 0.08 and low <= mean <= high
    assert told["occlusion"]["deletion"][2] < -0.15 < 0.15 < told["backwards"]["deletion"][1]
    assert told["backwards"]["polarity"][0] == 1 and told["occlusion"]["polarity"][0] == 0
    assert np.isnan(told["raw"]["polarity"][0]) and any("no sign" in note for note in tried.notes)
    assert told["occlusion"]["comprehensiveness"][0] > told["chance"]["comprehensiveness"][0]
    assert told["occlusion"]["sufficiency"][0] < told["chance"]["sufficiency"][0]
    idle = next(note for note in tried.notes if note.startswith("No better than random"))
    assert "backwards" in idle and "occlusion" not in idle


def test_the_reversed_order_is_insertion_read_from_the_right(tried: FaithfulnessResult) -> None:
    """backwards names first what occlusion names last."""
    occlusion, reverse = tried.methods.index("occlusion"), tried.methods.index("backwards")
    assert np.allclose(tried.deletion[0, :, reverse], tried.insertion[0, :, occlusion, ::-1], atol=0.15)


def test_parts_that_sum_are_not_unfaithful(tried: FaithfulnessResult) -> None:
    told = tried.summary()
    assert told["occlusion"]["infidelity"][0] < 1e-6 < told["chance"]["infidelity"][0] < 1.5
    assert told["integrated gradients"]["gap"][0] < 0.01 and np.isnan(told["occlusion"]["gap"][0])
    assert 0 < told["occlusion"]["sensitivity"][0] < 0.05  # its patches are means over many pixels
    assert told["raw"]["sensitivity"][0] == pytest.approx(0, abs=1e-5)  # it looks everywhere alike whatever it sees


def test_new_weights_destroy_a_gradient_and_leave_edges(tried: FaithfulnessResult) -> None:
    last = dict(zip(tried.methods, tried.cascade[0, :, -1], strict=True))
    level = dict(zip(tried.methods, tried.level[0], strict=True))
    assert last["edges"][0] == pytest.approx(1) and last["edges"][2] == pytest.approx(1)
    assert last["integrated gradients"][0] < 0.6 and last["occlusion"][3] < 0.5
    assert abs(level["occlusion"][0]) < 0.1 and abs(level["occlusion"][3] - 0.1) < 0.06
    assert any("Much the same" in note and "edges" in note and "occlusion" not in note for note in tried.notes)
    assert np.isnan(last["raw"][0])  # an even map has no ranks


def test_another_sentence_is_the_wrong_target(tried: FaithfulnessResult) -> None:
    """This model's patches do not hear the text: every map is the same for another sentence, and that is said."""
    assert tried.instead == ("the red disc slides right",) * 4
    assert tried.summary()["occlusion"]["wrong target"][0] == pytest.approx(1)
    assert any(note.startswith("Almost the same map") for note in tried.notes)


def test_a_map_on_the_thing_has_its_mass(model: Any, toy_model: Any) -> None:
    """A whole frame in which a circle slides: the pointing and the mass are those of ``grounding``, on its patches."""
    from vtexplore.probes._case import case_of
    from vtexplore.probes._trials import _grounded
    from vtexplore.world.video_file import example_scene

    clip = example_scene("red_circle_slides_left").clip()
    case = case_of(fresh("violet"), clip, word=clip.caption.split().index("red"))  # type: ignore[union-attr]
    on = np.zeros(case.grid)
    on[0, 0:2, 2:4] = 1.0
    maps = {
        "on": Found(on, np.zeros(1)),
        "even": Found(np.ones(case.grid), np.zeros(1)),
        "off": Found(-on, np.zeros(1)),
    }
    mass, pointing, chance = _grounded(clip, case, maps).T
    assert mass[0] > 5 * chance[0] and pointing[0] > 0.5 and mass[1] == pytest.approx(chance[1])
    assert np.isnan(mass[2])  # what only speaks against is nowhere
    assert np.isnan(_grounded(noise_clip(), case, maps)).all()


def test_words_and_frames_are_taken_away_too(model: Any) -> None:
    found = faithfulness(model, noise_clip(), methods=("occlusion",), of="words", removals=("attention",), randomise=0)
    assert found.whole[0, 0] - found.none[0, 0] == pytest.approx(1, abs=1e-4)  # red
    assert found.insertion[0, 0, 0, 4] == pytest.approx(found.whole[0, 0], abs=1e-3)  # the first of five
    assert found.stages == () and any("one way only" in note for note in found.notes)
    found = faithfulness(model, noise_clip(), methods=("occlusion",), of="frames", randomise=0)
    assert found.deletion.shape == (2, 1, 1, 21) and (np.diff(found.deletion[0, 0, 0]) <= 1e-4).all()


def test_of_a_sum_the_largest_frame_first_is_the_best_order(model: Any) -> None:
    """NAOPC is 1 for parts that sum, 0 for the same backwards, and the search of all orders says so."""
    kept = dict(METHODS)
    METHODS["backwards"] = Method(backwards, signed=True)  # type: ignore[index]
    try:
        found = faithfulness(
            model, [noise_clip(0), noise_clip(1)], methods=("occlusion", "backwards"), of="frames", randomise=0, beam=5
        )
    finally:
        METHODS.clear()  # type: ignore[attr-defined]
        METHODS.update(kept)  # type: ignore[attr-defined]
    assert np.allclose(found.naopc("attention"), [[1, 0], [1, 0]], atol=1e-3)
    assert found.summary()["occlusion"]["NAOPC"][0] == pytest.approx(1, abs=1e-3)
    assert not any("not models" in note for note in found.notes)
    assert np.isnan(faithfulness(model, noise_clip(), methods=("edges",), of="frames", randomise=0).naopc()).all()


def test_a_number_without_evidence_has_no_areas(toy_model: Any) -> None:
    blind = Evidence(toy_model.inputs.vocabulary, torch.zeros(GRID), {"red": 1.0})
    found = faithfulness(blind, noise_clip(), methods=("edges",), randomise=0)
    assert np.isnan(found.areas()["deletion"]).all() and any("as high with every patch" in n for n in found.notes)
    assert "no map can be tried" in found.plot().alt
    with pytest.raises(ConfigError, match="Nothing to draw"):
        found.plot("curves")


def test_what_is_refused(model: Any) -> None:
    for wrong, said in (
        ({"steps": 5}, "20 steps"),
        ({"orders": 3}, "20 random orders"),
        ({"of": "pixels"}, "patches, frames, words"),
        ({"removals": ("hammer",)}, "attention, mean colour, blur"),
        ({"methods": ("magic",)}, "there are raw"),
        ({"methods": ()}, "at least one method"),
        ({"beam": 5}, "of='frames'"),
    ):
        with pytest.raises(ConfigError, match=said):
            faithfulness(model, noise_clip(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="0 clips"):
        faithfulness(model, [])


def test_it_can_be_drawn_and_survives_its_file(tried: FaithfulnessResult, tmp_path: Any) -> None:
    tried.save(tmp_path / "x.npz")
    again = FaithfulnessResult.load(tmp_path / "x.npz")
    assert again.to_dict() == tried.to_dict()
    for kind in ("methods", "curves", "cascade"):
        assert len(again.plot(kind).alt) > 80
    with pytest.raises(ConfigError, match="spearman, "):
        again.plot("cascade", measure="love")


# ── likeness ──


def test_a_map_is_like_itself_and_unlike_itself_shuffled() -> None:
    a = np.random.default_rng(0).normal(size=GRID)
    assert np.allclose(alike(a, a), 1) and ssim(a, -a) < 0
    assert alike(a, -a)[0] == pytest.approx(-1) and alike(a, -a)[1] == pytest.approx(1)
    level = by_chance(a, 0)
    assert np.abs(level[:3]).max() < 0.15 and 0.05 < level[3] < 0.16
    assert np.isnan(alike(a, np.ones(GRID))).all()


def test_equal_values_come_in_any_order() -> None:
    first = [_faithful.order_of(np.zeros(50), np.random.default_rng(i))[0] for i in range(30)]
    assert len(set(first)) > 10


# ── heads ──


def test_the_head_that_is_needed_is_found(model: Any) -> None:
    found = ablate_heads(model, [noise_clip(i) for i in range(6)], kinds=("zero", "mean", "shuffled"))
    assert found.sites == ("layers.0",) and found.loss.shape == (3, 6, 1, 1)
    assert np.allclose(found.kind("zero")[:, 0, 0], found.value, atol=1e-4)  # without it nothing is heard
    assert np.allclose(found.kind("mean"), 0, atol=1e-4)  # it looks everywhere alike whatever the clip
    assert np.allclose(found.kind("shuffled"), 0, atol=1e-4)
    assert found.needed("zero") == (("layers.0", 0),) and found.needed("mean") == ()
    assert found.p("zero")[0, 0] == pytest.approx(2 / 2**6)
    with pytest.raises(ConfigError, match="zero, mean, shuffled"):
        found.kind("hammer")
    assert "Loss without each head" in found.plot().alt


def test_many_heads_are_many_tests(toy_model: Any) -> None:
    from vtexplore import registry

    for name in registry.names():
        clips = [noise_clip(i, "the red circle slides left") for i in range(2)]
        found = ablate_heads(fresh(name), clips, kinds=("zero", "shuffled"))
        loss = found.loss[:, :, :, :]
        assert np.isfinite(loss).any(axis=(0, 1)).sum() == sum(np.isfinite(loss[0, 0]).sum(axis=1))
        assert np.abs(np.nan_to_num(loss[0])).max() > 0 and found.needed("zero") == ()
        assert any("no head can be certain" in note for note in found.notes)


def test_a_shuffled_head_keeps_its_norm_and_what_is_hidden() -> None:
    weights = torch.rand(1, 2, 5, 7).softmax(-1) * (torch.arange(7) < 5)
    other = _instead("shuffled", weights, None, 0)
    assert torch.allclose(other.norm(dim=-1), weights.norm(dim=-1)) and not torch.allclose(other, weights)
    assert (other[..., 5:] == 0).all()
    mean = torch.rand(1, 2, 5, 7)
    usual = _instead("mean", weights, mean, 0)
    assert torch.allclose(usual.sum(-1), weights.sum(-1), atol=1e-6) and (usual[..., 5:] == 0).all()


def test_heads_survive_their_file(model: Any, tmp_path: Any) -> None:
    found = ablate_heads(model, [noise_clip(0), noise_clip(1)], kinds=("zero",))
    found.save(tmp_path / "h.npz")
    assert AblateHeadsResult.load(tmp_path / "h.npz").to_dict() == found.to_dict()
    with pytest.raises(ConfigError, match="two clips"):
        ablate_heads(model, [noise_clip(0)])
