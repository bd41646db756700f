"""One frame in place of a clip: does it take a film to know this, or a picture?

Frames are asked one by one, and the one counts in which a model is surest, for whoever chooses the frame by the right
answer finds one by chance: with four choices and noise alone, in 1 − (3/4)⁴ = 68 % of clips of four frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vtexplore.types import Batch


def stills(batch: Batch, frames: Sequence[int] | None = None) -> Iterator[Batch]:
    """For each frame (or some) the batch with clips of that frame alone, repeated: as long as before, nothing moves."""
    for frame in range(batch.video.shape[1]) if frames is None else frames:
        yield replace(batch, video=batch.video[:, frame : frame + 1].expand_as(batch.video).contiguous())


def surest(scores: np.ndarray) -> int:
    """Of scores [frame, choice] the frame whose first choice is furthest ahead of its second; the earliest of equals.

    Two choices or more.
    """
    second, first = np.sort(scores, axis=1)[:, -2:].T
    return int((first - second).argmax())
