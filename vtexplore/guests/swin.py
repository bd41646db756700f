"""Swin (Liu et al. 2021, arXiv 2103.14030): windows of a picture, shifted by half in every other layer.

After each stage four places become one, so each stage has a grid of its own. ``transformers`` returns the last layer
of each stage; here every layer is a site. Frames are seen one by one, and scores are means over frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import Feed, Kind, Wants, mean_of_frames, square, tiny, watched
from vtexplore.guests._parts import Part, patches
from vtexplore.types import Batch, Output


def wants(config: Any) -> Wants:
    """Pictures."""
    rows, columns = square(config.image_size, config.patch_size)
    return Wants(None, config.image_size, (0, rows, columns))


def feed(guest: Guest, batch: Batch) -> Feed:
    """Each frame is a picture of its own; a part for each stage and shift."""
    config, parts = guest.model.config, dict[str, Part]()
    frames, rows, columns = guest.grid(batch)
    for stage, depth in enumerate(config.depths):
        part = patches(batch, (frames, rows, columns))
        parts[f"stage {stage}"] = part
        for layer in range(depth):
            shift = config.window_size // 2 if layer % 2 else 0
            groups = windows(frames, rows, columns, config.window_size, shift)
            parts[f"stage {stage} layer {layer}"] = part.grouped(groups, window=True)
        rows, columns = -(-rows // 2), -(-columns // 2)
    return Feed({"pixel_values": guest.pixels(batch).flatten(0, 1)}, parts)


def windows(frames: int, rows: int, columns: int, side: int, shift: int) -> Tensor:
    """Who stands in which window of a padded and shifted grid: index [window, place], −1 = padding."""
    if min(rows, columns) <= side:
        side, shift = min(rows, columns), 0
    down, across = -(-rows // side), -(-columns // side)
    grid = np.full((down * side, across * side), -1)
    grid[:rows, :columns] = np.arange(rows * columns).reshape(rows, columns)
    grid = np.roll(grid, (-shift, -shift), (0, 1))
    one = grid.reshape(down, side, across, side).transpose(0, 2, 1, 3).reshape(-1, side * side)
    every = [np.where(one < 0, -1, one + frame * rows * columns) for frame in range(frames)]
    return torch.from_numpy(np.concatenate(every))


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """What is said of each frame, mean over frames."""
    said, frames = watched(guest, out, batch), batch.video.shape[1]
    answer, video = (mean_of_frames(x, frames) for x in (said.answer_logits, said.video_embedding))
    return Output(answer_logits=answer, video_embedding=video)


def small(name: str, vocabulary: int) -> Any:
    """Two stages of two layers."""
    return tiny(
        "SwinConfig",
        name,
        image_size=32,
        patch_size=4,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=3,
        num_labels=5,
    )


KIND = Kind(
    title="Swin",
    paper="arXiv 2103.14030",
    sites=((r"encoder\.layers\.(\d+)\.blocks\.(\d+)\.attention", r"stage \1 layer \2>stage \1 layer \2"),),
    states=((r"encoder\.layers\.(\d+)\.blocks\.\d+", r"stage \1"),),
    wants=wants,
    feed=feed,
    say=say,
    classes=("SwinForImageClassification", "SwinModel"),
    small=small,
    frames_independent=True,
)
