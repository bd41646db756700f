"""Exercises of notebook 07, published models."""

from __future__ import annotations

import numpy as np

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes.attend import AttendResult
from vtexplore.probes.fill_mask import HARD, FillMaskResult
from vtexplore.probes.reorder import ALPHA, ReorderResult

MORE = 1.1  # of what an even map has on a thing
NEEDED, NOTHING = 1.0, 0.3  # nats by which a word gains over the clip that differs in it


def _trained(result: AttendResult | FillMaskResult | ReorderResult) -> bool:
    return result.about["weights"] is not None


def _untaught(one: AttendResult, other: AttendResult) -> Verdict:
    """A head of an untrained model that looks at the thing in two clips all the same."""
    if _trained(one) or _trained(other):
        return Verdict(False, f"{one.about['model']} is trained here. Take one that never was: build instead of load.")
    if one.head is None or (one.site, one.head) != (other.site, other.head):
        return Verdict(False, "Ask for one and the same head twice: site='…', head=….")
    if one.clip == other.clip and np.array_equal(one.frames, other.frames):
        return Verdict(False, f"Both results are of the clip {one.clip}. Take another one.")
    scores = [result.score() for result in (one, other)]
    if any(not score or np.isnan(score["mass"]) for score in scores):
        return Verdict(False, "What the words name is not known here. Take scenes of the world and their own captions.")
    first, second = (score["mass"] / score["chance"] for score in scores)
    told = f"{one.site}, head {one.head}, has {first:.2f} of an even map on the one clip, {second:.2f} on the other"
    if min(first, second) <= MORE:
        return Verdict(False, f"{told}. head_grid().best of one clip says where to look; then try it on others.")
    return Verdict(
        True,
        f"{told}, and nobody taught it. What is unlike its surroundings stands out in any random projection; only "
        "which of two things a word means has to be learned.",
    )


def _same_question(one: FillMaskResult, other: FillMaskResult) -> Verdict:
    """A word that one model sees, and of which an untrained one knows nothing, whatever it says."""
    if (one.text, one.clip) != (other.text, other.clip):
        return Verdict(False, "The clips or the sentences differ. Ask two models the very same.")
    if not _trained(one) or _trained(other):
        return Verdict(False, "Give a trained model's answer first, and then that of one that was never trained.")
    if one.answer is None or other.answer is None:
        return Verdict(False, "Mask a word of the clip's own caption (word='…'), so that it is known what stood there.")
    if HARD not in one.conditions or HARD not in other.conditions:
        return Verdict(
            False,
            "No clip was asked that differs in this word alone, and what is lost without any clip says little. Mask a "
            "word that says what is seen, and give against=[…].",
        )
    gains = [result.lift(without=HARD) for result in (one, other)]
    told = f"over the clip that differs in it '{one.answer}' gains {gains[0]:+z.2f} nats and {gains[1]:+z.2f}"
    if gains[0] < NEEDED:
        return Verdict(False, f"{told}. The trained model hardly uses the clip for it; which words need to be seen?")
    if abs(gains[1]) > NOTHING:
        return Verdict(False, f"{told}. So much comes about by lot. Try another clip or another word.")
    return Verdict(True, f"{told}. Whoever reports the first number should report the second beside it.")


def _first_by_luck(answer: ReorderResult) -> Verdict:
    """A film whose true order comes first for a model that knows of no order."""
    told = f"p = {answer.p():.3f} of {1 + int(answer.drawn.sum())} orders"
    if _trained(answer):
        return Verdict(False, f"{told}. {answer.about['model']} is trained here: take one that never was.")
    if answer.least_p > ALPHA:
        return Verdict(False, f"{told}: so few orders cannot give less than {answer.least_p:.3f}. Show more frames.")
    if answer.p() > ALPHA:
        return Verdict(False, f"{told}. Try the next film, and count how many you try.")
    return Verdict(True, f"{told}, for weights drawn by lot. Of twenty films one gives such a p: how many did you try?")


EXERCISES: dict[str, Judge] = {
    "published.untaught": ((AttendResult, AttendResult), _untaught),
    "published.same_question": ((FillMaskResult, FillMaskResult), _same_question),
    "published.first_by_luck": ((ReorderResult,), _first_by_luck),
}
