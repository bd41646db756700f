"""What there is to see on a bench, and the answers to what is asked there. No browser and no widget library.

    bench = Bench(model, clip, text)
    bench.scene(), bench.numbers()                   what is sent once: words, frames, and all heads' attention
    bench.answer({"ask": "order", "order": [2, 0, 1, 3]})

Attention travels as 255ths of the largest weight of its row [look · head, word]: off by half of 1/255 of that at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, TextError, Unsupported, VtexploreError
from vtexplore.probes._ask import needs
from vtexplore.probes.attend import AttendResult, Look, attend, rolled
from vtexplore.probes.fill_mask import FillMaskResult, fill_mask
from vtexplore.probes.grounding import grounding
from vtexplore.record import beside
from vtexplore.types import Batch, Clip, Output
from vtexplore.views import masked_word, overlay
from vtexplore.views.picture import origin
from vtexplore.widgets._asked import Maps, key_of, square
from vtexplore.widgets._sent import Binary, jpeg, outlines, quantised, region, scales

# ── a clip in another order ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Rearranged:
    """A source whose moments around ``times_s`` [slot] are played in another order: slot i shows slot ``order[i]``.

    What a model sees between two slots goes with the nearer one, so that a token of several frames moves as a whole.
    """

    source: Any
    duration_s: float
    times_s: tuple[float, ...]
    order: tuple[int, ...]

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """uint8 [frame, height, width, rgb], as ``Clip.sample``."""
        at, slots = np.asarray(times_s, dtype=float), np.asarray(self.times_s)
        nearest = np.abs(at[:, None] - slots).argmin(axis=1)
        there = at + slots[list(self.order)][nearest] - slots[nearest]
        frames: np.ndarray = self.source.sample(np.clip(there, 0, self.duration_s).tolist(), short_side_px)
        return frames

    def waveform(self, start_s: float, end_s: float) -> np.ndarray | None:
        """Sound stays where it is."""
        heard: np.ndarray | None = self.source.waveform(start_s, end_s)
        return heard


def rearranged(clip: Clip, times_s: Sequence[float], order: Sequence[int]) -> Clip:
    """The clip with what is seen around ``times_s`` in another order; what is known of it as filmed is left out.

    Raises ``ConfigError`` for an order that names other slots than there are.
    """
    if len(order) != len(times_s) or not set(order) <= set(range(len(times_s))):
        raise ConfigError(f"An order of {len(times_s)} frames names each place's frame, from 0: not {list(order)}.")
    if list(order) == list(range(len(times_s))):
        return clip
    source = Rearranged(clip.source, clip.duration_s, tuple(map(float, times_s)), tuple(order))
    return replace(clip, source=source, truth=None)


SHOWN = ("heads", "player", "orders", "words", "caption")
"""What a bench has beside the sentence and the frames: heads to choose, the clip played, frames to move, words to mask,
another caption to type."""

# ── the bench ─────────────────────────────────────────────────────────────────────────────────────


class Bench:
    """A model, a clip and a text, as one looks at them. Raises what ``attend`` raises."""

    kind = "bench"

    def __init__(self, model: Any, clip: Clip, text: str | None = None, show: Sequence[str] = SHOWN) -> None:
        self.model, self.clip, self.show = model, clip, tuple(show)
        self.result: AttendResult = attend(model, clip, text)
        own = self.result.look()
        self.looks: list[Look] = [look for look in self.result.looks if _same_places(look, own)]
        batch = prepare([clip], [self.result.text], model.inputs)
        self.output = _output(model, batch)
        with suppress(Unsupported, ConfigError):  # words that meet the video in several sequences
            self.looks.append(rolled(model, batch, len(self.result.words), own.tokens))
        sites = tuple(look.site for look in self.looks)
        self.maps = Maps(model, clip, self.result.text, self.result.grid.shape, self.output, sites)

    # ── what is sent ──

    def scene(self) -> dict[str, Any]:
        """Everything but the numbers, ready for JSON; see the types in kit.mjs."""
        result, first, looks = self.result, 0, []
        for look in self.looks:
            looks.append(
                {"site": look.site, "heads": len(look.weights), "first": first, "method": look.site == "rollout"}
            )
            first += len(look.weights)
        boxes = result.look().tokens.box[result.grid[0]]
        height, width = result.frames.shape[1:3]
        sites = [look.site for look in self.looks]
        return {
            "model": result.about["model"],
            "origin": origin(result.about, result.clip),
            "clip": result.clip,
            "text": result.text,
            "words": list(result.words),
            "why": result.why,
            "notes": list(result.notes),
            "grid": list(result.grid.shape),
            "region": region(boxes),
            "size": [width, height],
            "times_s": [float(t) for t in result.times_s],
            "frames": [jpeg(frame) for frame in result.frames],
            "film": [jpeg(frame) for frame in result.film],
            "film_times_s": [float(t) for t in result.film_times_s],
            "looks": looks,
            "statistics": [{k: s[k] for k in ("name", "tip", "chance", "share")} for s in self.statistics],
            "chosen": {
                "look": sites.index(result.site),
                "head": -1 if result.head is None else result.head,
                "word": result.word(),
            },
            "objects": list(result.objects),
            "named": [list(things) for things in result.named],
            "outlines": outlines(result.masks),
            "show": list(self.show),
            "can": {
                "fill": "words" in self.show and self.output.word_logits is not None,
                "match": "orders" in self.show and self.score is not None,
            },
            "score": self.score,
            "even": overlay.EVEN,
            "asked": self.maps.scene(),
        }

    def numbers(self) -> bytes:
        """What ``numbersOf`` in kit.mjs cuts up: tops, statistics, three scales of colour, and the rows in 255ths."""
        rows, tops = quantised(self.rows)
        values = [np.asarray(s["values"], dtype="<f4") for s in self.statistics]
        return b"".join([*(part.tobytes() for part in (tops.astype("<f4"), *values)), scales(), rows.tobytes()])

    @cached_property
    def rows(self) -> np.ndarray:
        """float32 [look · head, word, patch]: the share of each word's attention on each patch."""
        places = self.result.grid.ravel()
        return np.concatenate([look.weights[:, :, places] for look in self.looks]).astype(np.float32)

    @cached_property
    def statistics(self) -> list[dict[str, Any]]:
        """What heads can be compared by: ``values`` [look · head, word] with a name and what it means."""
        video = np.concatenate([look.weights.sum(axis=2) for look in self.looks])
        share = self.rows / np.maximum(self.rows.sum(axis=2, keepdims=True), 1e-12)
        entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=2) / max(np.log(share.shape[2]), 1e-12)
        plain = [
            _statistic("share on the video", "How much of the word's attention is on the video.", video, True),
            _statistic("evenness", "Entropy of the word's map: 1 = everywhere alike, 0 = one patch.", entropy, False),
        ]
        named = self._on_the_named_thing()
        return ([named] if named else []) + plain

    def _on_the_named_thing(self) -> dict[str, Any] | None:
        tokens = self.result.look().tokens
        patches = np.flatnonzero(self.result.patches(tokens))
        place = {token: i for i, token in enumerate(patches.tolist())}
        into = [place[token] for token in self.result.grid.ravel().tolist()]
        values = np.full(self.rows.shape[:2], np.nan, dtype=np.float32)
        chance: list[float | None] = [None] * len(self.result.words)
        for word in range(len(self.result.words)):
            covered = self.result.covered(word)
            if covered is not None:
                values[:, word] = grounding(self.rows[:, word], covered[into])["mass"]
                chance[word] = float(covered.mean())
        if not any(chance):
            return None
        tip = "How much of the word's attention to the video is on what the word names, by the truth of this world."
        return _statistic("on the named thing", tip, values, True, chance)

    # ── what is asked ──

    def answer(self, what: Mapping[str, Any]) -> Any:
        """The answer to a question from the page: plain numbers and words, or another Bench for another text."""
        ask: dict[str, Callable[..., Any]] = {
            "fill": self.fill,
            "order": self.order,
            "text": self.another,
            "explain": self.maps.ask,
            "square": self.square,
        }
        if what.get("ask") not in ask:
            raise ConfigError(f"A bench answers {', '.join(ask)}, not {what.get('ask')!r}.")
        given = {k: v for k, v in what.items() if k not in ("ask", "part", "number")}
        return ask[what["ask"]](**given)

    def fill(self, word: int, order: Sequence[int] | None = None) -> dict[str, Any]:
        """What fits in place of a word, with the clip (its frames in an order) and without."""
        clip = self.clip if order is None else rearranged(self.clip, self.result.times_s.tolist(), order)
        found: FillMaskResult = fill_mask(self.model, clip, self.result.text, word=int(word))
        words = masked_word.ranked(found)
        return {
            "sentence": masked_word.sentence(found),
            "conditions": list(found.conditions),
            "words": words,
            "p": [[found.probability(w, c) for w in words] for c in found.conditions],
            "answer": found.answer,
            "said": masked_word.said(found),
        }

    def order(self, order: Sequence[int], word: int | None = None) -> dict[str, Any]:
        """The matching score with the frames in another order, and the predictions for a masked word."""
        clip = rearranged(self.clip, self.result.times_s.tolist(), order)
        filled = None if word is None else self.fill(word, order)
        output = _output(self.model, prepare([clip], [self.result.text], self.model.inputs))
        return {"score": float(needs(self.model, output, "match_logits", "matching")[0]), "fill": filled}

    def another(self, text: str) -> Bench:
        """The same clip beside another text."""
        if not text.strip():
            raise TextError("Type a sentence, then Enter.")
        return Bench(self.model, self.clip, text, self.show)

    def square(self, site: str, head: int | None = None) -> Binary:
        """The attention of all tokens at a site and head, not only of words; see ``_asked.square``."""
        sites = [look.site for look in self.looks]
        if site not in sites:
            raise ConfigError(f"No word looks at video at {site!r}; it does at {', '.join(sites)}.")
        return square(self.model, self.clip, self.result.text, site, head)

    def picture(self, selection: Mapping[str, Any] | None = None) -> Any:
        """What is selected, as a Picture to save: PNG, SVG, or a GIF that moves.

        Where words can be masked and heads cannot be chosen: what fits in place of the word.
        """
        chosen = dict(selection or {})
        key = key_of(chosen.get("method") or "", chosen.get("word") if chosen.get("of") == "word" else None)
        if key in self.maps.found:
            return self.maps.found[key].plot()
        if "words" in self.show and "heads" not in self.show:
            with suppress(VtexploreError):  # no head for words, or a gap that stands there already
                word = self.result.word() if chosen.get("word") is None else chosen["word"]
                return fill_mask(self.model, self.clip, self.result.text, word=word).plot()
        site = chosen.get("site", self.result.site)
        looks = self.result.looks
        if site not in [look.site for look in looks]:
            looks = (*looks, *(look for look in self.looks if look.site == site))
        head = chosen.get("head", self.result.head)
        method = "rollout" if site == "rollout" else "raw"
        result = replace(self.result, looks=looks, site=site, head=head, method=method, why="as selected")
        return result.overlay(chosen.get("word"))

    @property
    def score(self) -> float | None:
        """The matching score of the clip as it is; None if the model has no head for it."""
        scores = self.output.match_logits
        return None if scores is None else float(scores[0])


def _output(model: Any, batch: Batch) -> Output:
    with torch.inference_mode():
        output: Output = model(beside(model, batch))
    return output


def _same_places(look: Look, own: Look) -> bool:
    """Whether two layers see the same patches, so that one grid fits both."""
    return look.tokens.box.shape == own.tokens.box.shape and bool(
        np.array_equal(look.tokens.box, own.tokens.box, equal_nan=True)
        and np.array_equal(look.tokens.span_s, own.tokens.span_s, equal_nan=True)
    )


def _statistic(
    name: str, tip: str, values: np.ndarray, share: bool, chance: list[float | None] | None = None
) -> dict[str, Any]:
    return {"name": name, "tip": tip, "values": values, "share": share, "chance": chance}
