"""A clip, and what may be known of it: speech, regions, and in a generated world the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Speech:
    """One stretch of timed words, as a speech recogniser gives it."""

    start_s: float
    end_s: float
    words: str


@dataclass(frozen=True)
class Regions:
    """Boxes in a picture with what a detector says of them.

    ``boxes`` [frame, region, 4] xyxy in 0..1 (NaN where a region is absent), ``tags`` one word a region,
    ``features`` [frame, region, channel] or None, ``times_s`` [frame].
    """

    times_s: np.ndarray
    boxes: np.ndarray
    tags: tuple[str, ...]
    features: np.ndarray | None = None


@dataclass(frozen=True)
class Event:
    """Something that happens: ``kind`` (a verb's concept), the objects in it, and when."""

    kind: str
    objects: tuple[int, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Phrase:
    """What one word of a text names, where truth is known.

    ``word`` is the index among the whitespace-separated words; ``role`` is one of "colour", "shape",
    "verb", "direction", "target", "background", "relation", "connective", "function"; ``concept`` is
    the thing itself, the same for all synonyms; ``objects`` and ``event`` index the truth's lists.
    """

    word: int
    text: str
    role: str
    concept: str
    objects: tuple[int, ...] = ()
    event: int | None = None


@runtime_checkable
class Truth(Protocol):
    """What only a generated world knows of a clip."""

    @property
    def objects(self) -> tuple[str, ...]:
        """Names such as "red circle", one an object."""
        ...

    @property
    def events(self) -> tuple[Event, ...]:
        """What happens, in the order of start."""
        ...

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """What each word of the clip's caption names."""
        ...

    def masks(self, times_s: Sequence[float], short_side_px: int) -> np.ndarray:
        """Visible pixels of each object: bool [object, frame, height, width]."""
        ...

    def boxes(self, times_s: Sequence[float]) -> np.ndarray:
        """Boxes [object, frame, 4] xyxy in 0..1; NaN where the object is not visible."""
        ...


@runtime_checkable
class Source(Protocol):
    """Where a clip's pixels and sound come from: a file, arrays, a world."""

    def sample(self, times_s: Sequence[float], short_side_px: int | None) -> np.ndarray:
        """uint8 [frame, height, width, rgb] at the given times; true aspect; None = native size."""
        ...

    def waveform(self, start_s: float, end_s: float) -> np.ndarray | None:
        """float32 [sample] in −1..1, 16 kHz, mono; None if silent."""
        ...


@dataclass(frozen=True)
class Clip:
    """A stretch of video that can be asked for frames at any time and size.

    ``times_s`` fixes only which frames are SHOWN in pictures; a model asks for its own. ``name`` says
    where the clip comes from, ``world`` names the generated world that it belongs to, if any.
    """

    source: Source
    duration_s: float
    fps: float
    times_s: tuple[float, ...]
    name: str = "clip"
    caption: str | None = None
    speech: tuple[Speech, ...] = ()
    regions: Regions | None = None
    truth: Truth | None = None
    world: str | None = None

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """Frames at ``times_s`` (seconds from the clip's start): uint8 [frame, height, width, rgb]."""
        return self.source.sample(times_s, short_side_px)

    def waveform(self, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray | None:
        """Sound between two times: float32 [sample], 16 kHz mono in −1..1; None if silent."""
        return self.source.waveform(start_s, self.duration_s if end_s is None else end_s)

    def frames(self, short_side_px: int | None = None) -> np.ndarray:
        """The frames shown in pictures: uint8 [frame, height, width, rgb]."""
        return self.sample(self.times_s, short_side_px)

    def interior_times(self, count: int) -> tuple[float, ...]:
        """``count`` times that cut the clip into count + 1 equal parts (ends excluded)."""
        return tuple(self.duration_s * (i + 1) / (count + 1) for i in range(count))

    def showing(self, times_s: Iterable[float]) -> Clip:
        """The same clip, showing other frames."""
        return replace(self, times_s=tuple(float(t) for t in times_s))
