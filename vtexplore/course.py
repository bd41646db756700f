"""The exercises of the notebooks, and what is wrong with an answer.

    from vtexplore.course import check
    check("first_look.guessed", fill_mask(model, clip, word="the"))

An answer is a result of a probe, so there is nothing to type in and nothing to copy: what counts is what the
result shows. Every miss says what the answer shows instead, and where to look next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from vtexplore.data.text import plain, words_of
from vtexplore.errors import ConfigError
from vtexplore.probes.answer import OPTIONS, AnswerResult
from vtexplore.probes.attend import AttendResult
from vtexplore.probes.cloze import ClozeResult
from vtexplore.probes.fill_codes import FillCodesResult
from vtexplore.probes.fill_mask import FillMaskResult
from vtexplore.probes.forecast import ForecastResult
from vtexplore.probes.masking import MaskingResult
from vtexplore.probes.match import MatchResult
from vtexplore.probes.read_words import ReadWordsResult
from vtexplore.probes.retrieve import EQUAL, RetrieveResult


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why; prints itself."""

    right: bool
    why: str

    def __repr__(self) -> str:
        return ("Right. " if self.right else "Not yet. ") + self.why


def check(exercise: str, answer: Any) -> Verdict:
    """Judge the answer to an exercise; a miss explains itself. ``ConfigError`` for an unknown exercise."""
    if exercise not in EXERCISES:
        near = get_close_matches(exercise, EXERCISES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(EXERCISES)}."
        raise ConfigError(f"There is no exercise {exercise!r}. {hint}")
    wanted, judge = EXERCISES[exercise]
    given = answer if isinstance(answer, tuple | list) else (answer,)
    if len(given) != len(wanted) or not all(isinstance(a, w) for a, w in zip(given, wanted, strict=True)):
        names = " and a ".join(w.__name__ for w in wanted)
        return Verdict(False, f"The answer is a {names}, the result of a probe; this is {_kind(answer)}.")
    return judge(*given)


def _kind(answer: Any) -> str:
    if isinstance(answer, tuple | list):
        return f"a {type(answer).__name__} of {', '.join(type(one).__name__ for one in answer) or 'nothing'}"
    return f"a {type(answer).__name__}"


# ── 00 first look ─────────────────────────────────────────────────────────────────────────────────


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
        f"{answer.lift(word):+.1f} nats): the model needed to look. Try a word that says nothing of what is seen.",
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


# ── 01 visual words ───────────────────────────────────────────────────────────────────────────────


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


# ── 02 attended masking ───────────────────────────────────────────────────────────────────────────


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


# ── 03 questions ──────────────────────────────────────────────────────────────────────────────────


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


EXERCISES: dict[str, tuple[tuple[type, ...], Callable[..., Verdict]]] = {
    "first_look.guessed": ((FillMaskResult,), _guessed),
    "first_look.other_clip": ((FillMaskResult, FillMaskResult), _other_clip),
    "first_look.elsewhere": ((AttendResult,), _elsewhere),
    "visual_words.same_word": ((ReadWordsResult, ReadWordsResult), _same_word),
    "visual_words.needed": ((ClozeResult,), _needed),
    "visual_words.foreseen": ((ForecastResult,), _foreseen),
    "masking.nothing_to_copy": ((FillCodesResult,), _nothing_to_copy),
    "masking.fooled": ((MatchResult,), _fooled),
    "masking.all_hidden": ((MaskingResult,), _all_hidden),
    "questions.moved": ((AnswerResult, AnswerResult), _moved),
    "questions.given_away": ((AnswerResult,), _given_away),
    "questions.no_order": ((RetrieveResult,), _no_order),
}
"""Exercise → what kinds of results answer it, and who judges them."""
