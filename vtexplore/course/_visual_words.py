"""Exercises of notebook 01, visual words."""

from __future__ import annotations

import numpy as np

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes.cloze import ClozeResult
from vtexplore.probes.forecast import ForecastResult
from vtexplore.probes.read_words import ReadWordsResult


def _same_word(one: ReadWordsResult, other: ReadWordsResult) -> Verdict:
    """Two clips that look different, and share a visual word."""
    if one.clip == other.clip and np.array_equal(one.frames, other.frames):
        return Verdict(False, f"Both results are of the clip {one.clip}. Take another one.")
    shared = sorted({int(w) for w in one.codes} & {int(w) for w in other.codes})
    if shared:
        return Verdict(
            True, f"Both clips hold word {shared[0]}: what differs between those moments, no sentence of words can say."
        )
    return Verdict(
        False,
        "They have no word in common. What must two clips share for eyes that were taught who acts and what it does?",
    )


def _needed(answer: ClozeResult) -> Verdict:
    """A gap that is filled rightly with the clip, and with none of the nulls."""
    if not answer.truth:
        return Verdict(False, "What happens in this clip is not known. Take a scene of the world, or an example clip.")
    if not answer.conditions[1:]:
        return Verdict(False, "There is nothing to compare with: leave against= as it is.")
    for gap in range(len(answer.gaps)):
        if answer.right(gap) and not any(answer.right(gap, condition=c) for c in answer.conditions[1:]):
            said, blind = answer.top(gap, 1)[0][0], answer.top(gap, 1, answer.conditions[1])[0][0]
            return Verdict(True, f"Gap {gap + 1}: '{said}' with the clip, '{blind}' without: language did not know.")
    said = ", ".join(f"'{answer.top(gap, 1)[0][0]}'" for gap in range(len(answer.gaps)))
    return Verdict(
        False,
        f"The model says {said}: either nothing of what happens, or the same without the clip. Try another clip, and "
        "leave the gap where only eyes can help.",
    )


def _foreseen(answer: ForecastResult) -> Verdict:
    """A moment that the model foresees and that is no copy of the last."""
    for ahead in answer.ahead:
        right = answer.right(ahead)
        if right and right["the model"] and not right["copy"]:
            return Verdict(True, f"{ahead} ahead: the model's first word is the true one, and not the last word again.")
    if any((answer.right(a) or {}).get("copy") for a in answer.ahead):
        return Verdict(
            False, "Copying the last word was right: little changed. Ask where something begins or ends (at=…)."
        )
    return Verdict(
        False,
        "The model's first word is not the true one at any of these times. Ask at another moment (at=…), or a script.",
    )


EXERCISES: dict[str, Judge] = {
    "visual_words.same_word": ((ReadWordsResult, ReadWordsResult), _same_word),
    "visual_words.needed": ((ClozeResult,), _needed),
    "visual_words.foreseen": ((ForecastResult,), _foreseen),
}
