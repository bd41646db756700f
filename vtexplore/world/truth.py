"""A scene as the house sees it: a ``Clip`` with sound, speech, regions and complete truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vtexplore.types import Clip, Event, Phrase, Regions
from vtexplore.world.plan import Plan
from vtexplore.world.render import boxes, masks, render
from vtexplore.world.sound import waveform
from vtexplore.world.telling import narration, tags

NATIVE_PX = 256


@dataclass(frozen=True)
class SceneSource:
    """Draws frames and sound of a scene when asked."""

    scene: Plan

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """uint8 [frame, height, width, rgb]; a world is square, and 256 px wide if nobody says otherwise."""
        return render([self.scene], _within(self.scene, times_s), short_side_px or NATIVE_PX)[0]

    def waveform(self, start_s: float, end_s: float) -> np.ndarray:
        """float32 [sample] in −1..1, 16 kHz, mono."""
        return waveform(self.scene, start_s, end_s)


@dataclass(frozen=True)
class SceneTruth:
    """What only the world knows; see ``vtexplore.types.Truth``."""

    scene: Plan

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """Names by the look at the start, "red circle", distractors included."""
        return tags(self.scene)

    @property
    def events(self) -> tuple[Event, ...]:
        """What happens, in the order of start, each with the objects in it (who does it first)."""
        return self.scene.events

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """What each word of the caption names."""
        return self.scene.caption.words

    def masks(self, times_s: Sequence[float], short_side_px: int) -> np.ndarray:
        """Visible pixels: bool [object, frame, height, width]."""
        return masks([self.scene], _within(self.scene, times_s), short_side_px)[0]

    def boxes(self, times_s: Sequence[float]) -> np.ndarray:
        """Boxes of visible pixels [object, frame, 4] xyxy in 0..1; NaN where nothing is seen."""
        return boxes([self.scene], _within(self.scene, times_s))[0]


def _within(scene: Plan, times_s: Sequence[float]) -> np.ndarray:
    return np.clip(np.asarray(times_s, dtype=np.float64), 0.0, scene.duration_s)


def clip_of(scene: Plan, fps: float = 24.0, frames: int = 4) -> Clip:
    """The scene as a ``Clip`` showing ``frames`` interior frames.

    ``speech`` is its narration, ``regions`` the true boxes at the shown frames, tagged by the look at
    the start (no features: a world's detector would be an oracle).
    """
    times = tuple(scene.duration_s * (i + 1) / (frames + 1) for i in range(frames))
    truth = SceneTruth(scene)
    return Clip(
        source=SceneSource(scene),
        duration_s=scene.duration_s,
        fps=fps,
        times_s=times,
        name=scene.caption.text,
        caption=scene.caption.text,
        speech=narration(scene, scene.grain),
        regions=Regions(np.array(times), truth.boxes(times).swapaxes(0, 1), truth.objects),
        truth=truth,
        world=scene.theme.name,
    )
