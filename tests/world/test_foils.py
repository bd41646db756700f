"""Foils are false, siblings make them true, and an independent witness agrees."""

from collections import Counter

import numpy as np
import pytest
from world.witness import Witness

from vtexplore.errors import ConfigError
from vtexplore.world import FOIL_KINDS, holds, in_one_voice, sample_scene, script, sibling_batch

COUNT = 200


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return [sample_scene(rng, "heldout" if i % 4 == 0 else "train") for i in range(COUNT)]


def test_witness_sees_what_the_events_say(scenes):
    for scene in scenes:
        seen = {(s.who, s.kind, s.target) for s in Witness(scene).sightings()}
        told = {(w, e.kind, e.target) for e in scene.events for w in actors(scene, e)}
        assert seen == told, scene.caption.text
        assert Witness(scene).confirms(scene.statement)


def actors(scene, event):
    both = scene.theme.actions[event.kind].symmetric
    return [(scene.objects[o].colour, scene.objects[o].shape) for o in event.objects[: 2 if both else 1]]


@pytest.mark.parametrize("kind", FOIL_KINDS)
def test_foils_are_false_minimal_and_true_of_the_sibling(scenes, kind):
    rng = np.random.default_rng(1)
    found = 0
    for scene in scenes:
        foil = scene.foil(kind, rng)
        if foil is None:
            continue
        found += 1
        assert not holds(scene, foil.caption.statement)
        assert not Witness(scene).confirms(foil.caption.statement), (scene.caption.text, foil.caption.text)
        assert foil.caption.style == scene.style and len(foil.caption.words) == len(scene.caption.words)
        if kind in ("colour", "object", "direction", "verb", "reversed_verb"):
            assert len(foil.changed) <= 1 + (kind == "colour"), (scene.caption.text, foil.caption.text)
        other = scene.sibling(kind, rng)
        if other is None:
            continue
        assert Witness(other).confirms(other.statement) and not Witness(other).confirms(scene.statement)
        assert not Witness(scene).confirms(other.statement)
        assert other.style == scene.style and other.background == scene.background and other.grain == scene.grain
        if scene.split == "train":
            assert not other.is_heldout() and not heldout(scene.theme, foil.caption.statement)
    assert found > COUNT * {"reversed_colour": 0.05, "binding": 0.15, "action_binding": 0.2}.get(kind, 0.3)


def heldout(theme, statement):
    return any(
        theme.heldout(colour, noun.shape, c.kind)
        for c in statement.clauses
        for noun in (c.subject, c.other)
        if noun is not None
        for colour in (noun.colour, *([c.target] if c.target and noun is c.subject else []))
    )


def test_what_was_not_edited_stays_where_it_was(scenes):
    rng = np.random.default_rng(2)
    same = total = 0
    for scene in scenes:
        for kind in ("colour", "object", "binding"):
            other = scene.sibling(kind, rng)
            if other is not None:
                places = [(o.x, o.y, o.radius, o.angle) for o in scene.objects]
                assert [(o.x, o.y, o.radius, o.angle) for o in other.objects] == places
                assert [e.start_s for e in other.events] == [e.start_s for e in scene.events]
        other = scene.sibling("order", rng)
        if other is not None:
            total += 1
            same += [(o.x, o.y) for o in other.objects] == [(o.x, o.y) for o in scene.objects]
    assert same > 0.7 * total


def test_one_voice_tells_the_same_of_all_scenes():
    scenes = sibling_batch(5, 48, group=1)
    assert len({s.style.voice for s in scenes}) > 1
    voices = set()
    for seed in range(8):
        told = in_one_voice(scenes, np.random.default_rng(seed))
        assert len({s.style.voice for s in told}) == 1 and len({s.style.template for s in told}) > 1
        assert all(a.statement == b.statement and a.events == b.events for a, b in zip(told, scenes, strict=True))
        voices |= {told[0].style.voice}
    assert len(voices) > 1


def test_sibling_batch_is_made_of_hard_negatives():
    batch = sibling_batch(3, 160, group=4)
    assert len(batch) == 160 and sibling_batch(3, 160, group=4) == batch
    order = 0
    for g in range(0, 160, 4):
        family = batch[g : g + 4]
        for a in family:
            assert [holds(a, b.statement) for b in family] == [a is b for b in family]
            assert not a.is_heldout()
        words = [Counter(s.caption.text.split()) for s in family]
        order += sum(words[0] == w for w in words[1:])
    assert order > 8, "some siblings differ in order alone"
    assert len({len(s.caption.words) for s in batch[:4]}) == 1
    assert len(sibling_batch(4, 10, group=4, split="heldout")) == 10


def test_scripts_have_foils_of_names_and_unknown_kinds_are_refused():
    assert script(0).foil("colour") is not None and script(0).foil("order") is None
    with pytest.raises(ConfigError, match="binding"):
        sample_scene(0).foil("mood")
    assert sample_scene(0, form="one").foil("order") is None
