"""Layer × head: which of all the heads does it?"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from vtexplore.views.grounding import scores as scores_of
from vtexplore.views.overlay import EVEN, heat_of, top_of
from vtexplore.views.picture import BODY, LARGE, MARK, SMALL, Picture, bare, origin, source_line, styled
from vtexplore.views.words import label, percent

MAP = "cividis"


@styled
def head_grid(result: Any, word: str | int | None = None, maps: bool = True) -> Picture:
    """A small picture for each layer and head, with its score; the best one is framed.

    With ``maps``, a cell shows the head's heat on all frames side by side, on its own scale; without,
    its colour is the score. The score is the share of the word's video attention on the thing that it
    names, where that is known, or else the share of its attention that is on the video.
    """
    at = result.word(word)
    grid = result.head_grid(at)
    cells = None
    if maps:
        cells = [
            [heat_of(result, at, site, head) for head in range(_heads(grid, row))]
            for row, site in enumerate(grid.sites)
        ]
    title = f"'{label(grid.word)}': {grid.what}, by layer and head"
    picture = _table(grid.sites, grid.scores, title, grid.chance, cells)
    source_line(picture, origin(result.about, result.clip))
    picture.alt = alt(grid)
    return picture


@styled
def grounding_heads(result: Any, metric: str = "mass") -> Picture:
    """The grounding of every head over many clips, with the interval of the best; of one method, all its scores."""
    if "iou" in result.mean:
        return scores_of(result)
    names = {"mass": "attention on the named thing", "pointing": "how often the strongest patch is on the named thing"}
    title = f"{names.get(metric, metric)}, mean of {result.words} words in {result.clips} clips"
    chance = {"mass": "chance", "pointing": "pointing_chance"}.get(metric)
    floor = float(np.nanmean(result.mean[chance])) if chance else float("nan")
    picture = _table(result.sites, result.mean[metric], title[0].upper() + title[1:], floor, None)
    site, head = result.best
    mean, low, high = result.at(site, head)[metric]
    best = f"best by mass: {site}, head {head}: {percent(mean)} (95 % interval {percent(low)} to {percent(high)})"
    source_line(picture, origin(result.about, best))
    picture.alt = f"{title}: {best}; chance {percent(floor)}." if chance else f"{title}: {best}."
    return picture


def alt(grid: Any) -> str:
    """The grid in words: its best and its median."""
    site, head = grid.best
    best, middle = np.nanmax(grid.scores), np.nanmedian(grid.scores)
    chance = "" if np.isnan(grid.chance) else f", chance {percent(grid.chance)}"
    return (
        f"{grid.what} of '{label(grid.word)}' by layer and head: highest {percent(best)} at {site}, head {head}; "
        f"median {percent(middle)}{chance}."
    )


MARGIN = 20  # letters beside the first head


def _in_lines(site: str) -> str:
    """A site's name, broken behind points where the margin is too narrow for it."""
    lines = [""]
    for part in site.replace(".", ".\0").split("\0"):
        lines[-1:] = [lines[-1] + part] if len(lines[-1] + part) <= MARGIN else [lines[-1], part]
    return "\n".join(line for line in lines if line)


def _heads(grid: Any, row: int) -> int:
    return int((~np.isnan(grid.scores[row])).sum())


def _table(
    sites: tuple[str, ...], scores: np.ndarray, title: str, chance: float, cells: list[list[np.ndarray]] | None
) -> Picture:
    rows, columns = scores.shape
    aspect = 0.5 if cells is None else cells[0][0].shape[0] / cells[0][0].shape[1]
    left, right, gap = 0.14, 0.1, 0.008
    across = min((1 - left - right - gap * (columns - 1)) / columns, 0.24)
    cell_in = across * 12.8 * aspect
    line_in = 0.3 if cells is not None else 0.0
    picture = Picture(height_in=1.15 + rows * (cell_in + line_in + 0.1) + 0.55)
    total_in = picture.get_figheight()
    top = max(float(np.nanmax(scores)), EVEN * np.nan_to_num(chance), 1e-9)
    best = divmod(int(np.nanargmax(scores)), columns)
    for row in range(rows):
        y_in = total_in - 1.15 - row * (cell_in + line_in + 0.1) - cell_in
        site = _in_lines(sites[row])
        size = SMALL if "\n" in site else BODY
        picture.text(left - 0.012, (y_in + cell_in / 2) / total_in, site, ha="right", va="center", fontsize=size)
        for column in range(columns):
            if np.isnan(scores[row, column]):
                continue
            axes = bare(picture.add_axes((left + column * (across + gap), y_in / total_in, across, cell_in / total_in)))
            name = percent(scores[row, column])
            if cells is None:
                colour = colormaps[MAP](scores[row, column] / top)
                axes.set_facecolor(colour)
                ink = "black" if np.mean(colour[:3]) > 0.42 else "white"
                axes.text(0.5, 0.5, name, ha="center", va="center", color=ink, transform=axes.transAxes, fontsize=BODY)
            else:
                heat = cells[row][column]
                axes.imshow(heat, cmap="magma", vmin=0, vmax=top_of(heat), aspect="auto")
                axes.set_facecolor("white")
                weight = "bold" if (row, column) == best else "normal"
                axes.set_xlabel(name, fontsize=BODY, labelpad=2, weight=weight)
            if row == 0:
                axes.set_title(f"head {column}", fontsize=BODY, pad=5)
            if (row, column) == best:
                mark = Rectangle(
                    (0, 0), 1, 1, fill=False, edgecolor=MARK, linewidth=5, transform=axes.transAxes, clip_on=False
                )
                axes.add_patch(mark)
    picture.text(left, 1 - 0.12 / total_in, title, fontsize=LARGE, va="top")
    told = "framed: the highest" + ("" if np.isnan(chance) else f" · an even map would have {percent(chance)}")
    told += "" if cells is None else " · each map on its own scale, frames from left to right"
    picture.text(left, 1 - 0.47 / total_in, told, fontsize=SMALL, va="top")
    return picture
