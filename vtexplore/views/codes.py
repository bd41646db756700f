"""Visual words: pixels, the codes that stood there painted again, what was hidden, and the model's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from vtexplore.views.picture import BODY, LARGE, MARK, SMALL, WIDTH_IN, Picture, bare, origin, source_line, styled
from vtexplore.views.words import percent

ROWS = (
    ("frames", "pixels"),
    ("painted", "their codes,\npainted"),
    ("shown", "what the\nmodel sees"),
    ("answered", "its answer,\npainted"),
)


@styled
def codes(result: Any) -> Picture:
    """Rows of frames; where patches were hidden, an outline around each, dashed where the answer is wrong.

    Codes that nothing paints are told by their numbers, each under its frame.
    """
    count, height, width = result.frames.shape[:3]
    left, gap = 0.13, 0.008
    across = min((1 - left - 0.02 - gap * (count - 1)) / count, 0.17)
    frame_in = across * WIDTH_IN * height / width
    rows = [(name, told) for name, told in ROWS if len(getattr(result, name))]
    slot, numbers = "moment" if result.of_moments else "frame", not len(result.answered)
    picture = Picture(height_in=1.2 + (frame_in + 0.1) * len(rows) + 0.45 + 0.25 * numbers)
    total_in = picture.get_figheight()
    for row, (name, told) in enumerate(rows):
        y_in = total_in - 1.2 - row * (frame_in + 0.1) - frame_in
        picture.text(left - 0.012, (y_in + frame_in / 2) / total_in, told, ha="right", va="center", fontsize=BODY)
        for i in range(count):
            box = (left + i * (across + gap), y_in / total_in, across, frame_in / total_in)
            axes = bare(picture.add_axes(box))
            axes.imshow(getattr(result, name)[i], extent=(0, 1, 1, 0), aspect="auto")
            if row == 0:
                axes.set_title(f"{slot} {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, pad=4)
            if name == rows[-1][0]:
                _outline(axes, result, i)
                if numbers:
                    axes.set_xlabel(_numbers(result, i), fontsize=BODY, labelpad=3)
    picture.text(left, 1 - 0.1 / total_in, said(result), fontsize=LARGE, va="top")
    note = f"{result.asked} hidden, {result.codes} codes; dashed: the model named another code"
    picture.text(left, 1 - 0.45 / total_in, note, fontsize=SMALL, va="top")
    source_line(picture, origin(result.about, result.clip))
    picture.alt = f"{said(result)}. {note}."
    return picture


def said(result: Any) -> str:
    """How many hidden codes the model names, and what answers without a model would."""
    right = result.right()
    beside = ", ".join(f"{name}: {percent(share)}" for name, share in right.items() if name != "the model")
    return f"Codes named rightly by the model: {percent(right['the model'])} ({beside})"


def _numbers(result: Any, frame: int) -> str:
    """The code of a moment, and what the model says of a hidden one."""
    truth, said = (int(codes[frame].ravel()[0]) for codes in (result.truth, result.said))
    return f"code {truth}" + (f", said {said}" if result.hidden[frame].any() else "")


def _outline(axes: Any, result: Any, frame: int) -> None:
    rows, columns = result.hidden.shape[1:]
    for row, column in np.argwhere(result.hidden[frame]):
        wrong = result.said[frame, row, column] != result.truth[frame, row, column]
        corner = (column / columns + 0.008, row / rows + 0.008)
        size = (1 / columns - 0.016, 1 / rows - 0.016)
        style = (0, (2, 2)) if wrong else "-"
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=MARK, linewidth=1.6, linestyle=style))
