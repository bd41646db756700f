"""A pool remembers what a frozen backbone said, and training on it is training on the same clips."""

from __future__ import annotations

import torch

from vtexplore import registry
from vtexplore.pool import Pool, Remembered, standing_in
from vtexplore.registry import Pretraining, Stage
from vtexplore.tasks import Pretrain, scene_batch
from vtexplore.train import Recipe, step_rng
from vtexplore.world import sibling_batch

STAGE = Stage(steps=1, pool=16, settings={"attended": 0.0}, rates={"": 0.5})


def task_with_pool(name: str) -> Pretrain:
    torch.manual_seed(0)
    task = Pretrain(registry.build(name, **STAGE.settings), Pretraining(drop=0.0), STAGE)
    task.prepare(Recipe(steps=1), rank=0, processes=2, quiet=True)
    return task


def test_remembered_features_are_what_the_backbone_says() -> None:
    for name in registry.names():
        task = task_with_pool(name)
        assert task.pool is not None and len(task.pool.features) == 8  # its share of two
        scenes, features = task.pool.draw(step_rng(0, 0), groups=2)
        with torch.inference_mode():
            live = task.model.embed(scene_batch(scenes, task.model.config.inputs))[0].hidden
            with standing_in(task.model, STAGE.remember, features):
                remembered = task.model.embed(scene_batch(scenes, task.model.config.inputs, blank=True))[0].hidden
        torch.testing.assert_close(remembered, live, atol=5e-3, rtol=0)  # half precision
        assert not isinstance(getattr(task.model, STAGE.remember), Remembered)


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


def test_a_step_on_the_pool_asks_for_no_hidden_patch() -> None:
    for name in registry.names():
        task = task_with_pool(name)
        losses = task.losses(task.draw(step_rng(0, 1), 8), torch.Generator().manual_seed(0))
        assert losses["codes"] == 0 and losses["words"] > 0 and losses["match"] > 0
        task.total(losses).backward()


def test_the_same_seed_fills_the_same_pool() -> None:
    for name in registry.names():
        one, two = (task_with_pool(name).pool for _ in range(2))
        assert one is not None and two is not None
        assert torch.equal(one.features, two.features) and one.groups == two.groups
