"""Exercises of notebook 00, first look."""

from __future__ import annotations

import numpy as np

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes.attend import AttendResult
from vtexplore.probes.fill_mask import FillMaskResult


def _guessed(answer: FillMaskResult) -> Verdict:
    """A word that the model says just as well without the clip."""
    if answer.answer is None:
        return Verdict(False, "Mask a word of the clip's own caption (word='…'), so that it is known what stood there.")
    word, nulls = answer.answer, answer.nulls
    ranks = {name: answer.rank(word, name) for name in answer.conditions}
    if ranks[answer.conditions[0]] > 1:
        first = answer.top(1)[0][0]
        return Verdict(False, f"Even with the clip the model says '{first}', not '{word}' (rank {ranks['the clip']}).")
    if all(ranks[name] == 1 for name in nulls):
        return Verdict(
            True, f"'{word}' comes first without the clip too ({', '.join(nulls)}): language alone gives it away."
        )
    lost = next(name for name in nulls if ranks[name] > 1)
    return Verdict(
        False,
        f"'{word}' comes first with the clip, but falls to rank {ranks[lost]} with {lost} (lift "
        f"{answer.lift(word):+z.1f} nats): the model needed to look. Try a word that says nothing of what is seen.",
    )


def _other_clip(one: FillMaskResult, other: FillMaskResult) -> Verdict:
    """The same gap beside two clips, and two different words in it."""
    if one.text != other.text:
        return Verdict(False, f"The sentences differ ('{one.text}', '{other.text}'), so it may be the text.")
    if one.clip == other.clip and np.array_equal(one.frames, other.frames):
        return Verdict(False, f"Both results are of the clip {one.clip}. Take another one.")
    first, second = one.top(1)[0][0], other.top(1)[0][0]
    if first == second:
        return Verdict(
            False,
            f"Beside both clips the model says '{first}'. Either both clips show it, or the sentence gives it away: "
            "take a clip that differs in what is masked.",
        )
    return Verdict(True, f"'{first}' became '{second}', and nothing but the clip had changed.")


def _elsewhere(answer: AttendResult) -> Verdict:
    """A head that looks at a thing less than an even map would."""
    score = answer.score()
    if not score or np.isnan(score["mass"]):
        return Verdict(
            False,
            "What this word names is not known here. A file has no truth: take a scene of the world, and a word "
            "that names a thing.",
        )
    mass, chance = score["mass"], score["chance"]
    if answer.head is None:
        return Verdict(False, "This is the mean of several heads; ask for one: site='…', head=….")
    where = f"{answer.site}, head {answer.head}: {mass:.0%} on the thing, an even map {chance:.0%}"
    if mass < chance:
        return Verdict(True, f"{where}. One head grounds words, another looks away; 'the' attention does not exist.")
    return Verdict(False, f"{where}: more than an even map. plot('head_grid') shows all heads at once.")


EXERCISES: dict[str, Judge] = {
    "first_look.guessed": ((FillMaskResult,), _guessed),
    "first_look.other_clip": ((FillMaskResult, FillMaskResult), _other_clip),
    "first_look.elsewhere": ((AttendResult,), _elsewhere),
}
