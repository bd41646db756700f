"""Visual words that a model says without having seen them: of moments to come, and of a sentence."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

from vtexplore.views.picture import BODY, LARGE, SMALL, WIDTH_IN, Picture, origin, source_line, styled
from vtexplore.views.word_cells import frame, name, word
from vtexplore.views.words import percent

LEFT_IN, GAP_IN = 1.55, 0.1
STRIP = 12  # moments of the clip that are shown
ASIDE = {"copy": "the last word", "common": "the commonest"}


@styled
def forecast(result: Any) -> Picture:
    """Above, the clip; below, a row for each distance: what came and its word, the likeliest words, two baselines.

    Outlined: the word that really came.
    """
    k = result.shown
    end = min(len(result.codes), max(result.at + max(result.ahead) + 1, STRIP))
    moments = range(max(0, end - STRIP), end)
    height, width = result.frames.shape[1:3]
    small_in = min(1.1, (WIDTH_IN - LEFT_IN - 0.3) / len(moments) - 0.05)
    side_in = min(1.3, (WIDTH_IN - LEFT_IN - 1.2) / (4 + k) - GAP_IN)
    strip_in, row_in = small_in * height / width, side_in + 0.45
    picture = Picture(height_in=0.95 + strip_in + 1.0 + len(result.ahead) * row_in + 0.4)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, "What comes next?", fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.5 / total_in, said(result), fontsize=BODY, va="top")
    top_in = total_in - 0.95
    _left(picture, top_in - strip_in / 2, "moments,\nseen outlined")
    for column, i in enumerate(moments):
        box = _box(LEFT_IN + column * (small_in + 0.05), top_in - strip_in, small_in, strip_in, total_in)
        told = f"{i}\nword {result.codes[i]}"
        frame(picture, box, result.frames[i], told, result.since <= i <= result.at)
    top_in -= strip_in + 1.0
    came = [LEFT_IN + n * (side_in + GAP_IN) for n in range(2)]
    columns = [came[-1] + (n + 1) * (side_in + GAP_IN) + 0.3 for n in range(k)]
    aside = [columns[-1] + (n + 1) * (side_in + GAP_IN) + 0.3 for n in range(2)]
    for left_in, told in ((came[0], "what came"), (columns[0], "the model"), *zip(aside, ASIDE.values())):
        picture.text(left_in / WIDTH_IN, (top_in + 0.08) / total_in, told, fontsize=BODY, va="bottom")
    for row, step in enumerate(result.ahead):
        bottom_in = top_in - row * row_in - side_in
        _left(picture, bottom_in + side_in / 2, f"{step} moment{'s' * (step > 1)}\nlater")
        at, truth = result.at + step, int(result.truth[row])
        if truth >= 0:
            tall_in = min(side_in, side_in * height / width)
            frame(picture, _box(came[0], bottom_in, side_in, tall_in, total_in), result.frames[at], f"moment {at}")
            word(picture, _box(came[1], bottom_in, side_in, side_in, total_in), result, truth, f"its word, {truth}")
        else:
            place = (came[0] + side_in / 2) / WIDTH_IN, (bottom_in + side_in / 2) / total_in
            picture.text(*place, "after\nthe end", ha="center", va="center", fontsize=SMALL)
        for left_in, (code, p) in zip(columns, result.top(step)):
            told = f"{code} · {percent(p)}"
            word(picture, _box(left_in, bottom_in, side_in, side_in, total_in), result, code, told, code == truth)
        for left_in, who in zip(aside, ASIDE):
            code = result.answers(step, 1)[who][0]
            word(picture, _box(left_in, bottom_in, side_in, side_in, total_in), result, code, str(code), code == truth)
    source_line(picture, origin(result.about, f"common: counted in {result.counted}", name(result)))
    picture.alt = f"{said(result)} " + " ".join(_told(result, step) for step in result.ahead)
    return picture


@styled
def illustrate(result: Any) -> Picture:
    """The likeliest words of each moment, side by side: above with the text, below without one."""
    moments, k = result.p.shape[1], result.shown
    across = moments * k
    side_in = min(1.6, (WIDTH_IN - LEFT_IN - 0.2 * moments) / across - 0.06)
    row_in = side_in + 0.75
    picture = Picture(height_in=1.2 + len(result.conditions) * row_in + 0.3)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, f"“{shorten(result.text, 95, placeholder='…')}”", fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.52 / total_in, changed(result), fontsize=BODY, va="top")
    for row, condition in enumerate(result.conditions):
        bottom_in = total_in - 1.2 - row * row_in - side_in
        _left(picture, bottom_in + side_in / 2, condition)
        for moment in range(moments):
            start_in = LEFT_IN + moment * (k * (side_in + 0.06) + 0.2)
            if not row:
                at = start_in / WIDTH_IN, (bottom_in + side_in + 0.06) / total_in
                picture.text(*at, f"moment {moment + 1}", fontsize=BODY, va="bottom")
            for n, (code, p) in enumerate(result.top(moment, condition=condition)):
                box = _box(start_in + n * (side_in + 0.06), bottom_in, side_in, side_in, total_in)
                word(picture, box, result, code, f"{code}\n{percent(p)}")
    source_line(picture, origin(result.about, "below a word: its number and probability"))
    listed = [
        f"Moment {m + 1}, {c}: {', '.join(f'word {w} {percent(p)}' for w, p in result.top(m, condition=c))}."
        for m in range(moments)
        for c in result.conditions
    ]
    picture.alt = f"“{result.text}” in visual words. {changed(result)} {' '.join(listed)}"
    return picture


def said(result: Any) -> str:
    """At which distances the first choice is what came, beside the baselines."""
    parts = []
    for step in result.ahead:
        right = result.right(step)
        if right is not None:
            named = [who for who, good in right.items() if good]
            parts.append(f"{step} ahead: {', '.join(named) if named else 'nobody'}")
    return f"Who says rightly what came? {'; '.join(parts)}." if parts else "What came is not known."


def changed(result: Any) -> str:
    """How much of the probability the text moves."""
    shares = ", ".join(percent(c) for c in result.changed())
    return f"The text moves {shares} of the probability to other words."


def _told(result: Any, step: int) -> str:
    truth = int(result.truth[result.ahead.index(step)])
    came = f"word {truth} came" if truth >= 0 else "the clip has ended"
    listed = ", ".join(f"word {w} {percent(p)}" for w, p in result.top(step))
    beside = ", ".join(f"{ASIDE[who]}: {said[0]}" for who, said in result.answers(step, 1).items() if who in ASIDE)
    return f"{step} ahead: {came}; the model says {listed}; {beside}."


def _left(picture: Picture, middle_in: float, told: str) -> None:
    at = (LEFT_IN - 0.12) / WIDTH_IN, middle_in / picture.get_figheight()
    picture.text(*at, told, ha="right", va="center", fontsize=BODY)


def _box(left_in: float, bottom_in: float, wide_in: float, tall_in: float, total_in: float) -> Any:
    return left_in / WIDTH_IN, bottom_in / total_in, wide_in / WIDTH_IN, tall_in / total_in
