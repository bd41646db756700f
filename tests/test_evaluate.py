"""Evaluation held against models whose every answer is known."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
import torch
from fresh import fresh
from torch import Tensor

from vtexplore import registry
from vtexplore.errors import ConfigError
from vtexplore.evaluate import beside, evaluate
from vtexplore.measures import questions
from vtexplore.measures.tally import Tally
from vtexplore.models.violet import VIOLET  # the family whose heads the oracle imitates
from vtexplore.types import Batch, Output, Stream

FAMILY = "violet"


class Oracle:
    """Knows the caption of every clip that it is shown, says its words, and matches nothing else."""

    name = FAMILY

    def __init__(self, blind: bool = False) -> None:
        real = registry.build(FAMILY)
        assert isinstance(real, VIOLET)
        self.inputs, self.ids, self.blind = real.inputs, real.ids, blind
        self.captions: dict[int, Tensor] = {}

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        text = self.text(batch)
        for key, ids in zip(text.hidden[:, 0, 0].long().tolist(), batch.word_ids, strict=True):
            self.captions[key] = ids
        seen = batch.has_video[:, None, None] & ~(batch.video == batch.video[:, :, :, :1, :1]).all()
        return Stream(text.hidden * seen, text.mask, text.tokens), text

    def text(self, batch: Batch) -> Stream:
        keys = [zlib.crc32(t.encode()) & 0xFFFFFF for t in batch.texts]  # fits a float exactly
        hidden = torch.tensor(keys, dtype=torch.float64)[:, None, None]
        return Stream(hidden, torch.ones(len(keys), 1, dtype=torch.bool), lambda: [])

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        shown, told = video.hidden[:, 0, 0], text.hidden[:, 0, 0]
        logits = torch.zeros(*batch.word_ids.shape, self.ids.size)
        for row, key in enumerate(shown.long().tolist()):
            if key in self.captions and not self.blind:
                logits[row].scatter_(1, self.captions[key][:, None], 1.0)
        same = (shown == told) if not self.blind else torch.zeros(len(shown))
        return Output(word_logits=logits, match_logits=same.double())


@pytest.fixture(scope="module")
def rates() -> dict[str, Any]:
    return evaluate(FAMILY, n=96, seed=3, model=Oracle(), parts=("words", "matching"), quiet=True).rates


def test_an_oracle_is_right_with_the_clip(rates: dict[str, Any]) -> None:
    assert rates["masked words: the clip"].value == 1.0
    assert all(r.value == 1.0 for name, r in rates.items() if name.startswith("matching") and name.endswith("the clip"))


def test_an_oracle_is_lost_without_it(rates: dict[str, Any]) -> None:
    assert rates["masked words: no clip (hidden)"].value == 0.0
    assert rates["masked words: no clip (even colour)"].value == 0.0
    assert rates["masked words: a wrong clip"].value < 0.2  # captions share words


def test_with_a_wrong_clip_every_foil_is_a_tie(rates: dict[str, Any]) -> None:
    wrong = {n: r for n, r in rates.items() if n.startswith("matching") and n.endswith("wrong clip")}
    assert len(wrong) >= 8
    assert all(r.value == 0.5 for r in wrong.values())


def test_backwards_it_says_the_opposite(rates: dict[str, Any]) -> None:
    assert rates["masked direction: the clip"].value == 1.0
    assert rates["masked direction: the reversed clip"].value <= 0.1


def test_a_blind_model_knows_nothing() -> None:
    blind = evaluate(FAMILY, n=64, seed=3, model=Oracle(blind=True), parts=("words", "matching"), quiet=True).rates
    assert blind["masked words: the clip"].value == 0.0
    assert blind["matching, order: the clip"].value == 0.5


@pytest.mark.parametrize("name", registry.names())
def test_every_family_can_be_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever heads it has, before any training: all figures are there, and all are numbers."""
    monkeypatch.setattr("vtexplore.evaluate.HEAD_CLIPS", 4)
    monkeypatch.setattr(questions, "HEAD_CLIPS", 4)
    model = fresh(name)
    found = evaluate(name, n=4, seed=1, model=model, quiet=True)
    heads = registry.family(name).heads
    kinds = {"word_logits": "masked words", "match_logits": "matching", "answer_embedding": "noun questions"}
    for head, kind in kinds.items():
        assert (head in heads) == any(rate.startswith(kind) for rate in found.rates), kind
    for kind in ("cloze noun, first: ", "cloze verb, among five: ", "forecast, 4 ahead, among five: "):
        assert hasattr(model, "foresee") == any(rate.startswith(kind) for rate in found.rates), kind
    assert all(0 <= r.low <= r.value <= r.high <= 1 for r in found.rates.values())
    assert found.grounding_head["clips"] == 4 and ("questions" in found.grounding_head) == ("answer_embedding" in heads)


def test_the_same_seed_gives_the_same_figures() -> None:
    one, two = (evaluate(FAMILY, n=32, seed=5, model=Oracle(), parts=("matching",), quiet=True) for _ in range(2))
    assert one.to_dict() == two.to_dict()


def test_intervals_are_over_clips_not_items() -> None:
    tally = Tally()
    for clip in range(40):
        for _ in range(25):  # 25 copies of one answer are one clip's worth of evidence
            tally.add("x", clip % 2, clip)
    rate = tally.rates()["x"]
    assert rate.value == 0.5 and rate.clips == 40
    assert 0.25 < rate.high - rate.low < 0.37  # ± 1.96 · √(.25/40) is .31 wide


@pytest.mark.slow
def test_processes_share_the_parts_and_find_the_same() -> None:
    shipped = (n for n in registry.names() if registry.shipped(n))
    name = min(shipped, key=lambda n: int(registry.card(n)["parameters"]))
    parts = ("words", "matching", "grounding")
    alone, shared = (evaluate(name, n=8, seed=3, parts=parts, quiet=True, processes=p) for p in (1, 2))
    assert alone.to_dict() == shared.to_dict()


def test_a_part_measured_again_leaves_the_others_as_they_were() -> None:
    of = {"model": "x", "weights": "a", "seed": 1, "clips": 9, "split": "heldout"}
    old = of | {"rates": {"words": 1, "order": 2}, "grounding_head": {"head": 3}}
    new = of | {"rates": {"order": 4}, "grounding_head": {}}
    assert beside(old, new) == of | {"rates": {"words": 1, "order": 4}, "grounding_head": {"head": 3}}
    assert beside({}, new) == new and beside(old | {"weights": "b"}, new) == new


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(ConfigError, match="no part 'verbs'.*retrieval"):
        evaluate(FAMILY, n=8, parts=("verbs",))
