"""A clip in other orders: strips of some, the scores of all, and how they fall with the distance from the true one."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

import numpy as np

from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    LARGE,
    MARK,
    NULL_COLOURS,
    SMALL,
    WIDTH_IN,
    Picture,
    origin,
    source_line,
    styled,
)
from vtexplore.views.strips import plain, strip

ROW_IN, STRIP_IN, MOST = 0.95, 3.9, 8  # height of a strip, its width, and frames in it


@styled
def orders(result: Any) -> Picture:
    """Left, orders that have a name and the best of the others; right, the scores of all, with their controls."""
    rows = _shown(result)
    head_in, foot_in = 1.45, 0.45
    foil = f"\nFoil: “{shorten(result.texts[1], 100, placeholder='…')}”" if len(result.texts) > 1 else ""
    head_in += 0.3 if foil else 0.0
    picture = Picture(height_in=head_in + max(len(rows) * (ROW_IN + 0.12), 5.0) + foot_in)
    total_in = picture.get_figheight()
    title = f"Does order matter for “{shorten(result.texts[0], 76, placeholder='…')}”?"
    picture.text(0.03, 1 - 0.12 / total_in, title, fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.5 / total_in, said(result) + foil, fontsize=BODY, va="top", linespacing=1.35)
    units = result.rows.shape[1]
    places = (np.arange(min(units, MOST)) * 2 + 1) * units // (2 * min(units, MOST))
    for number, (name, row) in enumerate(rows):
        bottom = total_in - head_in - (number + 1) * (ROW_IN + 0.12) + 0.12
        at = result.rows[row][places]
        tall = strip(picture, result.frames[at], (1.95, bottom, STRIP_IN, ROW_IN), [str(i + 1) for i in at])
        middle = (bottom + tall / 2) / total_in
        picture.text(
            0.03, middle, f"{name}\n{result.scores[row, 0]:+z.2f}", fontsize=BODY, va="center", linespacing=1.3
        )
    left, wide = 7.7 / WIDTH_IN, 4.2 / WIDTH_IN
    span_in = total_in - head_in - foot_in
    _dots(picture.add_axes((left, (foot_in + span_in * 0.56) / total_in, wide, span_in * 0.40 / total_in)), result)
    _dose(picture.add_axes((left, (foot_in + 0.5) / total_in, wide, (span_in * 0.40 - 0.25) / total_in)), result)
    source_line(picture, origin(result.about, f"moved: {result.what}", shorten(result.clip, 60, placeholder="…")))
    listed = "; ".join(f"{name}: {result.scores[row, 0]:+z.2f}" for name, row in rows)
    picture.alt = (
        f"Scores of “{result.texts[0]}” beside {result.clip} in other orders. {said(result)} {listed}.".replace(
            "\n", " "
        )
    )
    return picture


def _shown(result: Any) -> list[tuple[str, int]]:
    """Orders to show, each once: those with a name, and the best of the others."""
    named: dict[int, str] = {}
    for name, row in result.named.items():
        named.setdefault(row, name.replace(" ", "\n") if " swapped" in name else name)
    others = [row for row in np.argsort(-result.scores[:, 0], kind="stable") if row not in named]
    return [(name, row) for row, name in named.items()] + [("best of\nthe others", int(row)) for row in others[:1]]


def said(result: Any) -> str:
    """What the orders say, in two lines: the difference and its p, then distance and the controls."""
    drawn = int(result.drawn.sum())
    which = f"all {drawn + 1} orders" if result.all_orders else f"{drawn} drawn orders"
    unit = "frames" if result.unit_frames == 1 else f"groups of {result.unit_frames} frames"
    first = (
        f"{result.rows.shape[1]} {unit}, {which}: the true one less the mean of the others: "
        f"{result.delta():+z.3f}, p = {result.p():.3f} (at least {result.least_p:.3f})."
    )
    rho = result.rho()
    second = "All orders score the same." if np.isnan(rho) else f"Score and distance: ρ = {rho:+z.2f}."
    second += f" One frame repeated, reordered: {result.still_delta():+z.3f}."
    if len(result.texts) > 1:
        second += f" The text chosen changes in {result.flips:.0%} of orders."
    return f"{first}\n{second}"


def _dots(axes: Any, result: Any) -> None:
    """Scores by condition: a dot an order or a frame, a line at the mean."""
    scores = result.scores[:, 0]
    lines = [
        ("true order", scores[:1]),
        ("backwards", scores[[result.named["reversed"]]]),
        ("other orders", scores[result.drawn]),
        ("single frames", result.stills[:, 0]),
        ("no clip", result.blind[:1]),
    ]
    rng = np.random.default_rng(0)
    for y, (_, values) in enumerate(lines):
        jitter = (rng.random(len(values)) - 0.5) * 0.5 if len(values) > 1 else np.zeros(1)
        colour = CLIP_COLOUR if y == 0 else NULL_COLOURS[2]
        axes.plot(values, y + jitter, "o", color=colour, markersize=8 if len(values) == 1 else 5, alpha=0.8, mew=0)
        if len(values) > 1:
            axes.plot([values.mean()] * 2, [y - 0.35, y + 0.35], color=MARK, linewidth=3)
        axes.text(1.02, y, f"{values.mean():+z.2f}", va="center", fontsize=BODY, transform=axes.get_yaxis_transform())
    axes.axvline(scores[0], color=CLIP_COLOUR, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=BODY)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.set_xlabel("matching score (no unit); line: the mean", fontsize=SMALL)
    plain(axes)


def _dose(axes: Any, result: Any) -> None:
    """Scores by how many pairs stand the wrong way round, and their mean at each distance."""
    at = result.drawn | (np.arange(len(result.rows)) == 0)
    away, scores = result.distance[at], result.scores[at, 0]
    rng = np.random.default_rng(0)
    wide = max(away.max(), 1)
    axes.plot(
        away + (rng.random(len(away)) - 0.5) * 0.012 * wide, scores, "o", color=NULL_COLOURS[2], ms=4, alpha=0.6, mew=0
    )
    axes.plot(away[:1], scores[:1], "o", color=CLIP_COLOUR, markersize=9)
    if len(np.unique(away)) <= 20:
        steps = np.unique(away)
        axes.plot(steps, [scores[away == step].mean() for step in steps], color=MARK, linewidth=2)
    pairs = result.rows.shape[1] * (result.rows.shape[1] - 1) // 2
    axes.set_xlabel(f"pairs the wrong way round, of {pairs} (0: the true order)", fontsize=SMALL)
    axes.set_ylabel("score", fontsize=SMALL)
    axes.margins(x=0.04, y=0.1)
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
