"""The shipped miniatures: each card's figures meet the bars that it was built to, and are those of the file.

Bars hold for the lower (or upper) end of the 95 % interval over at least 2,000 held-out clips.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from vtexplore import registry
from vtexplore.assets import find
from vtexplore.evaluate import evaluate
from vtexplore.miniatures import PARTS
from vtexplore.world import WORDS
from vtexplore.world.vocabulary import PATH as VOCABULARY

SHIPPED = [name for name in registry.names() if registry.shipped(name)]


@pytest.fixture(params=SHIPPED)
def card(request: pytest.FixtureRequest) -> dict[str, Any]:
    return registry.card(request.param)


def test_every_family_ships_a_miniature() -> None:
    assert tuple(SHIPPED) == registry.names()


def test_a_card_says_how_its_miniature_was_made(card: dict[str, Any]) -> None:
    training = card["training"]
    assert training["recipe"]["steps"] == training["curve"][-1]["step"] + 1
    assert training["wall_s"] > 0 and card["deviations"] and card["parameters"] > 0
    assert set(card["lexicon"]) == set(WORDS)
    assert card["vocabulary_sha256"] == hashlib.sha256(Path(VOCABULARY).read_bytes()).hexdigest()
    assert {"vtexplore", "torch"} <= set(card["versions"])


@pytest.mark.parametrize("kind", PARTS)
def test_a_shared_part_has_a_card_with_heldout_figures(kind: str) -> None:
    path = find(f"miniatures/shared/{kind}.json")
    about = json.loads(path.read_text("utf-8"))
    assert (
        about["heldout"]
        and about["sha256"] == hashlib.sha256(path.with_suffix(".safetensors").read_bytes()).hexdigest()
    )


def rate(card: dict[str, Any], name: str) -> dict[str, float]:
    found: dict[str, float] = card["heldout"]["rates"][name]
    assert found["clips"] >= 300, name
    return found


def test_masked_words_come_from_the_clip(card: dict[str, Any]) -> None:
    with_clip = rate(card, "masked words: the clip")
    blind = [rate(card, f"masked words: {c}") for c in ("no clip (hidden)", "no clip (even colour)", "a wrong clip")]
    assert with_clip["clips"] >= 2000
    assert with_clip["low"] >= 0.85
    assert with_clip["low"] - max(b["high"] for b in blind) >= 0.45


def test_directions_follow_time(card: dict[str, Any]) -> None:
    assert rate(card, "masked direction: the clip")["low"] >= 0.90
    assert rate(card, "masked direction: the reversed clip")["high"] <= 0.15


@pytest.mark.parametrize(
    ("foil", "bar"),
    [("random caption", 0.95), ("colour", 0.95), ("object", 0.85), ("reversed verb", 0.90), ("order", 0.75)],
)
def test_foils_are_told_from_the_truth(card: dict[str, Any], foil: str, bar: float) -> None:
    assert rate(card, f"matching, {foil}: the clip")["low"] >= bar


def test_with_a_wrong_clip_every_foil_is_at_chance(card: dict[str, Any]) -> None:
    """Nothing leaks through the text; intervals widened for looking at several foils (Bonferroni)."""
    wrong = {n: r for n, r in card["heldout"]["rates"].items() if n.startswith("matching") and "wrong" in n}
    assert len(wrong) >= 8
    widen = 2.81 / 1.96  # 99.5 %
    for name, r in wrong.items():
        if "random" not in name:
            assert abs(r["value"] - 0.5) <= widen * (r["high"] - r["low"]) / 2, name


def test_attention_lies_on_the_named_object(card: dict[str, Any]) -> None:
    metrics = card["grounding_head"]["metrics"]
    assert card["grounding_head"]["clips"] >= 2000
    assert metrics["mass"]["low"] / metrics["chance"]["value"] >= 4
    assert metrics["pointing"]["low"] >= 0.75


@pytest.mark.slow
def test_the_file_does_what_its_card_says(card: dict[str, Any]) -> None:
    """A small fresh measurement agrees with the card: its interval meets the card's."""
    found = evaluate(card["name"], n=192, seed=77, parts=("words", "matching"), quiet=True).rates
    for name in ("masked words: the clip", "masked words: no clip (hidden)", "matching, colour: the clip"):
        told = card["heldout"]["rates"][name]
        slack = 0.03
        assert found[name].low - slack <= told["value"] <= found[name].high + slack, name
