"""Questions to a scene are fair, and a model that knows the answers gets them right."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import torch

from vtexplore import registry
from vtexplore.evaluate import evaluate
from vtexplore.measures.looks import looks_of
from vtexplore.measures.questions import CHOICES, choose, questions_of
from vtexplore.measures.tally import Tally
from vtexplore.objectives.questions import PROMPT
from vtexplore.types import Batch, Inputs, Output, Stream
from vtexplore.world import sample_scene

FAMILY = "bridgeformer"  # the family whose heads the oracle imitates


def asked(count: int = 200) -> Any:
    rng = np.random.default_rng(0)
    for seed in range(count):
        scene = sample_scene(seed, "heldout")
        for q in questions_of(scene, Inputs(), rng):
            yield scene, q


def test_answers_are_what_was_erased() -> None:
    for scene, q in asked():
        words, left = scene.caption.text.split(), q.text.split()
        assert "[MASK]" in left and set(left) - {"[MASK]"} <= set(words)
        assert set(q.answers[0].split()) <= set(words) - set(left)
        assert len(set(q.answers)) == len(q.answers) <= CHOICES and q.reverse not in q.answers


def test_foils_are_of_the_answers_form_and_false() -> None:
    kinds = set()
    for scene, q in asked():
        assert {len(a.split()) for a in q.answers} == {len(q.answers[0].split())}
        if q.kind == "noun":
            voice = scene.theme.voice(scene.style.voice)
            looks = {f"{voice.word(c)} {voice.word(s)}" for o in range(len(scene.objects)) for c, s in scene.looks(o)}
            assert q.answers[0] in looks and not looks & set(q.answers[1:]) and len(q.answers) == CHOICES
            colour, shape = q.answers[0].split()
            assert sorted((c == colour, s == shape) for c, s in map(str.split, q.answers[1:])) == [
                (False, False), (False, False), (False, True), (True, False),
            ]  # fmt: skip
        kinds.add((q.kind, len(q.answers)))
    assert {("noun", 5), ("verb", 5)} <= kinds


def key(text: str) -> torch.Tensor:
    """A direction of its own for each set of words."""
    words = " ".join(sorted(set(text.split())))
    return torch.randn(64, generator=torch.Generator().manual_seed(zlib.crc32(words.encode())))


class Oracle:
    """Remembers which caption goes with which clip; answers a question with the caption's words that are missing."""

    def __init__(self) -> None:
        self.inputs = registry.family(FAMILY).inputs()
        self.captions: dict[float, str] = {}

    @staticmethod
    def look(video: torch.Tensor) -> torch.Tensor:
        return video.double().sum(dim=(1, 2, 3, 4))

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        seen = self.look(batch.video) * batch.has_video
        self.captions |= {s: t for s, t in zip(seen.tolist(), batch.texts) if s not in self.captions}
        return Stream(seen[:, None, None], batch.word_mask[:, :1], lambda: []), self.text(batch)

    def text(self, batch: Batch) -> Stream:
        return Stream(torch.stack([key(t) for t in batch.texts])[:, None], batch.word_mask[:, :1], lambda: [])

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        known = [key(self.captions[v]) for v in video.hidden[:, 0, 0].tolist()]
        return Output(video_embedding=torch.stack(known), text_embedding=text.hidden[:, 0])

    def __call__(self, batch: Batch) -> Output:
        assert batch.question is not None
        said = []
        for seen, there, asked in zip(self.look(batch.video).tolist(), batch.has_video, batch.question.texts):
            left = asked.split()
            missing = [w for w in self.captions.get(seen, "").split() if there and w not in left]
            said.append(key(" ".join(["[MASK]", *missing])))
        return Output(answer_embedding=torch.stack(said))


@pytest.fixture(scope="module")
def rates() -> dict[str, Any]:
    parts = ("retrieval", "questions")
    return evaluate(FAMILY, n=256, seed=3, model=Oracle(), parts=parts, quiet=True).rates


def test_an_oracle_answers_with_the_clip_and_not_with_another(rates: dict[str, Any]) -> None:
    for kind in ("noun", "verb"):
        assert rates[f"{kind} questions: the clip"].value > 0.97
        assert rates[f"{kind} questions: a wrong clip"].value < 0.35
        assert rates[f"{kind} questions: options only"].value < 0.35
        assert rates[f"{kind} questions: one frame"].value < 0.35  # it remembers whole clips
        assert rates[f"{kind} questions: options only"].clips == rates[f"{kind} questions: the clip"].clips
    assert rates["verb questions, against the reverse: the clip"].value > 0.97


def test_the_frame_that_counts_is_the_one_in_which_a_model_is_surest() -> None:
    """A model that knows a clip by its third frame says nothing sure to the others."""

    class Still(Oracle):
        @staticmethod
        def look(video: torch.Tensor) -> torch.Tensor:
            return video[:, 2].double().sum(dim=(1, 2, 3))

    rates = evaluate(FAMILY, n=64, seed=3, model=Still(), parts=("questions",), quiet=True).rates
    for kind in ("noun", "verb"):
        assert rates[f"{kind} questions: one frame"].value > 0.95
        assert rates[f"{kind} questions: options only"].value < 0.4


def test_what_the_choices_alone_give_away() -> None:
    """A model that likes some words better than others, and is asked nothing: right where the answer has those."""

    class Fond(Oracle):
        def text(self, batch: Batch) -> Stream:
            liked = torch.tensor([[1.0, fondness(t)] for t in batch.texts])
            return Stream(liked[:, None], batch.word_mask[:, :1], lambda: [])

        def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
            return Output(text_embedding=text.hidden[:, 0])

        def __call__(self, batch: Batch) -> Output:
            assert batch.question is not None
            blind = [
                not there and set(t.split()) == {"[MASK]"} for there, t in zip(batch.has_video, batch.question.texts)
            ]
            return Output(answer_embedding=torch.tensor([[1.0, 0.0], [0.0, 1.0]])[torch.tensor(blind).long()])

    def fondness(text: str) -> float:
        return zlib.crc32(text.removeprefix(PROMPT).strip().encode()) / 2**32

    model, tally = Fond(), Tally()
    expected: dict[str, list[bool]] = {"noun": [], "verb": []}
    scenes = [sample_scene(seed, "heldout") for seed in range(24)]
    with torch.inference_mode():
        choose(model, scenes, looks_of(model, scenes), tally, 0, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    for q in (q for scene in scenes for q in questions_of(scene, model.inputs, rng)):
        own, *foils = map(fondness, q.answers)
        assert set(q.blank.split()) == {"[MASK]"} and len(q.blank.split()) >= len(q.answers[0].split())
        expected[q.kind] += [own > max(foils)] if len(foils) == CHOICES - 1 else []
    for kind, won in expected.items():
        assert 0 < sum(won) < len(won)
        assert tally.rates()[f"{kind} questions: options only"].value == pytest.approx(np.mean(won))


def test_an_oracle_finds_the_clip(rates: dict[str, Any]) -> None:
    assert rates["retrieval, 1st of 256: the clip"].value == 1.0
    assert rates["retrieval, among 10 of 256: the clip"].clips == 256


def test_a_fresh_bridge_looks_everywhere_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from vtexplore.measures import questions

    monkeypatch.setattr(questions, "HEAD_CLIPS", 8)
    torch.manual_seed(0)
    tally = Tally()
    with torch.inference_mode():
        heads = questions.ground(registry.build(FAMILY), 16, 1, tally)
    assert set(heads) == {"noun", "verb"} and all(".cross" in h["site"] for h in heads.values())
    found = tally.rates()
    for kind in heads:
        mass, even = (
            found[f"{kind} questions, {what}: the clip"].value for what in ("attention on the object", "an even map")
        )
        assert 0.4 < mass / even < 2.5
