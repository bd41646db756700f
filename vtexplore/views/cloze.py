"""A sentence with gaps: bars of the words for each gap, with the clip and without it."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtexplore.views.masked_word import HATCHES, sentence
from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
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
from vtexplore.views.word_cells import name
from vtexplore.views.words import percent

ACROSS = 3  # gaps in a row


@styled
def gaps(result: Any) -> Picture:
    """For each gap the likeliest words, a bar with the clip and one for each null; ✓: it names what happens."""
    count, height, width = result.frames.shape[:3]
    across = min(0.2, (0.94 - 0.008 * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    rows = -(-len(result.gaps) // ACROSS)
    bars_in = (0.19 * len(result.conditions) + 0.16) * result.shown
    picture = Picture(height_in=0.95 + frame_in + rows * (bars_in + 0.55) + 0.95)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, sentence(result), fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.52 / total_in, said(result), fontsize=BODY, va="top")
    for i in range(count):
        box = (0.03 + i * (across + 0.008), 1 - (0.85 + frame_in) / total_in, across, frame_in / total_in)
        bare(picture.add_axes(box)).imshow(result.frames[i])
    wide = 0.94 / min(ACROSS, len(result.gaps))
    for gap in range(len(result.gaps)):
        row, column = divmod(gap, ACROSS)
        bottom_in = total_in - 0.95 - frame_in - (row + 1) * (bars_in + 0.55)
        box = (0.03 + column * wide + 0.09, bottom_in / total_in, wide - 0.15, bars_in / total_in)
        axes = picture.add_axes(box)
        _bars(axes, result, gap)
        axes.set_title(f"gap {gap + 1}", fontsize=BODY, loc="left", pad=4)
    handles, labels = axes.get_legend_handles_labels()
    foot = (0.5, 0.3 / total_in)
    picture.legend(
        handles, labels, loc="lower center", bbox_to_anchor=foot, ncols=len(labels), frameon=False, fontsize=BODY
    )
    known = "✓: names a colour, shape or verb of what happens" if result.truth else ""
    source_line(picture, origin(result.about, known, name(result)))
    picture.alt = f"{sentence(result)} {said(result)} " + " ".join(_told(result, g) for g in range(len(result.gaps)))
    return picture


def said(result: Any) -> str:
    """The likeliest words with the clip, and what is said without it: "The clip: red circle spins. No clip: …"."""
    parts = []
    for condition in result.conditions:
        words = " ".join(result.top(g, 1, condition)[0][0] for g in range(len(result.gaps)))
        parts.append(f"{condition[0].upper()}{condition[1:]}: {words}.")
    return " ".join(parts)


def _bars(axes: Any, result: Any, gap: int) -> None:
    words = [word for word, _ in result.top(gap)]
    thick = 0.84 / len(result.conditions)
    most = 0.0
    for row, condition in enumerate(result.conditions):
        y = np.arange(len(words)) + (row - (len(result.conditions) - 1) / 2) * thick
        p = [result.probability(gap, word, condition) for word in words]
        most = max(most, *p)
        colour = CLIP_COLOUR if row == 0 else NULL_COLOURS[(row - 1) % len(NULL_COLOURS)]
        label = f"with {condition}" if row == 0 else condition
        axes.barh(y, p, thick * 0.92, color=colour, hatch=HATCHES[row % 4], edgecolor="white", linewidth=0, label=label)
        for at, share in zip(y, p, strict=True):
            axes.text(share, at, f" {percent(share)}", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(words)), [f"{w} ✓" if result.names(w) else w for w in words])
    axes.set(ylim=(len(words) - 0.5, -0.5), xlim=(0, max(0.1, most * 1.15)), xticks=[])
    axes.tick_params(length=0, labelsize=BODY)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _told(result: Any, gap: int) -> str:
    listed = [
        f"{word}{' (right)' if result.names(word) else ''} {percent(p)}"
        + "".join(f", {percent(result.probability(gap, word, c))} {c}" for c in result.conditions[1:])
        for word, p in result.top(gap)
    ]
    return f"Gap {gap + 1}: {'; '.join(listed)}."
