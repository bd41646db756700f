"""What a model says when some patches or words are taken away; how, is a choice, and results change with it.

    attention      patches are hidden from attention (of frames whose single patches are hidden, a [CLS] is, too)
    mean colour    their pixels become the clip's mean colour
    blur           their pixels become those of a picture blurred by as much as a patch is wide
    noisy linear   their pixels are guessed from those around them, and a little noise is added (see ``_impute``):
                   what is taken away leaves no outline. A frame of which nothing is left has the clip's mean colour

Words become [MASK] in each of them. The word in question is never taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from vtexplore.data.text import vocabulary
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._ask import alone
from vtexplore.probes._case import AT_ONCE, Case
from vtexplore.probes._impute import impute, noise
from vtexplore.probes._places import patches
from vtexplore.probes._videos import apart
from vtexplore.probes.fill_mask import mean_colour
from vtexplore.types import Batch, Stream


def from_attention(batch: Batch, gone: Tensor) -> Batch:
    """Patches that are ``gone`` [batch, frame, row, column] are hidden from attention."""
    return replace(batch, patch_mask=~gone)


def to_mean_colour(batch: Batch, gone: Tensor) -> Batch:
    """Patches that are ``gone`` have the clip's mean colour."""
    return replace(batch, video=torch.where(over_pixels(batch, gone), mean_colour(batch).video, batch.video))


def to_blur(batch: Batch, gone: Tensor) -> Batch:
    """Patches that are ``gone`` are blurred, by a Gaussian as wide as a patch."""
    wide = batch.video.shape[-1] / gone.shape[-1]
    soft = gaussian_filter(batch.video[0].cpu().numpy(), (0, 0, wide, wide))
    return replace(
        batch, video=torch.where(over_pixels(batch, gone), torch.from_numpy(soft).to(batch.video), batch.video)
    )


def to_noisy_linear(batch: Batch, gone: Tensor) -> Batch:
    """Patches that are ``gone`` are guessed from what is left of their frame, and noise is added."""
    pixels = over_pixels(batch, gone)
    plain = torch.where(pixels.all(dim=(3, 4), keepdim=True), mean_colour(batch).video, batch.video)
    videos, missing = plain.cpu().numpy(), pixels[:, :, 0].cpu().numpy()
    guessed = np.stack(
        [np.stack([impute(f, m) for f, m in zip(*pair, strict=True)]) for pair in zip(videos, missing, strict=True)]
    )
    guessed += np.where(missing[:, :, None], noise(videos.shape[1:]), 0)
    return replace(batch, video=torch.from_numpy(guessed.clip(0, 1)).to(batch.video))


REMOVALS: Mapping[str, Callable[[Batch, Tensor], Batch]] = {
    "attention": from_attention,
    "mean colour": to_mean_colour,
    "blur": to_blur,
    "noisy linear": to_noisy_linear,
}


def able(case: Case) -> tuple[str, ...]:
    """The removals that a model bears: "attention" only where single patches can be hidden from it."""
    everything = torch.zeros(1, *case.grid, dtype=torch.bool, device=case.batch.video.device)
    try:
        case(from_attention(case.batch, everything))
    except Unsupported:
        return tuple(name for name in REMOVALS if name != "attention")
    return tuple(REMOVALS)


def over_pixels(batch: Batch, patch: Tensor) -> Tensor:
    """What holds for patches [batch, frame, row, column], for their pixels [batch, frame, 1, height, width]."""
    frames, _, height, width = batch.video.shape[1:]
    t, y, x = (cells(n, m, patch.device) for n, m in zip((frames, height, width), patch.shape[1:], strict=True))
    return patch[:, t][:, :, y][:, :, :, x][:, :, None]


def cells(length: int, parts: int, device: torch.device) -> Tensor:
    """Which of ``parts`` each of ``length`` frames or pixels belongs to."""
    each = -(-length // parts)
    return (torch.arange(length, device=device) // each).clamp(max=parts - 1)


@dataclass
class Without:
    """The number of a case when some of its patches and words are taken away.

    ``removal`` is a key of ``REMOVALS`` (``ConfigError`` names them). What was asked once is not asked again.
    """

    case: Case
    removal: str
    known: dict[bytes, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.removal not in REMOVALS:
            raise ConfigError(f"Nothing is taken away by {self.removal!r}; there are {', '.join(REMOVALS)}.")

    def __call__(self, patch: np.ndarray, word: np.ndarray | None = None) -> np.ndarray:
        """Float64 [item] for what is kept: bool ``patch`` [item, patch] and ``word`` [item, word] (None: all)."""
        word = np.ones((len(patch), len(self.case.words)), dtype=bool) if word is None else word
        kept = np.concatenate([patch, word], axis=1).astype(bool)
        keys = [row.tobytes() for row in kept]
        new = list({key: i for i, key in enumerate(keys) if key not in self.known}.values())
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            self.known.update(zip((keys[i] for i in some), self._ask(patch[some], word[some]).tolist(), strict=True))
        return np.array([self.known[key] for key in keys])

    @property
    def patches(self) -> int:
        """How many patches there are."""
        return int(np.prod(self.case.grid))

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The number with all patches, and with none: f(x) and f(∅) of this removal."""
        whole, none = self(np.stack([np.ones(self.patches, dtype=bool), np.zeros(self.patches, dtype=bool)]))
        return float(whole), float(none)

    def _ask(self, patch: np.ndarray, word: np.ndarray) -> np.ndarray:
        case, device = self.case, self.case.batch.video.device
        gone = torch.from_numpy(~patch).to(device).unflatten(1, case.grid)
        batch = case.many(len(patch))
        all_words = bool(word.all())
        if not all_words:
            batch = case.retold(batch, self._masked(word))
        if self.removal == "attention" and self._once is not None:
            once = self._once
            video, text, mask = once.video, once.text, once.mask(gone)
            here = torch.zeros(len(patch), dtype=torch.long, device=device)
            with torch.no_grad():
                said = text.take(here) if all_words else case.model.text(batch)
                shown = Stream(video.hidden[here], mask, video.take(here).tokens)
                out = alone(case.model, case.head, shown, said, batch)
                return np.asarray(case.score(out).double().cpu().numpy())
        return case(REMOVALS[self.removal](batch, gone))

    def _masked(self, word: np.ndarray) -> Tensor:
        """The words' ids with [MASK] for those that are not kept: [item, piece]."""
        told, mask = self.case.told, vocabulary(self.case.model.inputs.vocabulary).mask_id
        at = told.piece_words[0]
        kept = np.where(at >= 0, word[:, np.maximum(at, 0)], True)
        return told.word_ids.expand(len(word), -1).masked_fill(~torch.from_numpy(kept).to(told.word_ids.device), mask)

    @cached_property
    def _once(self) -> Once | None:
        """The clip and the text embedded once, if hiding patches leaves the embedding alone."""
        case = self.case
        if case.batch.question is not None or not apart(case.model):
            return None
        none = torch.zeros(1, *case.grid, dtype=torch.bool, device=case.batch.video.device)
        half = torch.arange(none.numel(), device=none.device).remainder(2).bool().view_as(none)
        last = torch.zeros_like(none)
        last[:, -1, -1, -1] = True
        with torch.no_grad():
            (video, text), (other, _), (alone, _) = (
                case.model.embed(from_attention(case.batch, gone)) for gone in (none, half, last)
            )
        at = torch.from_numpy(np.flatnonzero(patches(video.tokens()[0]))).to(none.device)
        if len(at) != none.numel() or not torch.equal(video.hidden, other.hidden):
            return None
        heads = (video.mask & ~other.mask)[0].index_fill(0, at, False).nonzero()[:, 0]
        if len(heads) % len(none[0]):
            return None
        once = Once(video, text, at, heads)
        same = [torch.equal(once.mask(gone), seen.mask) for gone, seen in ((half, other), (last, alone))]
        return once if all(same) else None


@dataclass(frozen=True)
class Once:
    """A clip and a text, embedded; the places of the patches, and of what is hidden with any patch of its frame."""

    video: Stream
    text: Stream
    at: Tensor
    heads: Tensor

    def mask(self, gone: Tensor) -> Tensor:
        """What of the clip may be attended to, bool [item, token], without patches bool [item, frame, row, column]."""
        out = self.video.mask.repeat(len(gone), 1)
        out[:, self.at] &= ~gone.flatten(1)
        each = len(self.heads) // gone.shape[1]
        out[:, self.heads] &= ~gone.flatten(2).any(dim=2).repeat_interleave(each, dim=1)
        return out
