"""Some steps of a script are a scene that looks as the script does then, and is told as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtexplore.errors import ConfigError
from vtexplore.world import excerpt, masks, sample_scene, script
from vtexplore.world.motion import poses
from vtexplore.world.script import STEP_S


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.data())
def test_an_excerpt_looks_as_the_script_does_then(seed: int, steps: int, data: st.DataObject) -> None:
    whole = script(seed)
    first = data.draw(st.integers(0, len(whole.events) - steps))
    part = excerpt(whole, first, steps, seed)
    times_s = np.linspace(0, steps * STEP_S, 9)
    then, now = poses([whole], first * STEP_S + times_s), poses([part], times_s)
    there = [o for o in range(len(whole.objects)) if then.alpha[0, o].any()]
    assert len(part.objects) == len(there) and part.duration_s == steps * STEP_S
    for name in ("x", "y", "radius", "alpha", "rgb"):
        np.testing.assert_allclose(getattr(now, name)[0], getattr(then, name)[0, there], atol=2e-4, err_msg=name)
    turned = (now.angle[0] - then.angle[0, there] + 0.5) % 1 - 0.5
    assert np.abs(turned).max() < 2e-4
    assert (masks([part], times_s, 32) == masks([whole], first * STEP_S + times_s, 32)[:, there]).mean() > 0.999


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_told_by_the_colours_of_its_beginning(seed: int) -> None:
    whole = script(seed, 6)
    for first in range(5):
        part = excerpt(whole, first, 2, seed)
        kinds = [e.kind for e in whole.events[first : first + 2]]
        assert [c.kind for c in part.statement.clauses] == kinds and part.join == "then"
        assert all(0 <= e.start_s < e.end_s <= part.duration_s for e in part.events)
        assert {w.event for w in part.caption.words if w.role == "verb"} == {0, 1}
        for clause, event in zip(part.statement.clauses, part.events, strict=True):
            assert clause.subject.colour == part.objects[event.objects[0]].colour


def test_how_many_steps_decide_how_it_is_told() -> None:
    whole = script(3, 5)
    assert [excerpt(whole, 0, n).join for n in (1, 2, 3, 5)] == ["one", "then", "script", "script"]


@pytest.mark.parametrize(("first", "steps"), [(-1, 1), (0, 0), (4, 2), (5, 1)])
def test_steps_that_are_not_there(first: int, steps: int) -> None:
    with pytest.raises(ConfigError, match=f"no {steps} steps from step {first}"):
        excerpt(script(3, 5), first, steps)


def test_a_clip_has_no_steps() -> None:
    with pytest.raises(ConfigError, match="Give a script"):
        excerpt(sample_scene(0), 0, 1)
