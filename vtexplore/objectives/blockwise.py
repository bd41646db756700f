"""Blockwise masking (VIOLET, §3.3; after BEiT): whole boxes of frames × rows × columns are hidden.

Neighbouring patches and frames look alike; hiding single patches would leave the answer standing beside
the question.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from vtexplore.errors import ConfigError


def blockwise_mask(
    frames: int, rows: int, columns: int, batch: int, generator: torch.Generator
) -> Bool[Tensor, "{batch} {frames} {rows} {columns}"]:
    """Which patches to hide: bool [batch, frame, row, column].

    The union of ``frames`` boxes, each of 1..frames−1 frames (1 if there is one), 1..⌊2·rows/3⌋−1 rows
    and likewise columns, all sizes and places equally likely. No share is aimed at: for 4 × 7 × 7 it is
    15.1 % on average. Raises ``ConfigError`` for fewer than 3 rows or columns, which leave no box.
    """
    if min(rows, columns) < 3 or frames < 1:
        raise ConfigError(f"No box fits a grid of {frames}×{rows}×{columns}: blockwise masking needs 1×3×3 or more.")
    most = max(frames - 1, 1), 2 * rows // 3 - 1, 2 * columns // 3 - 1
    inside = []
    for side, longest in zip((frames, rows, columns), most, strict=True):
        draw = torch.rand(2, batch, frames, 1, generator=generator, device=generator.device)
        length = 1 + (draw[0] * longest).long().clamp(max=longest - 1)  # [batch, box, 1]
        start = (draw[1] * (side - length + 1)).long().minimum(side - length)
        place = torch.arange(side, device=generator.device)
        inside.append((place >= start) & (place < start + length))  # [batch, box, side]
    t, h, w = inside
    boxes = t[..., :, None, None] & h[..., None, :, None] & w[..., None, None, :]
    return boxes.any(dim=1)  # [batch, frame, row, column]
