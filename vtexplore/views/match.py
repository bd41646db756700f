"""Sentences beside a clip: bars of their scores, and beside other clips for control."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    LARGE,
    NULL_COLOURS,
    SMALL,
    WIDTH_IN,
    Picture,
    bare,
    origin,
    source_line,
    styled,
)


@styled
def scores(result: Any) -> Picture:
    """A bar for each sentence, best first; a mark for the same sentence beside each other clip."""
    order = np.argsort(-result.score, kind="stable")
    count, height, width = result.frames.shape[:3]
    across = min(0.2, (0.94 - 0.008 * (count - 1)) / count)
    frame_in, row_in = across * WIDTH_IN * height / width, 0.5
    picture = Picture(height_in=1.0 + frame_in + 0.5 + row_in * len(order) + 0.85)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, "Which sentence goes with the clip?", fontsize=LARGE, va="top")
    for i in range(count):
        box = (0.03 + i * (across + 0.008), 1 - (0.9 + frame_in) / total_in, across, frame_in / total_in)
        bare(picture.add_axes(box)).imshow(result.frames[i])
    axes = picture.add_axes((0.42, 0.8 / total_in, 0.5, row_in * len(order) / total_in))
    y = np.arange(len(order))
    axes.barh(y, result.score[order], 0.6, color=CLIP_COLOUR, label="this clip")
    for number, row in enumerate(result.others):
        label = f"other clips ({len(result.others)})" if number == 0 else None
        axes.plot(row[order], y, "|", color=NULL_COLOURS[2], markersize=16, markeredgewidth=2, label=label)
    for at, score in enumerate(result.score[order]):
        axes.text(1.01, at, f"{score:+z.2f}", va="center", fontsize=BODY, transform=axes.get_yaxis_transform())
    axes.set_yticks(y, [fill(("✓ " if i == 0 else "") + result.texts[i], 46) for i in order], fontsize=BODY)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("matching score (no unit: compare sentences, not clips)", fontsize=SMALL)
    if len(result.others):
        axes.legend(loc="lower right", frameon=False, fontsize=SMALL, bbox_to_anchor=(1.0, 1.0), ncols=2)
    picture.text(0.03, 1 - 0.5 / total_in, said(result), fontsize=BODY, va="top")
    source_line(picture, origin(result.about, "✓: the first sentence", result.clip))
    listed = "; ".join(f"{result.texts[i]}: {result.score[i]:+z.2f}" for i in order)
    picture.alt = f"Matching scores beside {result.clip}: {listed}."
    return picture


def said(result: Any) -> str:
    """Whether the first sentence is the best, and by how much."""
    margin = result.margin()
    if margin > 0:
        return f"The first sentence is chosen, {margin:.2f} ahead of the next."
    return f"The first sentence is not chosen; '{result.best}' is {-margin:.2f} ahead."
