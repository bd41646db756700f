"""What costs a model more than one look, and is found when a page first asks: maps of ``explain``, whole squares.

What was found is kept, so that a page written to disk has it, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._methods import METHODS
from vtexplore.probes.explain import ExplainResult, explain
from vtexplore.probes.rollout import roll
from vtexplore.record import record
from vtexplore.types import Clip, Output, Tokens
from vtexplore.views import explain as shown
from vtexplore.widgets._sent import Binary, quantised

MATCH = "match"
LOOKS = ("raw", "rollout")
"""Methods that a bench has of every word from the first: its layers, and all of them together."""


def key_of(method: str, word: int | None) -> str:
    """The name under which a map is kept; ``word`` None: of the matching score."""
    return f"{method}/{MATCH if word is None else word}"


@dataclass
class Maps:
    """The maps of ``explain`` of a model, a clip and a text, each made once.

    ``looks``: sites that a bench has already. ``found``: what was found, by ``key_of``; ``refused``: methods that this
    model does not bear, and why.
    """

    model: Any
    clip: Clip
    text: str
    grid: tuple[int, ...]
    output: Output
    looks: tuple[str, ...]
    found: dict[str, ExplainResult] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """The methods that may be asked for: all but those that are looks; none where nothing can be explained."""
        if not self.of:
            return []
        return [name for name in METHODS if name not in LOOKS or (name == "rollout" and name not in self.looks)]

    @property
    def of(self) -> list[str]:
        """What can be explained: "word" (the chosen one, where it is hidden) and "match", as the model has heads."""
        heads = {"word": self.output.word_logits, MATCH: self.output.match_logits}
        return [name for name, logits in heads.items() if logits is not None]

    def result(self, method: str, word: int | None) -> ExplainResult:
        """What was found, now or before. Raises what ``explain`` raises."""
        key = key_of(method, word)
        if key not in self.found:
            target = MATCH if word is None else None
            found: ExplainResult = explain(self.model, self.clip, self.text, word=word, target=target, method=method)
            if found.patch_map.shape != self.grid:
                raise Unsupported(f"{method} finds a map of other places than those that words look at here.")
            self.found[key] = found
        return self.found[key]

    def ask(self, method: str, word: int | None = None) -> dict[str, Any]:
        """A map for the page; ``{"refused": why}`` for a method that this model does not bear.

        Raises ``ConfigError`` for a method that is not offered, and what ``explain`` raises of the text.
        """
        if method not in self.methods:
            raise ConfigError(f"A bench asks for {', '.join(self.methods)}, not for {method!r}.")
        if method not in self.refused:
            try:
                return sent(self.result(method, word))
            except Unsupported as error:
                self.refused[method] = str(error)
        return {"refused": self.refused[method]}

    def scene(self) -> dict[str, Any]:
        """Methods, what they can be asked of, and what is there already; ready for JSON."""
        return {
            "methods": [{"name": name, "tip": (METHODS[name].find.__doc__ or "").strip()} for name in self.methods],
            "of": self.of,
            "maps": {key: sent(result) for key, result in self.found.items()},
            "refused": dict(self.refused),
        }


def sent(result: ExplainResult) -> dict[str, Any]:
    """A map as the page shows it: shares [patch] whose sizes sum to 1, and what each word has to do with it [word]."""
    words = [None if np.isnan(v) or i == result.masked else float(f"{v:.4g}") for i, v in enumerate(result.words_map)]
    return {
        "what": result.what,
        "value": result.value,
        "how": shown.how(result),
        "said": shown.said(result),
        "signed": result.signed,
        "heat": [float(f"{v:.4g}") for v in result.heat().ravel()],
        "words": words,
        "notes": list(result.notes),
    }


def square(model: Any, clip: Clip, text: str, site: str, head: int | None = None) -> Binary:
    """All rows of a site and head (None: the mean of heads), and of "rollout" all tokens' sources; padding left out.

    Numbers: float32 tops [row], then uint8 [row, column], 255ths of them. Raises ``ConfigError`` for an unknown site
    or head.
    """
    batch = prepare([clip], [text], model.inputs)
    if site == "rollout":
        product, tokens, _, _ = roll(model, batch)
        weights, queries, keys = product[:1], tokens[0], tokens[0]
    else:
        heard = record(model, batch, sites=site, rows="all").attention[site]
        weights, queries, keys = heard.full()[0], heard.queries[0], heard.keys[0]
    if head is not None and not 0 <= head < len(weights):
        raise ConfigError(f"{site} has {len(weights)} heads, counted from 0: there is no {head}.")
    whole = (weights.mean(dim=0) if head is None else weights[head]).float().cpu().numpy()
    rows, columns = _real(queries), _real(keys)
    steps, tops = quantised(whole[np.ix_(rows, columns)])
    said = {"site": site, "head": head, "rows": _named(queries[rows]), "columns": _named(keys[columns])}
    return Binary(said, tops.astype("<f4").tobytes() + steps.tobytes())


def _real(tokens: Tokens) -> np.ndarray:
    return np.array([i for i, kinds in enumerate(tokens.modality) if "pad" not in kinds], dtype=int)


def _named(tokens: Tokens) -> dict[str, list[Any]]:
    """What each token is called, and which of them are video."""
    return {"names": list(tokens.labels), "video": [bool("video" in kinds) for kinds in tokens.modality]}
