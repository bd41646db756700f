"""Before or after: a pair of clips, how many are told apart, and whether it is order that is heard."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    INK,
    LARGE,
    NULL_COLOURS,
    SMALL,
    Picture,
    origin,
    source_line,
    styled,
)
from vtexplore.views.strips import Bar, plain, share_bars, strip, told_p
from vtexplore.views.words import percent

LABELS = {
    "text": "each clip finds its text",
    "video": "each text finds its clip",
    "group": "both",
    "text, said in order": "clip finds text: first event said first",
    "text, said backwards": "… said last",
}


@styled
def shares(result: Any) -> Picture:
    """The first pair with its texts; text, video and group scores beside chance; wordings against opposites."""
    head_in, strip_in, bars_in, gap_in = 1.2, 1.35, 2.5, 1.0
    picture = Picture(height_in=head_in + strip_in + 0.75 + bars_in + gap_in + 0.9 + 0.75)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, "Which came first?", fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.5 / total_in, said(result), fontsize=BODY, va="top", linespacing=1.35)
    for side in range(2):
        left = 0.4 + side * 6.1
        tall = strip(picture, result.frames[side], (left, total_in - head_in - strip_in, 5.9, strip_in))
        told = fill(f"“{result.texts[0][side][0]}”", 62)
        under = total_in - head_in - strip_in - 0.08
        picture.text(left / 12.8, under / total_in, told, fontsize=SMALL, va="top")
        assert tall <= strip_in + 1e-6
    bars: list[Bar] = []
    for name, label in LABELS.items():
        one = result[name]
        colour = CLIP_COLOUR if name in ("text", "video", "group") else NULL_COLOURS[2]
        bars.append((label, one.value, one.low, one.high, one.chance, colour))
    lower = 0.75 + 0.9 + gap_in - 0.25
    share_bars(picture.add_axes((0.34, lower / total_in, 0.44, bars_in / total_in)), bars)
    axes = picture.add_axes((0.34, 0.9 / total_in, 0.44, 0.9 / total_in))
    for y, (label, (mean, low, high), colour) in enumerate(
        (
            ("same meaning, other words", result.wording, NULL_COLOURS[1]),
            ("opposite, same words", result.order, CLIP_COLOUR),
        )
    ):
        axes.barh(y, mean, 0.6, color=colour)
        axes.errorbar(mean, y, xerr=[[mean - low], [high - mean]], fmt="none", ecolor=INK, capsize=4)
        told = f"{mean:.3f}  [{low:.3f}, {high:.3f}]"
        axes.text(1.03, y, told, va="center", fontsize=BODY, transform=axes.get_yaxis_transform())
        axes.text(-0.02, y, label, va="center", ha="right", fontsize=BODY, transform=axes.get_yaxis_transform())
    axes.set(yticks=[], ylim=(1.6, -0.6))
    axes.set_xlabel("how far scores are apart beside one clip (no unit)", fontsize=SMALL)
    plain(axes)
    lines = f"{len(result.scores)} pairs, {len(result.wordings)} wordings; lines: 95 % over pairs; |: chance"
    source_line(picture, origin(result.about, lines))
    listed = "; ".join(f"{label}: {percent(result[name].value)}" for name, label in LABELS.items())
    picture.alt = f"{said(result)} {listed}.".replace("\n", " ")
    return picture


def said(result: Any) -> str:
    """The group score beside chance, and whether opposites are further apart than wordings."""
    one = result["group"]
    ratio = result.order[0] / result.wording[0] if result.wording[0] else np.inf
    return (
        f"{percent(one.value)} of pairs are told apart both ways (chance {percent(one.chance)}, {told_p(one.p)}).\n"
        f"Opposites are {ratio:.1f} times as far apart as wordings of one meaning ({told_p(result.wording_p)})."
    )
