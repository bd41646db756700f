"""Exercises of notebook 04, frame order."""

from __future__ import annotations

import numpy as np

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes.recover_order import RecoverResult
from vtexplore.probes.reorder import ReorderResult


def _no_loss(answer: ReorderResult) -> Verdict:
    """A film whose frames may stand in any order, for a model that does see order."""
    told = f"Δ = {answer.delta():+z.2f}, p = {answer.p():.3f}"
    if not np.ptp(answer.scores[:, 0]):
        return Verdict(
            False,
            f"{told}: every order scores the very same. This model is blind to order whatever the film; take one that "
            "is not, and a film in which order tells nothing.",
        )
    if answer.p() <= 0.5:
        return Verdict(
            False,
            f"{told}: the true order is among the better half. Which actions look the same in any order of their "
            "frames? Draw scenes with kinds=['…'] until one comes.",
        )
    return Verdict(
        True, f"{told}: here order is not what the score stands on. One film never says that a model is blind."
    )


def _motion(frames: ReorderResult, tubelets: ReorderResult) -> Verdict:
    """A model that loses with shuffled frames and not with shuffled tubelets."""
    if (frames.what, tubelets.what) != ("frames", "tubelets"):
        return Verdict(False, "Give reorder(…, what='frames') and then reorder(…, what='tubelets').")
    if frames.clip != tubelets.clip or frames.about["model"] != tubelets.about["model"]:
        return Verdict(False, "These are two clips or two models. Change nothing but what='…'.")
    told = f"frames Δ = {frames.delta():+z.2f}, tubelets Δ = {tubelets.delta():+z.2f}"
    if frames.delta() <= 0 or abs(tubelets.delta()) > frames.delta() / 3:
        return Verdict(
            False, f"{told}: moving whole tubelets costs as well. Which of the models takes in many frames as one?"
        )
    return Verdict(
        True, f"{told}: what was lost is motion inside tubelets, not order. Both look alike without a control."
    )


def _in_order(answer: RecoverResult) -> Verdict:
    """Films that a head for order puts right, all of them, and that chance does not."""
    exact = answer["exact"]
    chance = exact.chance ** len(answer.clips)
    told = (
        f"{exact.value:.0%} of {len(answer.clips)} films are in order; by chance all of them are with p = {chance:.2g}"
    )
    if exact.value < 1:
        return Verdict(
            False, f"{told}. best shows what came where: look for films in which every moment changes something."
        )
    if any("look the same" in note for note in answer.notes):
        return Verdict(False, f"{told}. But some frames look the same, which makes it easier. Take others.")
    if chance > 0.05:
        return Verdict(False, f"{told}. Films of so few frames are put right by luck; take more frames or more films.")
    return Verdict(True, f"{told}. Chosen by hand they are cases: their rate over all films is the card's.")


EXERCISES: dict[str, Judge] = {
    "order.no_loss": ((ReorderResult,), _no_loss),
    "order.motion": ((ReorderResult, ReorderResult), _motion),
    "order.in_order": ((RecoverResult,), _in_order),
}
