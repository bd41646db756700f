"""What a model says: the scores of its heads, and the attention of its sites."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from vtexplore.types.tokens import Tokens

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Output:
    """What the heads say; a field is None where a family has no such head.

    Logits are raw scores before any softmax; ``match_logits`` are higher for a better match, in every
    family (a page flips the sign where its paper labels it otherwise).
    """

    word_logits: Tensor | None = None  # [batch, word, vocabulary] at each text token
    code_logits: Tensor | None = None  # [batch, patch, code] at the tokens that are ``where("video")``, in order
    match_logits: Tensor | None = None  # [batch]
    order_logits: Tensor | None = None  # [batch, frame, position] where a frame belongs, whatever its place
    relation_logits: Tensor | None = None  # [batch, frame i, frame j, 4] other videos, the same, i before j, i after j
    line_logits: Tensor | None = None  # [batch, line i, frame j, 4] the same of what is said and of frames
    span_logits: Tensor | None = None  # [batch, frame, 2] where what the text tells begins, and where it ends
    answer_logits: Tensor | None = None  # [batch, answer]
    video_embedding: Tensor | None = None  # [batch, channel]
    text_embedding: Tensor | None = None  # [batch, channel]
    answer_embedding: Tensor | None = None  # [batch, channel] near the text_embedding of what answers the question
    audio_embedding: Tensor | None = None  # [batch, channel]

    def heads(self) -> tuple[str, ...]:
        """Names of the fields that are filled."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)


@dataclass(frozen=True)
class Attention:
    """The attention weights of one site; a view needs nothing else.

    Global attention: ``weights`` [batch, head, query, key] with ``queries`` and ``keys`` one ``Tokens``
    an item. If only some rows were kept, ``queries`` are those rows (padded to a common length with
    "pad" tokens, whose weights are 0). If ``reduced`` is "heads" the head axis has length 1; if
    "received", the query axis has length 1 (attention received by each key, summed over queries);
    if "frames", a key is a whole frame, or all the text.

    Local attention (windows, per-frame, divided): ``groups`` [window, m] indexes the site's queries
    (−1 = padding), ``key_groups`` [window, n] its keys (None: as the queries), and ``weights`` is
    [batch, head, window, m, n]; ``full()`` scatters it. A key may stand in many windows, a query in one.
    """

    site: str
    weights: Tensor
    queries: tuple[Tokens, ...]
    keys: tuple[Tokens, ...]
    groups: Tensor | None = None
    key_groups: Tensor | None = None
    reduced: str | None = None
    dropout: bool = False

    @property
    def heads(self) -> int:
        """How many heads were kept apart."""
        return int(self.weights.shape[1])

    def full(self) -> Tensor:
        """[batch, head, query, key] for local attention too; pairs that never met hold 0.

        Memory is token² for each head: meant for small sites. Padding keys inside a window take their
        share of the softmax and are dropped here, so rows of padded windows sum to less than 1.
        """
        if self.groups is None:
            return self.weights
        batch, head = self.weights.shape[:2]
        q, k = len(self.queries[0]), len(self.keys[0])
        out = self.weights.new_zeros(batch, head, q, k)
        key_groups = self.groups if self.key_groups is None else self.key_groups
        for w, (rows, columns) in enumerate(zip(self.groups, key_groups, strict=True)):
            asking, asked = rows >= 0, columns >= 0
            out[:, :, rows[asking][:, None], columns[asked]] = self.weights[:, :, w][:, :, asking][..., asked]
        return out

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.weights.shape))
        kind = "windows" if self.groups is not None else (self.reduced or "rows")
        return f"Attention({self.site}, {shape} {kind}, {self.heads} heads)"
