"""Clips from what is already in memory: arrays, pictures, lists of pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vtexplore.data.decoding import true_size
from vtexplore.errors import VideoError

__all__ = ["ArraySource", "as_frames", "is_picture", "open_picture"]

_PICTURE_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*")


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Frames in memory, shown at a constant rate: ``frames`` uint8 [frame, height, width, rgb]."""

    frames: np.ndarray
    fps: float

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """The frames shown at ``times_s``: uint8 [frame, height, width, rgb], resized by Pillow."""
        last = len(self.frames) - 1
        rows = [min(max(int(np.floor(t * self.fps + 1e-4)), 0), last) for t in times_s]
        height, width = self.frames.shape[1:3]
        size = true_size(width, height, short_side_px)
        if size == (width, height):
            return self.frames[rows]
        small = {r: _resized(self.frames[r], size) for r in set(rows)}
        return np.stack([small[r] for r in rows]) if rows else np.zeros((0, size[1], size[0], 3), np.uint8)

    def waveform(self, start_s: float, end_s: float) -> None:
        """None: pictures have no sound."""


def _resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def as_frames(given: Any) -> np.ndarray:
    """uint8 [frame, height, width, rgb] of an array, a picture, or a list of pictures, arrays and paths.

    Float arrays are in 0..1. Raises ``VideoError`` if the shape or the range is another.
    """
    if isinstance(given, (list, tuple)):
        if not given:
            raise VideoError("The list of pictures is empty; give at least one.")
        frames = [_one(item) for item in given]
        sizes = sorted({f.shape[:2] for f in frames})
        if len(sizes) > 1:
            (h0, w0), (h1, w1) = sizes[0], sizes[-1]
            raise VideoError(
                f"The pictures of a clip must have one size, yours are {w0}×{h0} and {w1}×{h1}; resize them."
            )
        return np.stack(frames)
    if isinstance(given, Image.Image):
        return _one(given)[None]
    array = np.asarray(given)
    return _pixels(array if array.ndim == 4 else array[None])


def _one(item: Any) -> np.ndarray:
    if isinstance(item, (str, os.PathLike)):
        return open_picture(Path(item))
    if isinstance(item, Image.Image):
        return np.asarray(ImageOps.exif_transpose(item).convert("RGB"))
    return _pixels(np.asarray(item)[None])[0]


def _pixels(array: np.ndarray) -> np.ndarray:
    if array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        hint = ""
        if array.ndim == 4 and array.shape[1] == 3:
            hint = "; yours has the colours in front, so move that axis to the end"
        shape = list(array.shape[1:] if array.ndim == 4 and len(array) == 1 else array.shape)
        raise VideoError(f"An array must be [frame, height, width, rgb] or [height, width, rgb], not {shape}{hint}.")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f":
        raise VideoError(f"Pixels must be uint8 in 0..255 or floats in 0..1, not {array.dtype}; convert them.")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise VideoError(f"Float pixels must lie in 0..1, yours in {low:.3g}..{high:.3g}; scale them.")
    return np.round(array * 255).astype(np.uint8)


def is_picture(head: bytes) -> bool:
    """Whether a file begins like a still picture (JPEG, PNG, WebP, BMP, TIFF)."""
    return head.startswith(_PICTURE_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def open_picture(file: Any, name: str | None = None) -> np.ndarray:
    """uint8 [height, width, rgb] of a picture file, upright. Raises ``VideoError``."""
    name = name or str(file)
    try:
        with Image.open(file) as picture:
            if getattr(picture, "n_frames", 1) > 1:
                raise VideoError(f"{name}: this picture moves; save it as a GIF or an mp4 file.")
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except FileNotFoundError:
        raise VideoError(f"{name}: there is no such file; check the path.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise VideoError(f"{name}: this picture is damaged or cannot be read; save it again as PNG.") from None
