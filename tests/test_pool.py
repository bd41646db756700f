"""A pool remembers what a frozen backbone said, and training on it is training on the same clips."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fresh import fresh

from vtexplore import registry
from vtexplore.errors import ConfigError
from vtexplore.objectives import masked_codes
from vtexplore.objectives.masked_words import IGNORE
from vtexplore.pool import Pool, Remembered, Scripts, standing_in
from vtexplore.registry import Pretraining, Stage
from vtexplore.tasks import Pretrain, scene_batch
from vtexplore.train import Recipe, step_rng
from vtexplore.world import script, sibling_batch

POOLED = [name for name in registry.names() if registry.family(name).backbone]
every = pytest.mark.parametrize("name", POOLED)


def stage_of(name: str) -> Stage:
    """A stage with a pool, with the settings of the family's own stages of this kind."""
    family = registry.family(name)
    own = [s.settings for s in family.pretraining.stages.values() if s.pool]
    return Stage(1, pool=16, settings=own[-1] if own else {}, slow=((f"{family.backbone}.", 0.0),), rates={"": 0.5})


def task_with_pool(name: str) -> Pretrain:
    stage = stage_of(name)
    task = Pretrain(fresh(name, **stage.settings), Pretraining(drop=0.0), stage)
    task.prepare(Recipe(steps=1), rank=0, processes=2, quiet=True)
    return task


def test_pools_are_for_frozen_backbones() -> None:
    assert POOLED
    for name in registry.names():
        family = registry.family(name)
        for stage in family.pretraining.stages.values():
            assert not stage.pool or family.backbone, name
            Pretrain(registry.build(name), family.pretraining, stage)
    with pytest.raises(ConfigError, match="violet has none in this stage"):
        Pretrain(registry.build("violet"), Pretraining(), Stage(1, pool=16))
    with pytest.raises(ConfigError, match="bridgeformer has none"):
        Pretrain(registry.build("bridgeformer"), Pretraining(), Stage(1, pool=16, slow=(("video.", 0.0),)))


@every
def test_remembered_features_are_what_the_backbone_says(name: str) -> None:
    task = task_with_pool(name)
    assert task.pool is not None and len(task.pool.features) == 8  # its share of two
    scenes, features = task.pool.draw(step_rng(0, 0), groups=2)
    backbone = registry.family(name).backbone
    with torch.inference_mode():
        live = task.model.embed(scene_batch(scenes, task.model.config.inputs))[0].hidden
        with standing_in(task.model, backbone, features):
            remembered = task.model.embed(scene_batch(scenes, task.model.config.inputs, blank=True))[0].hidden
    torch.testing.assert_close(remembered, live, atol=5e-3, rtol=0)  # half precision
    assert len(set(map(tuple, live.flatten(1).tolist()))) > 1, "clips that look alike prove nothing"
    assert not isinstance(getattr(task.model, backbone), Remembered)


@every
def test_training_on_the_pool_is_training_on_its_clips(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses are those of live eyes, if these are shown nothing that is hidden in pixels."""
    monkeypatch.setattr(masked_codes, "hide", lambda video, patches, patch_px: video)
    task = task_with_pool(name)
    assert task.pool is not None
    scenes, features = task.pool.draw(step_rng(0, 0), groups=2)
    inputs, model = task.model.config.inputs, task.model
    pooled = task.losses((scene_batch(scenes, inputs, blank=True), features), torch.Generator().manual_seed(0))
    batch = scene_batch(scenes, inputs)
    asked: dict[str, torch.Tensor] = {}
    if hasattr(model, "codes") and features.is_floating_point():
        asked["codes"] = torch.full((len(batch), *model.grid(batch)), IGNORE)
    live = model.loss(batch, torch.Generator().manual_seed(0), **asked)
    assert pooled.keys() == live.keys()
    for loss in live:
        torch.testing.assert_close(pooled[loss], live[loss], atol=2e-3, rtol=0)


def test_captions_are_told_anew_and_stay_true() -> None:
    scenes = sibling_batch(0, 16, 4)
    pool = Pool.fill([scenes[i : i + 4] for i in range(0, 16, 4)], lambda some: torch.zeros(len(some), 1), quiet=True)
    texts = set()
    for step in range(40):
        drawn, _ = pool.draw(step_rng(0, step), groups=1)
        assert len({s.style for s in drawn}) == 1  # nothing but the content tells siblings apart
        texts |= {s.caption.text for s in drawn}
        assert {s.statement for s in drawn} <= {s.statement for s in scenes}
    assert len(texts) > 3 * len(scenes)


def test_told_in_order_means_that_what_happens_first_is_mentioned_first() -> None:
    scenes = sibling_batch(1, 24, 4, form=("then", "same"))
    pool = Pool.fill([scenes[i : i + 4] for i in range(0, 24, 4)], lambda some: torch.zeros(len(some), 1), quiet=True)
    for in_order in (True, False):
        drawn = [s for step in range(30) for s in pool.draw(step_rng(1, step), 2, in_order)[0]]
        first = [next(w.event for w in s.caption.words if w.event is not None) for s in drawn]
        assert (set(first) == {0}) == in_order


@every
def test_a_step_on_the_pool_asks_for_no_hidden_patch(name: str) -> None:
    task = task_with_pool(name)
    batch, features = task.draw(step_rng(0, 1), 8)
    losses = task.losses((batch, features), torch.Generator().manual_seed(0))
    for loss, value in losses.items():
        blind = loss == "codes" and features.is_floating_point()  # they would have to be hidden in the pixels
        assert value == 0 if blind else value > 0, loss
    task.total(losses).backward()
    learned = [n for n, p in task.model.named_parameters() if p.grad is not None and p.grad.any()]
    assert learned and not [n for n in learned if n.startswith(f"{registry.family(name).backbone}.")]


@every
def test_the_same_seed_fills_the_same_pool(name: str) -> None:
    one, two = (task_with_pool(name).pool for _ in range(2))
    assert one is not None and two is not None
    assert torch.equal(one.features, two.features) and one.groups == two.groups


def scripts(lengths: tuple[int, ...], count: int = 3) -> Scripts:
    """Features that tell script and moment: 100 × script + moment, three moments a step."""
    features = 100 * torch.arange(count)[:, None] + torch.arange(8 * 3)
    return Scripts(Pool([[script(i, 8)] for i in range(count)], features), 8, lengths)


@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_an_excerpt_comes_with_the_moments_of_its_steps(length: int) -> None:
    pool = scripts((length,))
    scenes, features = pool.excerpts(step_rng(0, length), groups=4, group=4)
    assert features.shape == (16, 3 * length) and len(scenes) == 16
    for i, (scene, row) in enumerate(zip(scenes, features.tolist(), strict=True)):
        number, first = divmod(row[0], 100)
        assert first % 3 == 0 and row == list(range(row[0], row[0] + 3 * length))
        events = pool.groups[number][0].events[first // 3 : first // 3 + length]
        assert [e.kind for e in scene.events] == [e.kind for e in events]
        assert number == features[i // 4 * 4, 0] // 100, "a group is of one script"
    if 4 * length <= 8:
        for k in range(0, 16, 4):
            assert len(set(features[k : k + 4].flatten().tolist())) == 12 * length, "steps in common"


def test_lengths_are_drawn_evenly() -> None:
    pool = scripts((1, 2))
    drawn = [pool.excerpts(step_rng(1, i), 1, 2)[1].shape[1] for i in range(60)]
    assert {3, 6} == set(drawn) and 15 < drawn.count(3) < 45


def test_what_is_longer_than_two_steps_has_no_words_and_no_match() -> None:
    stage = Stage(1, pool=8, scripts=1.0, lengths=(5,), slow=(("eyes.", 0.0),))
    task = Pretrain(fresh("videobert"), Pretraining(drop=0.0), stage)
    task.prepare(Recipe(steps=1), rank=0, processes=1, quiet=True)
    batch, features = task.draw(step_rng(0, 0), 4)
    assert set(batch.texts) == {""} and features.shape == (4, 15) and batch.video.shape[1] == 120
    losses = task.losses((batch, features), torch.Generator().manual_seed(0))
    assert "match" not in losses and losses["codes"] > 0
    told = Pretrain(task.model, Pretraining(drop=0.0), replace(stage, lengths=(1,)))
    told.pool, told.scripts = task.pool, Scripts(task.scripts, 8, (1,))
    batch, features = told.draw(step_rng(0, 0), 4)
    assert all(batch.texts) and "match" in told.losses((batch, features), torch.Generator().manual_seed(0))
