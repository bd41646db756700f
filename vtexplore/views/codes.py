"""Visual words: pixels, the codes that stood there painted again, what was hidden, and the model's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from vtexplore.errors import Unsupported
from vtexplore.views.picture import BODY, LARGE, MARK, SMALL, WIDTH_IN, Picture, bare, origin, source_line, styled
from vtexplore.views.words import percent

ROWS = (
    ("frames", "pixels"),
    ("painted", "their codes,\npainted"),
    ("shown", "what the\nmodel sees"),
    ("answered", "its answer,\npainted"),
    ("error", "error map:\n−ln p"),
)
MAP = "magma"


@styled
def codes(result: Any) -> Picture:
    """Rows of frames; where patches were hidden, an outline around each, dashed where the answer is wrong.

    Codes that nothing paints are told by their numbers, each under its frame.
    """
    count, height, width = result.frames.shape[:3]
    left, gap = 0.13, 0.008
    across = min((1 - left - 0.02 - gap * (count - 1)) / count, 0.17)
    frame_in = across * WIDTH_IN * height / width
    worst = float(np.nanmax(result.error()))
    rows = [(name, told) for name, told in ROWS if name == "error" or len(getattr(result, name))]
    slot, numbers = "moment" if result.of_moments else "frame", not len(result.answered)
    picture = Picture(height_in=1.5 + (frame_in + 0.1) * len(rows) + 0.45 + 0.25 * numbers)
    total_in = picture.get_figheight()
    for row, (name, told) in enumerate(rows):
        y_in = total_in - 1.5 - row * (frame_in + 0.1) - frame_in
        picture.text(left - 0.012, (y_in + frame_in / 2) / total_in, told, ha="right", va="center", fontsize=BODY)
        for i in range(count):
            box = (left + i * (across + gap), y_in / total_in, across, frame_in / total_in)
            axes = bare(picture.add_axes(box))
            if name == "error":
                _heat(axes, result, i, worst)
            else:
                axes.imshow(getattr(result, name)[i], extent=(0, 1, 1, 0), aspect="auto")
            if row == 0:
                axes.set_title(f"{slot} {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, pad=4)
            if name == rows[-2][0]:
                _outline(axes, result, i)
            if name == rows[-1][0] and numbers:
                axes.set_xlabel(_numbers(result, i), fontsize=BODY, labelpad=3)
    picture.text(0.03, 1 - 0.1 / total_in, said(result), fontsize=LARGE, va="top")
    note = f"{result.asked} hidden, {result.codes} codes; dashed: the model named another code"
    note = f"{said_more(result)}\n{note}; error map: black 0, yellow {worst:.1f} nats"
    picture.text(0.03, 1 - 0.45 / total_in, note, fontsize=SMALL, va="top", linespacing=1.35)
    source_line(picture, origin(result.about, result.clip))
    picture.alt = f"{said(result)}. {note}."
    return picture


@styled
def guesses(result: Any) -> Picture:
    """Some hidden patches, a row each: pixels, the true code painted, the five likeliest codes painted, with p.

    Raises ``Unsupported`` where nothing paints these codes.
    """
    if not len(result.tiles):
        raise Unsupported("Nothing paints these codes; plot('codes') shows their numbers.")
    rows, columns = result.tiles.shape[:2]
    places, some = np.argwhere(result.hidden), _tiled(result)
    left, tile_in, gap_in = 0.2, 0.95, 0.42
    picture = Picture(height_in=1.35 + rows * (tile_in + gap_in) + 0.4)
    total_in = picture.get_figheight()
    across = (1 - left - 0.03) / columns
    picture.text(0.03, 1 - 0.1 / total_in, said(result), fontsize=LARGE, va="top")
    told = "the code stands under each; the same code as the true one is outlined"
    picture.text(0.03, 1 - 0.48 / total_in, told, fontsize=SMALL, va="top")
    for row, at in enumerate(some):
        frame, r, c = places[at]
        bottom = total_in - 1.3 - row * (tile_in + gap_in) - tile_in
        name = f"frame {frame + 1}\nrow {r + 1}, column {c + 1}"
        picture.text(left - 0.012, (bottom + tile_in / 2) / total_in, name, ha="right", va="center", fontsize=BODY)
        truth = int(result.truth[frame, r, c])
        under = [
            "",
            f"{truth}",
            *(f"{k} · {percent(p)}" for k, p in zip(result.top[at], result.top_p[at], strict=True)),
        ]
        for column in range(columns):
            box = (left + column * across, bottom / total_in, across * 0.9, tile_in / total_in)
            axes = bare(picture.add_axes(box))
            axes.imshow(result.tiles[row, column], aspect="equal", interpolation="nearest")
            axes.set_xlabel(under[column], fontsize=SMALL, labelpad=3)
            if row == 0:
                axes.set_title(("pixels", "true code", *(f"guess {k + 1}" for k in range(5)))[column], fontsize=BODY)
            if column > 1 and result.top[at][column - 2] == truth:
                axes.spines[:].set(visible=True, color=MARK, linewidth=3)
    source_line(picture, origin(result.about, result.clip))
    listed = "; ".join(
        f"frame {places[i][0] + 1} row {places[i][1] + 1} column {places[i][2] + 1}: true code "
        f"{result.truth[tuple(places[i])]}, guessed {result.top[i][0]} ({percent(result.top_p[i][0])})"
        for i in some
    )
    picture.alt = f"{said(result)}. {listed}."
    return picture


def _tiled(result: Any) -> list[int]:
    """Which of the hidden patches have tiles."""
    count = int(result.hidden.sum())
    return [int(i) for i in np.unique(np.linspace(0, count - 1, len(result.tiles)).round().astype(int))]


def said_more(result: Any) -> str:
    """Top-5, −ln p, what the text adds, and how many codes are in use."""
    nll, use, among = result.nll(), result.use(), result.among()
    text = f"lift of the text {result.lift():+z.2f}"
    return (
        f"among the first 5: {percent(among['the model'])} (common: {percent(among['common'])}) · −ln p "
        f"{nll['the model, the text']:.2f} (common {nll['common']:.2f}, chance {nll['chance']:.2f}), {text} nats · "
        f"codes in use: {use['the model']:.1f} of {use['truth']:.1f}"
    )


def said(result: Any) -> str:
    """How many hidden codes the model names, and what answers without a model would."""
    right = result.right()
    beside = ", ".join(f"{name}: {percent(share)}" for name, share in right.items() if name != "the model")
    return f"Codes named rightly by the model: {percent(right['the model'])} ({beside})"


def _numbers(result: Any, frame: int) -> str:
    """The code of a moment, and what the model says of a hidden one."""
    truth, said = (int(codes[frame].ravel()[0]) for codes in (result.truth, result.said))
    return f"code {truth}" + (f", said {said}" if result.hidden[frame].any() else "")


def _heat(axes: Any, result: Any, frame: int, worst: float) -> None:
    """The frame in grey, and on hidden patches how far the true code is from certain."""
    grey = result.frames[frame].mean(axis=-1, keepdims=True).repeat(3, -1)
    axes.imshow((0.35 * grey + 150).astype(np.uint8), extent=(0, 1, 1, 0), aspect="auto")
    rgba = colormaps[MAP](np.nan_to_num(result.error()[frame]) / max(worst, 1e-9))
    rgba[..., 3] = result.hidden[frame]
    axes.imshow(rgba, extent=(0, 1, 1, 0), aspect="auto", interpolation="nearest")


def _outline(axes: Any, result: Any, frame: int) -> None:
    rows, columns = result.hidden.shape[1:]
    for row, column in np.argwhere(result.hidden[frame]):
        wrong = result.said[frame, row, column] != result.truth[frame, row, column]
        corner = (column / columns + 0.008, row / rows + 0.008)
        size = (1 / columns - 0.016, 1 / rows - 0.016)
        style = (0, (2, 2)) if wrong else "-"
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=MARK, linewidth=1.6, linestyle=style))
