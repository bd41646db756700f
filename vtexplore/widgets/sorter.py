"""Frames to be put in order by hand, beside the order that the model finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtexplore.probes.recover_order import RecoverResult, recover_order
from vtexplore.types import Clip
from vtexplore.views.picture import origin
from vtexplore.widgets._sent import jpeg


class Sorter:
    """The frames of a clip, shuffled. Raises what ``recover_order`` raises."""

    kind = "sorter"

    def __init__(self, model: Any, clip: Clip, text: str | None = None, seed: int = 0) -> None:
        self.result: RecoverResult = recover_order(model, [clip], None if text is None else [text])
        self.clip, self.seed = clip, seed

    def scene(self) -> dict[str, Any]:
        """What sorter.mjs shows; the model's order is part of it, so nobody has to be asked."""
        result = self.result
        count = len(result.frames)
        height, width = result.frames.shape[1:3]
        return {
            "model": result.about["model"],
            "origin": origin(result.about, result.clips[0]),
            "clip": result.clips[0],
            "text": result.texts[0],
            "notes": list(result.notes),
            "grid": [count, 1, 1],
            "region": [0.0, 0.0, 1.0, 1.0],
            "size": [width, height],
            "times_s": [float(t) for t in result.times_s],
            "frames": [jpeg(frame) for frame in result.frames],
            "outlines": [],
            "start": _shuffled(count, self.seed),
            "found": [int(i) for i in result.best[0]],
            "tied": int(result.tied[0]),
            "how": result.how,
        }

    def numbers(self) -> bytes:
        """None are needed."""
        return b""

    def answer(self, what: Any) -> Any:
        """Nothing is asked."""
        return {}

    def picture(self, selection: Any = None) -> Any:
        """The order that the model finds, and chance."""
        return self.result.plot()


def _shuffled(count: int, seed: int) -> list[int]:
    """An order that is neither the true one nor its reverse, if there is any."""
    rng = np.random.default_rng(seed)
    order = list(range(count))
    while count > 2 and order in (sorted(order), sorted(order, reverse=True)):
        order = [int(i) for i in rng.permutation(count)]
    return order if count > 2 else order[::-1]
