"""The README says what the registry, the cards and the benchmarks say."""

import re
from pathlib import Path

import pytest

from vtexplore import readme
from vtexplore.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def test_the_tables_are_up_to_date() -> None:
    assert readme.main(["--check"]) == 0, "run: python -m vtexplore.readme"


def test_missing_marks_are_named() -> None:
    with pytest.raises(ConfigError, match="picture:start"):
        readme.rewrite("# a page without marks")


def test_rewriting_twice_changes_nothing() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert readme.rewrite(readme.rewrite(text)) == readme.rewrite(text)


def test_files_and_pictures_that_it_names_are_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"`((?:vtexplore|assets)/[\w./]+)`", text)
    assert len(named) > 5 and not [name for name in named if not (ROOT / name).exists()]


def _rate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "clips": 2000}


def test_a_bar_that_is_not_reached_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {
        "masked words: the clip": _rate(0.9),
        "masked words: no clip (hidden)": _rate(0.3),
        "masked words: a wrong clip": _rate(0.5),
        "masked colour: the clip": _rate(0.9),
        "masked direction: the reversed clip": _rate(0.2),
        "matching, order: the clip": _rate(0.755),
        "matching, verb: the clip": _rate(0.6),
        "matching, verb: a wrong clip": _rate(0.5),
    }
    metrics = {"mass": _rate(0.3), "chance": _rate(0.05), "pointing": _rate(0.7)}
    head = {"site": "fusion.layers.1", "head": 2, "clips": 2000, "metrics": metrics}
    found = {"weights": "0123456789", "seed": 1, "clips": 2000, "rates": rates, "grounding_head": head}
    monkeypatch.setattr(readme.registry, "shipped", lambda name: True)
    monkeypatch.setattr(
        readme.registry, "card", lambda name: {"title": "T", "objectives": ["matching"], "heldout": found}
    )
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in readme.results().splitlines()}
    assert rows["masked words: the clip"].endswith("| 90.0 % [89.0, 91.0] | 2000 | ≥ 85 % |")
    assert rows["masked words: no clip (hidden)"].endswith("below the clip |")
    assert "masked colour: the clip" not in rows and rows["matching, verb: the clip"].endswith("| – |")
    missed = [name for name, line in rows.items() if "not reached" in line]
    assert missed == [
        "masked words: a wrong clip",
        "masked direction: the reversed clip",
        "matching, order: the clip",
        "strongest patch on the named thing",
    ]


def test_who_reads_moments_has_bars_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {
        "masked words: the clip": _rate(0.5),
        "matching, order: the clip": _rate(0.5),
        "alignment: the clip": _rate(0.8),
        "cloze noun, first: the clip": _rate(0.6),
        "cloze noun, first: no clip (hidden)": _rate(0.19),
        "cloze verb, first: the clip": _rate(0.5),
        "cloze verb, first: no clip (hidden)": _rate(0.2),
        "forecast, 1 ahead, among five: the model": _rate(0.5),
        "forecast, 1 ahead, among five: unigram": _rate(0.1),
        "forecast, 1 ahead, among five: copy the last word": _rate(0.485),
        "first guess, 1 ahead: the model": _rate(0.4),
    }
    head = {"site": "fusion.layers.1", "head": 2, "clips": 9, "metrics": {"mass": _rate(0.1)}}
    found = {"weights": "0123456789", "seed": 1, "clips": 2000, "rates": rates, "grounding_head": head}
    monkeypatch.setattr(readme.registry, "shipped", lambda name: True)
    monkeypatch.setattr(
        readme.registry, "card", lambda name: {"title": "T", "objectives": ["alignment"], "heldout": found}
    )
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in readme.results().splitlines()}
    assert rows["masked words: the clip"].endswith("| – |") and rows["matching, order: the clip"].endswith("| – |")
    assert rows["cloze noun, first: the clip"].endswith("| ≥ 3 × without the clip |")
    assert not any(name.startswith(("attention", "strongest", "first guess")) for name in rows)
    missed = [name for name, line in rows.items() if "not reached" in line]
    assert missed == [
        "alignment: the clip",
        "cloze verb, first: the clip",
        "forecast, 1 ahead, among five: the model",
    ]
