"""A clip in visual words, to be read moment by moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtexplore.probes.read_words import ReadWordsResult, read_words
from vtexplore.types import Clip
from vtexplore.views.picture import origin
from vtexplore.views.visual_words import said
from vtexplore.views.word_cells import path
from vtexplore.widgets._sent import jpeg


class Timeline:
    """The visual words of a clip. Raises what ``read_words`` raises."""

    kind = "timeline"

    def __init__(self, model: Any, clip: Clip) -> None:
        self.result: ReadWordsResult = read_words(model, clip)

    def scene(self) -> dict[str, Any]:
        """What timeline.mjs shows."""
        result = self.result
        shown = sorted({int(code) for code in result.codes})
        return {
            "model": result.about["model"],
            "origin": origin(result.about, result.clip),
            "clip": result.clip,
            "said": said(result),
            "notes": list(result.notes),
            "frames": [jpeg(frame) for frame in result.frames],
            "times_s": [float(t) for t in result.times_s],
            "codes": [int(code) for code in result.codes],
            "nearest": [int(code) for code in result.nearest],
            "distance": [float(d) for d in result.distance],
            "words": {str(code): self._word(code) for code in shown},
        }

    def _word(self, code: int) -> dict[str, Any]:
        at = int(np.flatnonzero(self.result.words == code)[0])
        counts, pictures = self.result.counts, self.result.exemplars
        return {
            "picture": jpeg(pictures[at]) if len(pictures) else "",
            "path": path(self.result.path(code)),
            "count": int(counts[at]) if len(counts) else None,
        }

    def numbers(self) -> bytes:
        """None are needed."""
        return b""

    def answer(self, what: Any) -> Any:
        """Nothing is asked."""
        return {}

    def picture(self, selection: Any = None) -> Any:
        """The clip as a sentence of visual words."""
        return self.result.plot()
