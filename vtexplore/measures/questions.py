"""Multiple choice: a phrase of the caption is erased; which of five answers is the right one, and where is it found?

Foils are of the answer's kind. Nouns: another colour, another shape, twice both. Verbs: what takes as many objects
and is said in a phrase of the same form ("grows" or "slides left", for the words that are left tell these apart),
never the answer's reverse: a model that does not see the order of frames cannot tell the two apart, so that pair is
scored on its own. Of what turns another colour it is scored apart from that: the question names the colour that it had
(a blue square cannot turn blue), so the words give the reverse away. A question with fewer than four foils is not
asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.data.prepare import text_batch
from vtexplore.data.text import vocabulary
from vtexplore.measures.looks import SHOWN, Looks, ask, texts_beside
from vtexplore.measures.tally import Tally, rounds
from vtexplore.objectives.contrastive import cosine
from vtexplore.objectives.questions import answer, question
from vtexplore.probes._nulls import hidden
from vtexplore.probes._stills import stills, surest
from vtexplore.probes.grounding import MASK_PX, grounding, overlap
from vtexplore.record import record
from vtexplore.tasks import scene_batch
from vtexplore.types import Batch, Inputs, Phrase
from vtexplore.world import Scene, sample_scene
from vtexplore.world.phrases import nouns, spelled, verbs

CHOICES = 5
LOOKS = ("true", "even", "wrong")
AT_ONCE = 64
STILLS_OF = 4  # one batch of scenes in so many is also shown frame by frame, which takes as long as all the rest
HEAD_CLIPS = 256  # of the training split, on which the head is chosen


@dataclass(frozen=True)
class Question:
    """Something asked of a scene's caption: ``answers``, the right one first; ``blank``: the [MASK]s of the phrase
    alone; ``reverse``: what a reversed clip would show, None for what looks the same; ``turns``: it is another colour;
    ``objects``: who is asked for, or acts.
    """

    kind: str
    text: str
    blank: str
    answers: tuple[str, ...]
    reverse: str | None
    turns: bool
    objects: tuple[int, ...]


def questions_of(scene: Scene, inputs: Inputs, rng: np.random.Generator) -> Iterator[Question]:
    """All questions of a scene's caption that can be asked, with random foils."""
    known, words = vocabulary(inputs.vocabulary), scene.caption.words
    for kind, find in (("noun", nouns), ("verb", verbs)):
        for told in find(words):
            if told[0].role == "background":  # too few of them
                continue
            phrase = " ".join(w.text for w in told)
            foils, reverse = (_noun_foils if kind == "noun" else _verb_foils)(scene, told, rng)
            text, blank = (question(t, phrase, lambda w: len(known.word(w)[0])) for t in (scene.caption.text, phrase))
            turns = kind == "verb" and scene.events[told[0].event or 0].target is not None
            yield Question(kind, text, blank, (phrase, *foils), reverse, turns, told[0].objects)


def _noun_foils(scene: Scene, told: Sequence[Phrase], rng: np.random.Generator) -> tuple[list[str], None]:
    """Looks that nothing in the scene ever has: another colour, another shape, and two with both others."""
    theme, (own,) = scene.theme, told[0].objects
    thing, taken = scene.objects[own], {look for o in range(len(scene.objects)) for look in scene.looks(o)}
    free = [(c, s) for c in theme.colours for s in theme.shapes if (c, s) not in taken]
    voice, out = theme.voice(scene.caption.style.voice), []
    for same, count in (((False, True), 1), ((True, False), 1), ((False, False), 2)):
        fitting = [(c, s) for c, s in free if ((c == thing.colour), (s == thing.shape)) == same]
        out += [fitting[i] for i in rng.permutation(len(fitting))[:count]]
    return [f"{voice.word(c)} {voice.word(s)}" for c, s in out], None


def _verb_foils(scene: Scene, told: Sequence[Phrase], rng: np.random.Generator) -> tuple[list[str], str | None]:
    """Phrases of the same form of what none of these objects does, nor would do backwards; and the reverse."""
    theme, event = scene.theme, scene.events[told[0].event or 0]
    voice = theme.voice(scene.caption.style.voice)
    action, start = theme.actions[event.kind], scene.objects[event.objects[0]].colour
    done = {k for e in scene.events if e.objects == event.objects for k in (e.kind, theme.actions[e.kind].reverse)}
    targets = {t for e in scene.events if e.target and e.objects == event.objects for t in (e.target, start)}
    near: list[str] = []
    far: list[str] = []
    for kind, other in theme.actions.items():
        says = other.says
        if other.arity != action.arity or (kind in done and "target" not in dict(says)):
            continue
        for target in theme.colours if "target" in dict(says) else (None,):
            phrase = spelled(theme, voice, kind, target)
            if target not in targets and len(phrase.split()) == len(told):
                (near if other.motion == action.motion else far).append(phrase)
    near, far = ([some[i] for i in rng.permutation(len(some))] for some in (near, far))
    reverse = None
    if action.reverse != event.kind or event.target:
        reverse = spelled(theme, voice, action.reverse, start if event.target else None)
    half = (CHOICES - 1) // 2
    return (near[:half] + far + near[half:])[: CHOICES - 1], reverse


# ── answers ───────────────────────────────────────────────────────────────────────────────────────


def choose(
    model: Any, scenes: Sequence[Scene], looks: Looks, tally: Tally, first: int, rng: np.random.Generator
) -> None:
    """Which of five answers is nearest to what the model says to the question; ties count for nobody.

    "one frame": beside the frame, repeated, in which the model is surest (one batch in four). "options only": what it
    says to the phrase's [MASK]s alone, without a clip, so the answers are all there is.
    """
    asked = [(i, q) for i, scene in enumerate(scenes) for q in questions_of(scene, model.inputs, rng)]
    near = _embedded(model, looks, sorted({a for _, q in asked for a in (*q.answers, q.reverse) if a}))
    answers = [torch.stack([near[a] for a in (*q.answers, *([q.reverse] if q.reverse else []))]) for _, q in asked]

    def count(told: str, clip: int, q: Question, scores: Tensor) -> None:
        own, foils = scores[0], scores[1 : len(q.answers)]
        if len(q.answers) == CHOICES:
            tally.add(f"{q.kind} questions: {told}", float(own > foils.max()), first + clip)

    for look in LOOKS:
        for (i, q), said, mine in zip(asked, _said(model, looks.shown(look), asked), answers, strict=True):
            scores = cosine(said[None], mine)[0]
            count(SHOWN[look], i, q, scores)
            if q.reverse:
                won = float(scores[0] > scores[-1]) + 0.5 * float(scores[0] == scores[-1])
                pair = "reversed colour" if q.turns else "reverse"
                tally.add(f"{q.kind} questions, against the {pair}: {SHOWN[look]}", won, first + i)
    blank = _blank(model, looks, asked)
    for (i, q), mine in zip(asked, answers, strict=True):
        count("options only", i, q, cosine(blank[q.blank][None], mine)[0])
    if first // AT_ONCE % STILLS_OF:
        return
    alone = torch.stack([_said(model, still, asked) for still in stills(looks.batch)], dim=1)  # [question, frame, …]
    for (i, q), said, mine in zip(asked, alone, answers, strict=True):
        if len(q.answers) == CHOICES:
            each = cosine(said, mine[:CHOICES])
            count("one frame", i, q, each[surest(each.float().cpu().numpy())])


def _said(model: Any, shown: Batch, asked: Sequence[tuple[int, Question]]) -> Tensor:
    """What is said to questions beside their clips: [question, channel]."""
    out = []
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        batch = shown.take([i for i, _ in some])
        out.append(model(replace(batch, question=text_batch([q.text for _, q in some], model.inputs))).answer_embedding)
    return torch.cat(out)


def _blank(model: Any, looks: Looks, asked: Sequence[tuple[int, Question]]) -> dict[str, Tensor]:
    """What is said without a clip to questions of which the [MASK]s are left, by those."""
    blanks = sorted({q.blank for _, q in asked})
    batch = hidden(looks.batch.take([0] * len(blanks)))
    said = model(replace(batch, question=text_batch(blanks, model.inputs))).answer_embedding
    return dict(zip(blanks, said, strict=True))


def _embedded(model: Any, looks: Looks, phrases: Sequence[str]) -> dict[str, Tensor]:
    """Embeddings of answers, by their phrases."""
    batch = texts_beside(looks.batch, [answer(p) for p in phrases], model.inputs)
    rows = [out.text_embedding for _, out in ask(model, looks.videos["true"], [0] * len(phrases), batch)]
    return dict(zip(phrases, torch.cat(rows), strict=True))


# ── where they are found ──────────────────────────────────────────────────────────────────────────

Place = tuple[str, int]


def ground(model: Any, n: int, seed: int, tally: Tally, quiet: bool = False) -> dict[str, Any]:
    """How much of the attention to the video is on the object asked for, or on the one that acts.

    The rows are those of the erased words, or the question's [CLS] where it looks for itself. A head that looks at
    whatever moves is on the right object as well, and on all others: beside the mass on the object stands that on
    another one (the mean over the others), and for each kind of question the head is taken that puts them furthest
    apart on clips of the training split. Returns which.
    """
    rng = np.random.default_rng([seed, 0x6E0D, 1])
    chosen: dict[str, Place] = {}
    gains: dict[str, dict[Place, list[float]]] = {"noun": {}, "verb": {}}
    for _, kind, found, _ in _looks_for(model, HEAD_CLIPS, "train", rng, quiet):
        for place, (own, other) in found.items():
            gains[kind].setdefault(place, []).append(own - other)
    for kind, places in gains.items():
        chosen[kind] = max(places, key=lambda p: float(np.nanmean(places[p])))
    for clip, kind, found, chance in _looks_for(model, n, "heldout", rng, quiet):
        own, other = found[chosen[kind]]
        if not np.isnan(own):
            tally.add(f"{kind} questions, attention on the object: the clip", own, clip)
            tally.add(f"{kind} questions, an even map: the clip", chance, clip)
        if not np.isnan(other):
            tally.add(f"{kind} questions, attention on another object: the clip", other, clip)
    return {kind: {"site": site, "head": head} for kind, (site, head) in chosen.items()}


Masses = dict[Place, tuple[float, float]]
"""At every site and head, the mass on what is asked for, and on another object (NaN if there is none)."""


def _looks_for(
    model: Any, n: int, split: str, rng: np.random.Generator, quiet: bool
) -> Iterator[tuple[int, str, Masses, float]]:
    """(clip, kind, masses, share of the picture that is the object)."""
    sites: tuple[str, ...] | None = None
    for start, some in rounds(n, AT_ONCE // 2, f"where questions look, {split}", quiet):
        scenes = [sample_scene(rng, split) for _ in range(some)]
        asked = [(i, q) for i, scene in enumerate(scenes) for q in questions_of(scene, model.inputs, rng)]
        shown = scene_batch(scenes, model.inputs)
        batch = replace(
            shown.take([i for i, _ in asked]), question=text_batch([q.text for _, q in asked], model.inputs)
        )
        if sites is None:
            sites = tuple(record(model, batch.take([0])).between("text", "video"))
        masses = _masses(model, batch, scenes, asked, sites)
        for (i, q), (mine, chance) in zip(asked, masses, strict=True):
            yield start + i, q.kind, mine, chance


def _masses(
    model: Any, batch: Batch, scenes: Sequence[Scene], asked: Sequence[tuple[int, Question]], sites: tuple[str, ...]
) -> list[tuple[Masses, float]]:
    times_s = batch.times_s[0]
    masks = [scene.clip().truth.masks(times_s.tolist(), MASK_PX) for scene in scenes]  # type: ignore[union-attr]
    out: list[tuple[Masses, float]] = [({}, np.nan) for _ in asked]
    for site, attention in record(model, batch, sites=sites, rows="all").attention.items():
        weights = attention.full().float().cpu().numpy()  # [batch, head, query, key]
        for row, (i, q) in enumerate(asked):
            queries, keys = attention.queries[row], attention.keys[row]
            hidden = np.array([label == "[MASK]" for label in queries.labels])
            rows = hidden if hidden.any() else np.ones(len(queries), dtype=bool)
            heat = weights[row][:, rows].mean(axis=1)  # [head, patch]
            things = overlap(masks[i], times_s, keys)
            covered = things[list(q.objects)].sum(axis=0).clip(0, 1)
            others = np.delete(things, list(q.objects), axis=0)
            own = grounding(heat, covered)["mass"]
            other = grounding(heat, others.mean(axis=0))["mass"] if len(others) else np.full(len(own), np.nan)
            pairs = zip(own.tolist(), other.tolist(), strict=True)
            out[row][0].update({(site, head): pair for head, pair in enumerate(pairs)})
            out[row] = (out[row][0], float(covered.mean()))
    return out
