"""How well one method's maps lie on what words name: its scores, each beside what chance or a rule would have."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    LARGE,
    MARK,
    SMALL,
    Picture,
    origin,
    source_line,
    styled,
)
from vtexplore.views.words import percent

SCORES = {
    "mass": ("mass: of the map, on the thing", "chance", "an even map"),
    "beyond_prior": ("… beyond the mean map of other clips", None, ""),
    "pointing": ("pointing: strongest patch on the thing", "pointing_chance", "any patch"),
    "iou": ("the strongest patches and the thing (IoU)", None, ""),
    "precision": ("average precision of the patches", "chance", "in any order"),
    "time_mass": ("in time: of the map, within the event", "time_chance", "an even map"),
}
"""Score → its name, what it is held against, and what that is."""


@styled
def scores(result: Any) -> Picture:
    """A bar for each score with its 95 % interval; a mark for what needs no map."""
    name = result.sites[0]
    rows = [m for m in SCORES if not np.isnan(result.mean[m]).all()]
    picture = Picture(height_in=1.3 + 0.5 * len(rows) + 0.95)
    total_in = picture.get_figheight()
    title = f"Does '{name}' lie on what a word names?  {result.words} words in {result.clips} clips"
    picture.text(0.03, 1 - 0.14 / total_in, title, fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.52 / total_in, fill(said(result), 118), fontsize=BODY, va="top")
    axes = picture.add_axes((0.37, 0.85 / total_in, 0.36, 0.5 * len(rows) / total_in))
    for at, metric in enumerate(rows):
        mean, low, high = result.at(name, 0)[metric]
        axes.barh(at, mean, 0.6, color=CLIP_COLOUR)
        axes.plot([low, high], [at, at], color="black", linewidth=1.6)
        told = f"{percent(mean)} ({percent(low)} to {percent(high)})"
        _, floor, what = SCORES[metric]
        if floor is not None:
            chance = float(result.mean[floor][0, 0])
            axes.plot([chance], [at], "|", color=MARK, markersize=20, markeredgewidth=3)
            told += f" · {what}: {percent(chance)}"
        axes.text(1.02, at, told, va="center", fontsize=SMALL, transform=axes.get_yaxis_transform())
    axes.set_yticks(range(len(rows)), [SCORES[m][0] for m in rows], fontsize=BODY)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, 1))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.tick_params(length=0, labelsize=SMALL)
    axes.tick_params(axis="y", labelsize=BODY)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    source_line(picture, origin(result.about, "lines: 95 % over clips; marks: without any map"))
    picture.alt = f"{title} {said(result)}"
    return picture


def said(result: Any) -> str:
    """The scores in one sentence."""
    at = {m: v[0] for m, v in result.at(result.sites[0], 0).items()}
    return (
        f"{percent(at['mass'])} of the map is on the thing (an even map: {percent(at['chance'])}; the best on these "
        f"patches: {percent(at['attainable'])}). It points right in {percent(at['pointing'])}, the middle of the "
        f"picture in {percent(at['centre'])}."
    )
