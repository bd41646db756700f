"""Which visual word belongs on a hidden patch? Pixels, the codes that stood there, and what the model says.

    result = fill_codes(model, clip, frame=2)        the middle of a frame is hidden; which codes were there?
    result.plot()                                    pixels, their codes painted, the hidden, the model's answer

A discrete VAE names every patch by one of some hundred codes, and its decoder paints them again: what it paints
from the true codes is the best that any answer can look like. Other families have a code for a whole moment, and
nothing that paints it: these are hidden in the sequence, not in the pixels (``hide_codes`` of the model), and shown
by their numbers. A share of right codes means little alone, so two answers that need no model stand beside it: the
code at the same place in the nearest frame where it can be seen ("copy", strong wherever little moves), and the
commonest code that can be seen ("common").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.objectives import masked_codes
from vtexplore.probes._ask import about, needs, notices, text_of
from vtexplore.probes._result import Result, Row
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.record import beside
from vtexplore.types import Batch, Clip

ANSWERS = ("the model", "copy", "common")


@dataclass(frozen=True)
class FillCodesResult(Result):
    """Codes [frame, row, column] as they are (``truth``), by the model (``said``), ``copied`` and ``common``.

    ``hidden`` bool [frame, row, column]; ``p`` float32 [hidden patch] is the probability of the true code.
    Pictures, uint8 [frame, height, width, rgb]: ``frames`` as the model sees them (of a moment, the middle one), with
    the hidden patches black in ``shown``; ``painted`` from the true codes; ``answered`` with the model's codes where
    patches are hidden. The last two hold no frame if nothing paints these codes.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "shown", "painted", "answered")

    text: str
    hidden: np.ndarray
    truth: np.ndarray
    said: np.ndarray
    copied: np.ndarray
    common: int
    p: np.ndarray
    codes: int
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    shown: np.ndarray
    painted: np.ndarray
    answered: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def of_moments(self) -> bool:
        """Whether a code is of a whole moment, and not of a patch."""
        return self.truth.shape[1:] == (1, 1)

    @property
    def asked(self) -> str:
        """What was hidden, in words: "16 patches", "1 moment"."""
        count = int(self.hidden.sum())
        one, more = ("moment", "moments") if self.of_moments else ("patch", "patches")
        return f"{count} {one if count == 1 else more}"

    def right(self) -> dict[str, float]:
        """The share of hidden patches that each answer names rightly: "the model", "copy", "common"."""
        truth = self.truth[self.hidden]
        answers = (self.said[self.hidden], self.copied[self.hidden], self.common)
        return {name: float((truth == answer).mean()) for name, answer in zip(ANSWERS, answers, strict=True)}

    def row(self) -> Row:
        """Shares that are ``right``, by ``copy``, by ``common``; mean ``p`` and −ln p (``nll``) of the true codes."""
        right = self.right()
        nll = -np.log(np.maximum(self.p.astype(float), 1e-30)).mean()
        return {
            "text": self.text,
            "hidden": int(self.hidden.sum()),
            "right": right["the model"],
            "copy": right["copy"],
            "common": right["common"],
            "p": float(self.p.mean()),
            "nll": float(nll),
        }


def fill_codes(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    frame: int | None = None,
    box: tuple[float, float, float, float] = (0.25, 0.25, 0.75, 0.75),
) -> FillCodesResult:
    """Hide a box of patches, in one frame or moment (from 0) or in all (None), and ask for their codes.

    ``box`` is xyxy in 0..1 of the square that the model sees; a patch is hidden if its middle lies inside.
    ``text`` None = the clip's caption. Raises ``Unsupported`` for a model that predicts no codes,
    ``ConfigError`` for a box or a frame that holds no patch.
    """
    text = text_of(model, clip, text)
    batch = beside(model, prepare([clip], [text], model.inputs))
    truth = _codes(model, batch)
    patches = _patches(truth.shape, frame, box)
    each = batch.video.shape[1] // len(truth)  # frames of a moment
    middle = slice(each // 2, None, each)
    hidden = patches[None].to(batch.video.device)
    black = masked_codes.hide(
        batch.video, hidden.repeat_interleave(each, dim=1), batch.video.shape[-1] // truth.shape[-1]
    )
    with torch.inference_mode():
        by_model = hasattr(model, "hide_codes")
        output = model.hide_codes(batch, hidden) if by_model else model(replace(batch, video=black))
    logits = needs(model, output, "code_logits", "visual words")
    log_p = logits[0].float().log_softmax(-1).cpu().unflatten(0, truth.shape)
    said = torch.where(patches, log_p.argmax(-1), truth)
    seen = truth[~patches]
    common = int(seen.mode().values) if len(seen) else int(truth.flatten().mode().values)
    return FillCodesResult(
        text=text,
        hidden=patches.numpy(),
        truth=truth.numpy(),
        said=said.numpy(),
        copied=_copied(truth, patches, common).numpy(),
        common=common,
        p=log_p.gather(-1, truth[..., None])[..., 0].exp()[patches].numpy(),
        codes=log_p.shape[-1],
        clip=clip.name,
        times_s=np.asarray(batch.times_s[0], dtype=float)[middle],
        frames=_pictures(batch.video[0, middle]),
        shown=_pictures(black[0, middle]),
        painted=_pictures(_paint(model, truth, batch.video[0])),
        answered=_pictures(_paint(model, said, batch.video[0])),
        about=about(model, clip),
        notes=(*notices(model, clip), ONE_CASE),
    )


def _codes(model: Any, batch: Batch) -> Tensor:
    """The codes of the one clip: [frame, row, column]."""
    name = getattr(model, "name", type(model).__name__)
    with torch.inference_mode():
        if not hasattr(model, "codes"):
            needs(model, model(batch), "code_logits", "visual words")
            raise Unsupported(f"{name} predicts codes, but does not say which they are.")
        try:
            found: Tensor = model.codes(batch)
        except ConfigError as lacking:
            raise Unsupported(f"{name} came without the codes that it predicts. {lacking}") from lacking
    return found[0].cpu().view(*model.grid(batch))


def _paint(model: Any, codes: Tensor, video: Tensor) -> Tensor:
    """What a decoder makes of codes: a frame for each moment, or none of the video's if the model has no decoder."""
    if getattr(model, "dvae", None) is None:
        return video[:0]
    with torch.inference_mode():
        painted: Tensor = model.dvae.decode(codes.to(next(model.parameters()).device))
    return painted


def _patches(grid: tuple[int, ...], frame: int | None, box: tuple[float, float, float, float]) -> Tensor:
    """bool [frame, row, column]"""
    frames, rows, columns = grid
    if frame is not None and not 0 <= frame < frames:
        raise ConfigError(f"The model sees {frames} frames, counted from 0: there is no {frame}.")
    y, x = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    inside = ((y >= box[1]) & (y < box[3]))[:, None] & ((x >= box[0]) & (x < box[2]))
    if not inside.any():
        raise ConfigError(f"No patch has its middle in the box {box}; (0, 0, 1, 1) is the whole frame.")
    chosen = torch.zeros(frames, dtype=torch.bool)
    chosen[slice(None) if frame is None else frame] = True
    return chosen[:, None, None] & inside


def _copied(truth: Tensor, patches: Tensor, common: int) -> Tensor:
    """At each hidden place the code of the nearest frame where it is seen (the earlier of two), or the common one."""
    out = truth.clone()
    for f, r, c in patches.nonzero().tolist():
        near = sorted((g for g in range(len(truth)) if not patches[g, r, c]), key=lambda g: (abs(g - f), g))
        out[f, r, c] = truth[near[0], r, c] if near else common
    return out


def _pictures(video: Tensor) -> np.ndarray:
    """float [frame, rgb, height, width] in 0..1 to uint8 [frame, height, width, rgb]."""
    return np.asarray((video.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu())
