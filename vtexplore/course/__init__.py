"""The exercises of the notebooks, and what is wrong with an answer.

    from vtexplore.course import check
    check("first_look.guessed", fill_mask(model, clip, word="the"))

An answer is a result of a probe, so there is nothing to type in and nothing to copy: what counts is what the
result shows. Every miss says what the answer shows instead, and where to look next.

A file here holds the exercises of one notebook.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from vtexplore.course import (
    _explanation,
    _explorer,
    _first_look,
    _masking,
    _order,
    _published,
    _questions,
    _visual_words,
)
from vtexplore.course._verdict import Judge, Verdict
from vtexplore.errors import ConfigError

NOTEBOOKS = (_first_look, _visual_words, _masking, _questions, _order, _explanation, _explorer, _published)
EXERCISES: dict[str, Judge] = {name: judge for book in NOTEBOOKS for name, judge in book.EXERCISES.items()}
"""Exercise → what kinds of results answer it, and who judges them; "first_look.guessed", in the notebooks' order."""


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
