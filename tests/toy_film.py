"""A model made by hand that reads the toy's film in four visual words, by where the red disc is.

A moment is two frames, and its word the quarter of the width in which the disc stands: the film is the sentence
0 0 2 3 or so. What comes next is one to the right, always: the last seen word and one more for each [MASK]. A text that
says "right" means the last word, any other nothing at all.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from toy import ToyModel

from vtexplore.types import Batch, Output
from vtexplore.visual_words import VisualWords

COUNTS = [4, 1, 2, 9]


class ToyEyes(nn.Module):
    """Where the disc is, 0..1; words are quarters, in two halves of the tree."""

    window = 2

    def __init__(self) -> None:
        super().__init__()
        centroids = torch.tensor([[0.5], [0.25], [0.75], [0.125], [0.375], [0.625], [0.875]])
        children = torch.full((7, 2), -1)
        children[0], children[1], children[2] = torch.tensor([1, 2]), torch.tensor([3, 4]), torch.tensor([5, 6])
        self.tree = VisualWords(centroids, children, torch.arange(4) * 10, {"counts": COUNTS, "items": 16})

    @property
    def words(self) -> VisualWords:
        return self.tree

    def features(self, video: Tensor) -> Tensor:
        """[batch, moment, 1]: the middle of what is red, in the mean over two frames."""
        red = ((video[:, :, 0] - video[:, :, 1:].amax(2)) > 0.4).float().sum(2)  # [batch, frame, x]
        x = (torch.arange(red.shape[-1]) + 0.5) / red.shape[-1]
        middle = (red * x).sum(-1) / red.sum(-1).clamp(min=1)
        return middle.unflatten(1, (-1, self.window)).mean(2, keepdim=True)


class ToyReader(ToyModel):
    """See the top of this file."""

    def __init__(self, vocabulary: str, card: dict[str, Any] | None = None) -> None:
        super().__init__(vocabulary, card)
        self.inputs = type(self.inputs)(
            frames=8, sampling="middle", size_px=96, fit="crop", max_words=20, vocabulary=vocabulary
        )
        self.eyes = ToyEyes()
        self.anything = nn.Parameter(torch.zeros(1))
        self.heard: list[tuple[list[int], list[bool]]] = []

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        return batch.video.shape[1] // self.eyes.window, 1, 1

    def codes(self, batch: Batch) -> Tensor:
        features = self.eyes.features(batch.video)
        return self.eyes.words.descend(features.flatten(0, 1)).view(features.shape[:2])

    def foresee(self, codes: Tensor, hidden: Tensor) -> Tensor:
        self.heard.append((codes[0].tolist(), hidden[0].tolist()))
        logits, last = torch.zeros(*codes.shape, 6), None
        for i, gone in enumerate(hidden[0].tolist()):
            last = int(codes[0, i]) if not gone else last if last is None else min(last + 1, 3)
            if gone and last is not None:
                logits[0, i, last] = 4.0
        logits[..., 5] = 9.0  # a word that there is not
        return logits

    def hide_codes(self, batch: Batch, hidden: Tensor) -> Output:
        logits = torch.zeros(len(batch), hidden[0].numel(), 6)
        logits[:, :, 3] = 4.0 if "right" in batch.pieces[0] else 0.0
        return Output(code_logits=logits)
