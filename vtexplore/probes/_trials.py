"""All trials of ``faithfulness``, clip by clip, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from tqdm.auto import tqdm

from vtexplore.data.text import words_of
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes import _faithful as measure
from vtexplore.probes._ask import text_of
from vtexplore.probes._case import Case, case_of
from vtexplore.probes._gaps import likely, whole_words
from vtexplore.probes._methods import METHODS, Found, found_by, needs_method
from vtexplore.probes._removal import REMOVALS, Without, able
from vtexplore.probes._sanity import LIKE, alike, by_chance, named, random_layers, redrawn, stages_of
from vtexplore.probes.explain import named_by
from vtexplore.probes.grounding import MASK_PX, grounding, named_things, overlap
from vtexplore.types import Clip

UNITS = ("patches", "frames", "words")
BY_REMOVAL = (
    "whole", "none", "deletion", "insertion", "random", "comprehensiveness", "sufficiency", "aopc", "extremes",
)  # fmt: skip
QUICK: dict[str, dict[str, Any]] = {"integrated gradients": {"steps": 16, "most": 16}}
"""Options of methods where they are asked again and again: the cascade, moved pixels."""


@dataclass(frozen=True)
class Plan:
    """What to try; see ``faithfulness``."""

    methods: Sequence[str]
    removals: Sequence[str] | None
    of: str
    steps: int
    orders: int
    randomise: int
    stages: int
    moves: int
    options: dict[str, Any]
    target: str | None
    word: str | int | None
    instead: str | None
    seed: int
    beam: int
    draws: int
    quiet: bool

    def __post_init__(self) -> None:
        if self.of not in UNITS:
            raise ConfigError(f"What is taken away are {', '.join(UNITS)}, not {self.of!r}.")
        if unknown := [name for name in self.removals or () if name not in REMOVALS]:
            raise ConfigError(f"Nothing is taken away by {unknown[0]!r}; there are {', '.join(REMOVALS)}.")
        if min(self.steps, self.orders) < 20:
            raise ConfigError("Areas need 20 steps or more, and 20 random orders or more to be held against.")
        if self.beam < 0 or (self.beam and self.of == "patches"):
            raise ConfigError("The best and the worst order are searched for few units: of='frames', or of='words'.")
        if not self.methods or (self.removals is not None and not self.removals):
            raise ConfigError("Name at least one method and one removal.")


@dataclass(frozen=True)
class Tried:
    """The cases, and the arrays of a ``FaithfulnessResult`` by their names."""

    cases: tuple[Case, ...]
    methods: tuple[str, ...]
    removals: tuple[str, ...]
    signed: tuple[bool, ...]
    instead: tuple[str, ...]
    stages: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...]


def run(model: Any, clips: Sequence[Clip], texts: Sequence[str | None], plan: Plan) -> Tried:
    """Everything that is planned, on every clip."""
    methods = tuple(dict.fromkeys(needs_method(m) for m in plan.methods))
    words = [asked_word(clip, plan.word) for clip in clips]
    cases = [
        case_of(model, clip, text, target=plan.target, word=word)
        for clip, text, word in zip(clips, texts, words, strict=True)
    ]
    plan = replace(plan, removals=able(cases[0])[:2]) if plan.removals is None else plan
    methods, maps, notes = _maps(cases, methods, plan)
    rng = np.random.default_rng(plan.seed)
    share = np.linspace(0, 1, plan.steps + 1)
    rows: dict[str, list[np.ndarray]] = {}
    for number, case in enumerate(
        tqdm(cases, desc="taking patches away", unit="clip", disable=plan.quiet or len(cases) == 1)
    ):
        for name, value in _taken(case, maps[number], plan, share, rng).items():
            rows.setdefault(name, []).append(value)
    arrays = {name: np.stack(values) for name, values in rows.items()}
    by_removal = (
        "whole",
        "none",
        "deletion",
        "insertion",
        "random",
        "comprehensiveness",
        "sufficiency",
        "aopc",
        "extremes",
    )
    arrays |= {name: np.moveaxis(arrays[name], 1, 0) for name in by_removal}
    arrays["gap"] = np.array([[one.measured.get("gap", np.nan) for one in some.values()] for some in maps])
    arrays["grounded"] = np.stack([_grounded(*three) for three in zip(clips, cases, maps, strict=True)])
    instead, arrays["wrong_target"] = _wrong(model, clips, texts, words, cases, maps, plan)
    stages, arrays["cascade"], arrays["level"] = _cascade(cases[: plan.randomise], maps, methods, plan)
    arrays["sensitivity"] = _moved(cases, methods, plan)
    first = maps[0].values()
    arrays |= {"maps": np.stack([f.patches for f in first]), "words_maps": np.stack([f.words for f in first])}
    signed = tuple(METHODS[m].signed for m in methods)
    removals, arrays = tuple(plan.removals or ()), arrays | {"share": share}
    return Tried(tuple(cases), methods, removals, signed, instead, stages, arrays, tuple(notes))


def asked_word(clip: Clip, word: str | int | None) -> str | int | None:
    """The word that is asked of a clip; "*" is the first that names a thing."""
    if word != "*":
        return word
    _, things, _ = named_things(clip, words_of(clip.caption or ""))
    at = [i for i, objects in enumerate(things) if objects]
    if not at:
        raise TextError(f"No word of {clip.name}'s caption is known to name a thing. Name a word yourself.")
    return at[0]


def _maps(
    cases: Sequence[Case], methods: tuple[str, ...], plan: Plan
) -> tuple[tuple[str, ...], list[dict[str, Found]], list[str]]:
    """The methods that find something, their maps of each case, and why others do not."""
    notes: dict[str, None] = {}
    maps: list[dict[str, Found]] = [{} for _ in cases]
    able = []
    bar = tqdm(total=len(cases) * len(methods), desc="explaining", unit="map", mininterval=2, disable=plan.quiet)
    for name in methods:
        try:
            for number, case in enumerate(cases):
                maps[number][name] = found_by(name, case, **plan.options.get(name, {}))
                notes |= dict.fromkeys(maps[number][name].notes)
                bar.update()
            able.append(name)
        except Unsupported as lacking:
            notes[f"{name} is left out. {lacking}"] = None
    bar.close()
    if not able:
        raise Unsupported("None of these methods finds anything on this model: " + " ".join(notes))
    return tuple(able), [{name: some[name] for name in able} for some in maps], list(notes)


def _taken(
    case: Case, maps: dict[str, Found], plan: Plan, share: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Of one case the curves [removal, method, step] …, and polarity and infidelity [method]."""
    units = measure.Units.by(plan.of, case.grid, len(case.words), case.masked)
    values = {name: units.values(found.patches, found.words) for name, found in maps.items()}
    at = measure.counts_of(len(units.member), plan.steps) / len(units.member)

    def even(curve: np.ndarray) -> np.ndarray:
        """At the shares of all clips, however many units this one has."""
        return np.array([np.interp(share, at, row) for row in np.atleast_2d(curve)])

    out: dict[str, list[Any]] = {}
    withouts = [Without(case, removal) for removal in plan.removals or ()]
    for without in withouts:
        found = measure.curves(without, units, values, plan.steps, plan.orders, rng)
        rows = {
            "whole": found.ends[0],
            "none": found.ends[1],
            "deletion": even(np.stack(list(found.deletion.values()))),
            "insertion": even(np.stack(list(found.insertion.values()))),
            "random": even(found.random),
            "comprehensiveness": np.stack(list(found.comprehensiveness.values())),
            "sufficiency": np.stack(list(found.sufficiency.values())),
            "aopc": measure.aopcs(without, units, values, rng) if plan.beam else np.full(len(values), np.nan),
            "extremes": measure.reach(without, units, plan.beam) if plan.beam else np.full(2, np.nan),
        }
        for name, row in rows.items():
            out.setdefault(name, []).append(row)
    first = withouts[0]
    polar = [measure.polarity(first, units, v) if METHODS[m].signed else np.nan for m, v in values.items()]
    unfaithful = [measure.unfaithful(first, units, v, plan.seed, plan.draws) for v in values.values()]
    return {k: np.array(v) for k, v in out.items()} | {
        "polarity": np.array(polar),
        "infidelity": np.array(unfaithful),
    }


def _grounded(clip: Clip, case: Case, maps: dict[str, Found]) -> np.ndarray:
    """Mass and pointing of each map, as far as it speaks for, and the mass of an even one: [method, 3], else NaN."""
    _, mine = named_by(case, clip)
    if clip.truth is None or not mine:
        return np.full((len(maps), 3), np.nan)
    times_s = np.asarray(case.batch.times_s[0], dtype=float)
    things = clip.truth.masks(times_s.tolist(), MASK_PX)[list(mine)].any(axis=0, keepdims=True)
    heat = np.stack([found.patches.ravel().clip(min=0) for found in maps.values()])
    scores = grounding(heat, overlap(np.asarray(things), times_s, case.tokens)[0])
    return np.stack([scores[name] for name in ("mass", "pointing", "chance")], axis=-1)


def _wrong(
    model: Any,
    clips: Sequence[Clip],
    texts: Sequence[str | None],
    words: Sequence[str | int | None],
    cases: Sequence[Case],
    maps: Sequence[dict[str, Found]],
    plan: Plan,
) -> tuple[tuple[str, ...], np.ndarray]:
    """What else was asked of each clip ("": nothing), and how alike its map is, by ranks [clip, method]."""
    out = np.full((len(cases), len(maps[0])), np.nan)
    instead = []
    for number, (clip, case) in enumerate(zip(clips, cases, strict=True)):
        other = plan.instead
        if case.masked is not None:
            other = other or _next_choice(model, clip, case)
            again = case_of(model, clip, texts[number], target=other, word=words[number])
        elif case.batch.question is None and (other or len(clips) > 1):
            other = other or str(clips[(number + 1) % len(clips)].caption)
            again = case_of(model, clip, text_of(model, clip, other), target="match")
        else:
            instead.append("")
            continue
        instead.append(str(other))
        for column, name in enumerate(maps[number]):
            mine = maps[number][name].patches.ravel()
            theirs = found_by(name, again, **plan.options.get(name, {})).patches.ravel()
            if np.ptp(mine) > 0 and np.ptp(theirs) > 0:
                out[number, column] = spearmanr(mine, theirs).statistic
    return tuple(instead), out


def _next_choice(model: Any, clip: Clip, case: Case) -> str:
    """The likeliest word in the gap that is not the one in question."""
    assert case.masked is not None
    known = whole_words(model)
    text = " ".join("[MASK]" if i == case.masked else w for i, w in enumerate(case.words))
    p = likely(model, clip, text, case.masked, known)
    return next(list(known)[i] for i in np.argsort(-p, kind="stable") if list(known)[i] != case.says)


def _quick(name: str, case: Case, plan: Plan) -> np.ndarray:
    return found_by(name, case, **(plan.options.get(name, {}) | QUICK.get(name, {}))).patches


def _cascade(
    cases: Sequence[Case], maps: Sequence[dict[str, Found]], methods: tuple[str, ...], plan: Plan
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The stages by name; likeness [clip, method, stage, measure] and its level by chance [clip, method, measure]."""
    if not cases or not random_layers(cases[0].model):
        empty = np.zeros((len(cases), len(methods), 0, len(LIKE)))
        return (), empty, np.zeros((len(cases), len(methods), len(LIKE)))
    stages = stages_of(cases[0], plan.stages)
    out = np.full((len(cases), len(methods), len(stages), len(LIKE)), np.nan)
    level = np.full((len(cases), len(methods), len(LIKE)), np.nan)
    bar = tqdm(total=out[..., 0].size, desc="drawing weights anew", unit="map", mininterval=2, disable=plan.quiet)
    for number, case in enumerate(cases):
        learnt = [_quick(name, case, plan) if name in QUICK else maps[number][name].patches for name in methods]
        level[number] = [by_chance(mine, plan.seed) for mine in learnt]
        for stage, strange in enumerate(redrawn(case, stages, plan.seed)):
            for column, name in enumerate(methods):
                bar.update()
                try:
                    new = _quick(name, strange, plan)
                except Unsupported:  # nothing comes through any more: no map, and nothing to be like
                    continue
                out[number, column, stage] = alike(learnt[column], new)
    bar.close()
    return tuple(named(stage) for stage in stages), out, level


def _moved(cases: Sequence[Case], methods: tuple[str, ...], plan: Plan) -> np.ndarray:
    """The largest change of each map when pixels move a little [clip, method]; NaN beyond the first clips."""
    out = np.full((len(cases), len(methods)), np.nan)
    for number, case in enumerate(cases[: plan.randomise if plan.moves else 0]):
        for column, name in enumerate(methods):

            def explain(video: Tensor, case: Case = case, name: str = name) -> Tensor:
                rows = [_quick(name, replace(case, batch=replace(case.batch, video=v[None])), plan) for v in video]
                return torch.from_numpy(np.stack([row.ravel() for row in rows]))

            out[number, column] = measure.sensitivity(explain, case.batch.video, plan.moves)
    return out
