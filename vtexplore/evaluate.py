"""How good is a miniature? Measured on scenes of combinations that it never met in training.

    vtexplore evaluate violet --n 2000 --seed 1

Every condition is shown the same clips (paired), every number has a 95 % interval from a bootstrap over
clips, and every score stands beside what the text alone would give: no clip (two kinds), a wrong clip.
Only heads are asked for, so any family with them can be measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from vtexplore.assets import find
from vtexplore.errors import ConfigError
from vtexplore.files import writing
from vtexplore.measures import cloze, forecasting, questions, retrieval
from vtexplore.measures.looks import SHOWN, Looks, ask, looks_of, texts_beside
from vtexplore.measures.moments import moments
from vtexplore.measures.order import HEADS, order
from vtexplore.measures.tally import Rate, Tally, rounds
from vtexplore.probes.grounding import ground
from vtexplore.registry import family, load
from vtexplore.types import Clip
from vtexplore.world import FOIL_KINDS, Scene, sample_scene

CONTENT = ("colour", "shape", "verb", "direction", "target", "relation", "background")
SCENES = 64  # at one time
HEAD_CLIPS = 256  # clips of the training split on which the grounding head is chosen


@dataclass(frozen=True)
class Evaluation:
    """Named rates; prints itself as a table."""

    model: str
    weights: str | None
    seed: int
    clips: int
    rates: dict[str, Rate]
    grounding_head: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """What a card stores and ``--json`` prints."""
        return {
            "model": self.model,
            "weights": self.weights,
            "seed": self.seed,
            "clips": self.clips,
            "split": "heldout",
            "grounding_head": self.grounding_head,
            "rates": {k: r.to_dict() for k, r in self.rates.items()},
        }

    def store(self) -> None:
        """Write all of it into the miniature's card, and the grounding head where probes look for it.

        What the card has of other parts stays, if it was measured on the same weights and clips.
        """
        path = find(f"miniatures/{self.model}.json")
        card = json.loads(path.read_text("utf-8"))
        card["heldout"] = beside(card.get("heldout", {}), self.to_dict())
        card["grounding_head"] = card["heldout"]["grounding_head"]
        with writing(path) as partial:
            partial.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def __str__(self) -> str:
        wide = max(map(len, self.rates), default=0)
        lines = [f"{name:<{wide}}  {rate}" for name, rate in self.rates.items()]
        about = f"{self.model} on held-out combinations, seed {self.seed}; intervals: 95 % over clips"
        head = self.grounding_head
        if head:
            lines.append(f"grounding of {head['site']} head {head['head']}, chosen on clips of the training split:")
            lines += [
                f"  {m:<16} {v['value']:.3f}  [{v['low']:.3f}, {v['high']:.3f}]" for m, v in head["metrics"].items()
            ]
            lines += [
                f"questions about a {kind} are answered by looking with {place['site']} head {place['head']}"
                for kind, place in head.get("questions", {}).items()
            ]
        return "\n".join([about, *lines])


def beside(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What was measured anew, beside the other parts of the old if it is about the same weights and clips."""
    if any(old.get(k) != new[k] for k in ("model", "weights", "seed", "clips", "split")):
        return new
    head = new["grounding_head"] or old["grounding_head"]
    return new | {"rates": old["rates"] | new["rates"], "grounding_head": head}


PARTS = ("words", "matching", "retrieval", "questions", "order", "moments", "cloze", "forecasting", "grounding")
OWN_SCENES = {"order", "moments", "cloze", "forecasting", "grounding"}  # parts that draw scenes for themselves


def evaluate(
    name: str,
    n: int = 2000,
    seed: int = 1,
    model: Any = None,
    parts: tuple[str, ...] = PARTS,
    quiet: bool = False,
    processes: int = 1,
) -> Evaluation:
    """Measure a family's miniature (or ``model`` in its place) on ``n`` fresh held-out scenes.

    Masked content words: each alone is hidden, whole, and must come out on top of the whole vocabulary.
    Matching: the true caption must score higher than a foil (a tie counts half). Alignment: asked of one caption at a
    time, the model must say "aligned" of the true one, and "not" of another's. Retrieval: of many videos, a
    caption must find its own. Questions: of five answers, the right one. Order: which of two events came first.
    Moments: in which stretch of a longer video something happens. Grounding: where words look.
    Of who reads video in words: cloze, the shape and the verb in the gaps of a sentence; forecasting, which visual word
    comes next in longer videos.

    ``processes`` share the parts of a miniature that is shipped; the figures are the same, part by part. Raises
    ``ConfigError`` for a part that is not one of ``PARTS``.
    """
    from tqdm.auto import tqdm

    if unknown := set(parts) - set(PARTS):
        raise ConfigError(f"There is no part {sorted(unknown)[0]!r} to measure; there are {', '.join(PARTS)}.")
    if processes > 1 and model is None and len(parts) > 1:
        return _side_by_side(name, n, seed, parts, quiet, processes)
    model = load(name) if model is None else model
    heads = family(name).heads
    tally, found = Tally(), retrieval.Gallery()
    rng = np.random.default_rng([seed, 0xE7A1])
    shared = n if set(parts) - OWN_SCENES else 0
    bar = tqdm(total=shared, unit="clip", disable=quiet, desc=f"evaluating {name}")
    with torch.inference_mode():
        for start in range(0, shared, SCENES):
            scenes = [sample_scene(rng, "heldout") for _ in range(min(SCENES, n - start))]
            looks = looks_of(model, scenes)
            chance = {part: np.random.default_rng([seed, start, i]) for i, part in enumerate(PARTS)}
            if "word_logits" in heads and "words" in parts:
                _masked_words(model, scenes, looks, tally, start)
            if "match_logits" in heads and "matching" in parts:
                _matching(model, scenes, looks, tally, start, chance["matching"])
            if {"video_embedding", "text_embedding"} <= set(heads) and "retrieval" in parts:
                found.add(model, scenes, looks)
            if "answer_embedding" in heads and "questions" in parts:
                questions.choose(model, scenes, looks, tally, start, chance["questions"])
            bar.update(len(scenes))
        found.rank(tally)
        if "order" in parts and (HEADS & set(heads) or "match_logits" in heads):
            order(model, n, seed, tally, quiet)
        if "span_logits" in heads and "moments" in parts:
            moments(model, n, seed, tally, quiet)
        if hasattr(model, "foresee"):  # a model that reads video in words, one a moment
            if "word_logits" in heads and "cloze" in parts:
                cloze.cloze(model, n, seed, tally, quiet)
            if "forecasting" in parts:
                forecasting.forecasting(model, n, seed, tally, quiet)
    bar.close()
    head = _grounding(model, n, seed, quiet) if "grounding" in parts else {}
    if "answer_embedding" in heads and "grounding" in parts:
        head["questions"] = questions.ground(model, n, seed, tally, quiet)
    return Evaluation(name, getattr(model, "weights_hash", None), seed, n, tally.rates(), head)


def _side_by_side(name: str, n: int, seed: int, parts: tuple[str, ...], quiet: bool, processes: int) -> Evaluation:
    """Each part in a process, so many at a time."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from tqdm.auto import tqdm

    threads = max(1, torch.get_num_threads() // processes)
    with ProcessPoolExecutor(processes, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        slow_first = sorted(parts, key=lambda part: part not in ("questions", "grounding"))
        waiting = {pool.submit(evaluate, name, n, seed, None, (part,), True): part for part in slow_first}
        done = tqdm(as_completed(waiting), total=len(parts), unit="part", disable=quiet, desc=f"evaluating {name}")
        found = {waiting[future]: future.result() for future in done}
    whole = [found[part] for part in PARTS if part in found]
    rates = {k: r for one in whole for k, r in one.rates.items()}
    head: dict[str, Any] = next((one.grounding_head for one in whole if one.grounding_head), {})
    return replace(whole[0], rates=rates, grounding_head=head)


# ── the measurements ──────────────────────────────────────────────────────────────────────────────


def _masked_words(model: Any, scenes: list[Scene], looks: Looks, tally: Tally, first: int) -> None:
    asked = [(i, w) for i, s in enumerate(scenes) for w in s.caption.words if w.role in CONTENT]
    inputs = model.inputs
    batch = texts_beside(looks.batch, [scenes[i].caption.text for i, _ in asked], inputs)
    at = torch.from_numpy(batch.piece_words == np.array([w.word for _, w in asked])[:, None])
    if at.shape[1] < batch.word_ids.shape[1]:
        at = torch.nn.functional.pad(at, (0, batch.word_ids.shape[1] - at.shape[1]))
    truth = batch.word_ids
    batch = replace(batch, word_ids=truth.masked_fill(at, model.ids.mask))
    items = [i for i, _ in asked]
    for look, video in looks.videos.items():
        for some, output in ask(model, video, items, batch, "word_logits"):
            right = (output.word_logits.argmax(-1) == truth[some]) | ~at[some]
            for k, good in enumerate(right.all(1).tolist(), some.start):
                i, word = asked[k]
                if look != "reversed":
                    tally.add(f"masked words: {SHOWN[look]}", good, first + i)
                if look == "true":
                    tally.add(f"masked {word.role}: the clip", good, first + i)
                if word.role == "direction" and look in ("hidden", "reversed"):
                    tally.add(f"masked direction: {SHOWN[look]}", good, first + i)


def _matching(
    model: Any, scenes: list[Scene], looks: Looks, tally: Tally, first: int, rng: np.random.Generator
) -> None:
    texts, rows = [s.caption.text for s in scenes], list(range(len(scenes)))
    kinds = ["true caption"] * len(scenes)
    for i in range(len(scenes)):
        # two further on, so that the random caption is not the wrong clip's own
        texts.append(scenes[(i + 2) % len(scenes)].caption.text)
        rows.append(i)
        kinds.append("random caption")
    for kind in FOIL_KINDS:
        for i, scene in enumerate(scenes):
            foil = scene.foil(kind, rng)
            if foil is not None:
                texts.append(foil.caption.text)
                rows.append(i)
                kinds.append(kind)
    batch = texts_beside(looks.batch, texts, model.inputs)
    absolute = "alignment" in family(model.name).objectives  # a score above 0 means "aligned"
    for look in ("true", "wrong"):
        said = ask(model, looks.videos[look], rows, batch, "match_logits")
        scores = torch.cat([out.match_logits for _, out in said])
        for kind, row, score in zip(kinds, rows, scores.tolist(), strict=True):
            if absolute and kind in ("true caption", "random caption"):
                tally.add(f"alignment: {SHOWN[look]}", (score > 0) == (kind == "true caption"), first + row)
            if kind != "true caption":
                own = float(scores[row])
                won = float(own > score) + 0.5 * float(own == score)
                tally.add(f"matching, {kind.replace('_', ' ')}: {SHOWN[look]}", won, first + row)


def _grounding(model: Any, n: int, seed: int, quiet: bool) -> dict[str, Any]:
    """Mass and pointing of the head that did best on clips of the training split."""
    rng = np.random.default_rng([seed, 0x6E0D])

    def clips(count: int, split: str) -> Iterator[Clip]:
        return (sample_scene(rng, split).clip() for _ in rounds(count, 1, f"where words look, {split}", quiet))

    chosen = ground(model, clips(HEAD_CLIPS, "train"), resamples=50)
    site, head = chosen.best
    found = ground(model, clips(n, "heldout"), sites=site)
    return {
        "site": site,
        "head": head,
        "clips": found.clips,
        "words": found.words,
        "metrics": {
            m: {"value": round(v[0], 4), "low": round(v[1], 4), "high": round(v[2], 4)}
            for m, v in found.at(site, head).items()
        },
    }
