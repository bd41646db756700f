"""Clips of steps of grey, and models made by hand that know everything about order, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vtexplore.blocks.embeddings import PatchPlaces, grid_tokens
from vtexplore.data.text import SPECIALS
from vtexplore.objectives import frame_order
from vtexplore.types import Batch, Clip, Inputs, Output, Stream, Tokens

STORY = ("the", "red", "blue", "disc", "spins", "grows", "before", "after")
RISES, FALLS = "the red disc grows", "the blue disc grows"


@dataclass(frozen=True)
class Stairs:
    """A picture that gets brighter step by step, or as ``levels`` say."""

    levels: tuple[float, ...]

    def sample(self, times_s: Any, short_side_px: int | None) -> np.ndarray:
        side = short_side_px or 16
        at = [min(int(t), len(self.levels) - 1) for t in times_s]
        grey = np.array([round(255 * self.levels[i]) for i in at], dtype=np.uint8)
        return np.broadcast_to(grey[:, None, None, None], (len(at), side, side, 3)).copy()

    def waveform(self, start_s: float, end_s: float) -> None:
        return None


def stairs(levels: Any = (0.1, 0.3, 0.5, 0.7), name: str = "stairs", caption: str = RISES) -> Clip:
    """A second a level, by which the middle of each second is shown."""
    clip = Clip(Stairs(tuple(levels)), float(len(levels)), 1.0, (), name=name, caption=caption)
    return clip.showing([i + 0.5 for i in range(len(levels))])


def story_words(folder: Path) -> str:
    """The path of a word list for ``STORY``."""
    path = folder / "story.txt"
    path.write_text("\n".join([*SPECIALS, *STORY]) + "\n")
    return str(path)


def inversions(levels: Tensor) -> Tensor:
    """How many pairs of frames [batch, frame] get darker."""
    return (levels[:, :, None] > levels[:, None] + 1e-6).triu(1).sum(dim=(1, 2)).float()


def levels_of(batch: Batch) -> Tensor:
    """How bright each frame is: [batch, frame]."""
    return batch.video.mean(dim=(2, 3, 4))


class Judge(nn.Module):
    """Scores ``RISES`` by the pairs that get brighter, less those that get darker; ``FALLS`` the other way round."""

    def __init__(self, vocabulary: str, frames: int = 4) -> None:
        super().__init__()
        self.inputs = Inputs(frames=frames, sampling="middle", size_px=8, max_words=16, vocabulary=vocabulary)
        self.name, self.size, self.weights_hash, self.card = "judge", "mini", "0" * 8, {}
        self.asked = 0

    def forward(self, batch: Batch) -> Output:
        self.asked += len(batch)
        seen = self.seen(batch) * batch.has_video
        return Output(match_logits=torch.where(torch.tensor([RISES in t for t in batch.texts]), seen, -seen))

    def seen(self, batch: Batch) -> Tensor:
        levels = levels_of(batch)
        return inversions(levels.flip(1)) - inversions(levels)


class Blind(Judge):
    """Sees how bright the clip is, whatever the order."""

    def seen(self, batch: Batch) -> Tensor:
        return levels_of(batch).double().mean(dim=1).float()


class Storyteller(Judge):
    """Knows that a clip which gets brighter shows red first, and reads which comes first: ``mention`` = by mention."""

    def __init__(self, vocabulary: str, how: str = "order") -> None:
        super().__init__(vocabulary)
        self.how = how

    def forward(self, batch: Batch) -> Output:
        said = torch.tensor([self.red_first(t.split()) for t in batch.texts]) * 2.0 - 1
        shown = self.seen(batch).sign()
        return Output(match_logits=said * shown if self.how != "bag" else shown.abs())

    def red_first(self, words: list[str]) -> bool:
        mentioned = words.index("red") < words.index("blue")
        if self.how == "mention":
            return mentioned
        return mentioned == ((words[0] == "after") or ("before" in words[1:]))


class Placer(Judge):
    """Has a head for order: right of each frame (``knows``), or by the place where a frame stands and nothing else."""

    def __init__(self, vocabulary: str, frames: int = 4, knows: bool = True) -> None:
        super().__init__(vocabulary, frames)
        self.knows = knows

    def forward(self, batch: Batch) -> Output:
        levels = levels_of(batch)
        place = levels.argsort(dim=1).argsort(dim=1) if self.knows else torch.arange(levels.shape[1]).expand_as(levels)
        return Output(order_logits=4.0 * nn.functional.one_hot(place, levels.shape[1]).float())


class Relater(Judge):
    """Has a head for pairs, and its own way to move two frames at a time; relates them by how bright they are."""

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        return batch.video.shape[1] // 2, 1, 1

    def forward(self, batch: Batch) -> Output:
        return self.reorder(batch, torch.arange(self.grid(batch)[0]).expand(len(batch), -1))

    def reorder(self, batch: Batch, order: Tensor, video: Stream | None = None) -> Output:
        level = frame_order.move(levels_of(batch).unflatten(1, (-1, 2)).mean(dim=2), order)
        later = 40 * (level[:, None] - level[:, :, None])
        same = torch.full_like(later, 3.0)  # another video, or the same moment: not asked here
        return Output(relation_logits=torch.stack([same, same, later, -later], dim=-1))


class Framewise(Judge):
    """Encodes frames one by one, gives them their places, and reads all together: interventions can be compared.

    ``meets``: before they get their places, each frame hears the one before it.
    """

    def __init__(self, vocabulary: str, meets: bool = False) -> None:
        super().__init__(vocabulary)
        self.places, self.head, self.meets = PatchPlaces(8, 4, 6, std=1.0), nn.Linear(8, 8), meets
        self.code = nn.Linear(1, 8)
        self.eval()

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        return batch.video.shape[1], 2, 2

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        small = nn.functional.adaptive_avg_pool2d(batch.video.mean(dim=2), 2)[..., None]  # [batch, frame, 2, 2, 1]
        patches = self.code(small).tanh()
        patches = patches + patches.roll(1, dims=1) * 0.5 if self.meets else patches
        grid = self.grid(batch)
        tokens = grid_tokens(batch, grid, cls=True)
        return Stream(self.places(patches), batch.sees(grid, cls=True), tokens), self.text(batch)

    def text(self, batch: Batch) -> Stream:
        hidden = torch.zeros(*batch.word_ids.shape, 8)
        return Stream(hidden, batch.word_mask, lambda: [Tokens.make(p, [{"text"}] * len(p)) for p in batch.pieces])

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        seen = self.head(video.hidden.tanh()).square().sum(dim=2) * video.mask
        return Output(match_logits=seen.sum(dim=1) * batch.has_video)

    def forward(self, batch: Batch) -> Output:
        self.asked += len(batch)
        return self.read(*self.embed(batch), batch)
