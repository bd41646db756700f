"""Frames in a row, and numbers beside a line of chance: what pictures of orders are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vtexplore.views.picture import BODY, FAINT, INK, MARK, WIDTH_IN, Picture, bare
from vtexplore.views.words import percent

GAP_IN = 0.05
Box = tuple[float, float, float, float]
Bar = tuple[str, float, float, float, float, str]
"""A label, a value, the ends of its interval, chance (NaN: none), a colour."""


def strip(
    picture: Picture,
    frames: Sequence[np.ndarray] | np.ndarray,
    box_in: tuple[float, float, float, float],
    labels: Sequence[str] = (),
) -> float:
    """Frames side by side within (left, bottom, width, height) in inches; a label in the corner of each.

    Returns how tall they are, in inches.
    """
    left, bottom, wide, tall = box_in
    height, width = frames[0].shape[:2]
    each = min((wide - GAP_IN * (len(frames) - 1)) / len(frames), tall * width / height)
    high, total_in = each * height / width, picture.get_figheight()
    for i, frame in enumerate(frames):
        box = ((left + i * (each + GAP_IN)) / WIDTH_IN, bottom / total_in, each / WIDTH_IN, high / total_in)
        axes = bare(picture.add_axes(box))
        axes.imshow(frame)
        if labels:
            look = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
            where = {"ha": "left", "va": "top", "transform": axes.transAxes}
            axes.text(0.04, 0.96, labels[i], fontsize=11, color=INK, bbox=look, **where)
    return high


def share_bars(axes: Any, bars: Sequence[Bar]) -> None:
    """Horizontal bars of shares with their intervals, the values at the right, a mark where chance is."""
    y = np.arange(len(bars))
    for at, (_, value, low, high, chance, colour) in zip(y, bars, strict=True):
        axes.barh(at, value, 0.6, color=colour)
        if np.isfinite([low, high]).all():
            axes.errorbar(
                value, at, xerr=[[max(value - low, 0)], [max(high - value, 0)]], fmt="none", ecolor=INK, capsize=4
            )
        if np.isfinite(chance):
            axes.plot(chance, at, "|", color=MARK, markersize=17, markeredgewidth=3)
        told = f"{percent(value)}  [{percent(low)}, {percent(high)}]" if np.isfinite(low) else percent(value)
        axes.text(1.03, at, told, va="center", fontsize=BODY, transform=axes.get_yaxis_transform())
    axes.set_yticks(y, [bar[0] for bar in bars], fontsize=BODY)
    axes.set(ylim=(len(bars) - 0.4, -0.6), xlim=(0, 1))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    plain(axes)


def told_p(p: float) -> str:
    """ "p = 0.0123", or "p < 0.0001"."""
    return f"p = {p:.4f}" if p >= 1e-4 else "p < 0.0001"


def plain(axes: Any) -> None:
    """Axes with a line at the foot only."""
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
