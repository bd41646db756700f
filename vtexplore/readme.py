"""The tables of the README, from the registry, the cards and the benchmarks: `python -m vtexplore.readme`.

Between `<!-- NAME:start -->` and `<!-- NAME:end -->` the README holds what a function here returns; nobody types
a number. With `--check` nothing is written, and the exit code is 1 if a table is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vtexplore import guests, registry
from vtexplore.errors import ConfigError
from vtexplore.files import writing

ROOT = Path(__file__).resolve().parents[1]
MEASURED = "benchmarks/record_overhead.json"
FIGURE = "assets/figures/first_look.png"
FIGURE_SHOWS = "Four frames of a clip in which a red circle slides left; bright patches are where 'circle' looks."
FIGURE_COMMAND = (
    'vtexplore attend assets/clips/red_circle_slides_left.mp4 "the red circle slides left" --word circle --dpi 100 '
    f"-o {FIGURE}"
)

FILM = "assets/explorer.gif"
FILM_SHOWS = (
    "The explorer at work: words pointed at light up patches of four frames, a head is chosen, then a method; 'left' "
    "is hidden and found again, and with the frames backwards it becomes 'right'."
)
FILM_COMMAND = "python benchmarks/explorer_film.py"

BARS = {  # what a miniature was built to; the end of the interval that is nearer to the bar counts
    "masked words: the clip": 0.85,
    "masked direction: the clip": 0.90,
    "masked direction: the reversed clip": -0.15,  # at most
    "matching, random caption: the clip": 0.95,
    "matching, colour: the clip": 0.95,
    "matching, object: the clip": 0.85,
    "matching, reversed verb: the clip": 0.90,
    "matching, order: the clip": 0.75,
    "noun questions: the clip": 0.95,
    "noun questions: a wrong clip": -0.35,
    "verb questions: the clip": 0.95,
    "verb questions: a wrong clip": -0.35,
    "retrieval, 1st of 256: the clip": 0.70,
    "alignment: the clip": 0.85,
    "order of two events: the clip": 0.80,
}
BINDING = ("masked", "matching")  # bars of these kinds are for families that are taught to match words and places
TIMES = 3  # a cloze is filled as often as without the clip
FORECAST, BASELINES = "the model", ("unigram", "copy the last word")
NULLS = {f"masked words: {c}" for c in ("no clip (hidden)", "no clip (even colour)", "a wrong clip")}
BELOW, MASS, POINTING = 0.45, 4, 0.75  # nulls below the clip; times an even map; share of words


def _bar(key: str, rates: dict[str, Any], binds: bool) -> str:
    """The bar of a figure and whether it is reached."""
    rate = rates[key]
    if key.startswith("cloze") and key.endswith(", first: the clip"):
        prior = rates[key.replace("the clip", "no clip (hidden)")]["value"]
        return _reached(f"≥ {TIMES} × without the clip", rate["low"] >= TIMES * prior)
    if key.startswith("forecast") and key.endswith(FORECAST):
        best = max(rates[key.replace(FORECAST, other)]["high"] for other in BASELINES)
        return _reached("above the two below", rate["low"] > best)
    if key.startswith(BINDING) and not binds:
        return "–"
    if key in NULLS:
        gap = rates["masked words: the clip"]["low"] - rate["high"]
        return _reached(f"≥ {100 * BELOW:.0f} points below the clip", gap >= BELOW)
    if key not in BARS:
        return "–"
    bar = BARS[key]
    good = rate["low"] >= bar if bar > 0 else rate["high"] <= -bar
    return _reached(f"{'≥' if bar > 0 else '≤'} {100 * abs(bar):.0f} %", good)


def _reached(told: str, good: bool) -> str:
    return told if good else f"{told}: not reached"


def picture() -> str:
    """The first picture and the command that made it; nothing until it has been made."""
    return _shown(FIGURE, FIGURE_SHOWS, FIGURE_COMMAND)


def film() -> str:
    """The explorer, moving, and the command that made the film; nothing until it has been made."""
    return _shown(FILM, FILM_SHOWS, FILM_COMMAND)


def _shown(path: str, shows: str, command: str) -> str:
    return f"![{shows}]({path})\n\n    {command}" if (ROOT / path).is_file() else ""


def results() -> str:
    """What each shipped miniature does on held-out scenes, beside the bars that it was built to."""
    parts = [_results(name) for name in registry.names() if registry.shipped(name)]
    return "\n\n".join(part for part in parts if part)


def _results(name: str) -> str:
    card = registry.card(name)
    found = card.get("heldout") or {}
    rates = found.get("rates") or {}
    binds = "matching" in card["objectives"] and "alignment" not in card["objectives"]  # of sentences, not of moments
    if not rates:
        return ""
    lines = [f"**{card['title']}**, weights `{str(found['weights'])[:8]}`:", "", "| what | value [95 %] | n | bar |"]
    lines.append("|---|---|---|---|")
    for key, rate in rates.items():
        told = key.startswith("matching") and key.endswith(": the clip")
        told = told or key.startswith(("cloze", "forecast", "alignment", "order", "moments")) or " questions" in key
        if key in BARS or key in NULLS or told:
            lines.append(f"| {key} | {_interval(rate)} | {rate['clips']} | {_bar(key, rates, binds)} |")
    wrong = [r["value"] for k, r in rates.items() if k.startswith("matching") and k.endswith("a wrong clip")]
    if wrong:
        spread = f"{100 * min(wrong):.1f} to {100 * max(wrong):.1f} %"
        lines.append(f"| matching, all {len(wrong)} kinds: a wrong clip | {spread} | – | 50 % |")
    head = found.get("grounding_head") or {}
    metrics = head.get("metrics") or {}
    if metrics and binds:
        where = f"{head['site']}, head {head['head']}"
        mass, chance, pointing = metrics["mass"], metrics["chance"], metrics["pointing"]
        told = f"≥ {MASS} × an even map ({100 * chance['value']:.1f} %)"
        mass_bar = _reached(told, mass["low"] >= MASS * chance["value"])
        pointing_bar = _reached(f"≥ {100 * POINTING:.0f} %", pointing["low"] >= POINTING)
        lines += [
            f"| attention on the named thing ({where}) | {_interval(mass)} | {head['clips']} | {mass_bar} |",
            f"| strongest patch on the named thing | {_interval(pointing)} | {head['clips']} | {pointing_bar} |",
        ]
    return "\n".join([*lines, "", f"    vtexplore evaluate {name} --n {found['clips']} --seed {found['seed']} --store"])


def _interval(rate: dict[str, Any]) -> str:
    return f"{100 * rate['value']:.1f} % [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def visitors() -> str:
    """The architectures of transformers that can be guests, as transformers calls them."""
    return ", ".join(f"`{name}`" for name in guests.names()) + "."


def benchmark() -> str:
    """What recording costs, from the last measurement that was stored."""
    path = ROOT / MEASURED
    if not path.is_file():
        return ""
    found = json.loads(path.read_text("utf-8"))
    lines = ["| tokens | forward | CPU time | peak beyond plain | kept |", "|---|---|---|---|---|"]
    for row in found["rows"]:
        plain = row["condition"] in ("plain", "sdpa")
        cost = "1" if plain else f"{row['cpu_ratio']:.2f} ×"
        peak = "–" if plain else _mb(row["torch_for_attention_bytes"])
        kept = "–" if plain else _mb(row["kept_bytes"])
        lines.append(f"| {row['tokens']} | {row['told']} | {cost} | {peak} | {kept} |")
    shape, versions = found["shape"], found["versions"]
    return "\n".join(
        [
            *lines,
            "",
            f"{shape['layers']} layers of {shape['width']}, {shape['heads']} heads, {shape['words']} words and patches "
            f"of {shape['frames']} frames; medians of {found['rounds']} interleaved rounds, {found['threads']} "
            f"thread{'s' if found['threads'] > 1 else ''}, each against the plain forward of its own library; "
            f"torch {versions['torch'].partition('+')[0]}, transformers {versions['transformers']}.",
            "",
            f"    python benchmarks/record_overhead.py --json > {MEASURED}",
        ]
    )


def _mb(count: float) -> str:
    return f"{count / 1e6:.{0 if count >= 1e7 else 2}f} MB"


BLOCKS: dict[str, Callable[[], str]] = {
    "picture": picture,
    "film": film,
    "families": registry.table_markdown,
    "guests": visitors,
    "results": results,
    "benchmark": benchmark,
}


def rewrite(text: str) -> str:
    """The README with every table as it should be. Raises ``ConfigError`` if the marks of one are missing."""
    for name, make in BLOCKS.items():
        marks = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.S)
        if not marks.search(text):
            raise ConfigError(f"README.md lacks <!-- {name}:start --> and <!-- {name}:end -->.")
        body = make().strip()
        inside = f"\n{body}\n\n" if body else ""
        text = marks.sub(lambda m, inside=inside: m[1] + inside + m[2], text)  # type: ignore[misc]
    return text


def main(arguments: list[str] | None = None) -> int:
    """Bring README.md up to date; returns 1 if ``--check`` finds that it is not."""
    path = ROOT / "README.md"
    old = path.read_text("utf-8")
    new = rewrite(old)
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        return int(old != new)
    if old != new:
        with writing(path) as partial:
            partial.write_text(new, "utf-8")
    print("README.md: " + ("rewritten" if old != new else "up to date"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
