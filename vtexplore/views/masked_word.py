"""Bars: the words that fit the mask, with the clip and without it."""

from __future__ import annotations

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
from vtexplore.views.words import percent

HATCHES = ("", "///", "...", "xxx")  # told apart without colour


def ranked(result: Any) -> list[str]:
    """The words to show: the likeliest with the clip, and the answer if it is not among them."""
    words = [word for word, _ in result.top()]
    return words if result.answer in (*words, None) else [*words, result.answer]


@styled
def bars(result: Any) -> Picture:
    """For each of the likeliest words, its probability with the clip and under each null; above, the frames."""
    words = ranked(result)
    conditions = result.conditions
    count, height, width = result.frames.shape[:3]
    across = min(0.2, (1 - 0.06 - 0.01 * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    row_in = 0.22 * len(conditions) + 0.16
    picture = Picture(height_in=0.75 + frame_in + 0.75 + row_in * len(words) + 0.75)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, sentence(result), fontsize=LARGE, va="top")
    for i in range(count):
        box = (0.03 + i * (across + 0.01), 1 - (0.65 + frame_in) / total_in, across, frame_in / total_in)
        bare(picture.add_axes(box)).imshow(result.frames[i])
    axes = picture.add_axes((0.16, 0.75 / total_in, 0.62, row_in * len(words) / total_in))
    thick = 0.8 / len(conditions)
    for row, name in enumerate(conditions):
        y = np.arange(len(words)) + (row - (len(conditions) - 1) / 2) * thick
        p = [result.probability(word, name) for word in words]
        colour = CLIP_COLOUR if row == 0 else NULL_COLOURS[(row - 1) % len(NULL_COLOURS)]
        label = f"with {name}" if row == 0 else name
        axes.barh(y, p, thick * 0.92, color=colour, hatch=HATCHES[row % 4], edgecolor="white", linewidth=0, label=label)
        for at, share in zip(y, p, strict=True):
            axes.text(share + 0.008, at, percent(share), va="center", fontsize=SMALL)
    axes.set_yticks(range(len(words)), [f"{w} ✓" if w == result.answer else w for w in words], fontsize=LARGE)
    axes.set(ylim=(len(words) - 0.5, -0.5), xlim=(0, max(0.1, result.p.max() * 1.12)))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.tick_params(length=0, labelsize=BODY)
    axes.tick_params(axis="y", labelsize=LARGE)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=BODY)
    axes.text(0, 1.02, said(result), fontsize=BODY, transform=axes.transAxes, va="bottom", color=FAINT)
    source_line(picture, origin(result.about, result.clip))
    picture.alt = f"{sentence(result)} {said(result)}. " + "; ".join(
        f"{word}: " + ", ".join(f"{percent(result.probability(word, c))} {c}" for c in conditions) for word in words
    )
    return picture


def sentence(result: Any) -> str:
    """The text with its gap."""
    return str(result.text).replace("[MASK]", "_____").replace("[mask]", "_____")


def said(result: Any) -> str:
    """What the probe found, in one line: the lift of the answer, or of the first choice."""
    word = result.answer or result.top(1)[0][0]
    lift = result.lift(word)
    times = np.exp(abs(lift))
    factor = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
    verdict = f"{factor} times {'likelier' if lift > 0 else 'less likely'} with the clip than without"
    if abs(lift) < 0.05:
        verdict = "as likely without the clip as with it: guessed from the text"
    return f"'{word}' is {verdict} (lift {lift:+.2f} nats, the smallest over {len(result.conditions) - 1} nulls)"
