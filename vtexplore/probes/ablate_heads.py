"""Which heads does the model need? Each is put out of action, and what it says is asked again.

    result = ablate_heads(model, clips)                    the matching score of each clip and its caption
    result = ablate_heads(model, clips, word="*")          ln p of the first word that names a thing
    result.needed()           the heads whose loss is certain after as many tests as there are heads

    zero        the head hears nothing
    mean        the head looks where it looks on average, whatever the clip: its attention is the mean over the clips
    shuffled    a control of equal norm: the head's attention, its weights in any order among what may be seen

A head that matters only when "zero" may be a constant that later layers count on; one that "shuffled" hurts as much
as "mean" need not look where it does. (Michel et al. 2019, arXiv:1905.10650, take heads away one by one.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._ask import SMALL, about
from vtexplore.probes._case import Case, case_of
from vtexplore.probes._result import Result
from vtexplore.probes._trials import asked_word
from vtexplore.record import record
from vtexplore.statistics import bootstrap, holm, sign_flip
from vtexplore.types import Clip

KINDS = ("zero", "mean", "shuffled")
AT_ONCE = 4  # heads, each on a copy of the clip


@dataclass(frozen=True)
class AblateHeadsResult(Result):
    """What is lost without each head: ``loss`` [kind, clip, site, head] = f(x) − f(x, head out of action).

    In the unit of what is explained (``asked`` says what, of each clip); > 0: the head was needed. NaN where a site
    has fewer heads. ``value`` [clip] is f(x).
    """

    kinds: tuple[str, ...]
    sites: tuple[str, ...]
    clips: tuple[str, ...]
    asked: tuple[str, ...]
    value: np.ndarray
    loss: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def kind(self, wanted: str = "mean") -> np.ndarray:
        """[clip, site, head] of one kind; ``ConfigError`` names those that there are."""
        if wanted not in self.kinds:
            raise ConfigError(f"Heads were not put out of action by {wanted!r}; there are {', '.join(self.kinds)}.")
        return np.asarray(self.loss[self.kinds.index(wanted)])

    def mean(self, kind: str = "mean") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean loss and its 95 % interval over clips, [site, head] each."""
        return bootstrap(self.kind(kind), np.arange(len(self.clips)))

    def p(self, kind: str = "mean") -> np.ndarray:
        """[site, head]: two-sided p that the mean loss is 0, by sign flips, after Holm over all heads."""
        rows = self.kind(kind).reshape(len(self.clips), -1).T
        return holm([sign_flip(row) for row in rows]).reshape(self.loss.shape[2:])

    def needed(self, kind: str = "mean", alpha: float = 0.05) -> tuple[tuple[str, int], ...]:
        """(site, head) of those whose mean loss is above 0 with p < ``alpha``, the greatest loss first."""
        mean, p = self.mean(kind)[0], self.p(kind)
        found = [tuple(int(i) for i in at) for at in np.argwhere((p < alpha) & (mean > 0))]
        return tuple((self.sites[s], h) for s, h in sorted(found, key=lambda at: -mean[at]))


def ablate_heads(
    model: Any,
    clips: Iterable[Clip],
    text: str | Sequence[str] | None = None,
    *,
    target: str | None = None,
    word: str | int | None = None,
    kinds: Sequence[str] = KINDS,
    sites: Sequence[str] | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> AblateHeadsResult:
    """Put every head out of action, one at a time, on every clip.

    ``text``, ``target`` and ``word`` as in ``faithfulness``. ``sites`` None = those where words take part. Raises
    ``ConfigError`` for an unknown kind or site, or for fewer than two clips with the kind "mean"; else as ``explain``.
    """
    some = list(clips)
    texts = [text] * len(some) if text is None or isinstance(text, str) else list(text)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ConfigError(f"Heads are not put out of action by {unknown[0]!r}; there are {', '.join(KINDS)}.")
    if not some or len(texts) != len(some) or ("mean" in kinds and len(some) < 2):
        raise ConfigError("Give two clips or more (a mean needs others), and a text for each or one for all.")
    cases = [
        case_of(model, clip, said, target=target, word=asked_word(clip, word))
        for clip, said in zip(some, texts, strict=True)
    ]
    heads = _heads(cases[0], sites)
    means = _means(cases, tuple(heads)) if "mean" in kinds else {}
    loss = np.full((len(kinds), len(cases), len(heads), max(heads.values())), np.nan)
    total = len(cases) * sum(heads.values())
    bar = tqdm(total=total, unit="head", desc="putting heads out of action", mininterval=2, disable=quiet)
    for number, case in enumerate(cases):
        for row, (site, count) in enumerate(heads.items()):
            for some_heads in np.array_split(np.arange(count), -(-count // AT_ONCE)):
                for at, kind in enumerate(kinds):
                    edit = _edit(kind, site, some_heads.tolist(), count, means.get(site), seed)
                    with torch.no_grad():
                        said = record(model, case.many(len(some_heads)), sites=[site], rows="all", edit=edit).output
                        loss[at, number, row, some_heads] = case.value - case.score(said).double().cpu().numpy()
                bar.update(len(some_heads))
    bar.close()
    small = [f"{len(some)} clips show cases, not rates."] if len(some) < SMALL else []
    least = 2 / 2 ** min(len(some), 30) * sum(heads.values())
    weak = [f"With {len(some)} clips no head can be certain: p is {least:.2g} at least."] if least > 0.05 else []
    return AblateHeadsResult(
        kinds=tuple(kinds),
        sites=tuple(heads),
        clips=tuple(c.name for c in some),
        asked=tuple(c.what for c in cases),
        value=np.array([c.value for c in cases]),
        loss=loss,
        about=about(model, some[0]) | {"seed": seed},
        notes=(*small, *weak, "Heads may stand in for one another: of two that do the same, neither is missed alone."),
    )


def _heads(case: Case, sites: Sequence[str] | None) -> dict[str, int]:
    """How many heads each site has."""
    heard = record(case.model, case.batch, sites=sites, rows="all", explicit=True).attention
    windows = {s for s, a in heard.items() if a.groups is not None and a.key_groups is None}
    found = {
        site: a.heads
        for site, a in heard.items()
        if (sites is not None or site not in windows)
        and (sites is not None or a.queries[0].where("text").any() or a.keys[0].where("video", special=True).any())
    }
    if not found:
        raise Unsupported(
            f"{getattr(case.model, 'name', 'This model')} has no heads of attention to put out of action."
        )
    return found


def _means(cases: Sequence[Case], sites: tuple[str, ...]) -> dict[str, Tensor]:
    """The mean attention of each site over the cases, [1, head, query, key]."""
    total: dict[str, Tensor] = {}
    for case in cases:
        found: dict[str, Tensor] = {}

        def note(site: str, weights: Tensor, found: dict[str, Tensor] = found) -> Tensor:
            found[site] = weights.detach()
            return weights

        with torch.no_grad():
            record(case.model, case.batch, sites=sites, rows="all", edit=note)
        total = {site: total.get(site, 0) + weights / len(cases) for site, weights in found.items()}
    return total


def _edit(
    kind: str, site: str, some: Sequence[int], heads: int, mean: Tensor | None, seed: int
) -> Callable[[str, Tensor], Tensor]:
    """What becomes of the weights [copy, head, query, key] of a site when each copy of a clip lacks one of its heads.

    A copy may have several rows (frames, lines of speech), and a row windows, window · head.
    """

    def edit(here: str, weights: Tensor) -> Tensor:
        if here != site:
            return weights
        out = weights.detach().clone()
        for rows, head in zip(out.chunk(len(some)), some, strict=True):  # views
            usual = None if mean is None else mean[:, head::heads]
            rows[:, head::heads] = _instead(kind, rows[:, head::heads], usual, seed)
        return out

    return edit


def _instead(kind: str, weights: Tensor, mean: Tensor | None, seed: int) -> Tensor:
    """Weights in place of a head's own; what it may not see stays unseen, and rows keep their sum."""
    if kind == "zero":
        return torch.zeros_like(weights)
    seen = weights > 0
    if kind == "mean":
        assert mean is not None
        usual = mean.expand_as(weights) * seen
        return usual / usual.sum(dim=-1, keepdim=True).clamp(min=1e-12) * weights.sum(dim=-1, keepdim=True)
    generator = torch.Generator().manual_seed(seed)
    # Keys that are seen come first in both orders, so that weights move among them only.
    order = (torch.rand(weights.shape, generator=generator).to(weights) + (~seen) * 2.0).argsort(dim=-1)
    plain = (~seen).to(torch.uint8).argsort(dim=-1, stable=True)
    return torch.zeros_like(weights).scatter(-1, order, weights.gather(-1, plain))
