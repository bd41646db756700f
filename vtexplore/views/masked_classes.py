"""Classes of words: what the clip does for each, as dots with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

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
from vtexplore.views.words import percent

PANELS = ("contrast", "pmi", "order")
SURE = 0.05


@styled
def classes(result: Any) -> Picture:
    """For each class its lift, contrast, PMI and order part; filled: p < 0.05 after Holm, crosses: random weights."""
    panels = (result.measures[0], *PANELS)
    rows = len(result.classes)
    picture = Picture(height_in=1.55 + 0.46 * rows + 1.0)
    total_in = picture.get_figheight()
    shown = [result.measures.index(name) for name in panels[:3]]
    low, high = np.nanmin([result.low[:, shown], 0 * result.low[:, shown]]), np.nanmax(result.high[:, shown])
    pad = 0.06 * (high - low) + 0.02
    y, left, gap = np.arange(rows), 0.17, 0.035
    across = (1 - left - 0.03 - gap * (len(panels) - 1)) / len(panels)
    for column, name in enumerate(panels):
        at = result.measures.index(name)
        axes = picture.add_axes((left + column * (across + gap), 0.95 / total_in, across, 0.46 * rows / total_in))
        mean, floor = result.mean[:, at], result.floor[:, at]
        error = np.stack([mean - result.low[:, at], result.high[:, at] - mean]).clip(0)
        axes.errorbar(mean, y, xerr=error, fmt="none", ecolor=CLIP_COLOUR, capsize=3, linewidth=1.6)
        sure = result.p_holm[:, at] < SURE
        axes.plot(mean[sure], y[sure], "o", color=CLIP_COLOUR, markersize=9)
        axes.plot(mean[~sure], y[~sure], "o", color=CLIP_COLOUR, markersize=9, markerfacecolor="white")
        if not np.isnan(floor).all():
            width = np.stack([floor[:, 0] - floor[:, 1], floor[:, 2] - floor[:, 0]]).clip(0)
            axes.errorbar(floor[:, 0], y + 0.26, xerr=width, fmt="x", color=NULL_COLOURS[2], markersize=6)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set(ylim=(rows - 0.5, -0.5), xlim=(low - pad, high + pad))
        if name == "order":  # an order may count for less than a hundredth of a clip: a scale of its own
            axes.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
            own = max(0.05, float(np.nanmax(np.abs([result.low[:, at], result.high[:, at]]))) * 1.15)
            axes.set_xlim(-own, own)
        ticks = [f"{c} ({n})" for c, n in zip(result.classes, result.count, strict=True)] if column == 0 else []
        axes.set_yticks(y if column == 0 else [], ticks, fontsize=BODY)
        axes.tick_params(length=0, labelsize=SMALL)
        axes.tick_params(axis="y", labelsize=BODY)
        axes.grid(axis="x", color="#e4e4e4")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_title(TITLES.get(name, name), fontsize=BODY, pad=6)
        axes.set_xlabel("nats (own scale)" if name == "order" else "nats", fontsize=SMALL)
    told = f"What the clip does for masked words: {result.clips} clips, {result.count.sum()} words"
    picture.text(0.03, 1 - 0.12 / total_in, told, fontsize=LARGE, va="top")
    random = "" if np.isnan(result.floor).all() else " · crosses: random weights"
    legend = f"bars: 95 % interval over clips · filled: p < {SURE} (sign flip, Holm over classes){random}"
    picture.text(0.03, 1 - 0.48 / total_in, legend, fontsize=SMALL, va="top", color=FAINT)
    source_line(picture, origin(result.about, f"{result.others} other clips each"))
    picture.alt = f"{told}. " + "; ".join(_said(result, c) for c in result.classes) + "."
    return picture


TITLES = {"contrast": "contrast\n(other clips)", "pmi": "PMI\n(other clips)", "order": "order\n(other orders)"}


def _said(result: Any, name: str) -> str:
    """A class in words."""
    each = []
    for measure in (result.measures[0], *PANELS):
        mean, low, high = result.at(name, measure)
        each.append(f"{measure.replace('pmi', 'PMI')} {mean:+z.2f} ({low:+z.2f} to {high:+z.2f})")
    return f"{name}: {', '.join(each)} nats; {percent(result.at(name, 'beyond')[0])} beyond wrong clips"
