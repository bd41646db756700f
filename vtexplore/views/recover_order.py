"""Frames put back in order: a clip as it was and as it was found, and τ of all clips beside chance."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

import numpy as np

from vtexplore.probes._orders import all_orders, kendall
from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    LARGE,
    NULL_COLOURS,
    SMALL,
    Picture,
    origin,
    source_line,
    styled,
)
from vtexplore.views.strips import plain, strip, told_p

LABELS = {
    "τ": "τ",
    "Spearman": "Spearman's ρ",
    "pairs": "pairs in order",
    "misplaced": "places off",
    "exact": "without a mistake",
}


@styled
def recovered(result: Any) -> Picture:
    """The first clip in true order and as found; left, τ of all clips on what chance gives; right, all measures."""
    units = result.best.shape[1]
    head_in, strip_in, low_in = 0.95, 1.15, 2.5
    picture = Picture(height_in=head_in + 2 * (strip_in + 0.12) + 0.55 + low_in + 1.0)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, "Can it put the frames in order?", fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.5 / total_in, said(result), fontsize=BODY, va="top")
    name = shorten(result.clips[0], 50, placeholder="…")
    for number, (label, row) in enumerate((("as it was", np.arange(units)), ("as found", result.best[0]))):
        bottom = total_in - head_in - (number + 1) * (strip_in + 0.12) + 0.12
        tall = strip(picture, result.frames[row], (2.0, bottom, 10.3, strip_in), [str(i + 1) for i in row])
        tied = f"\n(1 of {result.tied[0]} tied)" if number and result.tied[0] > 1 else ""
        picture.text(0.03, (bottom + tall / 2) / total_in, label + tied, fontsize=BODY, va="center")
    _spread(picture.add_axes((0.08, 0.85 / total_in, 0.42, low_in / total_in)), result)
    axes = picture.add_axes((0.56, 0.55 / total_in, 0.43, (low_in + 0.3) / total_in))
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(len(LABELS) + 0.6, -0.6))
    for x, told in ((0.34, "model [95 % over clips]"), (0.78, "chance ± sd")):
        axes.text(x, 0, told, fontsize=SMALL, color=FAINT, va="center")
    for y, (key, label) in enumerate(LABELS.items(), 1):
        one = result[key]
        axes.text(0, y, label, fontsize=BODY, va="center")
        axes.text(0.34, y, f"{one.value:.2f}  [{one.low:.2f}, {one.high:.2f}]", fontsize=BODY, va="center")
        axes.text(0.78, y, f"{one.chance:z.2f} ± {one.chance_sd:.2f}", fontsize=BODY, va="center")
    source_line(picture, origin(result.about, result.how, f"strips: {name}"))
    picture.alt = f"{said(result)} First clip: {' '.join(str(i + 1) for i in result.best[0])}."
    return picture


def said(result: Any) -> str:
    """τ with its interval and tests, and the control."""
    one, clips = result["τ"], len(result.clips)
    many = f"{clips} clips" if clips > 1 else "One clip"
    p = f"{told_p(result.tests['τ, sign flip'])} (sign flip)" if clips > 1 else told_p(result.p[0])
    still = float(np.mean(result.still))
    return (
        f"{many}, {result.best.shape[1]} frames each: τ = {one.value:+z.2f} [{one.low:+z.2f}, {one.high:+z.2f}], {p}. "
        f"A film of one frame: τ = {still:+z.2f}."
    )


def _spread(axes: Any, result: Any) -> None:
    """How many clips have which τ, beside how many would by chance."""
    units = result.best.shape[1]
    pairs = units * (units - 1) / 2
    null = 1 - 2 * kendall(all_orders(units)) / pairs
    edges = np.linspace(-1 - 1 / pairs, 1 + 1 / pairs, int(pairs) + 2)
    middle = (edges[1:] + edges[:-1]) / 2
    tau = result.each[:, 0]
    mine, chance = (np.histogram(x[~np.isnan(x)], edges)[0] for x in (tau, null))
    wide = 2 / pairs
    axes.bar(middle, mine / max(mine.sum(), 1), 0.8 * wide, color=CLIP_COLOUR, label="this model")
    axes.stairs(chance / chance.sum(), edges, color=NULL_COLOURS[2], linewidth=2, label="chance: all orders")
    axes.set_xlabel("τ of a clip (1: in order, −1: backwards)", fontsize=SMALL)
    axes.set_ylabel("share of clips", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.legend(loc="upper left", frameon=False, fontsize=SMALL)
    plain(axes)
