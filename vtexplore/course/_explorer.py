"""Exercises of notebook 06, the explorer."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from vtexplore.course._verdict import Judge, Verdict
from vtexplore.probes._methods import METHODS
from vtexplore.probes.attend import AttendResult
from vtexplore.probes.explain import ExplainResult
from vtexplore.probes.fill_mask import FillMaskResult

UNLIKE = 0.2  # rank correlation of two maps that have next to nothing to do with each other


def _best_head(answer: AttendResult) -> Verdict:
    """The head of all that puts most of a word's attention on what it names."""
    word = answer.word()
    score = answer.score(word)
    if not score or np.isnan(score["mass"]):
        return Verdict(False, "What the words name is not known here. Take a scene of the world and its own caption.")
    if answer.head is None:
        return Verdict(False, "This is the mean of several heads; ask for one: site='…', head=….")
    site, head = answer.head_grid(word).best
    where = f"{answer.site}, head {answer.head}: {score['mass']:.0%} of what '{answer.words[word]}' looks at"
    if (answer.site, answer.head) != (site, head):
        return Verdict(
            False,
            f"{where} is on what it names, and another head has more. In the grid, 'on the named thing' stands below "
            "each head, and the brightest is the one.",
        )
    return Verdict(True, f"{where}. But you chose it on this very clip: on others it has to prove itself (ground).")


def _disagree(one: ExplainResult, other: ExplainResult) -> Verdict:
    """Two methods that ask the same model the same thing, and find maps that are unlike."""
    if (one.text, one.clip, one.what) != (other.text, other.clip, other.what):
        return Verdict(False, "The two explain different things. Ask the same of the same clip, by two methods.")
    if one.method == other.method:
        return Verdict(False, f"Both are by {one.method}. Take another method.")
    blind = [r.method for r in (one, other) if not METHODS[r.method].model]
    if blind:
        return Verdict(False, f"{blind[0].capitalize()} ask no model, so that they are unlike says nothing. Take two.")
    for result in (one, other):
        if not np.abs(result.patch_map).any():
            return Verdict(False, f"By {result.method} nothing has to do with {one.what}: a map of nothing agrees not.")
    rho = float(spearmanr(np.abs(one.patch_map).ravel(), np.abs(other.patch_map).ravel()).statistic)
    told = f"the ranks of what {one.method} and {other.method} find correlate by {rho:+z.2f}"
    if rho > UNLIKE:
        return Verdict(False, f"Of {one.what}, {told}. Try other methods, or another word.")
    return Verdict(True, f"Of {one.what}, {told}: at most one of them tells what the model uses. See faithfulness.")


def _turned(one: FillMaskResult, other: FillMaskResult) -> Verdict:
    """A word that is another one as soon as the same frames come in reverse."""
    if one.text != other.text:
        return Verdict(False, f"The sentences differ ('{one.text}', '{other.text}'), so it may be the text.")
    if one.frames.shape != other.frames.shape or not np.array_equal(one.frames, other.frames[::-1]):
        return Verdict(False, "The second clip is not the first one backwards: take scene.reversed().clip().")
    if np.array_equal(one.frames, other.frames):
        return Verdict(False, "This clip looks the same backwards: nothing can turn with it.")
    first, second = one.top(1)[0][0], other.top(1)[0][0]
    if first == second:
        return Verdict(False, f"Forwards and backwards the model says '{first}'. Which word tells of the direction?")
    return Verdict(True, f"'{first}' became '{second}'. The frames are the same: only their order had changed.")


EXERCISES: dict[str, Judge] = {
    "explorer.best_head": ((AttendResult,), _best_head),
    "explorer.disagree": ((ExplainResult, ExplainResult), _disagree),
    "explorer.turned": ((FillMaskResult, FillMaskResult), _turned),
}
