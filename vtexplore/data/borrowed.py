"""The vocabulary of a Hugging Face tokenizer, read as ours are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vtexplore.data.pieces import SPECIALS, Vocabulary, split_masks
from vtexplore.errors import ConfigError, TextError

_ROLES = {"[PAD]": ("pad",), "[UNK]": ("unk",), "[CLS]": ("cls", "bos"), "[SEP]": ("sep", "eos"), "[MASK]": ("mask",)}
Pieces = tuple[tuple[int, ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Borrowed(Vocabulary):
    """The vocabulary of a Hugging Face tokenizer; its special pieces go by BERT's names.

    Pieces are shown as WordPiece shows them, "##" before one that continues a word, whatever the tokenizer's own
    marks ("Ġred", "red</w>"). A text is cut as the tokenizer cuts it (a test holds the ids to its own).
    """

    tokenizer: Any = field(default=None, repr=False)

    @staticmethod
    def of(tokenizer: Any, name: str | None = None) -> Borrowed:
        """The vocabulary of a tokenizer, under a ``name`` (None: its class and a hash of its tokens).

        Raises ``ConfigError`` if it has no token to begin and to end a text with.
        """
        own = tokenizer.get_vocab()
        tokens = [""] * (max(own.values()) + 1)
        for token, at in own.items():
            tokens[at] = token
        starts = any(t.startswith("Ġ") for t in tokens)
        ends = any(t.endswith("</w>") for t in tokens)
        pieces = [_shown(token, starts, ends) for token in tokens]
        ids = {piece: at for at, piece in reversed(list(enumerate(pieces)))}
        for special, roles in _ROLES.items():
            found = [at for role in roles if (at := getattr(tokenizer, f"{role}_token_id", None)) is not None]
            if found:
                ids[special] = found[0]
                pieces[found[0]] = special
        if lacking := [special for special in ("[CLS]", "[SEP]") if special not in ids]:
            raise ConfigError(
                f"{type(tokenizer).__name__} has no token for {' and '.join(lacking)}. Set its cls_token and sep_token."
            )
        ids.setdefault("[PAD]", ids["[SEP]"])
        digest = hashlib.sha256("\n".join(tokens).encode()).hexdigest()[:8]
        return Borrowed(name or f"{type(tokenizer).__name__} {digest}", tuple(pieces), ids, tokenizer)

    @property
    def mask_id(self) -> int:
        """Id of the token that hides a word; ``TextError`` for a tokenizer that has none."""
        if "[MASK]" not in self.ids:
            raise TextError("This model's tokenizer has no [MASK]. Ask a model that predicts words.")
        return self.ids["[MASK]"]

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special pieces that there are."""
        return frozenset(self.ids[s] for s in SPECIALS if s in self.ids)

    def word(self, word: str) -> Pieces:
        """Ids and pieces of a word that stands inside a text."""
        return self.words(["", word])[1]

    def words(self, words: Sequence[str]) -> list[Pieces]:
        """Ids and pieces of each word of a text; some tokenizers cut the first one otherwise."""
        return [self._cut(word, first=place == 0) for place, word in enumerate(words)]

    def _cut(self, word: str, first: bool) -> Pieces:
        if (word, first) not in self._cuts:
            ids: list[int] = []
            for place, part in enumerate(split_masks(word)):
                if part is None:
                    ids.append(self.mask_id)
                elif part:
                    text = part if first or place else f" {part}"
                    ids += self.tokenizer(text, add_special_tokens=False)["input_ids"]
            shown = [self.pieces[at] for at in ids]
            self._cuts[word, first] = (tuple(ids), tuple(self._continuing(ids, shown)))
        return self._cuts[word, first]

    @cached_property
    def _cuts(self) -> dict[tuple[str, bool], Pieces]:
        return {}

    def _continuing(self, ids: Sequence[int], shown: Sequence[str]) -> Iterable[str]:
        """Names of the pieces of one word: "##" before those that go on where another one ended."""
        own = self.tokenizer.convert_ids_to_tokens(list(ids))
        ends = any(token.endswith("</w>") for token in own)
        for at, (token, piece) in enumerate(zip(own, shown, strict=True)):
            if at == 0 or (ends and own[at - 1].endswith("</w>")):
                yield piece.removeprefix("##") if piece != token else piece
            else:
                bare = piece.removeprefix("##")
                yield f"##{bare}" if ends and piece not in SPECIALS else piece


def _shown(token: str, starts: bool, ends: bool) -> str:
    """A token as WordPiece would show it."""
    if starts:
        return token[1:] if token.startswith("Ġ") else f"##{token}"
    if ends:
        return token.removesuffix("</w>") if token.endswith("</w>") else f"##{token}"
    return token
