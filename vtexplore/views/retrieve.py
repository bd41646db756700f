"""Clips that were found for a text, as film strips; and how often the right ones are found."""

from __future__ import annotations

from textwrap import fill, shorten
from typing import Any

import numpy as np

from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    INK,
    LARGE,
    MARK,
    NULL_COLOURS,
    WIDTH_IN,
    Picture,
    bare,
    origin,
    source_line,
    styled,
)
from vtexplore.views.words import percent

STRIP_IN, GAP_IN = 1.0, 0.14


@styled
def hits(result: Any, text: int | str = 0, k: int = 5) -> Picture:
    """The ``k`` clips nearest to a text, best first, with scores and their own texts; the right one is framed.

    If it is not among them, it stands below with its rank.
    """
    at = result.text(text)
    found = result.hits(at, None)
    shown = list(enumerate(found[:k], 1))
    if not any(hit.own for _, hit in shown):
        shown += [(rank, hit) for rank, hit in enumerate(found, 1) if hit.own]
    question = fill(f"“{result.texts[at]}”", 92)
    head_in = 0.95 + 0.3 * question.count("\n")
    picture = Picture(height_in=head_in + len(shown) * (STRIP_IN + GAP_IN) + 0.45)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, question, fontsize=LARGE, va="top")
    picture.text(0.03, 1 - (head_in - 0.4) / total_in, said(result, at), fontsize=BODY, va="top")
    for row, (rank, hit) in enumerate(shown):
        bottom = (total_in - head_in - (row + 1) * (STRIP_IN + GAP_IN) + GAP_IN) / total_in
        middle = bottom + STRIP_IN / 2 / total_in
        weight = "bold" if hit.own else "normal"
        mark = " ✓" if hit.own else ""
        picture.text(0.03, middle, f"{rank}{mark}", fontsize=LARGE, va="center", weight=weight)
        picture.text(0.155, middle, f"{hit.score:+z.2f}", fontsize=BODY, va="center", ha="right", weight=weight)
        right = _strip(picture, result.frames[hit.index], 0.17, bottom, total_in, hit.own)
        own = [t for t, clip in zip(result.texts, result.own, strict=True) if clip == hit.index]
        told = fill(own[0] if own else result.clips[hit.index], max(16, round((0.98 - right) * 104)))
        colour = INK if hit.own else FAINT
        picture.text(right + 0.015, middle, told, fontsize=BODY, va="center", color=colour, weight=weight)
    source_line(picture, origin(result.about, result.how, f"{len(result.clips)} clips"))
    listed = "; ".join(
        f"{rank}: {result.clips[hit.index]} ({hit.score:+z.2f}{', the right one' if hit.own else ''})"
        for rank, hit in shown
    )
    picture.alt = f"Clips nearest to '{result.texts[at]}'. {said(result, at)} {listed}."
    return picture


@styled
def recalls(result: Any) -> Picture:
    """Bars: how often the right one is among the first 1, 5, 10, in both directions, beside chance."""
    ks = sorted({one.k for some in result.recalls.values() for one in some})
    picture = Picture(height_in=1.5 + 0.85 * len(ks) + 0.95)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, "Is the right one among the first?", fontsize=LARGE, va="top")
    medians = ", ".join(f"{d}: {m:g}" for d, m in result.median_rank.items())
    told = f"{len(result.clips)} clips, {len(result.texts)} texts. Median rank {medians}."
    picture.text(0.03, 1 - 0.55 / total_in, told, fontsize=BODY, va="top")
    axes = picture.add_axes((0.16, 0.95 / total_in, 0.56, 0.85 * len(ks) / total_in))
    looks = ((CLIP_COLOUR, ""), (NULL_COLOURS[0], "///"))
    listed = []
    for number, (direction, some) in enumerate(result.recalls.items()):
        y = np.array([ks.index(one.k) + (number - 0.5) * 0.38 for one in some])
        share, low, high, chance = (np.array([getattr(o, f) for o in some]) for f in ("share", "low", "high", "chance"))
        colour, hatch = looks[number % 2]
        axes.barh(y, share, 0.34, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=direction)
        axes.errorbar(share, y, xerr=[share - low, high - share], fmt="none", ecolor=INK, elinewidth=1.5, capsize=4)
        axes.plot(chance, y, "|", color=MARK, markersize=17, markeredgewidth=3, label=None if number else "chance")
        for at, one in zip(y, some, strict=True):
            axes.text(1.02, at, f"{percent(one.share)}  [{percent(one.low)}, {percent(one.high)}]", va="center")
            listed.append(f"{direction}, first {one.k}: {percent(one.share)}, chance {percent(one.chance)}")
    axes.set_yticks(range(len(ks)), [f"first {k}" for k in ks], fontsize=LARGE)
    axes.set(ylim=(len(ks) - 0.5, -0.5), xlim=(0, 1))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.tick_params(length=0, labelsize=BODY)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, fontsize=BODY, ncols=3)
    source_line(picture, origin(result.about, "lines: 95 % over clips; equal scores in random order", result.how))
    picture.alt = f"{told} {'; '.join(listed)}."
    return picture


def said(result: Any, text: int) -> str:
    """Where the right clip of a text stands."""
    rank = result.ranks()[text]
    name = shorten(result.clips[int(result.own[text])], 60, placeholder="…")
    tied = ", in the mean over ties" if rank > result.ranks(ties="optimistic")[text] else ""
    return f"The right clip ({name}) has rank {rank:g} of {len(result.clips)}{tied}."


def _strip(picture: Picture, frames: np.ndarray, left: float, bottom: float, total_in: float, own: bool) -> float:
    """The frames of a clip in a row, as tall as all strips and at most 4.2 inches wide; returns its right edge."""
    count, height, width = frames.shape[:3]
    gap_in = 0.05
    tall_in = min(STRIP_IN, 4.2 / count * height / width)
    wide_in = tall_in * width / height
    bottom += (STRIP_IN - tall_in) / 2 / total_in
    for i in range(count):
        box = (left + i * (wide_in + gap_in) / WIDTH_IN, bottom, wide_in / WIDTH_IN, tall_in / total_in)
        bare(picture.add_axes(box)).imshow(frames[i])
    right = left + (count * (wide_in + gap_in) - gap_in) / WIDTH_IN
    if own:
        from matplotlib.patches import Rectangle

        edge_in = 0.05
        corner = (left - edge_in / WIDTH_IN, bottom - edge_in / total_in)
        size = right - left + 2 * edge_in / WIDTH_IN, (tall_in + 2 * edge_in) / total_in
        picture.add_artist(Rectangle(corner, *size, fill=False, edgecolor=MARK, linewidth=3))
    return right
