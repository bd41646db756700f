"""Does a map lie on the thing that a word names? Scores against known masks, for one clip or thousands.

    mass              share of the map that lies on the thing; a patch counts by how much of it is the thing
    chance            the mass of an even map: the share of the picture that is the thing; lift = mass / chance
    attainable        the highest mass that any map on these patches could have (patches are coarse)
    prior             the mass of the mean map of the OTHER clips: what is won by knowing where things tend to be
    pointing          is the strongest patch on the thing? Ties count by the share of tied patches that are;
                      pointing_chance is the share of patches that touch it
    iou               of as many strongest patches as the thing has, and the thing: intersection over union
    precision         average precision of the patches, in the order of the map, as a guess of where the thing is
    centre            does the middle of the picture lie on the thing? What always pointing there would hit
    beyond_prior      (mass − prior) / (1 − prior): 0 is no better than the mean map of other clips, 1 is all
    time_mass, …      the same for frames: how much of the map lies within the event that the word names

Always read mass and pointing together: a map can point right every time with 15 % of its mass inside.
(Pointing game: Zhang et al. 2016, arXiv:1608.00507; mass inside: Q-GroundCAM, arXiv:2404.19128.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from vtexplore.data.prepare import prepare
from vtexplore.data.text import plain, words_of
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._ask import SMALL, about, pooling
from vtexplore.probes._result import Result
from vtexplore.record import frames_of, record
from vtexplore.statistics import bootstrap
from vtexplore.types import Clip, Tokens

EMPTY_ROLES = {"function", "connective", "background"}  # "the" may point at a thing; it does not say what it is
TOUCH = 0.1  # a patch is on the thing, for the pointing game, if at least so much of it is the thing
MASK_PX = 96  # short side of the masks that patches are held against
METRICS = ("mass", "attainable", "pointing", "prior", "chance", "pointing_chance")
TIME_METRICS = ("time_mass", "time_pointing", "time_chance")
LITTLE = 0.5  # a map that points right more often than this, with less of its mass than this, points without mass

CHOSEN = "The best head was chosen on these very clips, so its scores are a little too good."
NO_MASS = "Pointing without mass: the strongest patch is mostly on the thing, and more than half of the map is not."


# ── one map ───────────────────────────────────────────────────────────────────────────────────────


def grounding(heat: np.ndarray, covered: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of maps ``heat`` [..., patch] ≥ 0 against ``covered`` [..., patch] in 0..1; they broadcast.

    Returns mass, attainable, pointing (0..1), chance, pointing_chance and lift (≥ 0), each [...]. NaN where
    the thing is not in the picture at all, or the map is 0 everywhere.
    """
    heat, covered = np.asarray(heat, dtype=float), np.asarray(covered, dtype=float)
    chance, attainable = covered.mean(axis=-1), covered.max(axis=-1, initial=0)
    total = heat.sum(axis=-1)
    there = (attainable > 0) & (total > 0)
    touched = covered >= np.minimum(TOUCH, attainable[..., None])
    peak = heat >= heat.max(axis=-1, keepdims=True) * (1 - 1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = np.where(there, (heat * covered).sum(axis=-1) / total, np.nan)
        pointing = np.where(there, (peak & touched).sum(axis=-1) / peak.sum(axis=-1), np.nan)
        lift = mass / chance
    floors = {"chance": chance, "attainable": attainable, "pointing_chance": touched.mean(axis=-1)}
    out = {"mass": mass, "lift": lift, "pointing": pointing}
    return out | {k: np.where(there, v, np.nan) for k, v in floors.items()}


def placed(heat: np.ndarray, covered: np.ndarray) -> dict[str, float]:
    """More scores of one map ``heat`` [patch] against ``covered`` [patch] in 0..1: iou, precision.

    A patch is the thing if half of it is, or as much as of any patch. Tied patches share what they would have in any
    order. NaN where the thing is not in the picture, or the map is 0 everywhere.
    """
    from sklearn.metrics import average_precision_score

    heat, covered = np.asarray(heat, dtype=float), np.asarray(covered, dtype=float)
    if not covered.max(initial=0) > 0 or not heat.max(initial=0) > 0:
        return {"iou": float("nan"), "precision": float("nan")}
    there = covered >= min(0.5, covered.max())
    count = int(there.sum())
    edge = np.sort(heat)[-count]
    above, tied = heat > edge, heat == edge
    both = float((above & there).sum() + (tied & there).sum() * (count - above.sum()) / tied.sum())
    return {"iou": both / (2 * count - both), "precision": float(average_precision_score(there, heat))}


def overlap(masks: np.ndarray, times_s: Sequence[float] | np.ndarray, tokens: Tokens) -> np.ndarray:
    """How much of each token's box is each object: [object, token] in 0..1.

    ``masks`` bool [object, frame, height, width] at ``times_s`` [frame]. Boxes are xyxy in 0..1 of the
    picture and may reach outside it (padding, where there is no object). A token's span picks its frames
    (their mean, if several); if it holds none, the nearest frame counts.
    """
    height, width = masks.shape[2:]
    # Sums over any box from an integral image, read between pixels: exact for parts of pixels as well.
    table = np.zeros((*masks.shape[:2], height + 1, width + 1))
    table[..., 1:, 1:] = masks.cumsum(axis=2).cumsum(axis=3)
    x = np.clip(tokens.box[:, [0, 2]], 0, 1) * width
    y = np.clip(tokens.box[:, [1, 3]], 0, 1) * height

    def corner(at_y: np.ndarray, at_x: np.ndarray) -> np.ndarray:
        top, left = np.minimum(at_y.astype(int), height - 1), np.minimum(at_x.astype(int), width - 1)
        down, right = at_y - top, at_x - left
        above = table[:, :, top, left] * (1 - right) + table[:, :, top, left + 1] * right
        below = table[:, :, top + 1, left] * (1 - right) + table[:, :, top + 1, left + 1] * right
        return above * (1 - down) + below * down  # [object, frame, token]

    inside = corner(y[:, 1], x[:, 1]) - corner(y[:, 0], x[:, 1]) - corner(y[:, 1], x[:, 0]) + corner(y[:, 0], x[:, 0])
    sides = (tokens.box[:, 2:] - tokens.box[:, :2]) * [width, height]
    share = inside / np.maximum(sides.prod(axis=1), 1e-9)
    return np.einsum("oft,tf->ot", share, frames_within(tokens, np.asarray(times_s, dtype=float)))


def frames_within(tokens: Tokens, times_s: np.ndarray) -> np.ndarray:
    """Which frames each token stands for: [token, frame], rows sum to 1 (the nearest one, if none is in its span)."""
    start, end = tokens.span_s[:, :1], tokens.span_s[:, 1:]
    within = (times_s >= start - 1e-6) & ((times_s < end - 1e-6) | (np.abs(times_s - start) <= 1e-6))
    nearest = np.abs(times_s - (start + end) / 2)
    lost = ~within.any(axis=1)
    within[lost, np.nan_to_num(nearest[lost], nan=np.inf).argmin(axis=1)] = True
    return within / within.sum(axis=1, keepdims=True)


def named_things(clip: Clip, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...], np.ndarray]:
    """What the words of a text name in a clip: names of objects, objects [word][…], event times [word, 2].

    The truth speaks of the clip's own caption; in another text, a word counts if the caption has it and
    always means the same thing by it. Function words name nothing, and nothing is named without truth.
    """
    nothing = np.full((len(words), 2), np.nan)
    if clip.truth is None:
        return (), ((),) * len(words), nothing
    events = clip.truth.events
    phrases = [p for p in clip.truth.phrases if p.role not in EMPTY_ROLES]
    by_place = {p.word: (p.objects, p.event) for p in phrases}
    if clip.caption is None or [plain(w) for w in words_of(clip.caption)] != [plain(w) for w in words]:
        meant: dict[str, set[tuple[tuple[int, ...], int | None]]] = {}
        for p in phrases:
            meant.setdefault(plain(p.text), set()).add((p.objects, p.event))
        sure = {word: next(iter(things)) for word, things in meant.items() if len(things) == 1}
        by_place = {i: sure[plain(w)] for i, w in enumerate(words) if plain(w) in sure}
    happens = nothing.copy()
    for at, (_, event) in by_place.items():
        if event is not None:
            happens[at] = events[event].start_s, events[event].end_s
    objects = tuple(tuple(by_place[i][0]) if i in by_place else () for i in range(len(words)))
    return tuple(clip.truth.objects), objects, happens


# ── many clips ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class GroundingResult(Result):
    """Grounding of every head over a set of clips, with 95 % intervals over clips.

    ``mean``, ``low`` and ``high`` map a metric to [site, head] (NaN where a site has fewer heads);
    ``roles`` maps a role of words ("colour", "verb" …) to the best head's mean of each metric.
    """

    sites: tuple[str, ...]
    mean: dict[str, np.ndarray]
    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    roles: dict[str, dict[str, float]]
    best: tuple[str, int]
    clips: int
    words: int
    about: dict[str, Any]
    notes: tuple[str, ...]

    def at(self, site: str, head: int) -> dict[str, tuple[float, float, float]]:
        """Every metric of one head: (mean, low, high)."""
        row = self.sites.index(site)
        return {
            m: (float(self.mean[m][row, head]), float(self.low[m][row, head]), float(self.high[m][row, head]))
            for m in self.mean
        }


@dataclass
class _Scores:
    """What is gathered while clips go by: one row an item (a word that names something)."""

    clip: list[int] = field(default_factory=list)
    role: list[str] = field(default_factory=list)
    values: list[dict[str, np.ndarray]] = field(default_factory=list)  # metric → [site, head]
    covered: list[np.ndarray] = field(default_factory=list)  # [patch]
    maps: dict[int, np.ndarray] = field(default_factory=dict)  # clip → sum of its maps [site, head, patch]


def ground(
    model: Any,
    clips: Iterable[Clip],
    *,
    method: str | None = None,
    sites: str | Sequence[str] | None = None,
    batch: int = 32,
    resamples: int = 1000,
    seed: int = 0,
    **options: Any,
) -> GroundingResult:
    """Grounding of all heads on clips whose truth is known (their captions; other clips are passed over).

    With a ``method`` of ``explain`` (and ``options`` of it) it is that method that is grounded, as if it were a site
    of one head: a word that names something is masked, and the map is of its log-probability, where it speaks
    for it. Three more scores are taken then: iou, precision, centre.

    ``clips`` may be a generator: they are asked for ``batch`` at a time. The best head is the one with the
    highest mass on these clips; choose it on other clips than those that you report. Raises
    ``Unsupported`` if no word looks at video, ``ConfigError`` if no clip has truth.
    """
    usable = (clip for clip in clips if clip.truth is not None and clip.caption)
    if method is not None:
        return _by_method(model, usable, method, resamples, seed, options)
    scores, names, done = _Scores(), None, 0
    for some in _batches(usable, batch):
        prepared = prepare(some, [str(clip.caption) for clip in some], model.inputs)
        found = record(model, prepared, sites=sites).between("text", "video")
        found = {site: a for site, a in found.items() if a.groups is None}
        names = tuple(found)
        if not names:
            raise Unsupported(f"No word looks at video in {getattr(model, 'name', 'this model')}: nothing to ground.")
        for item, clip in enumerate(some):
            _score_clip(scores, done + item, clip, found, item, prepared.times_s[item])
        done += len(some)
    if names is None or not scores.clip:
        raise ConfigError("No clip here has both a caption and known truth. Clips of a world have: world.scene(seed).")
    return _summary(model, scores, names, resamples, seed)


def _by_method(
    model: Any, clips: Iterable[Clip], method: str, resamples: int, seed: int, options: dict[str, Any]
) -> GroundingResult:
    from tqdm.auto import tqdm

    from vtexplore.probes._methods import METHODS, needs_method

    scores, method, notes, done = _Scores(), needs_method(method), dict[str, None](), 0
    for done, clip in enumerate(tqdm(clips, desc=f"grounding {method}", unit="clip", mininterval=2), 1):
        notes |= dict.fromkeys(_score_by_method(scores, done, model, clip, method, options))
    if not scores.clip:
        raise ConfigError("No clip here has both a caption and known truth. Clips of a world have: world.scene(seed).")
    if METHODS[method].signed:
        notes["Of a map with signs, what speaks for the word was taken, and what speaks against it left out."] = None
    found = _summary(model, scores, (method,), resamples, seed)
    return replace(found, notes=(*(n for n in found.notes if n != CHOSEN), *notes))


def _score_by_method(
    scores: _Scores, number: int, model: Any, clip: Clip, method: str, options: dict[str, Any]
) -> tuple[str, ...]:
    """Adds a clip's words to the scores; returns the method's notes."""
    from vtexplore.probes._case import case_of
    from vtexplore.probes._methods import found_by

    assert clip.truth is not None
    words = words_of(str(clip.caption))
    _, named, happens = named_things(clip, words)
    roles = {p.word: p.role for p in clip.truth.phrases}
    maps, notes = [], dict[str, None]()
    for w in (w for w in range(len(words)) if named[w]):
        case = case_of(model, clip, word=w)
        found = found_by(method, case, **options)
        notes |= dict.fromkeys(found.notes)
        heat = found.patches.clip(min=0)
        times_s = np.asarray(case.batch.times_s[0], dtype=float)
        things = clip.truth.masks(times_s.tolist(), MASK_PX)[list(named[w])]
        covered = overlap(np.asarray(things.any(axis=0, keepdims=True)), times_s, case.tokens)[0]
        middle = np.array([case.tokens.span_s[at[0]].mean() for at in frames_of(case.tokens)])
        one: dict[str, Any] = {k: v for k, v in grounding(heat.ravel(), covered).items() if k in METRICS}
        one |= placed(heat.ravel(), covered) | {"centre": _centre(covered, case.tokens)}
        one |= {k: v[0] for k, v in _in_time(heat.sum(axis=(1, 2))[None], middle, happens[w]).items()}
        scores.clip.append(number)
        scores.role.append(roles.get(w, "other"))
        scores.values.append({k: np.array([[float(v)]]) for k, v in one.items()})
        scores.covered.append(covered)
        maps.append(heat.ravel() / max(float(heat.sum()), 1e-12))
    if maps:
        scores.maps[number] = np.sum(maps, axis=0)[None, None]
    return tuple(notes)


def _centre(covered: np.ndarray, tokens: Tokens) -> float:
    """Does the middle of the picture lie on the thing? The mean over frames of whether the patches there touch it."""
    at = (tokens.box[:, :2] <= 0.5 + 1e-6).all(axis=1) & (tokens.box[:, 2:] >= 0.5 - 1e-6).all(axis=1)
    return float((covered[at] >= TOUCH).mean()) if at.any() and covered.any() else float("nan")


def _batches(clips: Iterator[Clip], size: int) -> Iterator[list[Clip]]:
    while some := list(islice(clips, size)):
        yield some


def _score_clip(scores: _Scores, number: int, clip: Clip, found: dict[str, Any], item: int, times_s: Any) -> None:
    assert clip.truth is not None
    words = words_of(str(clip.caption))
    _, named, happens = named_things(clip, words)
    roles = {p.word: p.role for p in clip.truth.phrases}
    picked = [w for w in range(len(words)) if named[w]]
    if not picked:
        return
    masks = clip.truth.masks(list(times_s), MASK_PX)
    heads = max(a.heads for a in found.values())
    values: list[dict[str, np.ndarray]] = [{} for _ in picked]
    for row, attention in enumerate(found.values()):
        queries, keys = attention.queries[item], attention.keys[item]
        video = np.flatnonzero(keys.where("video") & ~np.isnan(keys.box).any(axis=1))
        tokens = keys[video]
        if row == 0:
            of_object = overlap(masks, times_s, tokens)
            covered = np.stack([of_object[list(named[w])].sum(axis=0).clip(0, 1) for w in picked])
            maps = np.full((len(found), heads, len(video)), np.nan)
            frames = frames_of(tokens)
            middle = np.array([tokens.span_s[at[0]].mean() for at in frames])
        weights = attention.weights[item].float().cpu().numpy()[:, :, video]
        heat = np.einsum("wq,hqk->whk", pooling(queries, len(words))[picked], weights)  # [word, head, patch]
        if heat.shape[-1] != covered.shape[-1]:
            raise Unsupported("The layers of this model see patches of different sizes: give one site at a time.")
        measured = grounding(heat, covered[:, None])
        maps[row, : heat.shape[1]] = (heat / np.maximum(heat.sum(axis=-1, keepdims=True), 1e-12)).sum(axis=0)
        by_frame = np.stack([heat[..., at].sum(axis=-1) for at in frames], axis=-1)
        for n, w in enumerate(picked):
            timed = _in_time(by_frame[n], middle, happens[w])
            for metric, value in ({k: measured[k][n] for k in METRICS if k != "prior"} | timed).items():
                table = values[n].setdefault(metric, np.full((len(found), heads), np.nan))
                table[row, : heat.shape[1]] = value
    scores.clip += [number] * len(picked)
    scores.role += [roles.get(w, "other") for w in picked]
    scores.values += values
    scores.covered += list(covered)
    scores.maps[number] = maps


def _in_time(by_frame: np.ndarray, middle_s: np.ndarray, event_s: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of frames [head, frame] against an event's time; NaN for no event, or one that is always on."""
    inside = ((middle_s >= event_s[0]) & (middle_s <= event_s[1])).astype(float)
    if inside.min() == inside.max():
        return dict.fromkeys(TIME_METRICS, np.full(len(by_frame), np.nan))
    measured = grounding(by_frame, inside)
    return {"time_mass": measured["mass"], "time_pointing": measured["pointing"], "time_chance": measured["chance"]}


def _priors(scores: _Scores) -> np.ndarray:
    """[item, site, head]: mass of the mean map of all OTHER clips on each item's thing."""
    counts = Counter(scores.clip)
    total = np.sum(list(scores.maps.values()), axis=0)
    out = np.full((len(scores.clip), *total.shape[:2]), np.nan)
    for i, (clip, covered) in enumerate(zip(scores.clip, scores.covered, strict=True)):
        others = len(scores.clip) - counts[clip]
        if others:
            out[i] = (total - scores.maps[clip]) @ covered / others
    return out


def _summary(model: Any, scores: _Scores, names: tuple[str, ...], resamples: int, seed: int) -> GroundingResult:
    clips = np.array(scores.clip)
    metrics = {m: np.stack([v[m] for v in scores.values]) for m in scores.values[0]}
    metrics["prior"] = _priors(scores)
    with np.errstate(invalid="ignore", divide="ignore"):
        metrics["beyond_prior"] = (metrics["mass"] - metrics["prior"]) / (1 - metrics["prior"])
        metrics["time_lift"] = metrics["time_mass"] / metrics["time_chance"]
    found = {m: bootstrap(v, clips, resamples, seed) for m, v in metrics.items()}
    mass = found["mass"][0]
    site, head = (int(i) for i in np.unravel_index(int(np.nanargmax(mass)), mass.shape))
    roles = {}
    for role in sorted(set(scores.role)):
        mine = np.array([r == role for r in scores.role])
        kept = {m: v[mine, site, head] for m, v in metrics.items()}
        roles[role] = {m: float(np.nanmean(v)) for m, v in kept.items() if not np.isnan(v).all()}
        roles[role]["words"] = float(mine.sum())
    count = len(scores.maps)
    small = f"{count} clips show cases, not rates: the intervals are wide." if count < SMALL else ""
    at = {m: float(found[m][0][site, head]) for m in ("pointing", "mass")}
    bare = NO_MASS if at["pointing"] > LITTLE > at["mass"] else ""
    return GroundingResult(
        sites=names,
        mean={m: f[0] for m, f in found.items()},
        low={m: f[1] for m, f in found.items()},
        high={m: f[2] for m, f in found.items()},
        roles=roles,
        best=(names[site], head),
        clips=count,
        words=len(scores.clip),
        about=about(model) | {"seed": seed, "resamples": resamples},
        notes=tuple(note for note in (small, CHOSEN, bare) if note),
    )
