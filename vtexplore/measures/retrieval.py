"""Which of many videos does a text mean?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vtexplore.measures.looks import Looks, ask
from vtexplore.measures.tally import Tally
from vtexplore.objectives.contrastive import cosine
from vtexplore.world import Scene

SIZE = 256  # videos to choose from


class Gallery:
    """Embeddings of texts and videos, gathered batch by batch and ranked in galleries of ``SIZE`` at the end."""

    def __init__(self) -> None:
        self.texts: list[Tensor] = []
        self.videos: list[Tensor] = []

    def add(self, model: Any, scenes: Sequence[Scene], looks: Looks) -> None:
        """Captions and videos of some scenes."""
        for _, output in ask(model, looks.videos["true"], range(len(scenes)), looks.batch):
            self.texts.append(output.text_embedding)
            self.videos.append(output.video_embedding)

    def rank(self, tally: Tally) -> None:
        """Text to video: is the own one first, among the first ten? A tie counts against it."""
        if not self.texts:
            return
        texts, videos = torch.cat(self.texts), torch.cat(self.videos)
        for start in range(0, len(texts) - SIZE + 1, SIZE):
            scores = cosine(texts[start : start + SIZE], videos[start : start + SIZE])
            own = scores.diagonal()[:, None]
            for item, rank in enumerate((scores >= own).sum(1).tolist(), start):
                tally.add(f"retrieval, 1st of {SIZE}: the clip", rank == 1, item)
                tally.add(f"retrieval, among 10 of {SIZE}: the clip", rank <= 10, item)
