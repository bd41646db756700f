"""A probe that takes no model and little time, for tables of many clips."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtexplore.errors import ConfigError, TextError
from vtexplore.probes._result import Result
from vtexplore.types import Clip


@dataclass(frozen=True)
class Glance(Result):
    """How bright a clip is, and how many words are said of it."""

    text: str
    light: float
    words: int
    rgb: np.ndarray
    long: bool
    frames: np.ndarray
    notes: tuple[str, ...]

    PICTURES = ("frames",)


def glance(
    model: Any, clip: Clip, text: str | None = None, *, scale: float = 1.0, at: int | None = None, refuse: str = ""
) -> Glance:
    """Looks once. ``GLANCE_S``: how long it takes, so that there is time to stop it."""
    time.sleep(float(os.environ.get("GLANCE_S", "0")))
    if scale < 0:
        raise ConfigError("scale < 0: nothing is darker than black.")
    text = clip.caption if text is None else text
    if text is None:
        raise TextError(f"{clip.name} has no caption.")
    if refuse and refuse in text:
        raise ZeroDivisionError(f"cannot look at {refuse}")
    frames = clip.sample([clip.duration_s / 2], 16)
    words = len(text.split())
    return Glance(
        text, float(frames.mean()) * scale, words, frames.mean(axis=(0, 1, 2)), words > 9, frames, ("Only a glance.",)
    )


def not_a_probe(clip: Clip, text: str) -> None:
    """It asks for no model."""
