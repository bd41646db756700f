"""A vocabulary: a list of pieces, and how a word is cut into them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MASK_AT = re.compile(r"(\[MASK\])", re.IGNORECASE)


def split_masks(word: str) -> list[str | None]:
    """What stands around each ``[MASK]`` of a word; None for the mask itself."""
    return [None if part.upper() == "[MASK]" else part for part in MASK_AT.split(word)]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A WordPiece list: ``pieces`` in the order of their ids, and where the special ones stand.

    Whether text is lower-cased and loses its accents is read off the list itself: a list without a
    capital letter or an accented one was made for text without them.
    """

    name: str
    pieces: tuple[str, ...]
    ids: dict[str, int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def pad_id(self) -> int:
        """Id of ``[PAD]``."""
        return self.ids["[PAD]"]

    @property
    def unknown_id(self) -> int:
        """Id of ``[UNK]``."""
        return self.ids["[UNK]"]

    @property
    def start_id(self) -> int:
        """Id of ``[CLS]``."""
        return self.ids["[CLS]"]

    @property
    def end_id(self) -> int:
        """Id of ``[SEP]``."""
        return self.ids["[SEP]"]

    @property
    def mask_id(self) -> int:
        """Id of ``[MASK]``."""
        return self.ids["[MASK]"]

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of the five special pieces."""
        return frozenset(self.ids[s] for s in SPECIALS)

    def word(self, word: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Ids and pieces of one word (its punctuation is pieces of its own; may be empty)."""
        found = self._seen.get(word)
        if found is None:
            found = self._split(word)
            if len(self._seen) < 100_000:  # a course never gets there; a web corpus would
                self._seen[word] = found
        return found

    def words(self, words: Sequence[str]) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
        """Ids and pieces of each word of a text."""
        return [self.word(word) for word in words]

    @cached_property
    def _seen(self) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
        return {}

    def _split(self, word: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
        ids: list[int] = []
        pieces: list[str] = []
        for part in split_masks(word):
            if part is None:
                ids.append(self.mask_id)
                pieces.append("[MASK]")
            elif part:
                done = self._machine.encode(part, add_special_tokens=False)
                ids += done.ids
                pieces += done.tokens
        return tuple(ids), tuple(pieces)

    @cached_property
    def _machine(self) -> Tokenizer:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

        ordinary = [p for p in self.pieces if p not in SPECIALS and not p.startswith("[unused")]
        machine = Tokenizer(models.WordPiece(self.ids, unk_token="[UNK]"))
        machine.normalizer = normalizers.BertNormalizer(
            lowercase=not any(p != p.lower() for p in ordinary),
            strip_accents=not any(
                unicodedata.category(c) == "Mn" for p in ordinary for c in unicodedata.normalize("NFD", p)
            ),
        )
        machine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return machine
