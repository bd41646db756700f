"""Another world in twenty lines; and what a theme must not say."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from vtexplore.errors import ConfigError
from vtexplore.world import GARDEN_THEME, SHAPES_THEME, lexicon, render, sample_scene, script, sentences, sibling_batch
from vtexplore.world.theme import Shape


def test_the_garden_grows():
    scenes = [sample_scene(s, theme=GARDEN_THEME) for s in range(30)]
    assert render(scenes, [1.0, 3.0], 48).shape == (30, 2, 48, 48, 3)
    assert {s.join for s in scenes} == {"one", "then", "while"}
    for scene in scenes:
        assert set(scene.caption.text.split()) <= lexicon(GARDEN_THEME)
        assert scene.reversed().reversed() == scene
        assert scene.clip().world == "garden"
    assert len(sibling_batch(0, 12, theme=GARDEN_THEME)) == 12
    assert len(set(islice(sentences(0, GARDEN_THEME), 50))) > 40
    assert len(script(0, 4, theme=GARDEN_THEME).events) == 4


def test_colours_are_well_apart_from_each_other_and_from_every_background():
    colours = np.array(list(SHAPES_THEME.colours.values()), dtype=float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert apart[np.triu_indices(8, 1)].min() > 90
    grounds = np.array([c for b in SHAPES_THEME.backgrounds.values() for c in (b.paper, b.ink) if c != (0, 0, 0)])
    assert np.linalg.norm(colours[:, None] - grounds[None], axis=-1).min() > 90


def test_a_theme_is_checked():
    actions = dict(SHAPES_THEME.actions)
    actions["grows"] = replace(actions["grows"], reverse="spins")
    with pytest.raises(ConfigError, match="reverse of 'grows'"):
        replace(SHAPES_THEME, actions=actions)
    with pytest.raises(ConfigError, match="noise"):
        replace(SHAPES_THEME, colours={**SHAPES_THEME.colours, "black": (0, 0, 0)})
    odd = replace(SHAPES_THEME, name="odd", shapes={**SHAPES_THEME.shapes, "blob": Shape("cloud")})
    with pytest.raises(ConfigError, match="cloud"):
        render([sample_scene(0, theme=odd)], [0.0], 16)
