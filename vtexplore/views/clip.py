"""A clip as a strip of the frames that it shows."""

from __future__ import annotations

import numpy as np

from vtexplore.types import Clip
from vtexplore.views.picture import BODY, LARGE, WIDTH_IN, Picture, bare, source_line, styled


@styled
def film_strip(clip: Clip, short_side_px: int = 160) -> Picture:
    """The frames at ``clip.times_s``, in rows of at most eight, with their times; the caption above."""
    frames = clip.frames(short_side_px)
    count, height, width = frames.shape[:3]
    columns = min(count, 8)
    gap, margin = 0.008, 0.03
    across = (1 - 2 * margin - gap * (columns - 1)) / columns
    cell_in = across * WIDTH_IN * height / width + 0.35
    rows = -(-count // columns)
    picture = Picture(height_in=0.55 + rows * cell_in + 0.35)
    total_in = picture.get_figheight()
    for i in range(count):
        left = margin + (i % columns) * (across + gap)
        bottom_in = total_in - 0.55 - (i // columns + 1) * cell_in + 0.35
        axes = bare(picture.add_axes((left, bottom_in / total_in, across, (cell_in - 0.35) / total_in)))
        axes.imshow(np.asarray(frames[i]))
        axes.set_xlabel(f"{clip.times_s[i]:.1f} s", fontsize=BODY, labelpad=4)
    picture.text(margin, 1 - 0.12 / total_in, clip.caption or clip.name, fontsize=LARGE, va="top")
    source_line(picture, f"{clip.name} · {clip.duration_s:.1f} s, {clip.fps:.0f} frames a second")
    picture.alt = f"{count} frames of {clip.name}, {clip.duration_s:.1f} s" + (
        f": {clip.caption}." if clip.caption else "."
    )
    return picture
