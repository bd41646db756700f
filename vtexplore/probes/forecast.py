"""What will happen next? The visual words of later moments, from those seen so far (Sun et al., arXiv 1904.01766).

    result = forecast(model, clip, at=3)          moments 0 to 3 are seen, from the fourth on nothing
    result.top(1)                                 the likeliest words one moment later
    result.plot()                                 … as exemplar frames, beside the true frame

The model gets visual words alone, and [MASK] for the next. How far ahead the next is, is set by the pace: of every r-th
word, the next is r moments later. Most of the time little happens and some words are common, so two answers that need
no model stand beside its own: the last word once more ("copy"), and the commonest words ("common").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.errors import ConfigError
from vtexplore.exemplars import Draw, word_moment
from vtexplore.probes._ask import about, notices
from vtexplore.probes._moments import pictures, read, words_for
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.types import Clip

ANSWERS = ("the model", "copy", "common")


@dataclass(frozen=True)
class ForecastResult(Result):
    """How likely each visual word is so many moments ``ahead``: ``p`` float32 [ahead, word] in 0..1.

    ``codes`` int [moment] are the clip's words, of which ``since`` to ``at`` were seen; ``truth`` int [ahead], −1 after
    the clip's end; ``common`` float32 [word] the share of each word in what was ``counted``. ``words`` int [shown] are
    those that pictures show by ``exemplars`` uint8 [shown, height, width, rgb] (may be none); ``frames`` uint8
    [moment, height, width, rgb] the middle of each moment.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "exemplars")

    since: int
    at: int
    ahead: tuple[int, ...]
    shown: int
    codes: np.ndarray
    truth: np.ndarray
    p: np.ndarray
    common: np.ndarray
    counted: str
    words: np.ndarray
    exemplars: np.ndarray
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def top(self, ahead: int, count: int | None = None) -> tuple[tuple[int, float], ...]:
        """The likeliest words so many moments ahead and their probabilities, best first."""
        return _best(self.p[self._row(ahead)], self.shown if count is None else count)

    def answers(self, ahead: int, count: int | None = None) -> dict[str, tuple[int, ...]]:
        """The first words of each answer: "the model", "copy" (the last word, then common ones), "common"."""
        count = self.shown if count is None else count
        common = tuple(w for w, _ in _best(self.common, count + 1))
        last = int(self.codes[self.at])
        copy = (last, *(w for w in common if w != last))
        own = tuple(w for w, _ in self.top(ahead, count))
        return dict(zip(ANSWERS, (own, copy[:count], common[:count]), strict=True))

    def right(self, ahead: int, count: int = 1) -> dict[str, bool] | None:
        """Whether the true word is the first of each answer, or among so many; None after the clip's end."""
        truth = int(self.truth[self._row(ahead)])
        return None if truth < 0 else {who: truth in said for who, said in self.answers(ahead, count).items()}

    def row(self) -> Row:
        """By moments ahead: the ``first`` word; whether it, ``copy``, ``common`` is right; the true word's ``p``."""
        out: Row = {}
        for n, ahead in enumerate(self.ahead):
            out[column("first", ahead)] = str(self.top(ahead, 1)[0][0])
            right = self.right(ahead)
            if right is not None:
                out |= {column("right" if who == ANSWERS[0] else who, ahead): good for who, good in right.items()}
                out[column("p", ahead)] = float(self.p[n, self.truth[n]])
        return out

    def _row(self, ahead: int) -> int:
        if ahead not in self.ahead:
            raise ConfigError(f"Nobody asked {ahead} moments ahead; there are {', '.join(map(str, self.ahead))}.")
        return self.ahead.index(ahead)


def forecast(
    model: Any,
    clip: Clip,
    *,
    at: int | None = None,
    ahead: Sequence[int] = (1, 2, 4),
    k: int = 3,
    since: int = 0,
    draw: Draw = word_moment,
) -> ForecastResult:
    """The ``k`` likeliest visual words some moments after moment ``at`` (from 0; None = as late as all can be checked).

    Seen are the moments from ``since`` on; ``since=at`` shows the model a single one. ``draw`` finds the frames of an
    exemplar. Raises ``Unsupported`` for a model that does not read video in words, ``ConfigError`` for moments that
    there are not.
    """
    words = words_for(model)
    if not ahead or min(ahead) < 1 or k < 1:
        raise ConfigError(f"ahead={tuple(ahead)}, k={k}: ask one moment ahead or more, for one word or more.")
    seen = read(model, clip)
    codes = seen.codes
    at = max(0, len(codes) - 1 - max(ahead)) if at is None else at
    if not 0 <= since <= at < len(codes):
        raise ConfigError(f"The clip has {len(codes)} moments, counted from 0: none from {since} to {at}.")
    p = np.stack([_ask(model, codes[since : at + 1], step, len(words)) for step in ahead])
    truth = [int(codes[at + step]) if at + step < len(codes) else -1 for step in ahead]
    counts, counted = _counts(words.made.get("counts"), codes[since : at + 1], len(words))
    best = {w for row in p for w, _ in _best(row, k)} | {w for w, _ in _best(counts, k + 1)}
    shown, exemplars, lacking = pictures(model, best | set(codes.tolist()), draw)
    return ForecastResult(
        since=since,
        at=at,
        ahead=tuple(ahead),
        shown=min(k, p.shape[1]),
        codes=codes.numpy(),
        truth=np.array(truth),
        p=p,
        common=counts,
        counted=counted,
        words=shown,
        exemplars=exemplars,
        clip=clip.name,
        times_s=seen.times_s,
        frames=seen.frames,
        about=about(model, clip),
        notes=(*notices(model, clip), ONE_CASE, *_told(counted), *lacking),
    )


def foresee(model: Any, seen: torch.Tensor, step: int) -> torch.Tensor:
    """Scores of the word ``step`` moments after the last of ``seen`` [clip, moment], at that pace: [clip, code]."""
    kept = seen.flip(1)[:, ::step].flip(1)
    codes = torch.cat([kept, kept[:, -1:]], dim=1)  # what stands at the last place is hidden
    hidden = torch.zeros_like(codes, dtype=torch.bool)
    hidden[:, -1] = True
    logits: torch.Tensor = model.foresee(codes, hidden)
    return logits[:, -1]


def _ask(model: Any, seen: torch.Tensor, step: int, count: int) -> np.ndarray:
    """p of each of ``count`` words ``step`` moments after the last of ``seen`` [moment]: float32 [word]."""
    with torch.inference_mode():
        logits = foresee(model, seen[None].to(next(model.parameters()).device), step)
    return np.asarray(logits[0, :count].float().softmax(-1).cpu(), dtype=np.float32)


def _counts(counts: Sequence[int] | None, seen: torch.Tensor, codes: int) -> tuple[np.ndarray, str]:
    """The share of each word, float32 [word], and in what it was counted."""
    many = torch.bincount(seen, minlength=codes).float() if counts is None else torch.tensor(counts).float()
    said = "the moments that were seen" if counts is None else "the moments that the words were made of"
    return np.asarray(many / many.sum(), dtype=np.float32), said


def _told(counted: str) -> tuple[str, ...]:
    return (
        "To look r moments ahead, the model is shown every r-th moment, counted back from the last.",
        'Beside the model: "copy" says the last word once more, then the commonest others.',
        f'"common" says the commonest words, counted in {counted}.',
    )


def _best(row: np.ndarray, count: int) -> tuple[tuple[int, float], ...]:
    best = np.argsort(-row, kind="stable")[:count]
    return tuple((int(i), float(row[i])) for i in best)
