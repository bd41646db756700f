"""The film strip: the frames that a model saw, with the heat of one word on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vtexplore.errors import ConfigError
from vtexplore.views.picture import (
    BODY,
    FAINT,
    INK,
    LARGE,
    OUTLINE,
    SMALL,
    WIDTH_IN,
    Picture,
    bare,
    origin,
    source_line,
    styled,
)
from vtexplore.views.words import grounded, head_name, padded, percent, where

SIDES = "PuOr_r"  # purple: against, orange: for; told apart by all kinds of eyes
MAP = "magma"  # lightness rises evenly: it reads the same in grey and to the colour-blind
SCALES = ("global", "frame")
EVEN = 3.0  # the scale ends at three times an even map at least, so that "everywhere alike" stays dim
SHADE = 0.7  # how much of a frame's light stays where nobody looks


@styled
def overlay(result: Any, word: str | int | None = None, scale: str = "global", smooth: bool = False) -> Picture:
    """The frames with the heat of a word on them; bright = much of the word's attention.

    ``scale``: "global" compares frames with one another, "frame" gives each its own scale. ``smooth``
    interpolates between patches (prettier, and finer than what the model knows). Where truth is known,
    a white line is drawn around the named thing. The picture can move: save it as .gif or .mp4.
    """
    if scale not in SCALES:
        raise ConfigError(f"Unknown scale {scale!r}; there are {' and '.join(SCALES)}.")
    at = result.word(word)
    picture = _strip(result, at, scale, smooth)
    picture.alt = alt(result, at)
    picture.movie = lambda: _film(result, at, smooth)
    return picture


def alt(result: Any, word: int) -> str:
    """What the strip shows, in one sentence or two."""
    grounding = grounded(result, word)
    tail = "".join(f"; {part}" for part in (grounding, padded(result, word)) if part)
    return f"{len(result.frames)} frames of {result.clip}: {where(result, word)}{tail}. {head_name(result)}."


def painted(result: Any, word: int, frame: int, pixels: np.ndarray, top: float, smooth: bool = False) -> np.ndarray:
    """A frame with heat on it: float [height, width, rgb] in 0..1.

    ``pixels`` uint8 [height, width, rgb]; ``top`` is the weight that is shown brightest. Where there is
    no heat the frame is darkened; where there is, the colour of the scale shines through it.
    """
    heat = heat_at(result, word, frame, pixels.shape[0], pixels.shape[1], smooth)
    return shining(pixels, heat / max(top, 1e-12))


def shining(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A frame, uint8 [height, width, rgb], with heat [height, width] in 0..1 on it: float in 0..1."""
    heat = heat.clip(0, 1)[..., None]
    colour = colormaps[MAP](0.35 + 0.65 * heat[..., 0])[..., :3]
    strength = 0.65 * heat**1.2  # a little heat leaves colours as they are
    picture = pixels / 255
    dimmed = picture * (SHADE + (1 - SHADE) * heat)
    return np.asarray(dimmed * (1 - strength) + colour * strength)


def heat_at(result: Any, word: int, frame: int, height: int, width: int, smooth: bool = False) -> np.ndarray:
    """The heat of a patch at each pixel of the picture: [height, width]; 0 where the model saw nothing."""
    return spread(result.heat(word)[frame], result.look().tokens.box[result.grid[frame]], height, width, smooth)


def spread(heat: np.ndarray, boxes: np.ndarray, height: int, width: int, smooth: bool = False) -> np.ndarray:
    """The heat of patches [row, column] with ``boxes`` [row, column, 4] at each pixel: [height, width]."""
    rows, columns = boxes[:, 0][:, [1, 3]], boxes[0][:, [0, 2]]  # edges [row, 2], [column, 2]
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    if smooth:
        by_row = np.stack([np.interp(y, rows.mean(axis=1), column) for column in heat.T], axis=1)  # [height, column]
        return np.stack([np.interp(x, columns.mean(axis=1), line) for line in by_row])
    r = (y[:, None] >= rows[:, 0]) & (y[:, None] < rows[:, 1])
    c = (x[:, None] >= columns[:, 0]) & (x[:, None] < columns[:, 1])
    return np.asarray(r.astype(float) @ heat @ c.T.astype(float))


def top_of(heat: np.ndarray) -> float:
    """The weight that is shown brightest: the largest, or ``EVEN`` times the mean if that is more."""
    return float(max(np.nanmax(heat), EVEN * np.nanmean(heat), 1e-12))


def heat_of(result: Any, word: int, site: str, head: int) -> np.ndarray:
    """The heat of another head, its frames side by side with a gap of NaN: [row, frame · column]."""
    heat = result.heat(word, site, head)
    gap = np.full((heat.shape[1], 1), np.nan)
    # Enough pixels a patch that the gap between frames is thin.
    frames = [np.kron(frame, np.ones((4, 4))) for frame in heat]
    return np.concatenate([part for frame in frames for part in (frame, np.repeat(gap, 4, axis=0))][:-1], axis=1)


def _strip(result: Any, word: int, scale: str, smooth: bool) -> Picture:
    count, height, width = result.frames.shape[:3]
    margin, gap, bar = 0.03, 0.012, 0.075
    across = (1 - 2 * margin - bar - gap * (count - 1)) / count
    frame_in = across * WIDTH_IN * height / width
    head_in, foot_in = 1.05, 0.85
    picture = Picture(height_in=head_in + frame_in + foot_in)
    total_in = picture.get_figheight()
    heat = result.heat(word)
    for i in range(count):
        axes = bare(picture.add_axes((margin + i * (across + gap), foot_in / total_in, across, frame_in / total_in)))
        top = top_of(heat) if scale == "global" else top_of(heat[i])
        axes.imshow(painted(result, word, i, result.frames[i], top, smooth), extent=(0, width, height, 0))
        _outline(axes, result, word, i)
        axes.set_xlabel(f"frame {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, labelpad=5)
    colour_bar(picture, heat, scale, (1 - margin - bar + 0.022, foot_in / total_in, 0.014, frame_in / total_in))
    _title(picture, result, word, margin, 1 - 0.16 / total_in, 1 - 0.6 / total_in)
    source_line(picture, origin(result.about, head_name(result), result.clip))
    return picture


def _title(picture: Picture, result: Any, word: int, left: float, top: float, below: float) -> None:
    """The sentence with its word in bold, and what the picture says."""
    _sentence(picture, result, word, left, top, LARGE)
    said = grounded(result, word) or where(result, word).partition(": ")[2]
    said = "; ".join(part for part in (said, padded(result, word)) if part)
    picture.text(left, below, said[0].upper() + said[1:] + ".", fontsize=BODY, va="top", color=INK)


def _sentence(picture: Picture, result: Any, word: int, left: float, top: float, size: float) -> None:
    x = left
    renderer = picture.canvas.get_renderer()  # type: ignore[attr-defined]
    for i, name in enumerate(result.words):
        chosen = i == word
        drawn = picture.text(
            x, top, name, fontsize=size, va="top", weight="bold" if chosen else "normal", color=INK if chosen else FAINT
        )
        box = drawn.get_window_extent(renderer)
        x += (box.width + size * 0.45 * picture.dpi / 72) / picture.bbox.width


def _outline(axes: Any, result: Any, word: int, frame: int) -> None:
    """A line around the things that a word names, where truth is known."""
    if result.masks is None:
        return
    for thing in result.named[word]:
        outline(axes, result.masks[thing, frame])


def outline(axes: Any, mask: np.ndarray) -> None:
    """A line around a mask, bool [height, width]; none around nothing or everything."""
    if mask.any() and not mask.all():
        y, x = (np.arange(n) + 0.5 for n in mask.shape)
        for colour, line in (("black", 3.4), (OUTLINE, 1.6)):
            axes.contour(x, y, mask.astype(float), levels=[0.5], colors=colour, linewidths=line)


def colour_bar(picture: Picture, heat: np.ndarray, scale: str, box: tuple[float, float, float, float]) -> None:
    """What the colours of a strip mean, at ``box`` (left, bottom, width, height) in 0..1 of the picture."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    axes = picture.add_axes(box)
    colours = ListedColormap(colormaps[MAP](np.linspace(0.35, 1, 256)))
    top = top_of(heat) * 100 if scale == "global" else 1
    bar = picture.colorbar(ScalarMappable(Normalize(0, top), colours), cax=axes)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    if scale == "frame":
        bar.set_ticks([0, 1], labels=["0", "max"])
    bar.set_label("% per patch\n" + ("one scale for all" if scale == "global" else "own scale each"), fontsize=SMALL)


def two_sided(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A frame, 0..1 [height, width, rgb], in grey under a map [height, width] in −1..1: float in 0..1."""
    grey = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2) * 0.8 + 0.1
    strength = 0.85 * np.abs(heat).clip(0, 1)[..., None]
    return np.asarray(grey * (1 - strength) + colormaps[SIDES](0.5 + 0.4 * heat.clip(-1, 1))[..., :3] * strength)


def sides_bar(picture: Picture, heat: np.ndarray, scale: str, box: tuple[float, float, float, float]) -> None:
    """What the colours of a map with two sides mean, at ``box`` (left, bottom, width, height) of the picture."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    top = float(np.abs(heat).max()) * 100 if scale == "global" else 1
    colours = ListedColormap(colormaps[SIDES](np.linspace(0.1, 0.9, 256)))
    bar = picture.colorbar(ScalarMappable(Normalize(-top, top), colours), cax=picture.add_axes(box))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=0)
    bar.set_label("points per patch", fontsize=SMALL)


def _film(result: Any, word: int, smooth: bool) -> Iterator[tuple[Figure, float]]:
    """The clip played with the heat of the sampled frame that each moment belongs to."""
    height, width = result.film.shape[1:3]
    seconds = float(np.diff(result.film_times_s).mean()) if len(result.film) > 1 else 1.0
    heat = result.heat(word)
    for time_s, pixels in zip(result.film_times_s, result.film, strict=True):
        frame = int(np.abs(result.times_s - time_s).argmin())
        picture = Picture(width_in=8.0, height_in=1.45 + 7.4 * height / width)
        total_in = picture.get_figheight()
        axes = bare(picture.add_axes((0.0375, 0.6 / total_in, 0.925, 7.4 * height / width / total_in)))
        axes.imshow(painted(result, word, frame, pixels, top_of(heat), smooth), extent=(0, width, height, 0))
        share = heat[frame].sum() / max(heat.sum(), 1e-12)
        _sentence(picture, result, word, 0.0375, 1 - 0.14 / total_in, BODY)
        said = f"{time_s:.1f} s · heat as in frame {frame + 1}: {percent(share)} of it"
        picture.text(0.0375, 1 - 0.5 / total_in, said, fontsize=SMALL, va="top", color=INK)
        picture.text(
            0.5,
            0.1 / total_in,
            origin(result.about, head_name(result), result.clip),
            fontsize=SMALL,
            ha="center",
            color=FAINT,
        )
        played = time_s + seconds / 2
        line = picture.add_axes((0.0375, 0.44 / total_in, 0.925, 0.06 / total_in))
        bare(line).set(xlim=(0, result.film_times_s[-1] + seconds / 2), ylim=(0, 1))
        line.axhspan(0, 1, color="#dddddd")
        line.axvspan(0, played, color=INK)
        yield picture, seconds
