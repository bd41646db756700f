"""A scene is frozen, seeded, in frame, and a scene of the same world when time runs backwards."""

import hashlib
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtexplore.errors import ConfigError
from vtexplore.world import CannotPlace, draft_scene, render, sample_scene, script
from vtexplore.world.motion import poses
from vtexplore.world.sampling import FORMS

FOUR = np.arange(1, 5) / 5 * 4.0
seeds = st.integers(0, 2**32)


def test_same_seed_same_scene_and_same_pixels():
    assert sample_scene(3) == sample_scene(3) == sample_scene(np.random.default_rng(3))
    assert sample_scene(3) != sample_scene(4)
    a, b = (render([sample_scene(s) for s in range(4)], FOUR, 48) for _ in range(2))
    assert np.array_equal(a, b)


def test_pixels_are_the_same_on_any_machine():
    frames = render([sample_scene(s) for s in range(8)], FOUR, 64)
    assert hashlib.sha256(frames.tobytes()).hexdigest()[:16] == GOLDEN_PIXELS


GOLDEN_PIXELS = "9b0f88c3f0d7823c"


def test_frozen_and_picklable():
    scene = sample_scene(0)
    with pytest.raises(FrozenInstanceError):
        scene.background = "grey"
    again = pickle.loads(pickle.dumps(scene))
    assert again == scene and hash(again) == hash(scene)


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from(["train", "heldout"]))
def test_reversed_is_the_same_video_backwards(seed, split):
    scene = sample_scene(seed, split)
    back = scene.reversed()
    assert back.reversed() == scene
    assert back.is_sound() and back.is_heldout() == scene.is_heldout()
    times = np.array([0.0, 0.37, 0.8, 1.6, 2.0, 2.4, 3.2, 3.7, 4.0])
    a, b = render([scene], times, 40)[0], render([back], 4.0 - times, 40)[0]
    # The last bit of a sine may differ between p and 1 − p: at most one grey level.
    assert np.abs(a.astype(int) - b).max() <= 1


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_objects_stay_in_frame_and_apart(seed):
    scene = sample_scene(seed)
    p = poses([scene], np.linspace(0, 4, 81))
    x, y, r = p.x[0], p.y[0], p.radius[0]
    assert (x - r > 0.005).all() and (x + r < 0.995).all() and (y - r > 0.005).all() and (y + r < 0.995).all()
    assert (r > 0.09).all() and (r < 0.21).all()
    meets = {frozenset(e.objects) for e in scene.events}
    for a in range(len(r)):
        for b in range(a):
            if frozenset((a, b)) not in meets:
                assert (np.hypot(x[a] - x[b], y[a] - y[b]) > r[a] + r[b]).all()


def test_one_of_several_forms_is_drawn_in_their_usual_shares():
    joins = [sample_scene(seed, form=("then", "one")).join for seed in range(400)]
    assert set(joins) == {"then", "one"} and 0.48 < joins.count("then") / 400 < 0.67  # 0.30 to 0.22


@pytest.mark.parametrize("form", FORMS)
def test_forms_and_what_each_event_covers(form):
    for seed in range(20):
        scene = sample_scene(seed, form=form)
        frames = [[t for t in FOUR if e.start_s + 0.2 < t < e.end_s - 0.2] for e in scene.events]
        if form in ("then", "same"):
            assert [list(f) for f in frames] == [list(FOUR[:2]), list(FOUR[2:])]
            assert (scene.events[0].objects == scene.events[1].objects) == (form == "same")
        else:
            assert all(list(f) == list(FOUR) for f in frames)
        assert all(len(e.objects) == (2 if form == "relation" else 1) for e in scene.events)
        assert 1 <= len(scene.objects) <= 3


def test_every_event_shows_in_the_four_interior_frames():
    rng = np.random.default_rng(0)
    for _ in range(300):
        scene = sample_scene(rng)
        p = poses([scene], FOUR)
        state = np.stack([p.x, p.y, p.radius * 2, p.angle, p.alpha, *np.moveaxis(p.rgb / 255, -1, 0)])[:, 0]
        for e in scene.events:
            mine = [i for i, t in enumerate(FOUR) if e.start_s < t < e.end_s]
            change = np.linalg.norm(np.ptp(state[:, e.objects[0], mine], axis=1))
            assert change > 0.07, (e, change)


def test_split_never_shows_a_heldout_triple_in_training():
    rng = np.random.default_rng(1)
    for _ in range(3000):
        assert not draft_scene(rng, "train").is_heldout()
    for _ in range(300):
        assert draft_scene(rng, "heldout").is_heldout()


def test_everything_is_common_in_training():
    rng = np.random.default_rng(2)
    seen = {"colour": [], "shape": [], "kind": []}
    for _ in range(4000):
        scene = sample_scene(rng)
        for e in scene.events:
            seen["kind"].append(e.kind)
            seen["colour"].append(scene.objects[e.objects[0]].colour)
            seen["shape"].append(scene.objects[e.objects[0]].shape)
    theme = sample_scene(0).theme
    for part, names in (("colour", theme.colours), ("shape", theme.shapes), ("kind", theme.actions)):
        counts = np.array([seen[part].count(n) for n in names]) / len(seen[part])
        assert counts.min() > 0.3 / len(names), dict(zip(names, counts, strict=True))
    share = np.mean([theme.heldout(c, s, a) for c in theme.colours for s in theme.shapes for a in theme.actions])
    assert 0.1 < share < 0.14


def test_errors_say_what_there_is():
    with pytest.raises(ConfigError, match="'train' or 'heldout'"):
        sample_scene(0, "test")
    with pytest.raises(ConfigError, match="relation"):
        sample_scene(0, form="three")
    with pytest.raises(ConfigError, match="three"):
        sample_scene(0, form=("one", "three"))
    with pytest.raises(CannotPlace):
        draft_scene(0, form="same", kinds=["grows", "grows"])
    with pytest.raises(ConfigError, match="4 to 8"):
        script(0, steps=3)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"objects": 4}, "1, 2 or 3"),
        ({"kinds": ["nonsense"]}, "'nonsense' is no kind of action; there are .*spins"),
        ({"form": "then", "objects": 1}, "two objects"),
        ({"form": "one", "kinds": ["swaps with"]}, "no scene of form one has"),
        ({"form": "relation", "kinds": ["spins"]}, "no scene of form relation"),
        ({"form": ("then", "while"), "kinds": ["spins"]}, "no scene of form then or while"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(wishes, says):
    for draw in (sample_scene, draft_scene):
        with pytest.raises(ConfigError, match=says):
            draw(0, **wishes)


def test_a_form_that_nobody_fixed_is_one_that_fits():
    for seed in range(40):
        assert len(sample_scene(seed, objects=1).objects) == 1
        assert len(sample_scene(seed, kinds=["spins"]).events) == 1
        assert len(sample_scene(seed, kinds=["spins", "grows"]).events) == 2
        assert all(len(e.objects) == 2 for e in sample_scene(seed, kinds=["collides with"]).events)


def test_scripts_have_steps_and_regularities():
    follows = []
    for seed in range(120):
        scene = script(seed)
        assert 4 <= len(scene.events) <= 8 and scene.duration_s == 2.0 * len(scene.events)
        assert all(a.end_s <= b.start_s for a, b in zip(scene.events, scene.events[1:], strict=False))
        p = poses([scene], np.linspace(0, scene.duration_s, 90))
        assert (p.x - p.radius > 0).all() and (p.x + p.radius < 1).all() and (p.alpha > -1e-9).all()
        assert (p.alpha < 1 + 1e-9).all() and (p.radius > 0.05).all()
        assert scene.reversed().reversed() == scene
        kinds = [e.kind for e in scene.events]
        follows += [b for a, b in zip(kinds, kinds[1:], strict=False) if a == "shrinks"]
    assert follows.count("vanishes") > 0.5 * len(follows) > 5
    assert any("it" in script(s).caption.text.split() for s in range(5))
