"""Exercises of notebook 02, attended masking."""

from __future__ import annotations

import numpy as np

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.data.text import plain, words_of
from vtexplore.probes.fill_codes import FillCodesResult
from vtexplore.probes.masking import MaskingResult
from vtexplore.probes.match import MatchResult


def _nothing_to_copy(answer: FillCodesResult) -> Verdict:
    """Hidden patches that a neighbouring frame does not give away."""
    right = answer.right()
    told = f"copying from the nearest frame names {right['copy']:.0%} of {answer.asked} rightly"
    if right["copy"] > 0.5:
        return Verdict(
            False,
            f"{told}: where little moves, the answer stands in the next frame. Hide what moves, or the same place in "
            "every frame (frame=None); boxes that last several frames are why blockwise masking is not random.",
        )
    return Verdict(True, f"{told}, the model {right['the model']:.0%}: here it has to know something.")


def _fooled(answer: MatchResult) -> Verdict:
    """A false sentence, one word away from the true one, that the model prefers."""
    if plain(answer.clip) != plain(answer.texts[0]):
        return Verdict(False, "Give a scene of the world and its caption first: match(model, clip, [clip.caption, …]).")
    true, best = words_of(answer.texts[0]), words_of(answer.best)
    if answer.margin() >= 0:
        return Verdict(
            False,
            f"The true sentence wins by {answer.margin():.2f}. Try other scenes and other words: the card lists which "
            "kinds of foils the model tells apart worst.",
        )
    if len(true) != len(best) or sum(a != b for a, b in zip(true, best, strict=True)) != 1:
        return Verdict(False, f"'{answer.best}' wins, but differs in more than one word, so the reason stays open.")
    a, b = next((a, b) for a, b in zip(true, best, strict=True) if a != b)
    return Verdict(True, f"'{b}' instead of '{a}' scores {-answer.margin():.2f} higher: this much it does not see.")


def _all_hidden(answer: MaskingResult) -> Verdict:
    """A rate at which attention no longer matters."""
    attended, even = answer.of("attended")[0], answer.of("random")[0]
    gap = float(np.abs(attended - even).max())
    share = float(answer.hidden[answer.strategies.index("attended")])
    if gap > 0.02:
        return Verdict(
            False,
            f"With {share:.0%} of the positions hidden, some patch is {gap:.0%} off from chance. "
            "Positions are drawn without replacement: what happens when there are none left to choose from?",
        )
    return Verdict(True, f"{share:.0%} of the positions are hidden: who is drawn first no longer matters.")


EXERCISES: dict[str, Judge] = {
    "masking.nothing_to_copy": ((FillCodesResult,), _nothing_to_copy),
    "masking.fooled": ((MatchResult,), _fooled),
    "masking.all_hidden": ((MaskingResult,), _all_hidden),
}
