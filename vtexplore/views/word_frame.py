"""Words × frames: when does each word look?"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps

from vtexplore.views.picture import BODY, LARGE, MARK, SMALL, Picture, origin, source_line, styled
from vtexplore.views.words import head_name, label, percent

MAP = "cividis"  # made to look the same to the colour-blind


@styled
def word_frame(result: Any) -> Picture:
    """A matrix of words and frames, each cell the share of the word's attention; the rest went to words.

    A frame drawn around cells says when the event that a word names takes place, where that is known.
    """
    shares = result.word_frame()
    words, frames = shares.shape
    row_in = 0.36
    picture = Picture(height_in=1.7 + words * row_in)
    total_in = picture.get_figheight()
    axes = picture.add_axes((0.16, 0.75 / total_in, 0.6, words * row_in / total_in))
    top = max(float(shares.max()), 1e-9)
    drawn = axes.imshow(shares, cmap=MAP, vmin=0, vmax=top, aspect="auto")
    axes.set_yticks(range(words), [label(w) for w in result.words], fontsize=BODY)
    axes.set_xticks(range(frames), [f"frame {i + 1}\n{t:.1f} s" for i, t in enumerate(result.times_s)], fontsize=SMALL)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (word, frame), share in np.ndenumerate(shares):
        ink = "black" if np.mean(colormaps[MAP](share / top)[:3]) > 0.42 else "white"
        axes.text(frame, word, percent(share), ha="center", va="center", fontsize=SMALL, color=ink)
    _events(axes, result)
    bar = picture.colorbar(drawn, cax=picture.add_axes((0.79, 0.75 / total_in, 0.014, words * row_in / total_in)))
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: percent(value))
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label("share of the word's attention\n(the rest goes to other words)", fontsize=SMALL)
    picture.text(0.16, 1 - 0.12 / total_in, "When does each word look?", fontsize=LARGE, va="top")
    source_line(picture, origin(result.about, head_name(result), result.clip))
    picture.alt = alt(result)
    return picture


def alt(result: Any) -> str:
    """The matrix in words: where each word looks most."""
    shares = result.word_frame()
    most = (
        f"'{label(word)}' frame {int(row.argmax()) + 1} ({percent(row.max())})"
        for word, row in zip(result.words, shares, strict=True)
    )
    return f"Words by frames, {result.clip}. Each word's most attended frame: {', '.join(most)}. {head_name(result)}."


def _events(axes: Any, result: Any) -> None:
    """A frame around the cells of an event's time."""
    for word, (start_s, end_s) in enumerate(result.happens_s):
        inside = np.flatnonzero((result.times_s >= start_s) & (result.times_s <= end_s))
        if len(inside):
            from matplotlib.patches import Rectangle

            corner = (inside[0] - 0.47, word - 0.45)
            axes.add_patch(Rectangle(corner, len(inside) - 0.06, 0.9, fill=False, edgecolor=MARK, linewidth=2.5))
    if np.isfinite(result.happens_s).any():
        axes.text(
            0,
            1.0,
            "framed: when it happens",
            color="#9a6700",
            fontsize=SMALL,
            ha="right",
            va="bottom",
            transform=axes.transAxes,
        )
