"""Which word belongs here, and would the model have said so without the clip, or beside another one?

    result = fill_mask(model, clip, "the [MASK] ball slides left")
    result.top()                 the five likeliest words, with the clip
    result.lift("red")           ln p(red | text, clip) − ln p(red | text), in nats
    result.contrast("red")       ln p(red | text, clip) less its mean beside other clips
    result.pmi("red")            ln p(red | text, clip) − ln of its mean probability beside other clips

    result = fill_mask(model, clip, "the [MASK] ball slides left", frames=True)
    result.order("red")          ln p(red | text, clip) less its mean with the frames in other orders
    result.shapley("red")        what each frame adds to ln p(red)

"Without the clip" is a choice, so there are at least two: the video hidden from attention, frames of one even colour,
A word that is as likely without the clip as with it was
guessed from the text alone. Other clips stay closest to what the model was trained on
(their mean feature, a blend of all at every place, is shown beside them). Over many clips the mean of
``pmi`` is what words and clips tell of each other, never below 0 for the true p; below 0, the model uses the wrong clip
better. The *hard* wrong clip is alike in all but what the masked word says.

Candidates are whole words. One of k WordPieces is asked for with k masks side by side, and its probability is the
product over its pieces, each predicted on its own (the "joint" rule). Among ``foils`` the same probabilities are made
to sum to 1; both readings stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy import stats

from vtexplore.data.prepare import prepare
from vtexplore.data.text import plain
from vtexplore.errors import ConfigError, TextError
from vtexplore.probes import _game
from vtexplore.probes._ask import about, few, notices
from vtexplore.probes._gaps import Said, ask, crowded, gap_of, whole_words
from vtexplore.probes._moves import lost_motion
from vtexplore.probes._nulls import (
    CONDITIONS,
    ONE_NULL,
    WRONG,
    check_conditions,
    hard_clip,
    hidden,
    mean_colour,
    other_clips,
    reordered,
)
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes._stills import stills, surest
from vtexplore.probes._videos import Watched, joined
from vtexplore.types import Batch, Clip

__all__ = ["CONDITIONS", "ONE_CASE", "FillMaskResult", "fill_mask", "hidden", "mean_colour"]

MEAN_FEATURE, OTHERS, HARD = "mean feature", "other clips", "hard wrong clip"
SHUFFLED, ONE_FRAME = "shuffled", "one frame"
ONE_CASE = "One clip shows a case, not a rate."
ORDERS = 8
LEAK = 0.05  # nats: frames that are hidden and still say this much are told
FLOOR = 1e-30  # of a probability, before its logarithm


@dataclass(frozen=True)
class FillMaskResult(Result):
    """How likely each candidate word is in place of the mask, under each condition.

    ``p`` float32 [condition, candidate] in 0..1: the true clip, then what stands in its place; "other clips" and
    "shuffled" are means over those in ``others`` [clip, candidate] and ``orders`` [order, candidate], "one frame" is
    the row of ``alone`` [frame, candidate] in which the model is surest, number ``frame``. ``entropy`` [condition] in
    nats is that of all pieces of the vocabulary in the gap, ``divergence`` [condition] the KL divergence of the
    clip's distribution from a condition's. ``seen`` float32 [subset, candidate]: p when only some frames are seen, in
    the order of ``_game.subsets`` (no frame, the first, the second, both, …), ``removed`` says how the others were
    taken away; empty if nobody asked for frames. ``masked`` is the index of the masked word, ``answer`` the word that
    belongs there, if known; ``foils`` are words among which it is to be told.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    text: str
    masked: int
    answer: str | None
    shown: int
    conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    foils: tuple[str, ...]
    p: np.ndarray
    entropy: np.ndarray
    divergence: np.ndarray
    others: np.ndarray
    other_clips: tuple[str, ...]
    orders: np.ndarray
    alone: np.ndarray
    frame: int
    seen: np.ndarray
    removed: str
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    # ── which word ──

    @property
    def nulls(self) -> tuple[str, ...]:
        """The conditions in which no clip is seen. (The mean feature of some others still shows a blend of them.)"""
        return tuple(name for name in self.conditions[1:] if name in CONDITIONS)

    @property
    def word(self) -> str:
        """The word that numbers are about, if none is named: the answer, or the model's first choice."""
        return self.answer or self.top(1)[0][0]

    def top(self, count: int | None = None, condition: str | None = None) -> tuple[tuple[str, float], ...]:
        """The likeliest words and their probabilities, best first, with the clip or under a condition."""
        row = self.p[self._row(condition)]
        best = np.argsort(-row, kind="stable")[: self.shown if count is None else count]
        return tuple((self.candidates[i], float(row[i])) for i in best)

    def probability(self, word: str, condition: str | None = None, foils: bool = False) -> float:
        """p(word) in 0..1, with the clip or under a condition, among all words or the foils.

        Raises ``TextError`` if it is no candidate, or no foil.
        """
        return float(np.exp(self._logs(self.p, word, foils)[self._row(condition)]))

    def rank(self, word: str, condition: str | None = None) -> int:
        """1 = the likeliest; ties count against the word."""
        row = self.p[self._row(condition)]
        return int((row >= row[self._candidate(word)]).sum())

    # ── what the clip does for it; in nats, > 0: the clip speaks for the word ──

    def lift(self, word: str | None = None, without: str | None = None, foils: bool = False) -> float:
        """ln p(word | clip) − ln p(word | null).

        ``word`` None = the answer, or the model's first choice; ``without`` None = the smallest lift over
        all nulls, the cautious reading.
        """
        logs = self._logs(self.p, word, foils)
        nulls = [self._row(name) for name in (self.nulls if without is None else (without,))]
        return float(min((logs[0] - logs[row] for row in nulls), default=np.nan))

    def contrast(self, word: str | None = None, foils: bool = False) -> float:
        """ln p(word | clip) less the mean of ln p(word | other clip); NaN without other clips."""
        return self._beyond(self.others, word, foils)

    def pmi(self, word: str | None = None, foils: bool = False) -> float:
        """Pointwise information: ln p(word | clip) − ln of the mean p(word | other clip); NaN without other clips."""
        if not len(self.others):
            return float("nan")
        logs = self._logs(self.p, word, foils)
        return float(logs[0] - np.log(np.exp(self._logs(self.others, word, foils)).mean()))

    def order(self, word: str | None = None, foils: bool = False) -> float:
        """ln p(word | clip) less the mean with its frames in other orders; NaN if nobody asked for frames."""
        return self._beyond(self.orders, word, foils)

    def entropy_drop(self, without: str) -> float:
        """How many nats surer the model is with the clip than under a condition, over the whole vocabulary."""
        return float(self.entropy[self._row(without)] - self.entropy[0])

    def kl(self, without: str) -> float:
        """KL(p with the clip ‖ p under a condition) ≥ 0 in nats, over the whole vocabulary."""
        return float(self.divergence[self._row(without)])

    def occlusion(self, word: str | None = None, foils: bool = False) -> np.ndarray:
        """[frame] nats: ln p(word) with all frames less that with all but this one; empty if none were asked for."""
        return _game.occlusion(self._logs(self.seen, word, foils)) if len(self.seen) else np.zeros(0)

    def shapley(self, word: str | None = None, foils: bool = False) -> np.ndarray:
        """[frame] nats: what each frame adds to ln p(word), over all orders in which they may join.

        They sum to ln p with all frames less ln p with none. Empty if no frames were asked for.
        """
        return _game.shapley(self._logs(self.seen, word, foils)) if len(self.seen) else np.zeros(0)

    def numbers(self, word: str | None = None, foils: bool = False) -> dict[str, Any]:
        """All that is said of one word, by name; lifts by null."""
        out: dict[str, Any] = {name: getattr(self, name)(word, foils) for name in ("contrast", "pmi", "order")}
        out["lift"] = {name: self.lift(word, name, foils) for name in self.conditions[1:]}
        out["shapley"], out["occlusion"] = self.shapley(word, foils), self.occlusion(word, foils)
        if foils:
            return {"p": {name: self.probability(word or self.word, name, True) for name in self.conditions}} | out
        out["rank"] = {name: self.rank(word or self.word, name) for name in self.conditions}
        out["kl"] = {name: self.kl(name) for name in self.conditions[1:]}
        return out | {"entropy_drop": {name: self.entropy_drop(name) for name in self.conditions[1:]}}

    def to_dict(self) -> dict[str, Any]:
        """As every result, and the numbers of the word that belongs there."""
        from vtexplore.probes._result import _plain

        told: dict[str, Any] = {"word": self.word, "numbers": _plain(self.numbers())}
        if self.word in self.foils:
            told["among_foils"] = _plain(self.numbers(foils=True))
        return super().to_dict() | told

    def _beyond(self, beside: np.ndarray, word: str | None, foils: bool) -> float:
        logs = self._logs(self.p, word, foils)[0], self._logs(beside, word, foils)
        return float(logs[0] - logs[1].mean()) if len(beside) else float("nan")

    def _logs(self, p: np.ndarray, word: str | None, foils: bool) -> np.ndarray:
        """ln of a word's probability, in each row of ``p`` [row, candidate]: float64 [row]."""
        at = self._candidate(self.word if word is None else word)
        mine = np.log(np.maximum(p[:, at].astype(float), FLOOR))
        if not foils:
            return mine
        if self.candidates[at] not in self.foils:
            raise TextError(f"{self.candidates[at]!r} is not among the foils: {', '.join(self.foils) or 'none given'}.")
        among = p[:, [self._candidate(foil) for foil in self.foils]].astype(float)
        return np.asarray(mine - np.log(np.maximum(among, FLOOR).sum(axis=1)))

    def row(self) -> Row:
        """The word that belongs there (else the model's first): ``p``, ``rank``, ``lift``, and each null's own."""
        first = self.top(1)[0][0]
        word = self.answer or first
        out: Row = {"text": self.text, "first": first, "p": self.probability(word), "lift": self.lift(word)}
        if self.answer is not None:
            out |= {"answer": word, "right": first == word, "rank": self.rank(word)}
        for null in self.conditions[1:]:
            out |= {column("p", null): self.probability(word, null), column("lift", null): self.lift(word, null)}
        return out

    def _row(self, condition: str | None) -> int:
        if condition is None:
            return 0
        if condition not in self.conditions:
            raise ConfigError(f"No condition {condition!r} here; there are {', '.join(self.conditions)}.")
        return self.conditions.index(condition)

    def _candidate(self, word: str) -> int:
        if plain(word) not in self.candidates:
            raise TextError(f"{word!r} is not among the {len(self.candidates)} words that the model chose from.")
        return self.candidates.index(plain(word))


def fill_mask(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    word: str | int | None = None,
    top: int = 5,
    nulls: Sequence[str] = ("no clip", "even colour"),
    against: Sequence[Clip] | int | None = None,
    frames: bool | str = False,
    foils: Sequence[str] = (),
    seed: int = 0,
) -> FillMaskResult:
    """The likeliest words in place of ``[MASK]``, with the clip and with what stands in its place.

    ``text`` holds one ``[MASK]``; or ``word`` names the word of the text (None = the clip's caption) to be masked.
    ``top`` words are shown, ``nulls`` names what stands in for the clip (see ``CONDITIONS``). ``against``: other clips
    that are asked the same, or how many; None = eight scenes of the model's world, if its card names one.
    ``frames``: also ask with the frames in eight other orders, each alone, and with every choice of them (2^T, of eight
    at most: neighbours of more go together). True = unseen frames are hidden from attention where the model can do
    that, else, or if "painted", painted in the clip's mean colour. ``seed`` draws clips and orders.

    Raises ``TextError`` without exactly one masked word or with words that the model does not know,
    ``Unsupported`` for a family that does not predict words, ``ConfigError`` for an unknown condition.
    """
    check_conditions(nulls)
    if frames not in (True, False, "hidden", "painted"):
        raise ConfigError(f"frames is True, 'hidden' or 'painted', not {frames!r}.")
    text, masked, answer = gap_of(model, clip, text, word)
    candidates = whole_words(model)
    foils = tuple(dict.fromkeys(plain(foil) for foil in foils))
    if unknown := [foil for foil in foils if foil not in candidates]:
        raise TextError(f"The model cannot say {unknown[0]!r}. Choose foils among its {len(candidates)} words.")
    given = WRONG if against is None else against
    others = other_clips(model, clip, given, seed) if isinstance(given, int) else tuple(given)
    hard = None if answer is None or not others else hard_clip(clip, masked, seed)

    true = prepare([clip], [text], model.inputs)
    shown = [(name, CONDITIONS[name](true)) for name in ("the clip", *nulls)]
    shown += [(OTHERS, prepare([other], [text], model.inputs)) for other in others]
    shown += [(HARD, prepare([hard], [text], model.inputs))] if hard else []
    shown += _other_frames(model, true, seed) if frames else []
    names, said = _ask(model, shown, text, masked, candidates)
    rows = {name: said.p[[i for i, n in enumerate(names) if n == name]] for name in dict.fromkeys(names)}
    alone = rows.get(ONE_FRAME, said.p[:0])
    frame = surest(np.log(np.maximum(alone, FLOOR))) if len(alone) else -1
    game = _game.play(model, true, _game.PAINTED if frames == "painted" else None) if frames else None
    entropy, divergence = _information(said.pieces, names, frame)
    times_s = _times(true, game)
    result = FillMaskResult(
        text=text,
        masked=masked,
        answer=answer if answer in candidates else None,
        shown=top,
        conditions=tuple(rows),
        candidates=tuple(candidates),
        foils=foils,
        p=np.stack([p[frame] if name == ONE_FRAME else p.mean(axis=0) for name, p in rows.items()]),
        entropy=entropy,
        divergence=divergence,
        others=rows.get(OTHERS, said.p[:0]),
        other_clips=tuple(c.name for c in others),
        orders=rows.get(SHUFFLED, said.p[:0]),
        alone=alone,
        frame=frame,
        seen=said.p[:0] if game is None else ask(game.videos, text, masked, candidates).p,
        removed="" if game is None else game.removed,
        clip=clip.name,
        times_s=times_s,
        frames=clip.sample(times_s.tolist(), 160),
        about=about(model, clip) | {"seed": seed},
        notes=(*notices(model, clip), ONE_CASE, *crowded(said.left_out)),
    )
    leak = None if game is None or game.wiped is None else ask(game.wiped, text, masked, candidates).p
    moved = lost_motion(model, true, True) if frames else ()
    return replace(result, notes=(*result.notes, *_flags(result, true, leak), *moved))


def _other_frames(model: Any, true: Batch, seed: int) -> list[tuple[str, Batch]]:
    """The clip with its frames in other orders, and each of them alone."""
    slots = _game.slots_of(model, true)
    each = true.video.shape[1] // slots
    mixed = [(SHUFFLED, batch) for batch in reordered(true, slots, ORDERS, seed)]
    return mixed + [(ONE_FRAME, batch) for batch in stills(true, range(each // 2, slots * each, each))]


def _ask(
    model: Any, shown: list[tuple[str, Batch]], text: str, masked: int, candidates: Mapping[str, tuple[int, ...]]
) -> tuple[list[str], Said]:
    """What the model says beside each video, and beside the mean of the other clips, if it can be had."""
    names = [name for name, _ in shown]
    videos = Watched(model, joined([batch for _, batch in shown]))
    said = ask(videos, text, masked, candidates)
    wrong = [i for i, name in enumerate(names) if name == OTHERS]
    mean = videos.mean(wrong) if len(wrong) > 1 else None
    if mean is None:
        return names, said
    more, at = ask(mean, text, masked, candidates), wrong[0]  # before the other clips, with the nulls
    p, pieces = (np.insert(a, at, b, axis=0) for a, b in ((said.p, more.p), (said.pieces, more.pieces)))
    return [*names[:at], MEAN_FEATURE, *names[at:]], Said(p, pieces, said.left_out)


def _information(pieces: np.ndarray, names: list[str], frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Entropy of each condition's distribution [condition], and KL of the first one from it; NaN if not known."""
    conditions = list(dict.fromkeys(names))
    if not pieces.shape[1]:
        return np.full(len(conditions), np.nan), np.full(len(conditions), np.nan)
    rows = [[i for i, n in enumerate(names) if n == name] for name in conditions]
    rows = [[at[frame]] if name == ONE_FRAME else at for name, at in zip(conditions, rows, strict=True)]
    p = np.stack([np.exp(pieces[at].astype(float)).mean(axis=0) for at in rows])
    return stats.entropy(p, axis=1), stats.entropy(p[:1], np.maximum(p, FLOOR), axis=1)


def _times(true: Batch, game: _game.Players | None) -> np.ndarray:
    """When the shown frames are: some of those that the model sees, or the middle of each player."""
    times = np.asarray(true.times_s[0], dtype=float)
    if game is None:
        return few(times)
    each = len(times) // (game.slots[-1][-1] + 1)
    return times[[(part[0] * each + (part[-1] + 1) * each) // 2 for part in game.slots]]


def _flags(result: FillMaskResult, true: Batch, leak: np.ndarray | None) -> tuple[str, ...]:
    """What the reader must know of these numbers."""
    out, word = [], result.word
    if len(result.nulls) < 2:
        out.append(ONE_NULL)
    if not len(result.others):
        out.append("No other clip was asked the same; give some as control: against=[clip, …].")
    elif len(result.others) < WRONG:
        out.append(f"Pointwise information wants {WRONG} other clips or more; these are {len(result.others)}.")
    if result.pmi() < 0:
        out.append(f"'{word}' is likelier beside other clips than beside this one: the model uses a wrong clip better.")
    if len(result.seen) and true.video.shape[1] > len(result.times_s):
        out.append("What the model reads as one moment stayed together when frames were shuffled, hidden or kept.")
    if leak is not None:
        alone = result.seen[[len(result.seen) - 1 - (1 << i) for i in range(len(leak))]]
        speaks = np.abs(result._logs(alone, word, False) - result._logs(leak, word, False)).mean()
        if speaks > LEAK:
            out.append(
                "Frames are hidden behind the video encoder, which has mixed them before: with a hidden frame's pixels "
                f"gone as well, ln p('{word}') changes by {speaks:.2f} nats more. frames='painted' takes pixels away."
            )
    return tuple(out)
