"""Which visual word belongs on a hidden patch? Pixels, the codes that stood there, and what the model says.

    result = fill_codes(model, clip, frame=2)        the middle of a frame is hidden; which codes were there?
    result.plot()                                    pixels, their codes painted, the hidden, the model's answer

A discrete VAE names every patch by one of some hundred codes, and its decoder paints them again: what it paints
from the true codes is the best that any answer can look like. Other families have a code for a whole moment, and
nothing that paints it: these are hidden in the sequence, not in the pixels (``hide_codes`` of the model), and shown
by their numbers. A share of right codes means little alone, so four answers that need no model stand beside it:

    copy         the code at the same place in the frame before; if that is hidden, in the nearest where it is seen
    neighbour    the code of the nearest patch of the same frame that is seen
    nearest      the code of the nearest patch that is seen, a frame being as far as a patch
    common       the commonest code that is seen

"copy" is strong wherever little moves. What is said without the text, and beside other texts, tells what the words do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from vtexplore.data.prepare import prepare, text_batch
from vtexplore.data.text import vocabulary
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.objectives import masked_codes
from vtexplore.probes._ask import about, needs, notices, text_of
from vtexplore.probes._nulls import other_clips
from vtexplore.probes._result import Result, Row
from vtexplore.probes._videos import with_text
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.record import beside
from vtexplore.types import Batch, Clip, Inputs

Far = Callable[[np.ndarray], np.ndarray]

ANSWERS = ("the model", "copy", "neighbour", "nearest", "common")
TEXTS = ("the text", "no text", "masked text", "other texts")
TOP, TILES = 5, 6  # codes that are told of a hidden patch; patches whose guesses are painted


@dataclass(frozen=True)
class FillCodesResult(Result):
    """Codes [frame, row, column] as they are (``truth``), by the model (``said``) and by the answers without one.

    ``copies`` [3, frame, row, column] are "copy", "neighbour" and "nearest", ``common`` the commonest code.
    ``hidden`` bool [frame, row, column]; ``p`` float32 [text, hidden patch] is the probability of the true code under
    each of ``texts``: the text, none (hidden from attention), a [MASK] for each word, and other texts (their mean).
    ``top`` int and ``top_p`` [hidden patch, 5] are the likeliest codes, ``unigram`` float [code] how often a code is
    seen (one more than counted, of all).
    ``tiles`` [patch, 2 + 5, height, width, rgb] of some hidden patches: pixels, the true code painted, the likeliest.
    Pictures, uint8 [frame, height, width, rgb]: ``frames`` as the model sees them (of a moment, the middle one), with
    the hidden patches black in ``shown``; ``painted`` from the true codes; ``answered`` with the model's codes where
    patches are hidden. The last two and ``tiles`` are empty if nothing paints these codes.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "shown", "painted", "answered", "tiles")

    text: str
    hidden: np.ndarray
    truth: np.ndarray
    said: np.ndarray
    copies: np.ndarray
    common: int
    texts: tuple[str, ...]
    p: np.ndarray
    top: np.ndarray
    top_p: np.ndarray
    unigram: np.ndarray
    codes: int
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    shown: np.ndarray
    painted: np.ndarray
    answered: np.ndarray
    tiles: np.ndarray
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
        """The share of hidden patches that each answer names rightly, 0..1; see ``ANSWERS``."""
        truth = self.truth[self.hidden]
        answers = (self.said[self.hidden], *(copy[self.hidden] for copy in self.copies), self.common)
        return {name: float((truth == answer).mean()) for name, answer in zip(ANSWERS, answers, strict=True)}

    def among(self, count: int = TOP) -> dict[str, float]:
        """The share of hidden patches whose code is among the likeliest, by the model and by how often each is seen."""
        truth = self.truth[self.hidden][:, None]
        common = np.argsort(-self.unigram, kind="stable")[:count]
        found = {"the model": self.top[:, :count], "common": common[None]}
        return {name: float((truth == codes).any(axis=1).mean()) for name, codes in found.items()}

    def nll(self) -> dict[str, float]:
        """Mean −ln p of the true codes, nats: by the model under each text, by how often codes are seen, by chance."""
        model = {f"the model, {name}": p for name, p in zip(self.texts, self.p, strict=True)}
        rows = model | {"common": self.unigram[self.truth[self.hidden]], "chance": np.array(1 / self.codes)}
        return {name: float(-np.log(np.maximum(p, 1e-30)).mean()) for name, p in rows.items()}

    def lift(self, without: str | None = None) -> float:
        """Mean ln p of the true codes with the text less that without it; None = the smallest over all its nulls.

        Raises ``ConfigError`` for a text that was not asked.
        """
        if without is not None and without not in self.texts[1:]:
            raise ConfigError(f"No {without!r} here; there are {', '.join(self.texts[1:])}.")
        nll = self.nll()
        names = self.texts[1:3] if without is None else (without,)
        return min(nll[f"the model, {name}"] - nll[f"the model, {self.texts[0]}"] for name in names)

    def use(self) -> dict[str, float]:
        """How many codes are in use, exp(entropy) of those of hidden patches: as they are, and as the model says."""
        return {"truth": _use(self.truth[self.hidden]), "the model": _use(self.said[self.hidden])}

    def error(self) -> np.ndarray:
        """[frame, row, column] −ln p of the true code in nats where it was hidden, NaN elsewhere."""
        out = np.full(self.truth.shape, np.nan)
        out[self.hidden] = -np.log(np.maximum(self.p[0], 1e-30))
        return out

    def to_dict(self) -> dict[str, Any]:
        """As every result, and all shares and means."""
        numbers = {name: getattr(self, name)() for name in ("right", "among", "nll", "use")}
        return super().to_dict() | numbers | {"lift": {name: self.lift(name) for name in self.texts[1:]}}

    def row(self) -> Row:
        """Shares that are ``right``, by ``copy``, by ``common``; mean −ln p (``nll``), ``lift`` by the text."""
        right, nll = self.right(), self.nll()
        return {
            "text": self.text,
            "hidden": int(self.hidden.sum()),
            "right": right["the model"],
            "copy": right["copy"],
            "common": right["common"],
            "nll": nll[f"the model, {self.texts[0]}"],
            "lift": self.lift(),
        }


def fill_codes(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    frame: int | None = None,
    box: tuple[float, float, float, float] = (0.25, 0.25, 0.75, 0.75),
    others: Sequence[str] | None = None,
) -> FillCodesResult:
    """Hide a box of patches, in one frame or moment (from 0) or in all (None), and ask for their codes.

    ``box`` is xyxy in 0..1 of the square that the model sees; a patch is hidden if its middle lies inside.
    ``text`` None = the clip's caption; ``others`` are texts to ask with in its place, None = the captions of eight
    scenes of the model's world, if its card names one. Raises ``Unsupported`` for a model that predicts no codes,
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
    wrong = [str(c.caption) for c in other_clips(model, clip)] if others is None else list(others)
    shown = batch if hasattr(model, "hide_codes") else replace(batch, video=black)
    asked = _texts(shown, wrong, model.inputs)
    log_ps = torch.cat([_log_p(model, one, hidden) for _, one in asked])  # [text, patch, code]
    log_p = log_ps[0].unflatten(0, truth.shape)
    said = torch.where(patches, log_p.argmax(-1), truth)
    seen = truth[~patches] if not patches.all() else truth.flatten()
    common = int(seen.mode().values)
    names = [name for name, one in asked for _ in range(len(one))]
    right = log_ps.unflatten(1, truth.shape).gather(-1, truth[None, ..., None].expand(len(names), -1, -1, -1, 1))
    p = right[..., 0].exp()[:, patches].numpy()  # [text, hidden patch]
    top = log_p[patches].topk(min(TOP, log_p.shape[-1]))
    counts = torch.bincount(seen.flatten(), minlength=log_p.shape[-1]).double() + 1
    return FillCodesResult(
        text=text,
        hidden=patches.numpy(),
        truth=truth.numpy(),
        said=said.numpy(),
        copies=np.stack([copy(truth.numpy(), patches.numpy(), common) for copy in COPIES]),
        common=common,
        texts=tuple(dict.fromkeys(names)),
        p=np.stack([p[[i for i, n in enumerate(names) if n == name]].mean(axis=0) for name in dict.fromkeys(names)]),
        top=top.indices.numpy(),
        top_p=top.values.exp().numpy(),
        unigram=(counts / counts.sum()).numpy(),
        codes=log_p.shape[-1],
        clip=clip.name,
        times_s=np.asarray(batch.times_s[0], dtype=float)[middle],
        frames=_pictures(batch.video[0, middle]),
        shown=_pictures(black[0, middle]),
        painted=_pictures(_paint(model, truth, batch.video[0])),
        answered=_pictures(_paint(model, said, batch.video[0])),
        tiles=_tiles(model, batch.video[0, middle], truth, patches, top.indices),
        about=about(model, clip),
        notes=(*notices(model, clip), ONE_CASE, *([] if wrong else ["No other text was asked with: others=['…']."])),
    )


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────


def _texts(batch: Batch, wrong: Sequence[str], inputs: Inputs) -> list[tuple[str, Batch]]:
    """The one video beside its text, none, [MASK]s, and other texts that the model can read."""
    words = torch.from_numpy(batch.piece_words >= 0).to(batch.word_mask.device)
    masked = batch.word_ids.masked_fill(words, vocabulary(inputs.vocabulary).mask_id)
    out = [("the text", batch), ("no text", replace(batch, word_mask=batch.word_mask & ~words))]
    out.append(("masked text", replace(batch, word_ids=masked)))
    if wrong:
        beside = text_batch(list(wrong), inputs).to(batch.video.device)
        out.append(("other texts", with_text(batch.take([0] * len(wrong)), beside)))
    return out


def _log_p(model: Any, batch: Batch, hidden: Tensor) -> Tensor:
    """ln p of every code at every patch: [batch, patch, code]."""
    with torch.inference_mode():
        by_model = hasattr(model, "hide_codes")
        output = model.hide_codes(batch, hidden.expand(len(batch), -1, -1, -1)) if by_model else model(batch)
    return needs(model, output, "code_logits", "visual words").float().log_softmax(-1).cpu()


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


# ── answers without a model ───────────────────────────────────────────────────────────────────────


def _filled(truth: np.ndarray, patches: np.ndarray, common: int, far: Far) -> np.ndarray:
    """At each hidden place the code of the seen one that is nearest by ``far``, or the common one if none counts.

    ``far`` gives a distance [seen place] from the steps to it [seen place, frame · row · column]; inf: it does not
    count. Of equals the earlier one, then the upper, then the left.
    """
    out, seen = truth.copy(), np.argwhere(~patches)
    for at in np.argwhere(patches):
        steps = far(seen - at) if len(seen) else np.zeros(0)
        known = len(steps) and np.isfinite(steps.min())
        out[tuple(at)] = truth[tuple(seen[steps.argmin()])] if known else common
    return out


def previous(truth: np.ndarray, patches: np.ndarray, common: int) -> np.ndarray:
    """The code at the same place in the frame before; if that is hidden or none, in the nearest where it is seen."""

    def far(step: np.ndarray) -> np.ndarray:
        same = (step[:, 1:] == 0).all(axis=1)
        return np.where(same, np.where(step[:, 0] == -1, 0, abs(step[:, 0])), np.inf)

    return _filled(truth, patches, common, far)


def neighbour(truth: np.ndarray, patches: np.ndarray, common: int) -> np.ndarray:
    """The code of the nearest patch of the same frame that is seen."""
    return _filled(truth, patches, common, lambda s: np.where(s[:, 0] == 0, np.hypot(s[:, 1], s[:, 2]), np.inf))


def nearest(truth: np.ndarray, patches: np.ndarray, common: int) -> np.ndarray:
    """The code of the nearest patch that is seen, a frame being as far as a patch."""
    return _filled(truth, patches, common, lambda s: np.sqrt((s**2).sum(axis=1)))


COPIES = (previous, neighbour, nearest)


def _use(codes: np.ndarray) -> float:
    """exp(entropy) of how often codes come up: 1 = always the same."""
    return float(np.exp(stats.entropy(np.unique(codes, return_counts=True)[1])))


# ── pictures ──────────────────────────────────────────────────────────────────────────────────────


def _tiles(model: Any, video: Tensor, truth: Tensor, patches: Tensor, top: Tensor) -> np.ndarray:
    """Of some hidden patches: pixels, the true code painted, each likeliest code painted, all else being true."""
    if getattr(model, "dvae", None) is None:
        return np.zeros((0, 2 + TOP, 0, 0, 3), dtype=np.uint8)
    places = patches.nonzero()
    some = np.unique(np.linspace(0, len(places) - 1, min(TILES, len(places))).round().astype(int)).tolist()
    side, out = video.shape[-1] // truth.shape[-1], []
    for i in some:
        f, r, c = places[i].tolist()
        guesses = truth[f].repeat(1 + top.shape[1], 1, 1)
        guesses[1:, r, c] = top[i]
        painted = torch.nn.functional.interpolate(_paint(model, guesses, video), video.shape[-2:])
        looks = torch.cat([video[[f]], painted])
        out.append(looks[:, :, r * side : (r + 1) * side, c * side : (c + 1) * side])
    return np.stack([_pictures(one) for one in out])


def _pictures(video: Tensor) -> np.ndarray:
    """float [frame, rgb, height, width] in 0..1 to uint8 [frame, height, width, rgb]."""
    return np.asarray((video.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu())
