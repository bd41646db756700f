"""What speaks for a number: a map on the frames, and the words."""

from __future__ import annotations

from itertools import pairwise
from textwrap import fill, shorten
from typing import Any

import numpy as np

from vtexplore.views.overlay import colour_bar as heat_bar
from vtexplore.views.overlay import outline, shining, sides_bar, spread, top_of, two_sided
from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    INK,
    LARGE,
    MARK,
    SMALL,
    WIDTH_IN,
    Picture,
    bare,
    origin,
    source_line,
    styled,
)
from vtexplore.views.words import percent, place

MARGIN, GAP = 0.03, 0.012
AGAINST, FOR = "#7b4fa3", "#c46a00"  # the ends of the scale of two sides


@styled
def overlay(result: Any) -> Picture:
    """The frames with the map on them, and a bar for each word; orange is for, purple against, if there is a sign."""
    count, height, width = result.frames.shape[:3]
    bar = 0.075
    across = min(0.24, (1 - 2 * MARGIN - bar - GAP * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    title = fill(f"What speaks for {result.what} = {result.value:+z.2f}?  “{result.text}”", 92)
    told = fill(said(result), 112)
    head_in, words_in = 1.05 + 0.3 * title.count("\n") + 0.24 * told.count("\n"), 1.95
    picture = Picture(height_in=head_in + frame_in + 0.75 + words_in)
    total_in = picture.get_figheight()
    picture.text(MARGIN, 1 - 0.16 / total_in, title, fontsize=LARGE, va="top")
    below = 0.63 + 0.3 * title.count("\n")
    picture.text(MARGIN, 1 - below / total_in, told, fontsize=BODY, va="top", color=INK)
    bottom = 1 - (head_in + frame_in) / total_in
    heat = result.heat()
    for i, axes in enumerate(frames(picture, result, heat, result.signed, bottom, across, frame_in / total_in)):
        axes.set_xlabel(f"frame {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, labelpad=5)
    side = MARGIN + count * (across + GAP) + 0.01
    (sides_bar if result.signed else heat_bar)(picture, heat, "global", (side, bottom, 0.014, frame_in / total_in))
    _words(picture, result, (0.075, 0.95 / total_in, 0.9, (words_in - 0.95) / total_in))
    source_line(picture, origin(result.about, how(result), shorten(result.clip, 48, placeholder=" …")))
    picture.alt = (
        f"{count} frames of {result.clip} and the words of “{result.text}”. {said(result)} {_words_said(result)}"
    )
    return picture


def frames(
    picture: Picture,
    result: Any,
    heat: np.ndarray,
    signed: bool,
    bottom: float,
    across: float,
    tall: float,
    left: float = MARGIN,
    gap: float = GAP,
) -> list[Any]:
    """The frames of a result in a row, with shares of a map [frame, row, column] on them; returns their axes."""
    height, width = result.frames.shape[1:3]
    boxes, drawn = result.patches.box[result.grid], []
    for i, pixels in enumerate(result.frames):
        axes = bare(picture.add_axes((left + i * (across + gap), bottom, across, tall)))
        here = spread(heat[i], boxes[i], height, width)
        top = max(float(np.abs(heat).max()), 1e-12) if signed else top_of(heat)
        shown = two_sided(pixels / 255, here / top) if signed else shining(pixels, here / top)
        axes.imshow(shown, extent=(0, width, height, 0))
        for mask in () if result.masks is None else result.masks[:, i]:
            outline(axes, mask)
        drawn.append(axes)
    return drawn


def said(result: Any) -> str:
    """Where a map is strongest, which side it is on, and how much of it is on the thing."""
    heat = result.heat()
    if not np.abs(heat).max() > 0:
        return f"By {result.method}, nothing in the frames has to do with it."
    frame, row, column = np.unravel_index(int(np.abs(heat).argmax()), heat.shape)
    box = result.patches.box[result.grid[frame, row, column]]
    spot = place(float(np.clip(box[[1, 3]].mean(), 0, 0.999)), float(np.clip(box[[0, 2]].mean(), 0, 0.999)))
    where = "" if heat.shape[1:] == (1, 1) else f", {spot}"
    side = ", and speaks against it" if heat[frame, row, column] < 0 else ""
    told = f"By {result.method}, it is strongest in frame {frame + 1} ({result.times_s[frame]:.1f} s){where}{side}."
    score = result.score()
    if score and not np.isnan(score["mass"]):
        things = " and ".join(result.objects)
        mine = "of what speaks for it" if result.signed else "of it"
        told += f" {percent(score['mass'])} {mine} is on the {things} (an even map: {percent(score['chance'])})."
    return told


def how(result: Any) -> str:
    """The method and its circumstances: "integrated gradients, of pixels, 64 steps"."""
    m = result.measured
    parts = [m[k] for k in ("site", "removal") if m.get(k)]
    parts += [f"of {m['of']}"] if "of" in m else []
    parts += [f"{m['steps']} steps, parts off their sum by {100 * m['gap']:.1f} %"] if "steps" in m else []
    return ", ".join([result.method, *map(str, parts)])


def _words(picture: Picture, result: Any, box: tuple[float, float, float, float]) -> None:
    """A bar for each word."""
    axes = picture.add_axes(box)
    values = np.nan_to_num(result.words_map)
    colours = [AGAINST if v < 0 else FOR for v in values] if result.signed else [CLIP_COLOUR] * len(values)
    axes.bar(range(len(values)), values, 0.7, color=colours)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set_xticks(range(len(values)), [shorten(w, 14, placeholder="…") for w in result.words], fontsize=BODY)
    lengths = [len(w) for w in result.words]
    crowded = any((a + b) / 2 > 105 / len(lengths) - 1.5 for a, b in pairwise(lengths))
    for tick, name in zip(axes.get_xticklabels(), range(len(values)), strict=True):
        tick.set_color(MARK if name == result.masked else INK)
        tick.set(rotation=30 if crowded else 0, rotation_mode="anchor", ha="right" if crowded else "center")
    axes.tick_params(length=0, labelsize=SMALL)
    axes.tick_params(axis="x", labelsize=SMALL if crowded else BODY)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.margins(y=0.1)
    axes.set_ylabel("each word", fontsize=SMALL)
    axes.locator_params(axis="y", nbins=3)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    if np.isnan(result.words_map).all():
        axes.text(0.5, 0.5, "words have no part here", ha="center", transform=axes.transAxes, fontsize=BODY)
        axes.set_yticks([])


def _words_said(result: Any) -> str:
    if np.isnan(result.words_map).all():
        return "Words have no part here."
    best = int(np.argmax(np.abs(np.nan_to_num(result.words_map))))
    return f"Of the words, '{result.words[best]}' has most to do with it ({result.words_map[best]:+z.3g})."
