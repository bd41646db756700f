"""decord, where it is quick and safe: short whole files of a kind in which a packet is a frame.

decord waits for ever for frames that a file only promises, reads some containers not at all, and holds
hundreds of megabytes on a film of three hours. It is therefore asked only about files that have been
read through and found whole, and whatever it refuses PyAV decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vtexplore.data.decoding import Layout, true_size

__all__ = ["available", "decode_quickly", "is_safe", "is_short"]

_CODECS = {"h264", "vp9"}
_LONGEST_S = 60.0
_LARGEST_PX = 1920 * 1088


@cache
def available() -> Any:
    """The decord module, or None where there is none (there is no build for Apple silicon)."""
    try:
        import decord
    except Exception:
        return None
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def is_safe(where: Path | bytes, layout: Layout) -> bool:
    """Whether decord may be asked about a whole, upright file of which each packet is one frame."""
    return isinstance(where, Path) and layout.ticks is not None and layout.codec in _CODECS and available() is not None


def is_short(layout: Layout) -> bool:
    """Whether decord would hold no more than a few tens of megabytes."""
    return layout.duration_s <= _LONGEST_S and layout.width_px * layout.height_px <= _LARGEST_PX


def decode_quickly(
    where: Path, layout: Layout, ticks: Sequence[int], short_side_px: int | None
) -> dict[int, np.ndarray]:
    """The frames shown at ``ticks``: uint8 [height, width, rgb] each.

    Raises whatever decord raises, and ``ValueError`` if it counts the frames differently.
    """
    assert layout.ticks is not None
    width, height = true_size(layout.width_px, layout.height_px, short_side_px)
    reader = available().VideoReader(str(where), width=width, height=height, num_threads=1)
    if len(reader) != len(layout.ticks):
        raise ValueError(f"decord counts {len(reader)} frames, the file holds {len(layout.ticks)}")
    wanted = sorted(set(ticks))
    rows = np.searchsorted(layout.ticks, wanted)
    pictures = reader.get_batch([int(r) for r in rows]).asnumpy()
    if pictures.shape != (len(wanted), height, width, 3):
        raise ValueError(f"decord gives frames of shape {pictures.shape}")
    return dict(zip(wanted, pictures, strict=True))
