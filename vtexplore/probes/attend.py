"""What does each word look at? One forward, listened to; the answer as numbers on frames and patches.

    result = attend(model, clip, "a red circle slides left")
    result.heat("red")          [frame, row, column], the share of the word's attention on each patch
    result.word_frame()         [word, frame]
    result.head_grid("red")     layer × head: which of them looks at the thing?
    result.plot()               the film strip, the heat of one word on it

A word's row is the mean over its WordPieces. Rows of attention sum to 1 over everything that the word may
look at; what is missing from the video went to other words. Attention says where a layer reads from. It is
not, by itself, an explanation of what the model says (Jain & Wallace 2019, arXiv:1902.10186).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from vtexplore.blocks.embeddings import grid_tokens
from vtexplore.data.prepare import prepare
from vtexplore.data.text import plain
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._ask import about, card_of, find_word, notices, pooling, split, text_of
from vtexplore.probes._places import REGIONS, grid_of, on_cells, patches, regions
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes.grounding import frames_within, grounding, named_things, overlap
from vtexplore.probes.rollout import roll
from vtexplore.record import Record, frames_of, record
from vtexplore.types import Clip, Tokens

METHODS = ("raw", "rollout")
NOT_AN_EXPLANATION = (
    "Attention says where a layer reads from; it is not by itself an explanation of what the model says."
)
PICTURE_PX = 160  # short side of the frames that a result keeps for its pictures
FILM_FRAMES = 16  # frames kept for a moving picture


@dataclass(frozen=True)
class Look:
    """What the words look at in the video, at one site.

    ``weights`` float32 [head, word, token], 0..1, each row the part of the word's attention that falls on
    the video; ``tokens`` says what the video tokens stand for.
    """

    site: str
    weights: np.ndarray
    tokens: Tokens


@dataclass(frozen=True)
class HeadGrid:
    """How much each head does of something: ``scores`` [site, head], NaN where a site has fewer heads.

    ``what`` says of what; ``chance`` is the score of a head that looks everywhere alike.
    """

    word: str
    what: str
    sites: tuple[str, ...]
    scores: np.ndarray
    chance: float

    @property
    def best(self) -> tuple[str, int]:
        """Site and head with the highest score."""
        at = np.unravel_index(int(np.nanargmax(self.scores)), self.scores.shape)
        return self.sites[int(at[0])], int(at[1])


@dataclass(frozen=True)
class AttendResult(Result):
    """Where the words of a text look in a clip: at every site and head, and at one of them in particular.

    ``frames`` uint8 [frame, height, width, rgb] are the frames that the model saw, at ``times_s``: where a
    token stands for several, the middle one. ``film`` shows the clip more closely, at ``film_times_s``.
    ``head`` None means the mean of the heads. Where truth is known, ``named`` lists the objects that each
    word names, ``happens_s`` when its event happens ([word, 2], NaN where there is none), ``masks`` bool
    [object, frame, height, width] where the objects are.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "film", "film_times_s", "masks")

    text: str
    words: tuple[str, ...]
    looks: tuple[Look, ...]
    site: str
    head: int | None
    method: str
    why: str
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    film: np.ndarray
    film_times_s: np.ndarray
    objects: tuple[str, ...]
    named: tuple[tuple[int, ...], ...]
    happens_s: np.ndarray
    masks: np.ndarray | None
    about: dict[str, Any]
    notes: tuple[str, ...]

    # ── one word, one head ──

    def word(self, wanted: str | int | None = None) -> int:
        """The index of a word ("red", "red:2" for the second, a number); None = the one that is most telling.

        That is the first word that names an object, or else the word whose attention is most concentrated.
        """
        if wanted is not None:
            return find_word(self.words, wanted)
        naming = [i for i, objects in enumerate(self.named) if objects]
        if naming:
            return naming[0]
        rows = self.rows()[:, self.patches(self.look().tokens)]
        return int(np.argmax(rows.max(axis=1) / np.maximum(rows.sum(axis=1), 1e-12)))

    def look(self, site: str | None = None) -> Look:
        """What was seen at a site. Raises ``ConfigError`` for an unknown one, naming those that there are."""
        site = self.site if site is None else site
        for look in self.looks:
            if look.site == site:
                return look
        raise ConfigError(f"No site {site!r} here; there are {', '.join(look.site for look in self.looks)}.")

    def rows(self, site: str | None = None, head: int | None = None) -> np.ndarray:
        """[word, token]: the share of each word's attention on each video token.

        Without arguments: of the chosen site and head; with a site, of that head, or the mean of heads.
        """
        weights = self.look(site).weights
        head = self.head if site is None and head is None else head
        if head is not None and not 0 <= head < len(weights):
            raise ConfigError(f"{site or self.site} has {len(weights)} heads, counted from 0: there is no {head}.")
        return weights.mean(axis=0) if head is None else weights[head]

    @staticmethod
    def patches(tokens: Tokens) -> np.ndarray:
        """bool [token]: those that are a place in a frame (a frame's summary token is none)."""
        return patches(tokens)

    @cached_property
    def grid(self) -> np.ndarray:
        """Which video token is at each place: int [frame, row, column].

        Raises ``Unsupported`` if the tokens of this site do not form a grid (regions, say).
        """
        return grid_of(self.look().tokens, self.patches(self.look().tokens))

    def heat(self, word: str | int | None = None, site: str | None = None, head: int | None = None) -> np.ndarray:
        """[frame, row, column] in 0..1: the share of a word's attention on each patch."""
        tokens = self.look(site).tokens
        grid = self.grid if site is None else grid_of(tokens, self.patches(tokens))
        return self.rows(site, head)[self.word(word)][grid]

    def word_frame(self, site: str | None = None, head: int | None = None) -> np.ndarray:
        """[word, frame] in 0..1: the share of each word's attention on each frame, its summary included."""
        rows = self.rows(site, head)
        return np.stack([rows[:, at].sum(axis=1) for at in frames_of(self.look(site).tokens)], axis=1)

    # ── all heads ──

    def covered(self, word: str | int | None = None, site: str | None = None) -> np.ndarray | None:
        """[patch] in 0..1: how much of each patch is the named object; None where truth is not known."""
        objects = self.named[self.word(word)]
        if self.masks is None or not objects:
            return None
        tokens = self.look(site).tokens
        there = np.asarray(self.masks[list(objects)].any(axis=0, keepdims=True))
        return overlap(there, self.times_s, tokens[self.patches(tokens)])[0]

    def score(self, word: str | int | None = None) -> dict[str, float]:
        """Grounding of a word at the chosen site and head; empty where truth is not known.

        See ``grounding``: mass, chance, lift, attainable, pointing, pointing_chance.
        """
        covered = self.covered(word)
        if covered is None:
            return {}
        heat = self.rows()[self.word(word)][self.patches(self.look().tokens)]
        return {k: float(v) for k, v in grounding(heat, covered).items()}

    def head_grid(self, word: str | int | None = None) -> HeadGrid:
        """Layer × head: the share of the word's video attention that is on the thing which it names.

        Where that is not known, the share of its attention that is on the video at all.
        """
        at = self.word(word)
        looks = [look for look in self.looks if look.site != "rollout"]
        scores = np.full((len(looks), max(len(look.weights) for look in looks)), np.nan)
        chance, what = float("nan"), "attention on the video"
        for row, look in enumerate(looks):
            heat = look.weights[:, at]
            covered = self.covered(at, look.site)
            if covered is None:
                scores[row, : len(heat)] = heat.sum(axis=1)
                continue
            what = "attention on the named thing"
            measured = grounding(heat[:, self.patches(look.tokens)], covered)
            scores[row, : len(heat)], chance = measured["mass"], float(covered.mean())
        return HeadGrid(self.words[at], what, tuple(look.site for look in looks), scores, chance)

    def row(self) -> Row:
        """The ``video``'s share of the attention; of words that name things, mean ``mass``, ``lift`` … and each's mass.

        See ``score``; ``mass_red`` is the mass of "red" on what it names, their mean if it stands there twice.
        """
        out: Row = {"text": self.text, "look": self.site if self.head is None else f"{self.site} head {self.head}"}
        out["video"] = float(self.rows().sum(axis=1).mean())
        scores = {i: s for i in range(len(self.words)) if not np.isnan((s := self.score(i)).get("mass", np.nan))}
        if not scores:
            return out
        out["words"] = len(scores)
        out |= {name: float(np.mean([s[name] for s in scores.values()])) for name in next(iter(scores.values()))}
        for word in dict.fromkeys(plain(self.words[i]) for i in scores):
            mine = [s["mass"] for i, s in scores.items() if plain(self.words[i]) == word]
            out[column("mass", word)] = float(np.mean(mine))
        return out

    def overlay(self, word: str | int | None = None, **options: Any) -> Any:
        """The film strip with the heat of a word on it; short for ``plot("overlay", word=…)``."""
        return self.plot("overlay", word=word, **options)


def attend(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    site: str | None = None,
    head: int | None = None,
    method: str = "raw",
) -> AttendResult:
    """What each word of a text looks at in a clip.

    ``text`` None = the clip's caption. ``site`` and ``head`` choose a layer and a head (from 0); by default
    the one that the model's card names as its grounding head, or else the mean of the heads in the middle
    layer, and ``why`` says which. ``method`` "raw" looks at that layer, "rollout" through all of them.

    Raises ``TextError`` for a text that the model cannot read, ``Unsupported`` for a model whose words
    never attend to video, ``ConfigError`` for an unknown site, head or method.
    """
    if method not in METHODS:
        raise ConfigError(f"Unknown method {method!r}; there are {' and '.join(METHODS)}.")
    text = text_of(model, clip, text)
    words = split(text)
    batch = prepare([clip], [text], model.inputs)
    rec = record(model, batch)
    cells = grid_tokens(batch, model.grid(batch))()[0] if _has_regions(rec) and hasattr(model, "grid") else None
    looks = looks_of(rec, len(words), cells=cells)
    if not looks:
        raise Unsupported(
            f"In {getattr(model, 'name', 'this model')} no word ever attends to video: the two meet only as "
            "embeddings. Ask for a family whose layers see both."
        )
    if method == "rollout":
        looks += (rolled(model, batch, len(words), cells),)
        site, head, why = "rollout", None, "rollout through all layers, mean over heads"
    else:
        site, head, why = _chosen(model, looks, site, head)
    tokens = next(look.tokens for look in looks if look.site == site)
    times_s = shown(tokens, np.asarray(batch.times_s[0], dtype=float))
    film_times_s = (np.arange(FILM_FRAMES) + 0.5) * clip.duration_s / FILM_FRAMES
    frames = clip.sample(times_s.tolist(), PICTURE_PX)
    objects, named, happens_s = named_things(clip, words)
    masks = None if clip.truth is None else clip.truth.masks(times_s.tolist(), PICTURE_PX)
    result = AttendResult(
        text=text,
        words=words,
        looks=looks,
        site=site,
        head=head,
        method=method,
        why=why,
        clip=clip.name,
        times_s=times_s,
        frames=frames,
        film=clip.sample(film_times_s.tolist(), PICTURE_PX),
        film_times_s=film_times_s,
        objects=objects,
        named=named,
        happens_s=happens_s,
        masks=masks,
        about=about(model, clip),
        notes=(*notices(model, clip), *([REGIONS] if cells is not None else []), NOT_AN_EXPLANATION),
    )
    result.rows()  # an unknown head is refused here, not in a picture
    return result


def _has_regions(rec: Record) -> bool:
    return any(regions(attention.keys[0]) for attention in rec.between("text", "video").values())


def looks_of(rec: Record, words: int, item: int = 0, cells: Tokens | None = None) -> tuple[Look, ...]:
    """Every site of a record where words look at video, with whole words for rows; regions are laid over ``cells``."""
    looks = []
    for name, attention in rec.between("text", "video").items():
        if attention.groups is not None:
            continue
        queries, keys = attention.queries[item], attention.keys[item]
        video = np.flatnonzero(keys.where("video", special=True))
        weights = attention.weights[item].float().cpu().numpy()[:, :, video]  # [head, query, token]
        rows = np.einsum("wq,hqk->hwk", pooling(queries, words), weights).astype(np.float32)
        looks.append(Look(name, *on_cells(rows, keys[video], cells)))
    return tuple(looks)


def shown(tokens: Tokens, times_s: np.ndarray) -> np.ndarray:
    """When to show the clip: [slot] seconds, the middle one of the frames that each slot of tokens stands for."""
    first = np.array([at[0] for at in frames_of(tokens)], dtype=int)
    seen = [np.flatnonzero(row) for row in frames_within(tokens[first], times_s)]
    return times_s[[at[len(at) // 2] for at in seen]]


def _chosen(model: Any, looks: tuple[Look, ...], site: str | None, head: int | None) -> tuple[str, int | None, str]:
    """Site, head and the reason for them."""
    sites = [look.site for look in looks]
    if site is not None:
        if site not in sites:
            raise ConfigError(f"No word looks at video at {site!r}; it does at {', '.join(sites)}.")
        return site, head, "asked for"
    best = card_of(model).get("grounding_head") or {}
    if best.get("site") in sites:
        if head is None:
            return best["site"], int(best["head"]), "the head that grounds words best, by the model's card"
        return best["site"], head, "asked for, in the layer that the model's card names"
    middle = sites[len(sites) // 2]
    return middle, head, "the middle layer" + (", mean of its heads" if head is None else ", head asked for")


def rolled(model: Any, batch: Any, words: int, cells: Tokens | None = None) -> Look:
    """What whole words look at through all layers, as one head; raises what ``roll`` does."""
    product, tokens, _, _ = roll(model, batch)
    video = np.flatnonzero(tokens[0].where("video", special=True))
    rows = pooling(tokens[0], words) @ product[0].float().cpu().numpy()  # [word, token]
    return Look("rollout", *on_cells(rows[None, :, video].astype(np.float32), tokens[0][video], cells))
