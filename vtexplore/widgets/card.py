"""A multiple-choice question: choices to guess from, the model's shares, and a map for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vtexplore.probes.answer import AnswerResult, answer
from vtexplore.types import Clip
from vtexplore.views import overlay
from vtexplore.views.picture import origin
from vtexplore.widgets._sent import jpeg, outlines, quantised, region, scales


class Card:
    """A question about a clip. Raises what ``answer`` raises."""

    kind = "card"

    def __init__(
        self,
        model: Any,
        clip: Clip,
        text: str | None = None,
        phrase: str | None = None,
        choices: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.result: AnswerResult = answer(model, clip, text, phrase=phrase, choices=choices)
        # The right one must not stand where it always stands.
        self.order = [int(i) for i in np.random.default_rng(seed).permutation(len(self.result.choices))]

    def scene(self) -> dict[str, Any]:
        """What card.mjs shows: a look with a row for the question and one for each choice."""
        result = self.result
        names = [result.choices[i] for i in self.order]
        height, width = result.frames.shape[1:3]
        things = list(range(len(result.objects)))
        return {
            "model": result.about["model"],
            "origin": origin(result.about, result.clip),
            "clip": result.clip,
            "text": result.text,
            "question": result.question,
            "phrase": result.phrase,
            "words": ["the question", *names],
            "right": None if result.right is None else self.order.index(result.right),
            "conditions": list(result.labels),
            "scores": [[float(row[i]) for i in self.order] for row in result.scores],
            "p": [[result.probability(i, c) for i in self.order] for c in result.conditions],
            "notes": list(result.notes),
            "why": result.why,
            "grid": list(result.grid.shape),
            "region": region(result.patches.box[result.grid[0]]),
            "size": [width, height],
            "times_s": [float(t) for t in result.times_s],
            "frames": [jpeg(frame) for frame in result.frames],
            "film": [],
            "film_times_s": [],
            "looks": [{"site": result.site, "heads": 1, "first": 0, "method": True}],
            "statistics": [],
            "chosen": {"look": 0, "head": 0, "word": 0},
            "objects": list(result.objects),
            "named": [things] * (1 + len(names)),
            "outlines": outlines(result.masks),
            "show": [],
            "can": {"fill": False, "match": False},
            "score": None,
            "even": overlay.EVEN,
        }

    def numbers(self) -> bytes:
        """What ``numbersOf`` in kit.mjs cuts up: one look, a row for the question and for each choice."""
        maps = [self.result.heat(), *(self.result.heat(i) for i in self.order)]
        rows, tops = quantised(np.stack([m.ravel() for m in maps]).astype(np.float32))
        return tops.astype("<f4").tobytes() + scales() + rows.tobytes()

    def answer(self, what: Any) -> Any:
        """Nothing is asked."""
        return {}

    def picture(self, selection: Any = None) -> Any:
        """The choices with their baselines."""
        return self.result.plot()
