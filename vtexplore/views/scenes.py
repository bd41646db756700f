"""Scenes of a world on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np

from vtexplore.views.picture import SMALL, WIDTH_IN, Picture, bare, source_line, styled

FRAMES = 4  # shown of each scene


@styled
def contact_sheet(scenes: Sequence[Any], seed: int = 0) -> Picture:
    """Two scenes a row, each with four of its frames and its caption; ``seed`` is the first one's."""
    columns = min(2, len(scenes))
    rows = -(-len(scenes) // columns)
    across = (1 - 0.03 * (columns + 1)) / columns
    cell_in = across * WIDTH_IN / FRAMES
    picture = Picture(height_in=rows * (cell_in + 0.75) + 0.4)
    total_in = picture.get_figheight()
    for i, scene in enumerate(scenes):
        left = 0.03 + (i % columns) * (across + 0.03)
        top = 1 - (0.12 + (i // columns) * (cell_in + 0.75)) / total_in
        times_s = scene.duration_s * (np.arange(FRAMES) + 1) / (FRAMES + 1)
        frames = scene.clip().sample(times_s.tolist(), 160)
        strip = np.concatenate([np.pad(f, ((0, 0), (0, 4), (0, 0)), constant_values=255) for f in frames], axis=1)
        axes = bare(picture.add_axes((left, top - cell_in / total_in, across, cell_in / total_in)))
        axes.imshow(strip)
        told = fill(f"{seed + i}: {scene.caption.text}", width=round(66 * across / 0.47))
        picture.text(left, top - (cell_in + 0.08) / total_in, told, fontsize=SMALL, va="top")
    source_line(picture, f"scenes {seed} to {seed + len(scenes) - 1} of the miniature world, {FRAMES} frames each")
    picture.alt = " ".join(f"Scene {seed + i}: {scene.caption.text}." for i, scene in enumerate(scenes))
    return picture
