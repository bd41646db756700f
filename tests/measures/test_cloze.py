"""Gaps of a sentence, of a model that knows which scenes it is shown; and words to come, of one that counts on."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vtexplore import registry
from vtexplore.data.text import vocabulary
from vtexplore.measures.cloze import cloze, even_scene
from vtexplore.measures.forecasting import ask
from vtexplore.measures.tally import Tally
from vtexplore.probes.forecast import foresee
from vtexplore.tasks import scene_batch
from vtexplore.types import Batch, Output, Stream
from vtexplore.world import SHAPES_THEME

COUNT, SEED = 24, 5
KNOWN = vocabulary("world")
VIOLET_MINI = registry.family("violet").inputs()


class Oracle:
    """Says shape and verb of every scene that it has been told of, by its pixels, each in the gap where it belongs.

    The verb is only the third of its choices there. Without the clip it says "circle" and "grows".
    """

    inputs = VIOLET_MINI

    def __init__(self) -> None:
        rng = np.random.default_rng([SEED, 0xC102])
        self.scenes = [even_scene(rng) for _ in range(COUNT)]
        batch = scene_batch(self.scenes, self.inputs)
        self.told = dict(zip(self.keys(batch), self.scenes, strict=True))

    def keys(self, batch: Batch) -> list[float]:
        return [round(float(v), 2) for v in batch.video.double().sum((1, 2, 3, 4))]

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        hidden = torch.tensor(self.keys(batch), dtype=torch.double)[:, None, None]
        return Stream(hidden, torch.ones(len(batch), 1, dtype=torch.bool), lambda: []), self.text(batch)

    def text(self, batch: Batch) -> Stream:
        return Stream(batch.word_ids[..., None].double(), batch.word_mask, lambda: [])

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        logits = torch.zeros(*batch.word_ids.shape, len(KNOWN))
        for row, (key, seen) in enumerate(zip(video.hidden[:, 0, 0].tolist(), video.mask[:, 0].tolist())):
            words = {w.role: w.text for w in self.told[key].caption.words} if seen else {}
            gaps = (batch.word_ids[row] == KNOWN.mask_id).nonzero().flatten().tolist()
            logits[row, gaps[1], KNOWN.ids[words.get("shape", "circle")]] = 1
            logits[row, gaps[2], [KNOWN.ids["the"], KNOWN.ids["a"]]] = 2
            logits[row, gaps[2], KNOWN.ids[words.get("verb", "grows")]] = 1
        return Output(word_logits=logits)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture(scope="module")
def rates(oracle: Oracle) -> dict[str, float]:
    tally = Tally()
    cloze(oracle, COUNT, SEED, tally)
    return {name: rate.value for name, rate in tally.rates().items()}


def test_an_oracle_fills_every_gap_with_the_clip(rates: dict[str, float]) -> None:
    assert rates["cloze noun, first: the clip"] == rates["cloze noun, among five: the clip"] == 1
    assert rates["cloze verb, first: the clip"] == 0 and rates["cloze verb, among five: the clip"] == 1


def test_without_it_it_is_right_as_often_as_its_guess_is(oracle: Oracle, rates: dict[str, float]) -> None:
    guessed = {
        "noun": [s.objects[s.events[0].objects[0]].shape == "circle" for s in oracle.scenes],
        "verb": [s.events[0].kind == "grows" for s in oracle.scenes],
    }
    assert rates["cloze noun, first: no clip (hidden)"] == pytest.approx(np.mean(guessed["noun"]))
    assert rates["cloze verb, among five: no clip (hidden)"] == pytest.approx(np.mean(guessed["verb"]))
    assert rates["cloze noun, first: a wrong clip"] < 0.6 and rates["cloze verb, among five: a wrong clip"] < 0.6


def counting_on(codes: Tensor, hidden: Tensor) -> Tensor:
    """The last seen word and as much again as it is after the one before; the last one if it is the only one."""
    assert hidden[:, -1].all() and not hidden[:, :-1].any()
    said = (2 * codes[:, -2] - codes[:, -3 if codes.shape[1] > 2 else -2]) % 30
    return torch.nn.functional.one_hot(said, 30)[:, None].expand(-1, codes.shape[1], -1).float()


def forecast_rates(codes: Tensor, counts: Tensor) -> dict[str, float]:
    tally = Tally()
    ask(SimpleNamespace(foresee=counting_on), codes, counts, tally)
    return {name: rate.value for name, rate in tally.rates().items()}


def test_who_counts_on_is_right_at_every_pace() -> None:
    codes = (torch.arange(20)[None] + torch.tensor([[0], [7]])) % 30
    rates = forecast_rates(codes, torch.arange(30, 0, -1))
    for step in (1, 2, 4):
        # From the fourth moment on; at a pace of 4 it is the only one there.
        share = 1.0 if step < 4 else pytest.approx(12 / 13)
        assert rates[f"first guess, {step} ahead: the model"] == share
        assert rates[f"first guess, {step} ahead: copy the last word"] == 0
    assert 0 < rates["forecast, 1 ahead, among five: unigram"] < 0.2


def test_the_answers_beside_it_are_what_they_say() -> None:
    codes = torch.full((3, 12), 9)
    rates = forecast_rates(codes, torch.arange(30))
    assert rates["first guess, 4 ahead: copy the last word"] == 1
    assert rates["forecast, 1 ahead, among five: unigram"] == 0  # 29 to 25 are the commonest
    assert forecast_rates(codes, torch.arange(30) == 9)["first guess, 2 ahead: unigram"] == 1


def test_every_so_many_words_are_kept_counted_from_the_last() -> None:
    seen: list[Any] = []

    def listen(codes: Tensor, hidden: Tensor) -> Tensor:
        seen.append((codes, hidden))
        return torch.zeros(*codes.shape, 3)

    foresee(SimpleNamespace(foresee=listen), torch.arange(8)[None], 3)
    codes, hidden = seen[0]
    assert codes[0, :-1].tolist() == [1, 4, 7] and hidden[0].tolist() == [False] * 3 + [True]


def test_every_verb_is_shown_as_often_as_any_other() -> None:
    rng = np.random.default_rng(0)
    scenes = [even_scene(rng) for _ in range(400)]
    assert all(len(s.events) == 1 and s.is_heldout() for s in scenes)
    verbs = Counter(s.theme.actions[s.events[0].kind].says[0] for s in scenes)
    assert len(verbs) == len({SHAPES_THEME.actions[k].says[0] for k in SHAPES_THEME.kinds(1)})
    assert max(verbs.values()) < 2 * min(verbs.values())
