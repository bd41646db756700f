"""What miniatures are trained on: labels that are true, and batches equal to those of ``prepare``."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.data.text import vocabulary
from vtexplore.errors import ConfigError
from vtexplore.eyes import BINS, LARGEST, MIN_COVER, label
from vtexplore.miniatures import PARTS, host_of
from vtexplore.moments import Moments, acting
from vtexplore.registry import Pretraining, Stage
from vtexplore.tasks import Codes, Pretrain, Words, scene_batch, scene_times
from vtexplore.train import Recipe, step_rng
from vtexplore.types import Inputs
from vtexplore.world import SHAPES_THEME, excerpt, masks, sample_scene, script
from vtexplore.world.truth import clip_of

INPUTS = Inputs()


def test_scene_batch_is_what_prepare_gives() -> None:
    scenes = [sample_scene(i) for i in range(6)]
    fast = scene_batch(scenes, INPUTS)
    slow = prepare([s.clip() for s in scenes], [s.caption.text for s in scenes], INPUTS)
    assert torch.equal(fast.video, slow.video)
    assert torch.equal(fast.word_ids, slow.word_ids) and torch.equal(fast.word_mask, slow.word_mask)
    assert fast.pieces == slow.pieces and fast.texts == slow.texts
    for name in ("times_s", "view", "durations_s", "piece_words"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), atol=1e-9)


def test_labels_say_what_is_there() -> None:
    scenes = [sample_scene(i) for i in range(40)]
    times_s = scene_times(INPUTS, 4.0)
    truth = label(scenes, times_s, 96, 16)
    seen = masks(scenes, times_s, 96)
    colours, shapes = list(SHAPES_THEME.colours), list(SHAPES_THEME.shapes)
    checked = 0
    for i, scene in enumerate(scenes):
        for o, thing in enumerate(scene.objects):
            for f in range(4):
                cover = seen[i, o, f].reshape(6, 16, 6, 16).mean((1, 3))
                alone = cover > 0.5
                assert (truth.shape[i, f][torch.from_numpy(alone)] == shapes.index(thing.shape)).all()
                if not any(e.target for e in scene.events if o in e.objects):
                    assert (truth.colour[i, f][torch.from_numpy(alone)] == colours.index(thing.colour)).all()
                    checked += int(alone.sum())
        empty = torch.from_numpy(seen[i].any(0).reshape(4, 6, 16, 6, 16).mean((2, 4)) < MIN_COVER / 3)
        assert (truth.colour[i][empty] == -1).all()
    assert checked > 50
    torch.testing.assert_close(truth.action.sum(-1), torch.ones(truth.action.shape[:-1]))


def test_labels_say_where_the_middle_of_an_object_is() -> None:
    scenes = [sample_scene(i, objects=1, form="one") for i in range(24)]
    times_s = scene_times(INPUTS, 4.0)
    truth, checked = label(scenes, times_s, 96, 16), 0
    for i, scene in enumerate(scenes):
        if scene.objects[0].shape in ("triangle", "star"):  # the middle of their boxes is another
            continue
        for f, (left, top, right, bottom) in enumerate(clip_of(scene).truth.boxes(times_s)[0]):
            here = truth.where[i, f][truth.colour[i, f] >= 0]  # [place, (x, y, radius)]
            if len(here) and min(left, top) > 0.02 and max(right, bottom) < 0.98:
                middle = torch.tensor([(left + right) / 2, (top + bottom) / 2]) * BINS
                assert ((here[:, :2] + 0.5 - middle).abs() < 1).all(), "the same at each of its places"
                half = max(right - left, bottom - top) / 2 / LARGEST * BINS
                assert ((here[:, 2] >= half - 1.5) & (here[:, 2] <= 2**0.5 * half + 1)).all(), "of the circle around it"
                checked += 1
    assert checked > 30


def test_an_event_is_labelled_when_it_happens() -> None:
    kinds = list(SHAPES_THEME.kinds())
    scene = sample_scene(3, form="then", objects=2)
    first, second = scene.events
    truth = label([scene], scene_times(INPUTS, 4.0), 96, 16)
    action = truth.object_action[0]  # [object, frame, class]
    a, b = 1 + kinds.index(first.kind), 1 + kinds.index(second.kind)
    assert action[first.objects[0], 0, a] > 0.8 and action[second.objects[0], 0, b] == 0
    assert action[second.objects[0], 2, b] > 0.8 and action[first.objects[0], 2, a] == 0


def test_tasks_draw_and_lose_on_every_part() -> None:
    generator = torch.Generator().manual_seed(0)
    host, _ = host_of("text")
    words = Words(host.text, host.fusion, host.word_head, host.config.inputs)
    assert set(words.losses(words.draw(step_rng(0, 0), 8), generator)) == {"words", "_right"}
    host, prefix = host_of("dvae")
    codes = Codes(host.get_submodule(prefix.rstrip(".")).requires_grad_(True), 48)
    losses = codes.losses(codes.draw(step_rng(0, 0), 2), generator)
    codes.total(losses).backward()
    assert all(p.grad is not None for p in codes.parameters())


def test_a_summary_says_which_looks_are_there() -> None:
    host, prefix = host_of("vit")
    task = PARTS["vit"].stages["stills"][0](host, prefix)
    losses = task.losses(task.draw(step_rng(0, 0), 4), torch.Generator())
    task.total(losses).backward()
    assert {"looks", "_looks%", "colour", "outline", "where"} <= set(losses)
    assert all(p.grad is not None for n, p in task.named_parameters() if "action" not in n)


def test_a_backbone_whose_frames_never_meet_also_says_where() -> None:
    host, prefix = host_of("vit")
    task = PARTS["vit"].stages["stills"][0](host, prefix)
    losses = task.losses(task.draw(step_rng(0, 0), 4), torch.Generator())
    assert losses["where"].item() == pytest.approx(np.log(BINS), rel=0.2), "untrained, any bin is as good"
    assert torch.autograd.grad(losses["where"], task.where.weight)[0].abs().max() > 0


def test_acting_says_who_does_what_and_when() -> None:
    kinds, colours, shapes = (list(x) for x in (SHAPES_THEME.kinds(), SHAPES_THEME.colours, SHAPES_THEME.shapes))
    for seed in range(12):
        scene = script(seed, 4)
        for i, event in enumerate(scene.events):
            middle_s = (event.start_s + event.end_s) / 2
            found = acting([scene, scene], middle_s + 0.1, middle_s + 0.5)
            assert torch.equal(found.action[0], found.action[1])
            assert found.action[0, 1 + kinds.index(event.kind)] == pytest.approx(1) and found.share[0] == pytest.approx(
                1
            )
            assert found.shape[0, shapes.index(scene.objects[event.objects[0]].shape)] == pytest.approx(1)
            colour = event.target or excerpt(scene, i, 1).statement.clauses[0].subject.colour
            assert found.colour[0, colours.index(colour)] == pytest.approx(1)
        between = acting([scene], scene.events[0].end_s, scene.events[1].start_s)
        assert between.action[0, 0] == 1 and between.share[0] == 0 and between.shape.sum() == between.colour.sum() == 0


def test_acting_of_two_at_once_is_shared() -> None:
    scene = sample_scene(2, form="while")
    one, other = scene.events
    assert one.kind != other.kind
    found = acting([scene], 1.5, 2.0)
    assert sorted(found.action[0].tolist())[-2:] == pytest.approx([0.5, 0.5]) and found.share[0] == pytest.approx(1)
    pair = acting([sample_scene(0, form="relation")], 1.5, 2.0)
    assert pair.action.max() == pytest.approx(1), "partners of one event do one thing"
    for table in (found.colour, found.shape, pair.colour, pair.shape):
        assert table.sum() == pytest.approx(1)


def test_moments_reach_the_eyes_as_far_as_they_are_asked() -> None:
    host, prefix = host_of("s3d")
    reached = []
    for task_of, _ in PARTS["s3d"].stages.values():
        task = task_of(host, prefix).train()
        task.zero_grad()
        losses = task.losses(task.draw(step_rng(0, 0), 4), torch.Generator())
        task.total(losses).backward()
        reached.append({n for n, p in task.named_parameters() if n.startswith("backbone") and p.grad is not None})
        assert task.backbone.training, "its batch norms gather statistics, which are stored as well"
    assert all(a <= b for a, b in zip(reached, reached[1:])) and reached[0] < reached[-1]
    assert reached[-1] == {n for n, _ in task.named_parameters() if n.startswith("backbone")}
    assert set(task.weight) - {"2c outline"} <= set(losses)


def test_a_window_in_which_nothing_happens_is_measured_without_a_nan() -> None:
    host, prefix = host_of("s3d")
    task = PARTS["s3d"].stages["moments"][0](host, prefix).eval()
    scenes = [sample_scene(i) for i in range(3)]
    still = acting(scenes, 0.0, 0.3)
    assert (still.share == 0).all() and (still.action[:, 0] == 1).all()
    losses = task._of_the_whole(torch.rand(3, 128), still)
    assert all(v.isfinite() for v in losses.values()) and losses["colour"] == 0 and "_action%" not in losses


def test_moments_know_the_maps_they_can_ask() -> None:
    host, _ = host_of("s3d")
    with pytest.raises(ConfigError, match="places of '5c'"):
        Moments(host.eyes.s3d, SHAPES_THEME, 8, 12.0, 64, ("5c",), False)


def pretrain(name: str, drop: float) -> Pretrain:
    return Pretrain(registry.build(name), Pretraining(drop=drop), Stage(steps=1))


def test_the_same_step_draws_the_same_batch() -> None:
    for name in registry.names():
        task = pretrain(name, drop=0.5)
        one, two, other = (task.draw(step_rng(3, step), 8)[0] for step in (7, 7, 8))
        assert torch.equal(one.video, two.video) and one.texts == two.texts
        assert one.texts != other.texts


def test_a_dropped_clip_teaches_nothing_about_its_video() -> None:
    """With every clip hidden, no loss depends on pixels, and those that pair clips with texts are 0."""
    for name in registry.names():
        model = registry.build(name)
        task = Pretrain(model, Pretraining(drop=1.0), Stage(1))
        batch, _ = task.draw(step_rng(0, 0), 8)
        assert batch.video_mask is not None and not batch.video_mask.any()
        losses, others = (
            task.losses((replace(batch, video=video), None), torch.Generator().manual_seed(0))
            for video in (batch.video, 1 - batch.video)
        )
        for loss in losses:
            assert torch.allclose(losses[loss], others[loss], atol=1e-5), (name, loss)
        assert any(loss == 0 for loss in losses.values()), name


def test_what_a_page_never_trains_no_stage_does() -> None:
    """And what one stage freezes, the next one may train: only the page's own decision is for ever."""
    for name in registry.names():
        model = registry.build(name)
        fixed = {n for n, p in model.named_parameters() if not p.requires_grad}
        some = next(n for n, _ in model.named_parameters() if n not in fixed)
        Pretrain(model, Pretraining(), Stage(1, slow=((some, 0.0),)))
        assert {n for n, p in model.named_parameters() if not p.requires_grad} == fixed | {some}
        Pretrain(model, Pretraining(), Stage(1))
        assert {n for n, p in model.named_parameters() if not p.requires_grad} == fixed


def test_in_the_spotlight_only_patches_with_objects_are_seen() -> None:
    for name in registry.names():
        tasks = [Pretrain(registry.build(name), Pretraining(), Stage(1, spotlight=share)) for share in (1.0, 0.5)]
        _, rows, columns = tasks[0].model.grid(scene_batch([sample_scene(0)], tasks[0].model.inputs))
        if rows * columns == 1:  # nothing to light apart
            with pytest.raises(ConfigError, match="no spotlight"):
                tasks[0].draw(step_rng(0, 0), 8)
            continue
        batch = tasks[0].draw(step_rng(0, 0), 8)[0]
        assert batch.patch_mask is not None and 0.02 < batch.patch_mask.float().mean() < 0.3
        assert {tasks[1].draw(step_rng(0, step), 4)[0].patch_mask is None for step in range(12)} == {True, False}


def test_an_object_where_four_patches_meet_is_in_the_spotlight() -> None:
    """MERLOT's cells are a third of the picture wide: of a small thing that straddles them, none may hold much."""
    task = Pretrain(registry.build("merlot"), Pretraining(), Stage(1))
    rng, alone = step_rng(0, 0), 0
    for _ in range(6):
        scenes = [sample_scene(rng, "train", form="one", objects=1) for _ in range(32)]
        lit = task._lit(scenes, scene_batch(scenes, task.model.inputs)).numpy()
        seen = masks(scenes, scene_times(task.model.inputs, scenes[0].duration_s), 96)[:, 0]
        assert np.array_equal(lit.any((2, 3)), seen.any((2, 3)))  # light where something is seen, and only there
        cells = seen.reshape(32, 4, 3, 32, 3, 32).sum((3, 5))
        assert not (lit & (cells == 0)).any()
        alone += int((seen.any((2, 3)) & (cells.max((2, 3)) < 0.15 * 32**2)).sum())
    assert alone > 50, "the case that is asked about did not come up"


def test_no_training_batch_holds_a_heldout_combination() -> None:
    for name in registry.names():
        task = pretrain(name, drop=0.0)
        texts = [t for step in range(20) for t in task.draw(step_rng(0, step), 32)[0].texts]
        heldout = {s.caption.text for s in islice((sample_scene(i, "heldout") for i in range(400)), 400)}
        assert not heldout & set(texts)


def test_every_word_of_the_world_is_in_the_vocabulary() -> None:
    known = vocabulary("world")
    scenes = [sample_scene(i, "heldout") for i in range(300)]
    batch = scene_batch(scenes, INPUTS)
    assert not (batch.word_ids == known.unknown_id).any()


def test_excerpts_are_narrated_where_a_stage_says_so() -> None:
    """Each step in one line, near the time at which it happens; such a batch is asked for matches without a text."""
    stage = Stage(1, pool=4, scripts=1.0, lengths=(4,), slow=(("eyes.", 0.0),), drift_s=0.2)
    task = Pretrain(registry.build("hero"), Pretraining(drop=0.0, group=1), stage)
    task.prepare(Recipe(steps=1), rank=0, processes=1, quiet=True)
    batch, features = task.draw(step_rng(0, 0), 4)
    assert batch.speech is not None and not any(batch.texts) and features is not None and features.shape[:2] == (4, 12)
    assert all(len(lines) == 4 and all(lines) for lines in batch.speech.texts)
    late_s = batch.speech.spans_s[..., 0] - (2 * np.arange(4) + 0.2)
    assert (abs(late_s) <= 0.201).all() and late_s.std() > 0.05
    losses = task.losses((batch, features), torch.Generator().manual_seed(0))
    assert losses["match"] > 0 and losses["span"] > 0
    silent = Pretrain(task.model, Pretraining(drop=0.0, group=1), replace(stage, drift_s=None))
    silent.pool, silent.scripts = task.pool, task.scripts
    assert silent.draw(step_rng(0, 0), 4)[0].speech is None
