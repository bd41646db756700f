"""Visual words in pictures: an exemplar each, or its number on grey where nobody knows what it looks like."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from vtexplore.views.picture import BODY, INK, MARK, SMALL, Picture, bare

GREY = np.full((1, 1, 3), 228, dtype=np.uint8)
Box = tuple[float, float, float, float]


def frame(picture: Picture, box: Box, image: np.ndarray, told: str = "", mark: bool = False) -> Any:
    """A picture in a box (left, bottom, width, height of the figure), words below; ``mark`` outlines it."""
    axes = bare(picture.add_axes(box))
    axes.imshow(image, extent=(0, 1, 0, 1), aspect="auto")
    if told:
        axes.set_xlabel(told, fontsize=SMALL, labelpad=2)
    if mark:
        axes.add_patch(Rectangle((0.01, 0.01), 0.98, 0.98, fill=False, edgecolor=MARK, linewidth=3))
    return axes


def word(picture: Picture, box: Box, result: Any, code: int, told: str = "", mark: bool = False) -> Any:
    """The exemplar of a visual word that a result shows, or its number."""
    at = np.flatnonzero(result.words == code)
    if len(result.exemplars) and len(at):
        return frame(picture, box, result.exemplars[at[0]], told, mark)
    axes = frame(picture, box, GREY, told, mark)
    axes.text(0.5, 0.5, str(code), ha="center", va="center", fontsize=BODY, color=INK)
    return axes


def name(result: Any) -> str:
    """The name of the result's clip, as much of it as fits a line: that of a longer video is its whole story."""
    return shorten(result.clip, 60, placeholder="…")


def path(branches: tuple[int, ...]) -> str:
    """The way through the tree: "3·0"."""
    return "·".join(map(str, branches))
