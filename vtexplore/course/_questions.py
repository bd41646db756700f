"""Exercises of notebook 03, questions."""

from __future__ import annotations

import numpy as np

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes.answer import OPTIONS, AnswerResult
from vtexplore.probes.retrieve import EQUAL, RetrieveResult


def _moved(one: AnswerResult, other: AnswerResult) -> Verdict:
    """Two questions about one clip, each of which looks at what it asks for."""
    if one.clip != other.clip or not np.array_equal(one.frames, other.frames):
        return Verdict(False, "The clips differ, so the map may have moved with them. Ask twice about one clip.")
    if not one.objects or not other.objects:
        return Verdict(False, "What a phrase names is not known here: take a scene of the world and its own caption.")
    if one.objects == other.objects:
        return Verdict(False, f"Both phrases are about the {' and '.join(one.objects)}: ask for another object.")
    for asked in (one, other):
        score, thing = asked.score(), " and ".join(asked.objects)
        if not score["mass"] > score["chance"]:
            return Verdict(
                False,
                f"Asked for '{asked.phrase}', {score['mass']:.0%} of the attention is on the {thing}, of an even map "
                f"{score['chance']:.0%}. Try another layer or head (site=…, head=…), or another scene.",
            )
    return Verdict(True, f"'{one.phrase}' and '{other.phrase}': the question moved, and the attention with it.")


def _given_away(answer: AnswerResult) -> Verdict:
    """Choices of which the right one is found without the clip."""
    if answer.right is None:
        return Verdict(False, f"The phrase that was erased, '{answer.phrase}', is not among the choices.")
    right = answer.choices[answer.right]
    if answer.best != right:
        return Verdict(False, f"Even with the clip, '{right}' does not come first alone.")
    for null in answer.nulls:
        if null == OPTIONS:  # the words of the question may give it away as well
            continue
        found = answer.top(2, null)
        if found[0][0] != right or found[0][1] == found[1][1]:
            return Verdict(
                False,
                f"With {null} '{right}' no longer wins: the clip was needed. Which choices would you rule out with "
                "your eyes closed?",
            )
    return Verdict(True, f"'{right}' wins without the clip as well: such a question measures nothing of sight.")


def _no_order(answer: RetrieveResult) -> Verdict:
    """Two clips that are told differently and score the same with every text."""
    told = [{t for t, own in zip(answer.texts, answer.own) if own == clip} for clip in range(len(answer.clips))]
    same = [
        (told[one], told[other])
        for one in range(len(told))
        for other in range(one)
        if np.abs(answer.scores[:, one] - answer.scores[:, other]).max() <= EQUAL
    ]
    differ = [(min(a), min(b)) for a, b in same if a and b and a != b]
    if differ:
        a, b = differ[0]
        return Verdict(True, f"No text tells the clip of '{a}' from that of '{b}': what they show is the same.")
    if same:
        return Verdict(
            False,
            "Two clips score the same with every text, but the same is told of both (what looks the same backwards, "
            "say): no wonder. Try another scene.",
        )
    return Verdict(
        False,
        "Some text tells any two of these clips apart. Which change to a clip leaves its frames as they are, but not "
        "its story? (A scene can be reversed.)",
    )


EXERCISES: dict[str, Judge] = {
    "questions.moved": ((AnswerResult, AnswerResult), _moved),
    "questions.given_away": ((AnswerResult,), _given_away),
    "questions.no_order": ((RetrieveResult,), _no_order),
}
