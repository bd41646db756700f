"""What masking strategies hide: maps of many draws over frames and words, and shares with their intervals."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import colormaps

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
from vtexplore.views.words import label, percent

MAP = "magma"


@styled
def maps(result: Any) -> Picture:
    """A row for each strategy: how often each patch is hidden, on the frames, and under them each word.

    One scale for all patches of all strategies, and one for all words.
    """
    strategies, (count, height, width) = result.strategies, result.frames.shape[:3]
    left, gap, top_in, words_in = 0.12, 0.008, 1.0, 0.75
    across = min((1 - left - 0.02 - gap * (count - 1)) / count, 0.2)
    frame_in = across * WIDTH_IN * height / width
    row_in = frame_in + words_in + 0.25
    picture = Picture(height_in=top_in + row_in * len(strategies) + 0.4)
    total_in = picture.get_figheight()
    brightest, likeliest = float(result.patch.max()), float(max(result.word.max(), 1e-9))
    for row, name in enumerate(strategies):
        y_in = total_in - top_in - row * row_in - frame_in
        picture.text(left - 0.012, (y_in + frame_in / 2) / total_in, name, ha="right", va="center", fontsize=LARGE)
        for i in range(count):
            box = (left + i * (across + gap), y_in / total_in, across, frame_in / total_in)
            axes = bare(picture.add_axes(box))
            _shade(axes, result.frames[i], result.patch[row, i] / max(brightest, 1e-9), result.box)
            if row == 0:
                axes.set_title(f"frame {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, pad=4)
        _words(picture, result, row, likeliest, left, (y_in - 0.3) / total_in)
    told = f"How often is it hidden? {result.draws} draws of each strategy"
    picture.text(left, 1 - 0.1 / total_in, told, fontsize=LARGE, va="top")
    scale = f"brightest: {percent(brightest)} of the draws, in all rows · bold: words that say what is seen"
    picture.text(left, 1 - 0.42 / total_in, scale, fontsize=SMALL, va="top", color=FAINT)
    source_line(picture, origin(result.about, result.clip))
    picture.alt = maps_alt(result)
    return picture


def maps_alt(result: Any) -> str:
    """The maps in words: the most hidden frame and words of each strategy."""
    parts = []
    for row, name in enumerate(result.strategies):
        frame, r, c = np.unravel_index(int(result.patch[row].argmax()), result.patch[row].shape)
        words = ", ".join(
            f"'{label(result.words[w])}' {percent(result.word[row, w])}" for w in np.argsort(-result.word[row])[:3]
        )
        most = percent(result.patch[row, frame, r, c])
        parts.append(f"{name}: patches at most {most} (frame {frame + 1}), words most often {words}")
    return f"How often masking hides each patch and word of {result.clip}. " + "; ".join(parts) + "."


@styled
def intervals(result: Any) -> Picture:
    """For each measure, each strategy's share with its 95 % interval over clips."""
    strategies, measures = result.strategies, result.measures
    picture = Picture(height_in=1.15 + 0.78 * len(measures) + 0.55)
    total_in = picture.get_figheight()
    axes = picture.add_axes((0.3, 0.75 / total_in, 0.5, 0.78 * len(measures) / total_in))
    colours, marks = (CLIP_COLOUR, NULL_COLOURS[1], NULL_COLOURS[2]), "os^"
    for row, name in enumerate(strategies):
        y = np.arange(len(measures)) + (row - (len(strategies) - 1) / 2) * 0.24
        mean, low, high = result.mean[row], result.low[row], result.high[row]
        error = np.stack([mean - low, high - mean]).clip(0)
        colour, mark = colours[row % 3], marks[row % 3]
        axes.errorbar(mean, y, xerr=error, fmt=mark, color=colour, markersize=8, capsize=3, label=name)
        for at, share, top in zip(y, mean, high, strict=True):
            axes.text(top + 0.012, at, percent(share), va="center", fontsize=SMALL)
    axes.set_yticks(range(len(measures)), [fill(told, 30) for told in result.told], fontsize=BODY)
    axes.set(ylim=(len(measures) - 0.5, -0.5), xlim=(0, min(1.08, float(np.nanmax(result.high)) * 1.15 + 0.05)))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.tick_params(length=0, labelsize=BODY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.04, 1.0), frameon=False, fontsize=BODY)
    told = f"What each strategy hides: {result.clips} clips, {result.draws} draws each, bars: 95 % interval over clips"
    picture.text(0.03, 1 - 0.12 / total_in, told, fontsize=LARGE, va="top")
    source_line(picture, origin(result.about))
    picture.alt = intervals_alt(result)
    return picture


def intervals_alt(result: Any) -> str:
    """The shares in words."""
    parts = []
    for measure, told in zip(result.measures, result.told, strict=True):
        each = []
        for strategy in result.strategies:
            mean, low, high = result.at(strategy, measure)
            each.append(f"{strategy} {percent(mean)} ({percent(low)} to {percent(high)})")
        parts.append(f"{told}: {', '.join(each)}")
    return f"Over {result.clips} clips. " + "; ".join(parts) + "."


def _shade(axes: Any, frame: np.ndarray, share: np.ndarray, box: np.ndarray) -> None:
    """A frame with heat [row, column] in 0..1 on its patches."""
    height, width = frame.shape[:2]
    left, top = box[:, 0].min() * width, box[:, 1].min() * height
    right, bottom = box[:, 2].max() * width, box[:, 3].max() * height
    grey = frame.mean(axis=-1, keepdims=True).repeat(3, -1)  # colours are for the heat
    axes.imshow((0.5 * grey + 0.5 * frame).astype(np.uint8), extent=(0, width, height, 0))
    rgba = colormaps[MAP](0.35 + 0.65 * share)
    rgba[..., 3] = 0.75 * share
    axes.imshow(rgba, extent=(left, right, bottom, top))
    axes.set(xlim=(0, width), ylim=(height, 0))


def _words(picture: Picture, result: Any, row: int, top: float, left: float, y: float) -> None:
    """The words side by side, in lines, each on a ground as dark as it is often hidden."""
    x, renderer = left, picture.canvas.get_renderer()  # type: ignore[attr-defined]
    for w, word in enumerate(result.words):
        strength = float(result.word[row, w]) / top
        ground = np.array(colormaps[MAP](0.35 + 0.65 * strength)[:3])
        drawn = picture.text(
            x,
            y,
            f"{label(word)} {percent(float(result.word[row, w]))}",
            fontsize=SMALL,
            weight="bold" if result.content[w] else "normal",
            bbox={"facecolor": 1 - 0.8 * strength * (1 - ground), "edgecolor": "none", "pad": 2.5},
        )
        width = drawn.get_window_extent(renderer).width / picture.bbox.width
        if x > left and x + width > 0.98:  # the next line
            x, y = left, y - 0.27 / picture.get_figheight()
            drawn.set_position((x, y))
        x += width + 0.006
