"""Why does the model say so? What each patch and each word has to do with one number that a model says.

    result = explain(model, clip, "a [MASK] circle slides left", target="red")    ln p(red)
    result = explain(model, clip, text, word="red", method="integrated gradients")
    result = explain(model, clip, text)                                           the matching score
    result.heat()           [frame, row, column]; below 0 where a patch speaks against, if the method has a sign
    result.words_map        [word]
    result.score()          how much of it lies on the thing that the word names

METHODS (see ``_methods``) are rows of one table. They disagree, and that they agree would prove nothing
(Neely et al. 2022, arXiv:2205.04559): which of them tells what the model uses is asked by ``faithfulness``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vtexplore.probes._ask import about, find_word, notices
from vtexplore.probes._case import Case, case_of
from vtexplore.probes._methods import METHODS, found_by, needs_method
from vtexplore.probes._places import Gridded
from vtexplore.probes._result import Result
from vtexplore.probes.attend import NOT_AN_EXPLANATION, PICTURE_PX, shown
from vtexplore.probes.grounding import grounding, named_things, overlap
from vtexplore.types import Clip, Tokens

UNTESTED = "Whether this map tells what the model uses is not known from the map: see faithfulness."


@dataclass(frozen=True)
class ExplainResult(Gridded, Result):
    """What patches and words have to do with a number, ``value``, which ``what`` names.

    ``patch_map`` float [frame, row, column] and ``words_map`` float [word] (NaN: the method has no words); both in
    the method's own unit, which for "integrated gradients" and "occlusion" is that of the number. ``signed``: below 0
    is against. The word in question, ``masked``, is 0. ``measured`` says how (steps, site …). ``patches`` say where
    each of the map lies, in order. ``objects`` are those that the word names and ``masks`` bool [object, frame,
    height, width] where they are, if that is known.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "masks")

    text: str
    words: tuple[str, ...]
    masked: int | None
    says: str | None
    what: str
    value: float
    method: str
    signed: bool
    patch_map: np.ndarray
    words_map: np.ndarray
    patches: Tokens
    measured: dict[str, Any]
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    objects: tuple[str, ...]
    masks: np.ndarray | None
    about: dict[str, Any]
    notes: tuple[str, ...]

    def heat(self) -> np.ndarray:
        """[frame, row, column]: shares of the map; their sizes sum to 1 (all 0 for a map that is 0)."""
        return np.asarray(self.patch_map / max(float(np.abs(self.patch_map).sum()), 1e-30))

    def by_frame(self) -> np.ndarray:
        """[frame]: what the patches of each frame have to do with it together."""
        return np.asarray(self.patch_map.sum(axis=(1, 2)))

    def word(self, wanted: str | int) -> float:
        """What a word has to do with it; ``TextError`` names the nearest if there is no such word."""
        return float(self.words_map[find_word(self.words, wanted)])

    def score(self) -> dict[str, float]:
        """Grounding of the map on what the word in question names (see ``grounding``), of what speaks for it alone.

        Empty where that is not known.
        """
        if self.masks is None or not len(self.masks):
            return {}
        there = np.asarray(self.masks.any(axis=0, keepdims=True))
        covered = overlap(there, self.times_s, self.patches)[0][self.grid].ravel()
        return {k: float(v) for k, v in grounding(self.patch_map.ravel().clip(min=0), covered).items()}


def explain(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    target: str | None = None,
    word: str | int | None = None,
    method: str = "relevancy",
    **options: Any,
) -> ExplainResult:
    """What of a clip and a text speaks for a number, by one ``method`` of the table.

    ``text`` None = the clip's caption. A ``word`` of it, or a [MASK] in it, asks for the log-probability of what
    stands there: ``target``, or else the word itself, or the model's own first choice. A phrase in brackets asks for
    the answer to that question. Otherwise, or with ``target`` "match", it is the matching score. ``options`` are the
    method's own: site and head (raw), of, steps, most and gap (gradients), removal and window (occlusion).

    Raises ``TextError`` for a text that the model cannot read, ``Unsupported`` for a family without the head, or one
    on which the method finds nothing to follow, ``ConfigError`` for an unknown method or option.
    """
    method = needs_method(method)
    case = case_of(model, clip, text, target=target, word=word)
    found = found_by(method, case, **options)
    times_s = times_of(case)
    objects, mine = named_by(case, clip)
    how = METHODS[method]
    return ExplainResult(
        text=" ".join(case.words),
        words=case.words,
        masked=case.masked,
        says=case.says,
        what=case.what,
        value=case.value,
        method=method,
        signed=how.signed,
        patch_map=found.patches,
        words_map=found.words,
        patches=case.tokens,
        measured=found.measured,
        clip=clip.name,
        times_s=times_s,
        frames=clip.sample(times_s.tolist(), PICTURE_PX),
        objects=tuple(objects[o] for o in mine),
        masks=clip.truth.masks(times_s.tolist(), PICTURE_PX)[list(mine)] if clip.truth is not None and mine else None,
        about=about(model, clip),
        notes=(*notices(model, clip), *found.notes, *([NOT_AN_EXPLANATION] if how.attention else []), UNTESTED),
    )


def times_of(case: Case) -> np.ndarray:
    """When to show the clip: [frame] seconds, one for each row of patches in time."""
    return shown(case.tokens, np.asarray(case.batch.times_s[0], dtype=float))


def named_by(case: Case, clip: Clip) -> tuple[tuple[str, ...], Sequence[int]]:
    """All objects of a clip, and which of them the word in question names; none if no word is, or it is not known."""
    if case.masked is None or case.says is None:
        return (), ()
    words = [case.says if i == case.masked else w for i, w in enumerate(case.words)]
    objects, named, _ = named_things(clip, words)
    return objects, named[case.masked]
