"""A phrase of a sentence is erased: which of these belongs there, and what in the frames speaks for it?

    result = answer(model, clip, "[the red ball] rolls left")
    result.top()                     choices and their scores, best first
    result.overlay()                 where the question looks
    result.overlay("red ball")       what speaks for this choice
    result.overlay("red ball", foil="blue ball")     … rather than for that one

The model says something to the question (the sentence, a [MASK] for each WordPiece of the phrase), and the score
of a choice is the cosine of that and of the choice as the model reads it. The question knows nothing of the
choices, so the question's attention is one map for all of them. A choice's own map is the gradient of ITS score
by that attention, times the attention (see ``_relevance``).

A choice may win because of what is left of the sentence, or because of what it is. So the same choices are scored

    no clip        with the clip hidden from attention
    even colour    with frames of the clip's mean colour
    other clips    beside other clips
    options only   with the clip hidden and the sentence erased: of the question, the phrase's [MASK]s are left
    one frame      with one frame of the clip, repeated: the one in which the first choice is furthest ahead of the
                   second (Buch et al. 2022, arXiv:2206.01720, in kind), so it is found without the right answer

The first four see nothing of the clip, or its mean colour: they are the ``nulls``. One frame is none, for it is of
the clip; what the clip adds to it is what moves, or stands in other frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.blocks.tap import listening
from vtexplore.data.prepare import prepare, text_batch
from vtexplore.errors import ConfigError
from vtexplore.objectives.contrastive import TEMPERATURE, cosine
from vtexplore.objectives.questions import answer as said
from vtexplore.probes import _choices
from vtexplore.probes._ask import about, card_of, needs, notices, text_of
from vtexplore.probes._places import Gridded
from vtexplore.probes._relevance import Crossings, look
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes._stills import stills, surest
from vtexplore.probes.attend import NOT_AN_EXPLANATION, PICTURE_PX
from vtexplore.probes.fill_mask import CONDITIONS, ONE_CASE
from vtexplore.probes.grounding import grounding, overlap
from vtexplore.record import beside
from vtexplore.types import Batch, Clip, Output, Tokens

OTHERS, OPTIONS, ONE_FRAME = "other clips", "options only", "one frame"
EQUAL = 1e-6  # cosines that differ by less are equal
ELSEWHERE = "Words of the phrase stand in another place, too, and are erased there as well, as in training."
UNSURE = "All that is in this clip is not known, so a choice beside the erased phrase may be true of it as well."
UNTRAINED = "[MASK]s alone and a frame repeated are hardly met in training: small differences to them mean little."
DEAF = (
    "Without a clip this model says the same to every question, so 'no clip' and 'options only' are one. What the "
    "sentence gives away is seen with an even colour and other clips."
)
NO_OTHERS = "No other clip was asked the same; give some as control: against=[clip, …]."


@dataclass(frozen=True)
class Look:
    """Where the erased words look at a site: ``weights`` float32 [head, patch] ≥ 0, mean over those words."""

    site: str
    weights: np.ndarray


@dataclass(frozen=True)
class AnswerResult(Gridded, Result):
    """What a model makes of a question with choices.

    ``scores`` float32 [condition, choice] in −1..1: cosines under each of ``conditions`` ("the clip", then the
    nulls, then "one frame"; "other clips" is their mean, each of them is in ``others`` [clip, choice]). ``alone``
    float32 [frame, choice] in −1..1: the same for every frame, repeated as if it were the clip; "one frame" is the
    row of ``frame``, an index of ``times_s``. ``right`` is the index of the erased phrase, None if it is no choice.
    ``relevance`` float32 [choice, patch] ≥ 0 is each choice's own map, ``looks`` the question's attention at every
    site; ``patches`` say what they stand for. ``objects`` are those that the phrase names and ``masks`` bool
    [object, frame, height, width] where they are, if that is known.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "masks")

    text: str
    phrase: str
    question: str
    choices: tuple[str, ...]
    right: int | None
    conditions: tuple[str, ...]
    scores: np.ndarray
    others: np.ndarray
    other_clips: tuple[str, ...]
    alone: np.ndarray
    frame: int
    temperature: float
    relevance: np.ndarray
    looks: tuple[Look, ...]
    patches: Tokens
    site: str
    head: int | None
    why: str
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    objects: tuple[str, ...]
    masks: np.ndarray | None
    about: dict[str, Any]
    notes: tuple[str, ...]

    # ── which one ──

    @property
    def nulls(self) -> tuple[str, ...]:
        """The conditions without the clip: of it nothing is seen, or its mean colour."""
        return tuple(name for name in self.conditions[1:] if name != ONE_FRAME)

    @property
    def labels(self) -> tuple[str, ...]:
        """The conditions as a picture calls them: which frame, how many clips."""
        more = {
            OTHERS: f" (mean of {len(self.others)})",
            ONE_FRAME: f" ({self.frame + 1} · {self.times_s[self.frame]:.1f} s)",
        }
        return tuple(name + more.get(name, "") for name in self.conditions)

    def top(self, count: int | None = None, condition: str | None = None) -> tuple[tuple[str, float], ...]:
        """Choices and their cosines, best first, with the clip or under a condition."""
        row = self.scores[self._row(condition)]
        return tuple((self.choices[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:count])

    @property
    def best(self) -> str | None:
        """The choice that comes first beside the clip; None if several share the first place."""
        return self.first()

    def first(self, condition: str | None = None) -> str | None:
        """The choice that comes first with the clip or under a condition; None if several share the first place."""
        won = _winner(self.scores[self._row(condition)])
        return None if won is None else self.choices[won]

    def probability(self, choice: str | int, condition: str | None = None) -> float:
        """Softmax over the choices of cosine / temperature, 0..1: comparable within a condition only."""
        row = self.scores[self._row(condition)].astype(float) / self.temperature
        p = np.exp(row - row.max())
        return float(p[self.choice(choice)] / p.sum())

    def lift(self, choice: str | int | None = None, without: str | None = None) -> float:
        """ln p(choice | clip) − ln p(choice | null), in nats; the smallest over all nulls, or against one condition.

        ``choice`` None = the erased phrase, or the first choice of the model. ``without`` "one frame": what the
        clip adds to that frame.
        """
        at = self.choice(choice)
        nulls = self.nulls if without is None else (without,)
        return min(np.log(self.probability(at)) - np.log(max(self.probability(at, n), 1e-30)) for n in nulls)

    def choice(self, wanted: str | int | None = None) -> int:
        """The index of a choice; ``ConfigError`` names those that there are. None: as in ``lift``."""
        if wanted is None:
            return int(self.scores[0].argmax()) if self.right is None else self.right
        if isinstance(wanted, int) and 0 <= wanted < len(self.choices):
            return wanted
        if isinstance(wanted, int) or _choices.bare(wanted) not in self.choices:
            raise ConfigError(f"There is no choice {wanted!r}; there are {', '.join(self.choices)}.")
        return self.choices.index(_choices.bare(wanted))

    def row(self) -> Row:
        """Of the erased phrase ``lift``, ``margin``, and by condition whether it is first (``right``) and its ``p``."""
        out: Row = {"text": self.text, "phrase": self.phrase, "best": self.best or "", "choices": len(self.choices)}
        if self.right is None:
            return out
        own = self.scores[0, self.right]
        out |= {"lift": float(self.lift()), "margin": float(own - np.delete(self.scores[0], self.right).max())}
        for name in self.conditions:
            after = () if name == self.conditions[0] else (name,)
            out[column("right", *after)] = self.first(name) == self.phrase
            out[column("p", *after)] = self.probability(self.right, name)
        return out

    def _row(self, condition: str | None) -> int:
        if condition is not None and condition not in self.conditions:
            raise ConfigError(f"No condition {condition!r} here; there are {', '.join(self.conditions)}.")
        return 0 if condition is None else self.conditions.index(condition)

    # ── where ──

    def attention(self, site: str | None = None, head: int | None = None) -> np.ndarray:
        """[patch] ≥ 0: where the question looks, at a site (the chosen one) and head (None: as chosen, or the mean)."""
        head = self.head if site is None and head is None else head
        for one in self.looks:
            if one.site == (site or self.site):
                if head is not None and not 0 <= head < len(one.weights):
                    raise ConfigError(f"{one.site} has {len(one.weights)} heads, counted from 0: there is no {head}.")
                return one.weights.mean(axis=0) if head is None else one.weights[head]
        raise ConfigError(f"No site {site!r} here; there are {', '.join(one.site for one in self.looks)}.")

    def heat(self, choice: str | int | None = None, foil: str | int | None = None) -> np.ndarray:
        """[frame, row, column]: shares of a map that sum to 1 (all 0 where nothing speaks for a choice).

        ``choice`` None = the question's attention, the same for all choices; else that choice's own map.
        ``foil``: that choice's map is subtracted (a map in −1..1 that sums to 0).
        """
        if choice is None and foil is not None:
            raise ConfigError("A foil is compared with a choice: give both.")
        flat = self.attention() if choice is None else self.relevance[self.choice(choice)]
        shares = flat / max(float(flat.sum()), 1e-30)
        if foil is not None:
            other = self.relevance[self.choice(foil)]
            shares = shares - other / max(float(other.sum()), 1e-30)
        return np.asarray(shares[self.grid])

    def score(self, choice: str | int | None = None) -> dict[str, float]:
        """Grounding of a map on what the erased phrase names (see ``grounding``); empty where that is not known."""
        if self.masks is None or not len(self.masks):
            return {}
        there = np.asarray(self.masks.any(axis=0, keepdims=True))
        flat = self.attention() if choice is None else self.relevance[self.choice(choice)]
        return {k: float(v) for k, v in grounding(flat, overlap(there, self.times_s, self.patches)[0]).items()}

    def overlay(self, choice: str | int | None = None, **options: Any) -> Any:
        """The film strip with a map on it (``foil``, ``scale``); short for ``plot("overlay", choice=…)``."""
        return self.plot("overlay", choice=choice, **options)


def answer(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    phrase: str | None = None,
    choices: Sequence[str] | None = None,
    against: Sequence[Clip] | None = None,
    site: str | None = None,
    head: int | None = None,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> AnswerResult:
    """Ask for a phrase of a text, with choices.

    ``text`` None = the clip's caption. The phrase is ``phrase``, or what stands in brackets ("[the red ball] rolls
    left"), or the first that is found; an article before it stays out, as in training. ``choices`` None = the
    phrase and four of its kind from the world's words (never its reverse, if the model does not see the order of
    frames). ``against``: other clips that are asked the same; None = eight scenes, if the clip is a world's.
    ``site`` and ``head`` choose where the question is watched: by default the card's head for such questions, or
    the middle layer. ``temperature`` is that of training, and ``seed`` draws foils.

    Raises ``TextError`` for a text or choice that the model cannot read and for a phrase that is not in the text,
    ``ConfigError`` for fewer than two choices or one given twice, ``Unsupported`` for a family that answers no
    questions.
    """
    text, phrase = _choices.asked(clip.caption if text is None else text, phrase, clip)
    text = text_of(model, clip, text)
    question = _choices.question_of(text, phrase, model.inputs)
    first = _asking(model, prepare([clip], [said(phrase)], model.inputs), question)
    crossings = Crossings()
    with listening(crossings):
        told = _run(model, first)
    needs(model, told, "answer_embedding", "questions")
    needs(model, told, "text_embedding", "reading answers")
    backwards = _run(model, replace(first, video=first.video.flip(1)))
    ordered = not torch.allclose(told.answer_embedding, backwards.answer_embedding, atol=1e-4, rtol=1e-4)
    offered = _choices.offered(model, clip, text, phrase, choices, ordered, seed)

    batch = _asking(model, prepare([clip], [said(choice) for choice in offered], model.inputs), question)
    near = _run(model, batch).text_embedding
    rows = [cosine(_run(model, show(first)).answer_embedding, near) for show in CONDITIONS.values()]
    wrong = _choices.wrong_clips(clip, phrase) if against is None else tuple(against)
    others = _beside(model, wrong, question, near)
    blank = _choices.question_of(phrase, phrase, model.inputs)
    rows += [others.mean(dim=0, keepdim=True)] if wrong else []
    rows += [cosine(_run(model, CONDITIONS["no clip"](_asking(model, first, blank))).answer_embedding, near)]
    frames = [cosine(_run(model, still).answer_embedding, near) for still in stills(first)]
    alone = torch.cat(frames).float().cpu().numpy()
    frame = surest(alone)
    scores = np.concatenate([*(row.float().cpu().numpy() for row in rows), alone[[frame]]])

    def own_score(output: Output) -> torch.Tensor:
        return torch.nn.functional.cosine_similarity(output.answer_embedding, output.text_embedding)  # type: ignore[arg-type]

    found, relevance, tokens = look(model, beside(model, batch), crossings.sites, own_score)
    looks = tuple(Look(one.site, one.attention) for one in found)
    chosen = _chosen(model, looks, _choices.kind_of(text, phrase), site, head)
    times_s = np.asarray(first.times_s[0], dtype=float)
    objects, mine = _choices.things(clip, text, phrase)
    conditions = (*CONDITIONS, *([OTHERS] if wrong else []), OPTIONS, ONE_FRAME)
    result = AnswerResult(
        text=text,
        phrase=phrase,
        question=question,
        choices=offered,
        right=offered.index(phrase) if phrase in offered else None,
        conditions=conditions,
        scores=scores,
        others=others.float().cpu().numpy(),
        other_clips=tuple(c.name for c in wrong),
        alone=alone,
        frame=frame,
        temperature=temperature,
        relevance=relevance,
        looks=looks,
        patches=tokens,
        site=chosen[0],
        head=chosen[1],
        why=chosen[2],
        clip=clip.name,
        times_s=times_s,
        frames=clip.sample(times_s.tolist(), PICTURE_PX),
        objects=tuple(objects[o] for o in mine),
        masks=clip.truth.masks(times_s.tolist(), PICTURE_PX)[mine] if clip.truth is not None and mine else None,
        about=about(model, clip),
        notes=(
            *notices(model, clip),
            ONE_CASE,
            *([UNSURE] if choices is None and clip.truth is None else []),
            *([ELSEWHERE] if _choices.elsewhere(text, phrase) else []),
            *_flags(scores, offered, conditions, ordered),
            UNTRAINED,
            NOT_AN_EXPLANATION,
        ),
    )
    result.attention()  # an unknown head is refused here, not in a picture
    return result


def _run(model: Any, batch: Any) -> Any:
    with torch.inference_mode():
        return model(beside(model, batch))


def _beside(model: Any, clips: Sequence[Clip], question: str, near: torch.Tensor) -> torch.Tensor:
    """Cosines beside other clips: [clip, choice]."""
    if not clips:
        return near.new_zeros(0, len(near))
    batch = _asking(model, prepare(clips, [question] * len(clips), model.inputs), question)
    return cosine(_run(model, batch).answer_embedding, near)


def _asking(model: Any, batch: Batch, question: str) -> Batch:
    """The batch, all of which is asked one question."""
    return replace(batch, question=text_batch([question] * len(batch), model.inputs))


def _winner(row: np.ndarray) -> int | None:
    """The index of the highest score; None if it is not the only one."""
    best = np.flatnonzero(row >= row.max() - EQUAL)
    return int(best[0]) if len(best) == 1 else None


def _flags(scores: np.ndarray, choices: tuple[str, ...], conditions: tuple[str, ...], ordered: bool) -> tuple[str, ...]:
    """What the reader must know of these scores."""
    out = [] if OTHERS in conditions else [NO_OTHERS]
    won = dict(zip(conditions, map(_winner, scores), strict=True))
    best, still = won.pop("the clip"), won.pop(ONE_FRAME)
    blind = [name for name, other in won.items() if other == best]
    if blind and best is not None:
        out.append(f"'{choices[best]}' comes first with {', '.join(blind)} as well: the clip was not needed for it.")
    elif best is not None and still == best:
        out.append(f"'{choices[best]}' comes first with {ONE_FRAME} as well: a picture was enough for it.")
    blank = scores[conditions.index("no clip")] - scores[conditions.index(OPTIONS)]
    if np.abs(blank).max() <= EQUAL:
        out.append(DEAF)
    pair = None if ordered else _choices.reversed_pair(choices)
    if pair:
        out.append(
            f"'{pair[0]}' and '{pair[1]}' differ in the order of frames, and this model says the same of the frames "
            "in any order: which of the two comes first means nothing."
        )
    return tuple(out)


def _chosen(
    model: Any, looks: tuple[Look, ...], kind: str, site: str | None, head: int | None
) -> tuple[str, int | None, str]:
    """Site, head and the reason for them."""
    sites = [one.site for one in looks]
    if site is not None:
        if site not in sites:
            raise ConfigError(f"No question looks at patches at {site!r}; it does at {', '.join(sites)}.")
        return site, head, "asked for"
    best = ((card_of(model).get("grounding_head") or {}).get("questions") or {}).get(kind) or {}
    if best.get("site") in sites:
        if head is None:
            return best["site"], int(best["head"]), f"the head that finds {kind}s best, by the model's card"
        return best["site"], head, "asked for, in the layer that the model's card names"
    middle = sites[len(sites) // 2 - (len(sites) % 2 == 0)]
    return middle, head, "the middle layer" + (", mean of its heads" if head is None else ", head asked for")
