"""The shipped miniatures: each card's figures meet the bars that it was built to, and are those of the file.

Bars hold for the lower (or upper) end of the 95 % interval over at least 2,000 held-out clips.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtexplore import registry
from vtexplore.assets import find
from vtexplore.data.video import read_video
from vtexplore.errors import AssetError
from vtexplore.evaluate import evaluate
from vtexplore.miniatures import PARTS, host_of
from vtexplore.probes.attend import attend
from vtexplore.registry import Family, family
from vtexplore.tasks import scene_batch
from vtexplore.world import SHAPES_THEME, WORDS, sample_scene
from vtexplore.world.vocabulary import PATH as VOCABULARY

SHIPPED = [name for name in registry.names() if registry.shipped(name)]
SHARED = [kind for kind in PARTS if (find("miniatures/shared") / f"{kind}.safetensors").is_file()]
# Strict: whoever trains one of these must take it from its list.
NOT_TRAINED: set[str] = set()
NOT_SHARED: set[str] = set()
OUTDATED: set[str] = set()  # a part was made again since, so that they cannot be loaded: to be trained again


@pytest.fixture(params=SHIPPED)
def card(request: pytest.FixtureRequest) -> dict[str, Any]:
    return registry.card(request.param)


def test_every_family_ships_a_miniature_or_is_known_not_to() -> None:
    assert set(registry.names()) - set(SHIPPED) == NOT_TRAINED
    assert set(PARTS) - set(SHARED) == NOT_SHARED


def test_a_shipped_miniature_has_its_card_and_its_parts() -> None:
    for name in SHIPPED:
        assert registry.card(name)["name"] == name and set(registry.card(name)["shared"]) <= set(SHARED)
    files = {p.relative_to(find("miniatures")).with_suffix("").as_posix() for p in find("miniatures").rglob("*.*")}
    assert files == {*SHIPPED, *(f"shared/{kind}" for kind in SHARED)}, "a file that nobody asks for"


def test_a_shipped_miniature_stands_on_the_parts_that_are_shipped() -> None:
    made = {
        k: hashlib.sha256((find("miniatures/shared") / f"{k}.safetensors").read_bytes()).hexdigest() for k in SHARED
    }
    assert {n for n in SHIPPED if any(made[k] != d for k, d in registry.card(n)["shared"].items())} == OUTDATED


def test_every_part_that_a_family_starts_from_can_be_made() -> None:
    for name in registry.names():
        assert set(registry.family(name).parts) <= set(PARTS), name
    for kind in PARTS:
        assert host_of(kind)[0].name in registry.names()


def test_a_family_without_a_miniature_says_how_to_make_it() -> None:
    rows = dict(zip(registry.names(), registry.table_markdown().splitlines()[2:], strict=True))
    for name in registry.names():
        state = rows[name].split(" | ")[3]
        assert state == ("shipped" if name in SHIPPED else "–")
        if name not in SHIPPED:
            with pytest.raises(AssetError, match=f"No miniature of {name} .*vtexplore train {name}"):
                registry.load(name)
            with pytest.raises(AssetError, match=name):
                registry.card(name)


def test_a_card_says_how_its_miniature_was_made(card: dict[str, Any]) -> None:
    for stage in card["training"].values():
        assert stage["recipe"]["steps"] == stage["curve"][-1]["step"] + 1 and stage["wall_s"] > 0
    assert card["deviations"] and card["parameters"] > 0
    assert set(card["lexicon"]) == set(WORDS)
    assert card["vocabulary_sha256"] == hashlib.sha256(Path(VOCABULARY).read_bytes()).hexdigest()
    assert {"vtexplore", "torch"} <= set(card["versions"])


@pytest.mark.parametrize("kind", SHARED)
def test_a_shared_part_has_a_card_with_heldout_figures(kind: str) -> None:
    path = find(f"miniatures/shared/{kind}.json")
    about = json.loads(path.read_text("utf-8"))
    assert (
        about["heldout"]
        and about["sha256"] == hashlib.sha256(path.with_suffix(".safetensors").read_bytes()).hexdigest()
    )


def rate(card: dict[str, Any], name: str) -> dict[str, float]:
    found: dict[str, float] = card["heldout"]["rates"][name]
    return found


def gap(card: dict[str, Any]) -> float:
    """How far masked words with the clip are above the best of the nulls, interval to interval."""
    blind = ("no clip (hidden)", "no clip (even colour)", "a wrong clip")
    return rate(card, "masked words: the clip")["low"] - max(rate(card, f"masked words: {c}")["high"] for c in blind)


def lift(card: dict[str, Any]) -> float:
    metrics = card["grounding_head"]["metrics"]
    return float(metrics["mass"]["low"] / metrics["chance"]["value"])


def question_lift(kind: str) -> Callable[[dict[str, Any]], float]:
    """How much more of the bridge's attention is on the object than an even map has there."""

    def measure(card: dict[str, Any]) -> float:
        mass = rate(card, f"{kind} questions, attention on the object: the clip")["low"]
        return mass / rate(card, f"{kind} questions, an even map: the clip")["value"]

    return measure


def off_half(card: dict[str, Any]) -> float:
    """1, if an answer and its reverse cannot be told apart."""
    pair = rate(card, "verb questions, against the reverse: the clip")
    return float(pair["low"] <= 0.5 <= pair["high"])


def still_order(card: dict[str, Any]) -> float:
    """1, if a film of one frame has no order for the model."""
    still = rate(card, "order of two events: a film of one frame")
    return float(still["low"] <= 0.5 <= still["high"])


def found_moments(card: dict[str, Any]) -> float:
    """How much more often a moment is found in its own video than in another, interval to interval."""
    kind = "moments, half of them or more"
    return rate(card, f"{kind}: the clip")["low"] - rate(card, f"{kind}: a wrong clip")["high"]


def over_prior(slot: str) -> Callable[[dict[str, Any]], float]:
    """How many times as often a cloze is filled rightly with the clip as without."""
    return lambda card: (
        rate(card, f"cloze {slot}, first: the clip")["low"]
        / max(rate(card, f"cloze {slot}, first: no clip (hidden)")["value"], 1e-9)
    )


def ahead_of(baseline: str) -> Callable[[dict[str, Any]], float]:
    """How far forecasts are above a baseline, interval to interval, at the worst of the time scales."""

    def measure(card: dict[str, Any]) -> float:
        rates = card["heldout"]["rates"]
        scales = [name for name in rates if name.startswith("forecast") and name.endswith("the model")]
        return min(rates[n]["low"] - rates[n.replace("the model", baseline)]["high"] for n in scales)

    return measure


def has(head: str) -> Callable[[Family], bool]:
    return lambda page: head in page.heads


def binds(page: Family) -> bool:
    """Words are bound to places of the video, and taught to tell the true caption from others."""
    return "word_logits" in page.heads and "matching" in page.objectives and not reads_moments(page)


def tells_order(page: Family) -> bool:
    """A head says in which order things belong."""
    return bool({"order_logits", "relation_logits"} & set(page.heads))


def reads_moments(page: Family) -> bool:
    """Each token of the video is of a whole picture: nothing to ground a word in, and a code for each moment."""
    model: Any = registry.build(page.name)
    inputs = replace(model.inputs, frames=2 * model.inputs.frames)
    _, rows, columns = model.grid(scene_batch([sample_scene(0)], inputs))
    return "code_logits" in page.heads and rows * columns == 1


# What each figure must be at least: the lower end of its interval (1 − the upper end where less is better), and
# which families it is asked of.
BARS: dict[str, tuple[Callable[[Family], bool], Callable[[dict[str, Any]], float], float]] = {
    "masked words": (binds, lambda c: rate(c, "masked words: the clip")["low"], 0.85),
    "masked words, above no clip and a wrong clip": (binds, gap, 0.45),
    "directions": (binds, lambda c: rate(c, "masked direction: the clip")["low"], 0.90),
    "directions, not of the reversed clip": (
        binds,
        lambda c: 1 - rate(c, "masked direction: the reversed clip")["high"],
        0.85,
    ),
    "matching: random caption": (
        binds,
        lambda c: rate(c, "matching, random caption: the clip")["low"],
        0.95,
    ),
    "matching: colour": (binds, lambda c: rate(c, "matching, colour: the clip")["low"], 0.95),
    "matching: object": (binds, lambda c: rate(c, "matching, object: the clip")["low"], 0.85),
    "matching: reversed verb": (binds, lambda c: rate(c, "matching, reversed verb: the clip")["low"], 0.90),
    "matching: order": (binds, lambda c: rate(c, "matching, order: the clip")["low"], 0.75),
    "grounding: mass over chance": (binds, lift, 4.0),
    "grounding: pointing": (binds, lambda c: c["grounding_head"]["metrics"]["pointing"]["low"], 0.75),
    "noun questions": (has("answer_embedding"), lambda c: rate(c, "noun questions: the clip")["low"], 0.95),
    "verb questions": (has("answer_embedding"), lambda c: rate(c, "verb questions: the clip")["low"], 0.95),
    "noun questions, not of a wrong clip": (
        has("answer_embedding"),
        lambda c: 1 - rate(c, "noun questions: a wrong clip")["high"],
        0.65,
    ),
    "verb questions, not of a wrong clip": (
        has("answer_embedding"),
        lambda c: 1 - rate(c, "verb questions: a wrong clip")["high"],
        0.65,
    ),
    "verb questions, the reverse is as good": (has("answer_embedding"), off_half, 1.0),
    "noun questions: attention on the object over chance": (has("answer_embedding"), question_lift("noun"), 4.0),
    "verb questions: attention on the object over chance": (has("answer_embedding"), question_lift("verb"), 3.0),
    "retrieval": (has("video_embedding"), lambda c: rate(c, "retrieval, 1st of 256: the clip")["low"], 0.70),
    "cloze: nouns over the language prior": (reads_moments, over_prior("noun"), 3.0),
    "cloze: verbs over the language prior": (reads_moments, over_prior("verb"), 3.0),
    "alignment": (reads_moments, lambda c: rate(c, "alignment: the clip")["low"], 0.85),
    "forecasts, above the commonest words": (reads_moments, ahead_of("unigram"), 0.0),
    "forecasts, above the last word": (reads_moments, ahead_of("copy the last word"), 0.0),
    "order of two events": (tells_order, lambda c: rate(c, "order of two events: the clip")["low"], 0.80),
    "order of two events, of one frame": (tells_order, still_order, 1.0),
    "moments, above those of a wrong clip": (has("span_logits"), found_moments, 0.30),
    "clips": (has("match_logits"), lambda c: min(c["heldout"]["clips"], c["grounding_head"]["clips"]), 2000),
}
# Not reached yet, by family. Strict: whoever trains a miniature that reaches one must take it from this list.
NOT_YET: dict[str, set[str]] = {}


@pytest.mark.parametrize("bar", BARS)
def test_figures_meet_their_bars(card: dict[str, Any], bar: str, request: pytest.FixtureRequest) -> None:
    asked, measure, least = BARS[bar]
    if not asked(registry.family(card["name"])):
        pytest.skip(f"not asked of {card['title']}")
    found = measure(card)
    if bar in NOT_YET.get(card["name"], set()):
        request.node.add_marker(pytest.mark.xfail(strict=True, reason=f"{found:.3f} of {least}"))
    assert found >= least


@pytest.mark.slow
def test_one_of_them_tells_the_order_of_two_events_four_times_in_five() -> None:
    """… and by a film of one frame none does; that bar is each card's own, above."""
    found = {n: evaluate(n, n=64, seed=1, parts=("order",), quiet=True).rates for n in SHIPPED if binds(family(n))}
    assert max(rates["order of two events: the clip"].low for rates in found.values()) >= 0.80
    for rates in found.values():
        still = rates["order of two events: a film of one frame"]
        assert still.low <= 0.5 <= still.high


# Foils that a miniature tells from the truth with a wrong clip, by a little. Strict, too. VideoBERT prefers the true
# caption to one with another colour in 53.6 % of the cases, BridgeFormer and MERLOT to one with another object in 53.7
# and 55.1 %.
LEAKS = {
    "videobert": {"matching, colour: a wrong clip"},
    "bridgeformer": {"matching, object: a wrong clip"},
    "merlot": {"matching, object: a wrong clip"},
}


def test_with_a_wrong_clip_every_foil_is_at_chance(card: dict[str, Any]) -> None:
    """Nothing leaks through the text; intervals widened for looking at several foils (Bonferroni)."""
    wrong = {n: r for n, r in card["heldout"]["rates"].items() if n.startswith("matching") and "wrong" in n}
    assert len(wrong) >= 8
    widen = 2.81 / 1.96  # 99.5 %
    off = {n for n, r in wrong.items() if abs(r["value"] - 0.5) > widen * (r["high"] - r["low"]) / 2}
    assert {n for n in off if "random" not in n} == LEAKS.get(card["name"], set())


def test_a_clip_from_elsewhere_is_told_in_notes_and_picture(card: dict[str, Any]) -> None:
    """The card names the world, so that noise is noticed, and a film of that world is not."""
    assert card["world"] == SHAPES_THEME.name
    model, text = registry.load(card["name"]), "the red circle slides left"
    noise = np.random.default_rng(0).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    film = read_video(find("clips/red_circle_slides_left.mp4"))
    for clip, foreign in ((read_video(noise, fps=2), True), (film, False)):
        result = attend(model, clip, text)
        assert ("does not look like the world" in result.notes[0]) == foreign
        written = " ".join(t.get_text() for t in result.overlay("red").texts)
        assert ("NOT from the model's world" in written) == foreign


@pytest.mark.slow
def test_the_file_does_what_its_card_says(card: dict[str, Any]) -> None:
    """A small fresh measurement agrees with the card: its interval meets the card's."""
    found = evaluate(card["name"], n=96, seed=77, parts=("words", "matching", "questions"), quiet=True).rates
    told = card["heldout"]["rates"]
    names = ("masked words: the clip", "masked words: no clip (hidden)", "matching, colour: the clip")
    names += ("noun questions: the clip", "verb questions: a wrong clip")
    slack = 0.03
    for name in set(names) & set(told):
        assert found[name].low - slack <= told[name]["value"] <= found[name].high + slack, name
