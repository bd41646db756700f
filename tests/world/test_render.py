"""Pixels, masks and boxes agree with where things are."""

import numpy as np
import pytest

from vtexplore.world import SHAPES_THEME, boxes, masks, render, sample_scene
from vtexplore.world.motion import poses
from vtexplore.world.render import _tile, boxes_of
from vtexplore.world.theme import NOISE

FOUR = np.arange(1, 5) / 5 * 4.0
SCENES = [sample_scene(s) for s in range(40)]


def test_shapes_and_batches_do_not_matter():
    frames = render(SCENES, FOUR, 48)
    assert frames.shape == (40, 4, 48, 48, 3) and frames.dtype == np.uint8
    assert np.array_equal(frames[7:9], render(SCENES[7:9], FOUR, 48))
    each = np.stack([FOUR, FOUR[::-1]])
    assert np.array_equal(render(SCENES[:2], each, 48)[1], frames[1][::-1])


def test_where_nothing_is_there_is_background():
    size = 64
    frames, seen = render(SCENES, FOUR, size), masks(SCENES, FOUR, size)
    p = poses(SCENES, FOUR)
    grid = (np.arange(size) + 0.5) / size
    for s, scene in enumerate(SCENES):
        paper = SHAPES_THEME.backgrounds[scene.background]
        x, y = (int(o * paper.period * size) for o in scene.offset)
        plain = _tile(paper, size)[y : y + size, x : x + size].astype(int)
        for f in range(4):
            far = np.ones((size, size), dtype=bool)
            for o in range(len(scene.objects)):
                d = np.hypot(grid[None] - p.x[s, o, f], grid[:, None] - p.y[s, o, f])
                far &= d > p.radius[s, o, f] + 2 / size
            off = np.abs(frames[s, f].astype(int) - plain).max(-1)
            assert off[far].max() <= NOISE
            assert not seen[s, :, f, far].any()
            for o, thing in enumerate(scene.objects):
                if p.alpha[s, o, f] == 1 and seen[s, o, f].sum() > 60:
                    now = np.median(frames[s, f][seen[s, o, f]], axis=0)
                    assert np.abs(now - p.rgb[s, o, f]).max() <= NOISE + 1, (thing, scene.caption.text)


def test_one_owner_a_pixel_and_boxes_around_it():
    seen = masks(SCENES, FOUR, 96)
    assert seen.dtype == bool and seen.sum(1).max() <= 1
    found = boxes(SCENES, FOUR, 96)
    p = poses(SCENES, FOUR)
    for s, scene in enumerate(SCENES):
        for o, f in np.ndindex(len(scene.objects), 4):
            box = found[s, o, f]
            if np.isnan(box).any():
                assert np.isnan(box).all() and not seen[s, o, f].any()
                continue
            assert box[0] < box[2] and box[1] < box[3]
            r = p.radius[s, o, f] + 1.5 / 96
            assert p.x[s, o, f] - r <= box[0] and box[2] <= p.x[s, o, f] + r
            assert p.y[s, o, f] - r <= box[1] and box[3] <= p.y[s, o, f] + r
    gone = sample_scene(1, form="one", kinds=["vanishes"])
    at = 0.2 if gone.events[0].kind == "appears" else 3.8
    assert np.isnan(boxes([gone], [at])[0, gone.events[0].objects[0]]).all()
    assert boxes_of(np.zeros((2, 5, 5), dtype=bool)).shape == (2, 4)


def test_the_nearer_object_hides_the_farther():
    for seed in range(12):
        scene = sample_scene(seed, form="relation", kinds=["passes in front of"])
        mover, other = scene.events[0].objects
        middle = (scene.events[0].start_s + scene.events[0].end_s) / 2
        now, before = masks([scene], [middle, 0.0], 96)[0][:, 0], masks([scene], [middle, 0.0], 96)[0][:, 1]
        front, behind = (mover, other) if scene.events[0].kind == "passes in front of" else (other, mover)
        assert now[behind].sum() < 0.8 * before[behind].sum()
        assert now[front].sum() > 0.9 * before[front].sum()


def test_a_dot_shows_the_turning():
    """Even a circle looks different half a turn later."""
    for kind, shape in (("spins", "circle"), ("spins", "ring")):
        scene = next(
            s
            for s in (sample_scene(i, form="one", kinds=[kind], objects=1) for i in range(400))
            if s.objects[0].shape == shape
        )
        a, b = render([scene], [scene.events[0].start_s, 0.8], 96)[0].astype(int)
        assert (np.abs(a - b).max(-1) > 60).sum() > 15


@pytest.mark.parametrize("size", [16, 33, 256])
def test_any_size(size):
    assert render(SCENES[:2], [0.0, 4.0], size).shape == (2, 2, size, size, 3)
    assert masks(SCENES[:2], [0.0], size).shape[-1] == size
