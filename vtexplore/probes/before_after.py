"""A before B, or B before A? Two clips of the same two events, and four ways to tell each of them.

    result = before_after(model, world_pairs(64))
    result["group"]                 both clips find their text and both texts their clip; chance 1/6
    result.wording, result.order    how far scores differ between ways to say the same, and to say the opposite

A pair is a clip in which A happens and then B, and one in which B happens first; nothing else differs, and neither
does the bag of words. The text score asks each clip for its text, the video score each text for its clip, the group
score for all of it (as in Winoground, arXiv 2204.03162): chance is 1/4, 1/4, 1/6. A tie is not right.

Order can be faked: who matches the order of mention to the order of events is right wherever what happens first is
said first. So the events are named in both orders, by "A before B", "B after A", "after A B" and "before B A", each in
the same number; and a model that heard order would hear "B after A" as "A before B".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.probes._ask import a_case, about, notices, text_of
from vtexplore.probes._orders import ties
from vtexplore.probes._result import Result
from vtexplore.probes.retrieve import pair_scores
from vtexplore.statistics import better_than, bootstrap, sign_flip
from vtexplore.types import Clip, Source
from vtexplore.world import SHAPES_THEME, Scene, Style, Theme, sample_scene, say

WORDINGS = {"{A} before {B}": True, "{B} after {A}": False, "after {A} {B}": True, "before {B} {A}": False}
"""Ways to say that A comes before B, and whether A is said first."""
CHANCE = {"text": 1 / 4, "video": 1 / 4, "group": 1 / 6}
SHOWN, SHOWN_PX = 4, 128


@dataclass(frozen=True)
class Pair:
    """A clip of A and then B, one of B and then A; ``texts``: what is true of each, in every wording."""

    clips: tuple[Clip, Clip]
    texts: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Share:
    """A share of pairs and wordings, 0..1, with its 95 % interval over pairs, what chance gives, and p against that.

    p is one-sided and exact, of one wording a pair, each wording in its turn; NaN where nothing was tested.
    """

    name: str
    value: float
    low: float
    high: float
    chance: float
    p: float


@dataclass(frozen=True)
class BeforeAfterResult(Result):
    """``scores`` float32 [pair, wording, clip, text]: text 0 is true of clip 0, text 1 of clip 1.

    ``shares``: "text", "video", "group", and "text, said in order", "text, said backwards" by which event is said
    first. ``wording`` and ``order`` are (mean, low, high): the absolute difference between scores of one clip and two
    wordings that mean the same, or one wording and its opposite. ``wording_p``: that both are equally far.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    wordings: tuple[str, ...]
    scores: np.ndarray
    texts: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    shares: tuple[Share, ...]
    wording: tuple[float, float, float]
    order: tuple[float, float, float]
    wording_p: float
    frames: np.ndarray
    how: str
    about: dict[str, Any]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Share:
        """A share by its name. Raises ``ConfigError`` for one that is not there."""
        for one in self.shares:
            if one.name == name:
                return one
        raise ConfigError(f"{name!r} is no score here; there are {', '.join(s.name for s in self.shares)}.")


def before_after(
    model: Any, pairs: Sequence[Pair] | None = None, *, resamples: int = 1000, seed: int = 0, quiet: bool = False
) -> BeforeAfterResult:
    """Score pairs of clips (None = 32 of the world's, with combinations that no training showed; see ``world_pairs``).

    Raises ``ConfigError`` for no pair or other wordings, ``TextError`` for a text that the model cannot read,
    ``Unsupported`` for a family that neither matches nor embeds both.
    """
    from tqdm.auto import tqdm

    pairs = world_pairs(seed=seed) if pairs is None else pairs
    if not pairs:
        raise ConfigError("There is nothing to compare. Give one pair or more: world_pairs(32), clip_pair(x, y).")
    if any(len(texts) != len(WORDINGS) for pair in pairs for texts in pair.texts):
        raise ConfigError(
            f"A pair tells each clip in {len(WORDINGS)} wordings: {', '.join(WORDINGS)}. See clip_pair(x, y)."
        )
    found, how = [], ""
    for pair in tqdm(pairs, unit="pair", desc="before and after", disable=quiet or len(pairs) < 8):
        said = [text_of(model, clip, t) for clip, texts in zip(pair.clips, pair.texts, strict=True) for t in texts]
        table, how = pair_scores(model, pair.clips, said, True)  # [text · wording, clip]
        found.append(table.reshape(2, len(WORDINGS), 2).transpose(1, 2, 0))
    scores = np.stack(found)
    same, opposite = distances(scores)
    spread = bootstrap(np.stack([same, opposite], axis=1), np.arange(len(pairs)), resamples, seed)
    wording, order = ((float(spread[0][i]), float(spread[1][i]), float(spread[2][i])) for i in range(2))
    shares = _shares(scores, resamples, seed)
    middles = (np.arange(SHOWN) + 0.5) / SHOWN
    shown = [clip.sample((middles * clip.duration_s).tolist(), SHOWN_PX) for clip in pairs[0].clips]
    return BeforeAfterResult(
        wordings=tuple(WORDINGS),
        scores=scores,
        texts=tuple(pair.texts for pair in pairs),
        shares=shares,
        wording=wording,
        order=order,
        wording_p=sign_flip(opposite - same, seed=seed),
        frames=np.stack(shown),
        how=how,
        about=about(model) | {"seed": seed},
        notes=_flags(model, pairs, shares, wording, order),
    )


# ── pairs ─────────────────────────────────────────────────────────────────────────────────────────


def world_pairs(count: int = 32, seed: int = 0, split: str = "heldout", theme: Theme = SHAPES_THEME) -> list[Pair]:
    """Scenes of two events, each with the scene in which they come in the other order, told plainly in all wordings."""
    rng = np.random.default_rng(seed)
    out: list[Pair] = []
    while len(out) < count:
        scene = sample_scene(rng, split, theme=theme, form="then")
        other = scene.sibling("order", rng)
        if other is not None:
            out.append(Pair((scene.clip(), other.clip()), (_told(scene), _told(other))))
    return out


def _told(scene: Scene) -> tuple[str, ...]:
    """A scene of two events in each wording, in its own annotator's words."""
    templates = scene.theme.voices[scene.style.voice].templates["then"]
    styles = [Style(scene.style.voice, templates.index(wording), 0) for wording in WORDINGS]
    return tuple(say(scene.theme, scene.statement, style).text for style in styles)


def clip_pair(x: Clip, y: Clip, a: str | None = None, b: str | None = None) -> Pair:
    """Two clips, one after the other in both orders; ``a`` and ``b`` say what happens in each (None = its caption).

    Raises ``ConfigError`` for clips of other shapes, of which nothing is said, or of which the same is said.
    """
    said = {"A": " ".join((a or x.caption or "").split()), "B": " ".join((b or y.caption or "").split())}
    if not all(said.values()) or said["A"].casefold() == said["B"].casefold():
        raise ConfigError(
            "Say what happens in each clip, something else in each: a='the red circle spins', b='the blue star grows'."
        )
    turned = {"A": said["B"], "B": said["A"]}
    texts = tuple(w.format(**said) for w in WORDINGS), tuple(w.format(**turned) for w in WORDINGS)
    return Pair((joined(x, y), joined(y, x)), texts)


@dataclass(frozen=True)
class Joined:
    """A source that shows one clip and then another."""

    first: Clip
    second: Clip

    def sample(self, times_s: Sequence[float], short_side_px: int | None) -> np.ndarray:
        """uint8 [frame, height, width, rgb]; from the first clip's end on, the second is shown from its start."""
        cut = self.first.duration_s
        parts = [
            self.first.sample([t], short_side_px) if t < cut else self.second.sample([t - cut], short_side_px)
            for t in times_s
        ]
        return np.concatenate(parts)

    def waveform(self, start_s: float, end_s: float) -> None:
        """None: what the two sound like is not joined."""


def joined(first: Clip, second: Clip) -> Clip:
    """One clip and then another, cut hard. Raises ``ConfigError`` if their pictures have not one shape."""
    shapes = [clip.sample([0.0], 64).shape[1:3] for clip in (first, second)]
    if shapes[0] != shapes[1]:
        raise ConfigError("Clips that are shown one after the other must have one shape. Crop one of them.")
    source: Source = Joined(first, second)
    name, seconds = f"{first.name}, then {second.name}", first.duration_s + second.duration_s
    clip = Clip(source, seconds, first.fps, (), name, world=first.world if first.world == second.world else None)
    return clip.showing(clip.interior_times(SHOWN))


# ── scores ────────────────────────────────────────────────────────────────────────────────────────


def right(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Whether each item of ``scores`` […, clip, text] is right, by text, by video and as a group: bool […] each."""
    least = ties(scores)
    text = (scores[..., 0, 0] > scores[..., 0, 1] + least) & (scores[..., 1, 1] > scores[..., 1, 0] + least)
    video = (scores[..., 0, 0] > scores[..., 1, 0] + least) & (scores[..., 1, 1] > scores[..., 0, 1] + least)
    return {"text": np.asarray(text), "video": np.asarray(video), "group": np.asarray(text & video)}


def distances(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of [pair, wording, clip, text] how far apart wordings of one meaning are, and opposites: [pair] each."""
    count = scores.shape[1]
    one, other = np.triu_indices(count, 1)
    same = np.abs(scores[:, one] - scores[:, other]).mean(axis=(1, 2, 3))
    opposite = np.abs(scores[..., 0] - scores[..., 1]).mean(axis=(1, 2))
    return same.astype(float), opposite.astype(float)


def _shares(scores: np.ndarray, resamples: int, seed: int) -> tuple[Share, ...]:
    found = {name: values.astype(float) for name, values in right(scores).items()}  # [pair, wording]
    chance = dict(CHANCE)
    ahead = np.array(list(WORDINGS.values()))
    for name, which in (("text, said in order", ahead), ("text, said backwards", ~ahead)):
        found[name] = np.where(which, found["text"], np.nan)
        chance[name] = CHANCE["text"]
    turn = np.arange(len(scores)), np.arange(len(scores)) % len(WORDINGS)
    out = []
    for name, values in found.items():
        pairs = np.repeat(np.arange(len(values)), values.shape[1])
        mean, low, high = bootstrap(values.ravel(), pairs, resamples, seed)
        one = values[turn]
        p = better_than(float(one.sum()), len(one), chance[name]) if name in CHANCE else float("nan")
        out.append(Share(name, float(mean), float(low), float(high), chance[name], p))
    return tuple(out)


def _flags(
    model: Any,
    pairs: Sequence[Pair],
    shares: Sequence[Share],
    wording: tuple[float, float, float],
    order: tuple[float, float, float],
) -> tuple[str, ...]:
    out = list(dict.fromkeys(note for pair in pairs for clip in pair.clips for note in notices(model, clip)))[:3]
    out += a_case(len(pairs), "pair")
    if wording[0] >= order[0]:
        out.append(
            f"Wordings of one meaning are {wording[0]:.3f} apart and opposites {order[0]:.3f}: the model hears how it "
            "is said more than which came first."
        )
    by_name = {one.name: one for one in shares}
    ahead, back = by_name["text, said in order"], by_name["text, said backwards"]
    if ahead.low > back.high or back.low > ahead.high:
        out.append(
            f"Right in {ahead.value:.0%} where the first event is said first, and in {back.value:.0%} elsewhere: order "
            "of mention counts for the model, not only order of events."
        )
    return tuple(out)
