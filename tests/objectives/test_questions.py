"""Questions, against those that the authors' code makes of the same captions."""

import json
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import torch

from vtexplore.data.prepare import middle_frames
from vtexplore.errors import TextError
from vtexplore.objectives.questions import answer, ask, question

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "bridgeformer.golden.json").read_text("utf-8"))


def mock(word: str) -> int:
    """The pieces that a word has for the golden cases."""
    return ceil(len(word) / 4)


@pytest.mark.parametrize("case", GOLDEN["text_cases"], ids=lambda c: c["phrase"])
def test_questions_of_the_original_code(case: dict[str, str]) -> None:
    assert question(case["caption"], case["phrase"], mock) == case["question"]
    assert answer(case["phrase"]) == case["answer"]


@pytest.mark.parametrize("case", GOLDEN["uniform_frame_cases"], ids=lambda c: f"{c['num_frames']} of {c['vlen']}")
def test_frames_of_the_original_code(case: dict[str, Any]) -> None:
    assert middle_frames(case["vlen"], case["num_frames"]) == case["indices"]


def asked(captions: list[str], nouns: float, seed: int = 0) -> list[tuple[str, str]]:
    return list(zip(*ask(captions, nouns, torch.Generator().manual_seed(seed), lambda word: 1)))


def test_one_phrase_of_a_kind_by_chance() -> None:
    caption = "the red circle slides left and then the blue star grows now"
    found = {a.removeprefix("[MASK] [MASK] [MASK] ") for s in range(20) for _, a in asked([caption], 1.0, s)}
    assert found == {"red circle", "blue star"}
    found = {a.removeprefix("[MASK] [MASK] [MASK] ") for s in range(20) for _, a in asked([caption], 0.0, s)}
    assert found == {"slides left", "grows"}
    assert asked([caption] * 3, 0.5, 1) == asked([caption] * 3, 0.5, 1)
    assert len({q for s in range(40) for q, _ in asked([caption], 0.5, s)}) == 4


def test_by_hand() -> None:
    assert asked(["[the red ball] rolls left"], 0.0) == [
        ("[MASK] [MASK] [MASK] rolls left", "[MASK] [MASK] [MASK] the red ball")
    ]
    with pytest.raises(TextError, match="2 phrases"):
        asked(["[a] b [c]"], 0.0)


def test_without_verbs_nouns_are_asked_for_and_without_these_any_word() -> None:
    assert asked(["the red circle"], 0.0) == [("the [MASK] [MASK]", "[MASK] [MASK] [MASK] red circle")]
    found = {q for s in range(20) for q, _ in asked(["hm well"], 0.0, s)}
    assert found == {"[MASK] well", "hm [MASK]"}
