"""Which maps tell what a model uses? The methods of ``explain`` side by side, tried on the model itself.

    result = faithfulness(model, clip, word="red")          one clip: all methods on it, and the pictures
    result = faithfulness(model, clips, word="*")           many: means, with intervals over clips
    result.summary()          method → measure → (mean, low, high)

    mass, pointing      on the thing that the word names, where that is known: see ``grounding``; "even map": its mass
    deletion            patches are taken away, the map's first first: area under the curve of the number, from f(x) = 1
                        to f(∅) = 0, LESS the mean area of random orders; < 0: what the map names first is needed
    insertion           put in, the map's first first, less the same; > 0. It is also what the reversed order deletes
    comprehensiveness   f(x) − f(without the first k), mean over k of 1, 5, 10, 20, 50 %; high
    sufficiency         f(x) − f(the first k alone); low (both: DeYoung et al. 2020, arXiv:1911.03429)
    NAOPC               the mean loss while units go one by one, between the worst order there is (0) and the best (1):
                        frames or words, if asked for (beam=5; see ``_extremes``), and the only one to compare models by
    polarity            of the strongest tenth, the share with the wrong sign; a map without signs has no polarity
    infidelity          how badly parts sum to what random sets change: 0 not at all, 1 as a map of zeros
                        (an even map has less than 1: it knows how many are taken away)
    sensitivity         how much the map changes if pixels move by 2 %, as a share of it
    gap                 integrated gradients: what parts and their sum differ by
    wrong target        rank correlation with the map of another word (of another sentence) on the same clip; 1: the
                        map does not know what was asked
    cascade             likeness to the map of a model whose weights are drawn anew, from the last layer down; a map
                        that stays alike does not tell what was learnt

How patches are taken away is a choice, and there are two at least (``REMOVALS``). Areas use ranks only, and what is
left is a picture as no training saw it (Gomez et al. 2022, arXiv:2201.13291).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.probes import _trials
from vtexplore.probes._ask import SMALL, about, notices
from vtexplore.probes._extremes import naopc
from vtexplore.probes._faithful import DRAWS, LEAST, area, normalised
from vtexplore.probes._places import Gridded
from vtexplore.probes._result import Result
from vtexplore.probes._sanity import LIKE
from vtexplore.probes.attend import PICTURE_PX
from vtexplore.probes.explain import named_by, times_of
from vtexplore.statistics import bootstrap
from vtexplore.types import Clip, Tokens

METHODS = ("raw", "rollout", "relevancy", "gradient × input", "integrated gradients", "occlusion", "edges")
ALIKE = "That methods agree is no evidence for any of them: they disagree on most transformers (arXiv:2205.04559)."
ONE_MODEL = "Areas compare methods on one model, not models: each model has its own best and worst (arXiv:2408.08137)."
ONE_REMOVAL = "Patches were taken away in one way only, and another may order the methods otherwise."


@dataclass(frozen=True)
class FaithfulnessResult(Gridded, Result):
    """Methods side by side. Numbers are raw, in the unit of what is explained; ``summary`` makes rates of them.

    ``whole`` and ``none`` [removal, clip] are f(x) and f(∅); ``deletion`` and ``insertion`` [removal, clip, method,
    step] the number when the shares ``share`` [step] are taken away or put in, ``random`` [removal, clip, order, step]
    taken away in random orders; ``comprehensiveness`` and ``sufficiency`` [removal, clip, method, k]; ``aopc``
    [removal, clip, method] with ``extremes`` [removal, clip, 2], the lowest and highest of any order. ``grounded``
    [clip, method, 3] are mass, pointing and the mass of an even map, NaN where nobody knows the thing. ``polarity``,
    ``infidelity`` (both by the first removal), ``sensitivity``, ``gap`` and ``wrong_target`` [clip, method], NaN
    where they do not apply. ``cascade`` [clip, method, stage, measure] with the names ``stages`` and ``like``, and
    ``level`` [clip, method, measure], what a map and its own patches shuffled have: of the first clips, or of none.
    ``maps`` [method, frame, row, column] and ``words_maps`` [method, word] are those of the first clip.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "masks")

    clips: tuple[str, ...]
    asked: tuple[str, ...]
    instead: tuple[str, ...]
    methods: tuple[str, ...]
    signed: tuple[bool, ...]
    removals: tuple[str, ...]
    of: str
    share: np.ndarray
    whole: np.ndarray
    none: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random: np.ndarray
    comprehensiveness: np.ndarray
    sufficiency: np.ndarray
    aopc: np.ndarray
    extremes: np.ndarray
    grounded: np.ndarray
    polarity: np.ndarray
    infidelity: np.ndarray
    sensitivity: np.ndarray
    gap: np.ndarray
    wrong_target: np.ndarray
    stages: tuple[str, ...]
    like: tuple[str, ...]
    cascade: np.ndarray
    level: np.ndarray
    maps: np.ndarray
    words_maps: np.ndarray
    words: tuple[str, ...]
    patches: Tokens
    times_s: np.ndarray
    frames: np.ndarray
    objects: tuple[str, ...]
    masks: np.ndarray | None
    about: dict[str, Any]
    notes: tuple[str, ...]

    def removal(self, wanted: str | None = None) -> int:
        """The index of a removal, the first by default; ``ConfigError`` names those that there are."""
        if wanted is not None and wanted not in self.removals:
            raise ConfigError(f"Nothing was taken away by {wanted!r} here, but by {', '.join(self.removals)}.")
        return 0 if wanted is None else self.removals.index(wanted)

    def curves(self, removal: str | None = None) -> dict[str, np.ndarray]:
        """Curves from 1 = f(x) to 0 = f(∅): "deletion", "insertion" [clip, method, step], "random" [clip, order, step].

        NaN for a clip without which the model says almost the same.
        """
        at = self.removal(removal)
        ends = self.whole[at][:, None], self.none[at][:, None]
        found = {"deletion": self.deletion, "insertion": self.insertion, "random": self.random}
        return {name: normalised(curve[at], *ends) for name, curve in found.items()}

    def areas(self, removal: str | None = None) -> dict[str, np.ndarray]:
        """Areas under ``curves``: "deletion" and "insertion" [clip, method], "random" [clip, order]."""
        return {name: area(curve, self.share) for name, curve in self.curves(removal).items()}

    def better(self, removal: str | None = None) -> np.ndarray:
        """[clip, method] p that a random order deletes as well: (1 + how many do) / (1 + how many there are)."""
        areas = self.areas(removal)
        as_low = (areas["random"][:, None] <= areas["deletion"][..., None]).sum(axis=-1)
        return np.where(np.isnan(areas["deletion"]), np.nan, (1 + as_low) / (1 + areas["random"].shape[1]))

    def naopc(self, removal: str | None = None) -> np.ndarray:
        """[clip, method] 0..1, 1 = as the best order there is; NaN where no order matters, or none was searched."""
        at = self.removal(removal)
        low, high = np.moveaxis(self.extremes[at][:, None], -1, 0)
        return naopc(self.aopc[at], low, high, LEAST)

    def summary(self, removal: str | None = None) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Method → measure → (mean, low, high), 95 % over clips.

        Of one clip, the interval of deletion and insertion is that of the random orders which are taken off, and
        other measures have none.
        """
        at, areas = self.removal(removal), self.areas(removal)
        random = areas["random"].mean(axis=1, keepdims=True)
        measures = {
            **{name: self.grounded[..., i] for i, name in enumerate(("mass", "pointing", "even map"))},
            "deletion": areas["deletion"] - random,
            "insertion": areas["insertion"] - random,
            "comprehensiveness": self.comprehensiveness[at].mean(axis=-1),
            "sufficiency": self.sufficiency[at].mean(axis=-1),
            "NAOPC": self.naopc(removal),
            "polarity": self.polarity,
            "infidelity": self.infidelity,
            "sensitivity": self.sensitivity,
            "gap": self.gap,
            "wrong target": self.wrong_target,
        }
        found = {m: np.stack(bootstrap(v, np.arange(len(v)))) for m, v in measures.items()}
        if len(self.clips) == 1:
            low, high = np.percentile(areas["random"][0], [2.5, 97.5])
            for m, rows in found.items():
                known = m in ("deletion", "insertion")
                rows[1:] = [areas[m][0] - high, areas[m][0] - low] if known else np.nan
        return {
            name: {m: (float(v[0, i]), float(v[1, i]), float(v[2, i])) for m, v in found.items()}
            for i, name in enumerate(self.methods)
        }

    def shares(self, method: int) -> np.ndarray:
        """A method's map of the first clip [frame, row, column]; sizes sum to 1 (0 for a map that is 0)."""
        return np.asarray(self.maps[method] / max(float(np.abs(self.maps[method]).sum()), 1e-30))


def faithfulness(
    model: Any,
    clips: Clip | Iterable[Clip],
    text: str | Sequence[str] | None = None,
    *,
    methods: Sequence[str] = METHODS,
    target: str | None = None,
    word: str | int | None = None,
    instead: str | None = None,
    removals: Sequence[str] | None = None,
    of: str = "patches",
    steps: int = 20,
    orders: int = 20,
    randomise: int = 1,
    stages: int = 6,
    moves: int = 3,
    beam: int = 0,
    draws: int = DRAWS,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> FaithfulnessResult:
    """Methods of ``explain`` tried on a clip, or on many.

    ``text``, ``target`` and ``word`` say what is explained, as in ``explain`` (texts: one for each clip, None = their
    captions; word "*" = the first of each caption that names a thing). ``instead`` is another word, or another
    sentence, for the wrong target (None: the model's next choice, or the next clip's caption). ``of`` "patches",
    "frames" or "words" are taken away in ``steps``, beside ``orders`` random ones. Weights are drawn anew in
    ``stages``, and pixels moved ``moves`` times, on the first ``randomise`` clips. ``beam``: how many ways are followed
    when the best and the worst order are searched (frames or words; 0: no search). ``draws``: random sets for the
    infidelity, 0 for none. ``removals`` None: the first two that the model bears. ``options`` of single methods.

    A method that finds nothing on this model is left out, and a note says why. Raises ``ConfigError`` for an unknown
    method, removal or unit, fewer than 20 steps or orders, or no clips; else as ``explain``.
    """
    some = [clips] if isinstance(clips, Clip) else list(clips)
    texts = [text] * len(some) if text is None or isinstance(text, str) else list(text)
    if not some or len(texts) != len(some):
        raise ConfigError(f"{len(some)} clips and {len(texts)} texts: give at least one clip, and a text for each.")
    plan = _trials.Plan(
        methods, removals, of, steps, orders, randomise, stages, moves,
        dict(options or {}), target, word, instead, seed, beam, draws, quiet,
    )  # fmt: skip
    tried = _trials.run(model, some, texts, plan)
    case, first = tried.cases[0], some[0]
    times_s = times_of(case)
    objects, mine = named_by(case, first)
    found = FaithfulnessResult(
        clips=tuple(c.name for c in some),
        asked=tuple(c.what for c in tried.cases),
        instead=tried.instead,
        methods=tried.methods,
        signed=tried.signed,
        removals=tried.removals,
        of=of,
        like=LIKE,
        stages=tried.stages,
        **tried.arrays,
        words=case.words,
        patches=case.tokens,
        times_s=times_s,
        frames=first.sample(times_s.tolist(), PICTURE_PX),
        objects=tuple(objects[o] for o in mine),
        masks=first.truth.masks(times_s.tolist(), PICTURE_PX)[list(mine)] if first.truth is not None and mine else None,
        about=about(model, first) | {"seed": seed, "orders": orders},
        notes=(),
    )
    notes = (*notices(model, first), *tried.notes, *_flags(found), ALIKE, *([] if beam else [ONE_MODEL]))
    return FaithfulnessResult(**{**vars(found), "notes": notes})


def _flags(result: FaithfulnessResult) -> tuple[str, ...]:
    """What the reader must know of these numbers."""
    count = len(result.clips)
    out = [f"{count} clip{'s show cases' if count > 1 else ' shows a case'}, not rates."] if count < SMALL else []
    out += [ONE_REMOVAL] if len(result.removals) == 1 else []
    for at, name in enumerate(result.removals):
        few = int((result.whole[at] - result.none[at] <= LEAST).sum())
        if few:
            told = f"In {few} of {count} clips" if count > 1 else "Here"
            out.append(f"{told} the number is as high with every patch taken away ({name}): there areas mean nothing.")
    unsigned = [name for name, sign in zip(result.methods, result.signed, strict=True) if not sign]
    if unsigned:
        out.append(f"{', '.join(unsigned)}: such a map has no sign and cannot say what speaks against.")
    means = result.summary()
    idle = [name for name in result.methods if means[name]["deletion"][2] >= 0]
    if idle:
        out.append(f"No better than random orders at deletion ({result.removals[0]}): {', '.join(idle)}.")
    if result.cascade.shape[2]:
        last = np.abs(result.cascade[:, :, -1, 0]) - np.abs(result.level[:, :, 0])
        same = [name for name, more in zip(result.methods, last.mean(axis=0), strict=True) if more > 0.5]
        if same:
            out.append(f"Much the same with all weights drawn anew, so not of what was learnt: {', '.join(same)}.")
    deaf = [name for name in result.methods if means[name]["wrong target"][0] > 0.95]
    if deaf:
        out.append(f"Almost the same map for another target: {', '.join(deaf)}.")
    return tuple(out)
