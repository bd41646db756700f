"""A scene: a few seconds of a world, described in continuous time.

    scene = sample_scene(7)            # frozen; the same seed gives the same scene
    scene.caption.text                 # "the red circle slides left and then the blue star spins now"
    scene.reversed()                   # the time-reversed video, a scene of the same probability
    scene.clip()                       # what the rest of the house looks at

What a scene is stands in ``plan.py``; ``sampling.py`` draws scenes, ``render.py`` pixels, ``sound.py`` the
waveform, ``foils.py`` false captions and the scenes in which they are true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vtexplore.types import Clip
from vtexplore.world.foils import Foil, foil, sibling
from vtexplore.world.language import Caption, Style, retell, say
from vtexplore.world.plan import Plan
from vtexplore.world.truth import clip_of


@dataclass(frozen=True)
class Scene(Plan):
    """A short video that can be asked: what else it could be called, what it is not, what it looks like."""

    # ── other words ───────────────────────────────────────────────────────────────────────────────

    def captions(self, rng: np.random.Generator | int = 0, language: str = "en") -> Iterator[Caption]:
        """Paraphrases without end: the same statement in other voices, templates and mention orders.

        Another ``language`` has one voice and one caption per template.
        """
        if language != "en":
            voice = self.theme.voice(0, language)
            for t in range(len(voice.templates[self.join])):
                for f in range(len(voice.frames[self.join])):
                    yield say(self.theme, self.statement, Style(0, t, f), language)
            return
        rng = np.random.default_rng(rng)
        while True:
            yield retell(self.caption, self.theme, rng)

    # ── falsehoods ────────────────────────────────────────────────────────────────────────────────

    def foil(self, kind: str, rng: np.random.Generator | int = 0) -> Foil | None:
        """A caption that is false of this scene and differs as little as possible; see ``foils.py``."""
        return foil(self, kind, np.random.default_rng(rng))

    def sibling(self, kind: str, rng: np.random.Generator | int = 0) -> Scene | None:
        """The scene in which a foil of this kind is true, all else being equal; see ``foils.py``."""
        return sibling(self, kind, np.random.default_rng(rng))

    # ── what the house looks at ───────────────────────────────────────────────────────────────────

    def clip(self, fps: float = 24.0, frames: int = 4) -> Clip:
        """This scene as a ``Clip`` that shows ``frames`` interior frames, with its truth filled in."""
        return clip_of(self, fps, frames)
