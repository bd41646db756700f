"""Exercises of notebook 05, is attention an explanation?"""

from __future__ import annotations

import re

import numpy as np
from scipy.stats import spearmanr

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes.ablate_heads import AblateHeadsResult
from vtexplore.probes.explain import ExplainResult

ANOTHER = 0.5  # rank correlation below which two maps are not the same
TWICE = 2.0  # as much of a map on a thing as of an even one


def _other_word(one: ExplainResult, other: ExplainResult) -> Verdict:
    """A method whose map changes when another word of one gap is asked for."""
    if one.clip != other.clip or one.masked is None or one.masked != other.masked or one.method != other.method:
        return Verdict(False, "Ask one method twice about one gap of one clip, for another word: target='…'.")
    if one.says == other.says:
        return Verdict(False, f"Both maps are for '{one.says}'. Ask one of them for another word: target='…'.")
    if not np.ptp(one.patch_map) > 0 or not np.ptp(other.patch_map) > 0:
        return Verdict(False, f"By {one.method}, one of the maps is even: nothing can be compared.")
    alike = float(spearmanr(one.patch_map.ravel(), other.patch_map.ravel()).statistic)
    told = f"By {one.method}, the ranks of the patches for '{one.says}' and for '{other.says}' correlate by {alike:.2f}"
    if alike < ANOTHER:
        return Verdict(True, f"{told}: this map knows what was asked.")
    return Verdict(False, f"{told}: almost the same map, whatever is asked. Which methods look at the answer at all?")


def _no_model(answer: ExplainResult) -> Verdict:
    """A map that lies on the thing, and that asked no model."""
    from vtexplore.probes._methods import METHODS

    score = answer.score()
    if not score or np.isnan(score["mass"]):
        return Verdict(False, "What the word names is not known here: take a scene of the world, a word for a thing.")
    told = (
        f"{score['mass']:.0%} of the map is on the {' and '.join(answer.objects)}, {score['chance']:.0%} of an even one"
    )
    if METHODS[answer.method].model:
        return Verdict(False, f"{told}, but {answer.method} asked the model. One method of the table asks nobody.")
    if score["mass"] < TWICE * score["chance"]:
        return Verdict(False, f"{told}: not twice as much. Take a film in which little else has an outline.")
    return Verdict(True, f"{told}, and no model was asked: to lie on the thing is no proof of anything.")


def _looks_unneeded(look: ExplainResult, heads: AblateHeadsResult) -> Verdict:
    """A head that looks at the thing, and without which nothing is lost for certain."""
    found = re.fullmatch(r"(.+), head (\d+)", str(look.measured.get("site", "")))
    if look.method != "raw" or not found:
        return Verdict(False, "Show one head: explain(…, method='raw', site='…', head=…).")
    site, head = found.group(1), int(found.group(2))
    if site not in heads.sites or "mean" not in heads.kinds:
        return Verdict(False, f"{site} is not among the heads that were put out of action by their mean.")
    score = look.score()
    if not score or np.isnan(score["mass"]):
        return Verdict(False, "What the word names is not known here: take a scene of the world, a word for a thing.")
    told = f"{site}, head {head}: {score['mass']:.0%} on the thing, an even map {score['chance']:.0%}"
    if score["mass"] < TWICE * score["chance"]:
        return Verdict(False, f"{told}. It hardly looks there; try another.")
    p = float(heads.p("mean")[heads.sites.index(site), head])
    if p < 0.05:
        return Verdict(False, f"{told}, and it is needed (p = {p:.3f}). Try another that looks there.")
    return Verdict(
        True, f"{told}; yet without it nothing is lost for certain (p = {p:.2f}). To look is not to be needed."
    )


EXERCISES: dict[str, Judge] = {
    "explanation.other_word": ((ExplainResult, ExplainResult), _other_word),
    "explanation.no_model": ((ExplainResult,), _no_model),
    "explanation.looks_unneeded": ((ExplainResult, AblateHeadsResult), _looks_unneeded),
}
