"""What only BridgeFormer does: a bridge that may be taken away, and questions that it is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch

from vtexplore import registry
from vtexplore.data.prepare import text_batch
from vtexplore.models.bridgeformer import MINI
from vtexplore.objectives import contrastive
from vtexplore.probes.attend import attend
from vtexplore.record import record
from vtexplore.types import Batch
from vtexplore.weights import match
from vtexplore.world import sample_scene

TEXTS = ["the red circle slides left", "the blue star grows now and then it spins now", "the green ring vanishes now"]
MANIFEST = Path(__file__).parents[1] / "manifests" / "bridgeformer.keys.json"


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return registry.build("bridgeformer")


@pytest.fixture(scope="module")
def batch(model: Any) -> Batch:
    return replace(
        text_batch(TEXTS, model.inputs), video=torch.rand(3, 4, 3, 96, 96),
        times_s=torch.arange(4).expand(3, 4).numpy() + 0.5, durations_s=torch.full((3,), 4.0).double().numpy(),
        view=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(3, 4).numpy(),
    )  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def test_without_the_bridge_features_are_the_same_to_the_bit(model: Any, batch: Batch) -> None:
    whole = model(batch)
    torch.manual_seed(0)
    retrieval = registry.build("bridgeformer")
    del retrieval.bridge, retrieval.bridge_proj
    alone = retrieval.read(*retrieval.embed(batch), batch)
    for head in ("video_embedding", "text_embedding", "match_logits"):
        assert torch.equal(getattr(whole, head), getattr(alone, head)), head
    other = model(replace(batch, question=text_batch(["something else"] * 3, model.inputs)))
    assert torch.equal(other.video_embedding, whole.video_embedding)
    assert not torch.allclose(other.answer_embedding, whole.answer_embedding, atol=1e-4)


@torch.no_grad()
def test_no_order_of_frames_changes_anything(model: Any, batch: Batch) -> None:
    plain = model(batch)
    for order in permutations(range(4)):
        shuffled = model(replace(batch, video=batch.video[:, list(order)]))
        for head in plain.heads():
            torch.testing.assert_close(getattr(shuffled, head), getattr(plain, head), atol=2e-6, rtol=0)


@torch.no_grad()
def test_a_match_is_the_cosine_of_the_embeddings(model: Any, batch: Batch) -> None:
    out = model(batch)
    cosines = contrastive.cosine(out.text_embedding, out.video_embedding).diagonal()
    torch.testing.assert_close(out.match_logits, cosines)


def test_a_text_is_its_own_question(model: Any, batch: Batch) -> None:
    asked = replace(batch, question=text_batch(TEXTS, model.inputs))
    with torch.no_grad():
        assert torch.equal(model(asked).answer_embedding, model(batch).answer_embedding)


def test_questions_travel_with_their_items(model: Any, batch: Batch) -> None:
    asked = model.questions(batch, seeded())
    assert asked.question.word_ids.shape[1] <= 24 and asked.answer.word_ids.shape[1] < 12
    assert asked.answer.texts[0].startswith("[MASK] [MASK] [MASK] ") and "[MASK]" in asked.question.texts[1]
    some = asked.take([2, 0])
    assert some.question.texts == (asked.question.texts[2], asked.question.texts[0])
    assert torch.equal(some.answer.word_ids, asked.answer.word_ids[[2, 0]])
    assert some.to("cpu").question.texts == some.question.texts


@torch.no_grad()
def test_losses_are_those_of_the_embeddings(model: Any, batch: Batch) -> None:
    asked = model.questions(batch, seeded())
    out = model(asked)
    answers = model(replace(asked.answer, video=batch.video, times_s=batch.times_s)).text_embedding
    losses = model.loss(asked, seeded(1))  # asked already: nothing is drawn
    pairs = contrastive.loss(contrastive.cosine(out.text_embedding, out.video_embedding))
    choices = contrastive.loss(contrastive.cosine(answers, out.answer_embedding))
    torch.testing.assert_close(losses["pairs"], pairs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(losses["questions"], choices, atol=1e-4, rtol=1e-5)


def test_gradients_stay_finite_with_dropped_clips(model: Any, batch: Batch) -> None:
    """With no patch to hear, the first layer of the bridge stands at the zero of a norm."""
    losses = model.loss(replace(batch, video_mask=torch.tensor([True, False, True])), seeded())
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    model.zero_grad(set_to_none=True)


def test_words_look_at_patches_frame_by_frame(model: Any) -> None:
    result = attend(
        model, sample_scene(3).clip(), "the [MASK] circle slides left", site="bridge.layers.2.cross", head=1
    )
    heat = result.heat("circle")
    assert heat.shape == (4, 6, 6) and heat.sum(axis=(1, 2)) == pytest.approx([0.25] * 4, abs=1e-5)
    assert {look.site for look in result.looks} == {f"bridge.layers.{i}.cross" for i in range(MINI.video.depth)}


def test_the_questions_cls_looks_at_all_frames(model: Any, batch: Batch) -> None:
    found = record(model, batch, sites="bridge.layers.1.cross", rows="all").attention
    cls, rest = found["bridge.layers.1.cross.cls"], found["bridge.layers.1.cross"]
    assert cls.weights.shape == (3, 4, 1, 144) and rest.full().shape == (3, 4, 4 * 23, 144)
    assert cls.keys[0].labels == rest.keys[0].labels and cls.queries[0].labels == ("[CLS]",)


def test_the_retrieval_model_is_the_rest_of_the_file(model: Any) -> None:
    shapes = json.loads(MANIFEST.read_text("utf-8"))["MCQ_zeroshot"]
    family = registry.family("bridgeformer")
    full = registry.build("bridgeformer", "published", device="meta")
    found = match(full, shapes, family.names, may_miss=r"bridge(\.|_proj).*")
    assert len(found) == 254
    count = sum(p.numel() for p in full.parameters())
    assert round(count / 1e6, 1) == 266.2
