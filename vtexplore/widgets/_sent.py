"""Numbers and pictures on their way to a page: bytes, data URLs, paths."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from matplotlib import colormaps

from vtexplore.views import head_grid, overlay

STEPS = 255
QUALITY = 88  # of frames, as JPEG


@dataclass(frozen=True)
class Binary:
    """An answer with numbers beside it: ``said`` is ready for JSON and tells how ``numbers`` are cut up."""

    said: dict[str, Any]
    numbers: bytes


@runtime_checkable
class Part(Protocol):
    """What a widget shows: ``kind`` names the module that draws it."""

    kind: str

    def scene(self) -> dict[str, Any]:
        """All but the numbers, ready for JSON."""
        ...

    def numbers(self) -> bytes:
        """The numbers, as that module cuts them up."""
        ...

    def answer(self, what: Any) -> Any:
        """The answer to a question from the page, plain or ``Binary``, or another Part in place of this one."""
        ...

    def picture(self, selection: Any = None) -> Any:
        """What is selected there, as a Picture."""
        ...


def quantised(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [..., patch] ≥ 0 as uint8, and the largest weight of each row [...], of which they are 255ths."""
    tops = rows.max(axis=-1)
    shares = rows / np.maximum(tops, np.finfo(np.float32).tiny)[..., None]
    return np.rint(shares * STEPS).astype(np.uint8), tops.astype(np.float32)


def scales() -> bytes:
    """Three scales of 256 steps of rgba: heat on a picture, statistics, and maps of two sides (−1..1)."""
    return b"".join(np.rint(s.clip(0, 1) * 255).astype(np.uint8).tobytes() for s in (_heat(), _marks(), _sides()))


def _heat() -> np.ndarray:
    """What, laid over a picture, does to it what ``views.overlay.shining`` does."""
    heat = np.linspace(0, 1, 256)[:, None]
    strength = 0.65 * heat**1.2
    seen = (overlay.SHADE + (1 - overlay.SHADE) * heat) * (1 - strength)  # of the picture below
    colour = colormaps[overlay.MAP](0.35 + 0.65 * heat[:, 0])[:, :3] * strength / np.maximum(1 - seen, 1e-9)
    return np.concatenate([colour, 1 - seen], axis=1)


def _marks() -> np.ndarray:
    return np.asarray(colormaps[head_grid.MAP](np.linspace(0, 1, 256)))


def _sides() -> np.ndarray:
    """What, laid over a grey picture, does to it what ``views.overlay.two_sided`` does."""
    heat = np.linspace(-1, 1, 256)
    colour = colormaps[overlay.SIDES](0.5 + 0.4 * heat)[:, :3]
    return np.concatenate([colour, 0.85 * np.abs(heat)[:, None]], axis=1)


def jpeg(frame: np.ndarray) -> str:
    """A frame, uint8 [height, width, rgb], as a data URL."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def outline(mask: np.ndarray) -> str:
    """The line around a mask, bool [height, width], as an SVG path."""
    from contourpy import contour_generator

    # A margin of nothing closes the line around things that leave the picture.
    lines: Any = contour_generator(z=np.pad(mask.astype(float), 1)).lines(0.5)
    corners = (["{:.1f} {:.1f}".format(*(corner - 0.5)) for corner in line[::2]] for line in lines)
    return " ".join(f"M{'L'.join(some)}Z" for some in corners)


def region(boxes: np.ndarray) -> list[float]:
    """The part of the picture that patches cover, xyxy in its 0..1, from ``boxes`` [row, column, 4] of a frame."""
    return [float(x) for x in (*boxes[0, 0, :2], *boxes[-1, -1, 2:])]


def outlines(masks: np.ndarray | None) -> list[list[str]]:
    """Lines around things, bool [object, frame, height, width]: SVG paths [object][frame] in pixels of the frames."""
    return [] if masks is None else [[outline(mask) for mask in frames] for frames in masks]
