"""Which of many clips does a text mean, and which of many texts tells a clip?

    result = retrieve(model, clips, texts)
    result.hits(3)                  the clips nearest to text 3, best first, the own one marked
    result.recall(1)                how often the own clip comes first: (share, low, high)
    result.plot(3)                  those hits as film strips

A model that embeds texts and videos apart is asked for each of them once, and a score is a cosine; one that reads
both together is asked for every pair. Rows of ``scores`` are texts, columns clips.

Ties: scores that differ by less than 1e-5 are equal, and what is equal comes in random order. So a rank is the
mean over such orders, and "among the first k" the share of them in which it holds. The published measure lets the
own one win every tie (a model that says the same of everything is then always right): ``ties="optimistic"``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.data.prepare import prepare
from vtexplore.data.video import read_video
from vtexplore.errors import ConfigError
from vtexplore.objectives.contrastive import cosine
from vtexplore.probes._ask import SMALL, about, matches, needs, notices, text_of
from vtexplore.probes._result import Result
from vtexplore.probes._videos import apart
from vtexplore.record import beside
from vtexplore.statistics import bootstrap
from vtexplore.types import Clip

DIRECTIONS = ("text to video", "video to text")
TIES = ("expected", "optimistic")
RANKS = (1, 5, 10)
EQUAL = 1e-5
SHOWN, SHOWN_PX = 4, 96  # frames of each clip that a result keeps for its pictures
AT_ONCE = 16

AnyClip = Clip | str | os.PathLike[str]


@dataclass(frozen=True)
class Hit:
    """A clip or a text that was found: its index and name, its score, and whether it is a right one."""

    index: int
    name: str
    score: float
    own: bool


@dataclass(frozen=True)
class Recall:
    """How often a right one is among the first ``k``: ``share`` in 0..1 with its 95 % interval over clips.

    ``chance`` is what a random order would give, ``optimistic`` what the published way to count ties gives.
    """

    k: int
    share: float
    low: float
    high: float
    chance: float
    optimistic: float


@dataclass(frozen=True)
class RetrieveResult(Result):
    """``scores`` float32 [text, clip], higher = nearer; ``own`` int [text] is the clip that each text tells.

    ``recalls`` and ``median_rank`` are by direction, "text to video" and "video to text". ``frames`` are a few
    frames of each clip, uint8 [frame, height, width, rgb].
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    texts: tuple[str, ...]
    clips: tuple[str, ...]
    own: np.ndarray
    scores: np.ndarray
    how: str
    recalls: dict[str, tuple[Recall, ...]]
    median_rank: dict[str, float]
    frames: tuple[np.ndarray, ...]
    about: dict[str, Any]
    notes: tuple[str, ...]

    def hits(self, text: int | str = 0, k: int | None = 5) -> tuple[Hit, ...]:
        """The ``k`` clips nearest to a text (its index, or the text itself); None = all of them."""
        row, own = self.scores[self.text(text)], self.own[self.text(text)]
        best = np.argsort(-row, kind="stable")[:k]
        return tuple(Hit(int(i), self.clips[i], float(row[i]), bool(i == own)) for i in best)

    def told(self, clip: int | str = 0, k: int | None = 5) -> tuple[Hit, ...]:
        """The ``k`` texts nearest to a clip (its index or name)."""
        at = _index(clip, self.clips, "clip")
        best = np.argsort(-self.scores[:, at], kind="stable")[:k]
        return tuple(Hit(int(i), self.texts[i], float(self.scores[i, at]), bool(self.own[i] == at)) for i in best)

    def text(self, wanted: int | str) -> int:
        """The index of a text. Raises ``ConfigError`` if there is no such text."""
        return _index(wanted, self.texts, "text")

    def ranks(self, direction: str = DIRECTIONS[0], ties: str = TIES[0]) -> np.ndarray:
        """float [text] or [clip with a text]: the place of the own clip, or of the best own text; 1 = first."""
        before, equal = _before(self.scores, self.own, _known(direction, DIRECTIONS))
        return before + 1 + (0 if _known(ties, TIES) == "optimistic" else equal / 2)

    def recall(self, k: int = 1, direction: str = DIRECTIONS[0]) -> tuple[float, float, float]:
        """The share whose own one is among the first ``k``, and its 95 % interval over clips.

        Raises ``ConfigError`` for a ``k`` that was not counted: 1, 5, 10, as far as there are more to choose from.
        """
        for one in self.recalls[_known(direction, DIRECTIONS)]:
            if one.k == k:
                return one.share, one.low, one.high
        counted = ", ".join(str(one.k) for one in self.recalls[direction])
        raise ConfigError(f"Among the first {k} was not counted here; there are {counted}.")

    def plot(self, kind: str | int | None = None, **options: Any) -> Any:
        """A picture: ``plot(3)`` or ``plot("hits", text=3)`` the hits of a text, ``plot("recalls")`` the rates.

        A text may be given itself.
        """
        if isinstance(kind, int) or kind in self.texts:
            return super().plot("hits", text=kind, **options)
        return super().plot(kind, **options)


def retrieve(
    model: Any,
    clips: Sequence[AnyClip],
    texts: Sequence[str] | None = None,
    *,
    own: Sequence[int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> RetrieveResult:
    """Score every text beside every clip, and count how often the right ones are found.

    ``clips``: Clips or paths of video files. ``texts`` None = the clips' captions. ``own`` [text]: the index of
    the clip that each text tells; None = text i tells clip i. Intervals are a bootstrap over clips, with all
    their texts.

    Raises ``ConfigError`` for fewer than two clips and for texts and clips that do not go together, ``TextError``
    for a text that the model cannot read, ``Unsupported`` for a family that neither embeds both nor matches.
    """
    opened = [clip if isinstance(clip, Clip) else read_video(Path(clip)) for clip in clips]
    if len(opened) < 2:
        raise ConfigError("It takes two clips or more to find the right one among them.")
    if isinstance(texts, str):
        raise ConfigError("Give a list of texts, one a clip (or `own`, which says what clip each of them tells).")
    given = [clip.caption for clip in opened] if texts is None else list(texts)
    belongs = np.arange(len(given)) if own is None else np.asarray(own, dtype=int)
    if not given or (own is None and len(given) != len(opened)) or len(belongs) != len(given):
        raise ConfigError(
            f"{len(opened)} clips and {len(given)} texts: give one text a clip, or own=[…], the index of the clip "
            "that each text tells."
        )
    if belongs.min() < 0 or belongs.max() >= len(opened):
        raise ConfigError(f"own=[…] holds indices of clips, 0 to {len(opened) - 1}.")
    said = [text_of(model, opened[i], text) for text, i in zip(given, belongs, strict=True)]
    scores, how = pair_scores(model, opened, said, quiet)
    counted = {d: _recalls(scores, belongs, d, resamples, seed) for d in DIRECTIONS}
    median = {
        d: float(np.median(_before(scores, belongs, d)[0] + 1 + _before(scores, belongs, d)[1] / 2)) for d in DIRECTIONS
    }
    times = [(np.arange(SHOWN) + 0.5) * clip.duration_s / SHOWN for clip in opened]
    return RetrieveResult(
        texts=tuple(said),
        clips=tuple(clip.name for clip in opened),
        own=belongs,
        scores=scores,
        how=how,
        recalls=counted,
        median_rank=median,
        frames=tuple(clip.sample(t.tolist(), SHOWN_PX) for clip, t in zip(opened, times, strict=True)),
        about=about(model),
        notes=_flags(model, opened, said, belongs, scores),
    )


# ── scores ────────────────────────────────────────────────────────────────────────────────────────


def pair_scores(model: Any, clips: Sequence[Clip], texts: Sequence[str], quiet: bool) -> tuple[np.ndarray, str]:
    """Every text beside every clip: scores [text, clip], and what they are. The first pair says which way is open."""
    with torch.inference_mode():
        output = model(beside(model, prepare([clips[0]], [texts[0]], model.inputs)))
    if output.video_embedding is not None and output.text_embedding is not None:
        return _apart(model, clips, texts, quiet), "cosine of the embeddings of text and video"
    needs(model, output, "match_logits", "retrieval, neither embeddings of video and text nor matching")
    return _together(model, clips, texts, quiet), "matching score of each pair (no unit)"


def _bar(total: int, quiet: bool, unit: str) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, desc="retrieving", disable=quiet or total < 200)


def _apart(model: Any, clips: Sequence[Clip], texts: Sequence[str], quiet: bool) -> np.ndarray:
    """Each text and each clip is embedded once, whatever stands beside it."""
    videos, words, spare = [], [], None
    count = max(len(clips), len(texts))
    ends = (range(0, len(clips)), range(len(clips), count))  # where there are more texts than clips, clips are done
    with _bar(count, quiet, "pair") as bar, torch.inference_mode():
        for some in (part[i : i + AT_ONCE] for part in ends for i in range(0, len(part), AT_ONCE)):
            pairs = [clips[i % len(clips)] for i in some], [texts[i % len(texts)] for i in some]
            batch = beside(model, prepare(*pairs, model.inputs))
            if some[0] < len(clips) or not apart(model):
                output = model(batch)
                videos.append(output.video_embedding)
            else:
                spare = model.embed(batch.take([0]))[0] if spare is None else spare
                beside_it = spare.take(torch.zeros(len(batch), dtype=torch.long, device=spare.hidden.device))
                output = model.read(beside_it, model.text(batch), batch)
            words.append(output.text_embedding)
            bar.update(len(some))
    near = cosine(torch.cat(words)[: len(texts)], torch.cat(videos)[: len(clips)])
    return np.asarray(near.float().cpu().numpy())


def _together(model: Any, clips: Sequence[Clip], texts: Sequence[str], quiet: bool) -> np.ndarray:
    """Every pair is read; a model that can look at a video once does so."""
    out = np.zeros((len(texts), len(clips)), dtype=np.float32)
    read = _once if apart(model) else _each
    with _bar(out.size, quiet, "pair") as bar, torch.inference_mode():
        for column, clip in enumerate(clips):
            score = read(model, clip)
            for start in range(0, len(texts), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                out[some, column] = score(texts[some]).float().cpu().numpy()
                bar.update(len(texts[some]))
    return out


def _each(model: Any, clip: Clip) -> Callable[[Sequence[str]], torch.Tensor]:
    def score(texts: Sequence[str]) -> torch.Tensor:
        found: torch.Tensor = model(beside(model, prepare([clip], texts, model.inputs))).match_logits
        return found

    return score


def _once(model: Any, clip: Clip) -> Callable[[Sequence[str]], torch.Tensor]:
    seen = None

    def score(texts: Sequence[str]) -> torch.Tensor:
        nonlocal seen
        batch = beside(model, prepare([clip], texts, model.inputs))
        seen = model.embed(batch.take([0]))[0] if seen is None else seen
        video = seen.take(torch.zeros(len(texts), dtype=torch.long, device=seen.hidden.device))
        found: torch.Tensor = matches(model, video, model.text(batch), batch)
        return found

    return score


# ── ranks ─────────────────────────────────────────────────────────────────────────────────────────


def _before(scores: np.ndarray, own: np.ndarray, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """How many wrong ones stand before the (best) own one, and how many beside it: [text] or [clip with a text]."""
    right = own[:, None] == np.arange(scores.shape[1])
    if direction == DIRECTIONS[1]:
        told = right.any(axis=0)
        scores, right = scores.T[told], right.T[told]
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    wrong = ~right
    before = (wrong & (scores > best + EQUAL)).sum(axis=1)
    equal = (wrong & (np.abs(scores - best) <= EQUAL)).sum(axis=1)
    return before.astype(float), equal.astype(float)


def _recalls(scores: np.ndarray, own: np.ndarray, direction: str, resamples: int, seed: int) -> tuple[Recall, ...]:
    before, equal = _before(scores, own, direction)
    clips = own if direction == DIRECTIONS[0] else np.unique(own)
    among = scores.shape[1] if direction == DIRECTIONS[0] else scores.shape[0]
    rights = np.ones(len(before)) if direction == DIRECTIONS[0] else np.bincount(own)[np.unique(own)]
    ks = [k for k in RANKS if k < among]
    found = np.stack([np.clip((k - before) / (equal + 1), 0, 1) for k in ks], axis=1)  # [item, k]
    mean, low, high = bootstrap(found, clips, resamples, seed)
    return tuple(
        Recall(
            k,
            float(mean[i]),
            float(low[i]),
            float(high[i]),
            float(np.mean([_chance(among, int(r), k) for r in rights])),
            float(np.mean(before + 1 <= k)),
        )
        for i, k in enumerate(ks)
    )


def _chance(among: int, right: int, k: int) -> float:
    """P(one of ``right`` is among the first k of a random order)."""
    missed = 1.0
    for i in range(k):
        missed *= max(among - right - i, 0) / (among - i)
    return 1 - missed


def _flags(
    model: Any, clips: Sequence[Clip], texts: Sequence[str], own: np.ndarray, scores: np.ndarray
) -> tuple[str, ...]:
    out = list(dict.fromkeys(note for clip in clips for note in notices(model, clip)))[:3]
    if len(clips) < SMALL:
        out.append(f"{len(clips)} clips show cases, not a rate; and the fewer there are, the easier it is.")
    twice = len(texts) - len(set(texts))
    if twice:
        out.append(f"{twice} texts are the same as another one: nothing can find the own clip by them but luck.")
    tied = float((_before(scores, own, DIRECTIONS[0])[1] > 0).mean())
    if tied:
        out.append(f"{tied:.0%} of the texts have a wrong clip with the score of the own one; ties count as expected.")
    return tuple(out)


def _known(wanted: str, there: Sequence[str]) -> str:
    if wanted not in there:
        raise ConfigError(f"{wanted!r} is not known; there are {' and '.join(repr(t) for t in there)}.")
    return wanted


def _index(wanted: int | str, names: Sequence[str], what: str) -> int:
    if isinstance(wanted, int):
        if not 0 <= wanted < len(names):
            raise ConfigError(f"There are {len(names)} {what}s, counted from 0: there is no {wanted}.")
        return wanted
    if wanted not in names:
        raise ConfigError(f"There is no {what} {wanted!r} here.")
    return names.index(wanted)
