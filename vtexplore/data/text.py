"""Words become WordPieces, and every piece remembers its word.

A *word* is what stands between two spaces, with its punctuation: ``"a red circle,"`` has three, and the
truth of a world counts them in the same way. A *piece* is an entry of a BERT vocabulary. ``[MASK]``
typed by a user is one masked word.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from vtexplore.data.borrowed import Borrowed
from vtexplore.data.pieces import MASK_AT, SPECIALS, Vocabulary, split_masks
from vtexplore.data.word_lists import WORD_LISTS, find_list
from vtexplore.errors import TextError

__all__ = [
    "SPECIALS",
    "Encoded",
    "Vocabulary",
    "check_lexicon",
    "encode",
    "hide_word",
    "lend",
    "nearest",
    "plain",
    "split_masks",
    "vocabulary",
    "words_of",
]


def words_of(text: str) -> list[str]:
    """The words of a text, punctuation included: what stands between spaces."""
    return text.split()


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def plain(word: str) -> str:
    """A word in lower case without the punctuation around it: ``"Circle,"`` → ``"circle"``."""
    start, stop = 0, len(word)
    while start < stop and _is_punctuation(word[start]):
        start += 1
    while stop > start and _is_punctuation(word[stop - 1]):
        stop -= 1
    return word[start:stop].lower()


# ── vocabulary ────────────────────────────────────────────────────────────────────────────────────


_LENT: dict[str, Vocabulary] = {}


def lend(known: Vocabulary) -> str:
    """Let ``vocabulary`` find, in this process, one that stands in no file; returns its name, for ``Inputs``."""
    _LENT[known.name] = known
    return known.name


def vocabulary(name: str = "world") -> Vocabulary:
    """The vocabulary of the world (``"world"``), one that was lent, of a file with one piece a line, as BERT's is, or
    one of ``WORD_LISTS`` by its name: found in the Hugging Face cache, or fetched into it when first used.

    Raises ``TextError`` if there is no such file, if it cannot be fetched, or if it lacks a special piece.
    """
    return _LENT[name] if name in _LENT else _stored(name)


@lru_cache(maxsize=8)
def _stored(name: str) -> Vocabulary:
    if name in WORD_LISTS and not Path(name).exists():
        path = find_list(name)
        if path.suffix == ".json":
            return Borrowed.of(WORD_LISTS[name].tokenizer(path), name)
        return _of_lines(name, path.read_text("utf-8"))
    if name == "world":
        lines = resources.files("vtexplore.world").joinpath("vocab.txt").read_text("utf-8")
    else:
        path = Path(name).expanduser()
        path = path / "vocab.txt" if path.is_dir() else path
        try:
            lines = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise TextError(
                f"{name}: no WordPiece vocabulary can be read there; give 'world', "
                f"{', '.join(WORD_LISTS)}, or the path of a vocab.txt with one piece a line."
            ) from None
    return _of_lines(name, lines)


def _of_lines(name: str, lines: str) -> Vocabulary:
    pieces = tuple(line.rstrip("\r") for line in lines.rstrip("\n").split("\n"))
    ids = {piece: i for i, piece in enumerate(pieces)}
    lacking = [s for s in SPECIALS if s not in ids]
    if lacking:
        raise TextError(
            f"{name}: not a BERT vocabulary, it lacks {' '.join(lacking)}; give the path of a "
            "vocab.txt with one piece a line."
        )
    return Vocabulary(name, pieces, ids)


# ── texts ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Encoded:
    """Texts as a model reads them, all padded to one length.

    ``ids`` int64 [batch, word] · ``mask`` bool [batch, word] · ``pieces`` [batch][word] ·
    ``piece_words`` [batch, word]: which word of the text a piece belongs to, −1 for [CLS] [SEP] [PAD].
    """

    ids: np.ndarray
    mask: np.ndarray
    pieces: tuple[tuple[str, ...], ...]
    piece_words: np.ndarray


def encode(texts: Sequence[str], max_words: int, name: str = "world") -> Encoded:
    """``[CLS] pieces [SEP] [PAD]…`` of each text, ``max_words`` pieces long.

    Raises ``TextError`` if a text does not fit; it says how many of its words do.
    """
    known = vocabulary(name)
    ids = np.full((len(texts), max_words), known.pad_id, dtype=np.int64)
    piece_words = np.full((len(texts), max_words), -1, dtype=np.int64)
    mask = np.zeros((len(texts), max_words), dtype=bool)
    pieces = []
    for row, text in enumerate(texts):
        words = known.words(words_of(text))
        flat = [i for word_ids, _ in words for i in word_ids]
        if len(flat) > max_words - 2:
            raise TextError(_too_long(text, [len(w) for w, _ in words], max_words - 2))
        end = len(flat) + 1
        ids[row, 0], ids[row, 1:end], ids[row, end] = known.start_id, flat, known.end_id
        piece_words[row, 1:end] = [i for i, (w, _) in enumerate(words) for _ in w]
        mask[row, : end + 1] = True
        middle = tuple(p for _, word_pieces in words for p in word_pieces)
        pieces.append(("[CLS]", *middle, "[SEP]", *["[PAD]"] * (max_words - end - 1)))
    return Encoded(ids, mask, tuple(pieces), piece_words)


def _too_long(text: str, lengths: list[int], room: int) -> str:
    fit = int(np.searchsorted(np.cumsum(lengths), room, side="right"))
    words = words_of(text)
    last = f"; the first {fit} fit, up to {words[fit - 1]!r}" if fit else ""
    return (
        f"The text has {len(words)} words ({sum(lengths)} pieces), too many for the {room} pieces that "
        f"this model reads{last}. Shorten it."
    )


def hide_word(text: str, word: int) -> str:
    """The text with its word of that index replaced by ``[MASK]``; the word's punctuation stays.

    Raises ``TextError`` if the text has no such word.
    """
    words = words_of(text)
    if not -len(words) <= word < len(words):
        raise TextError(f"{text!r} has {len(words)} words, so there is no word {word}.")
    if MASK_AT.search(words[word]):
        return " ".join(words)
    inner = plain(words[word])
    at = words[word].lower().find(inner) if inner else 0
    length = len(inner) or len(words[word])
    words[word] = words[word][:at] + "[MASK]" + words[word][at + length :]
    return " ".join(words)


# ── lexicon ───────────────────────────────────────────────────────────────────────────────────────


def nearest(word: str, lexicon: Collection[str], count: int = 3) -> list[str]:
    """Up to ``count`` words of the lexicon that are spelt most like ``word``, best first."""
    return difflib.get_close_matches(word.lower(), sorted(lexicon), n=count, cutoff=0.6)


def check_lexicon(text: str, lexicon: Collection[str]) -> None:
    """Raise ``TextError`` for words that a miniature was never trained on; name the nearest known ones.

    ``lexicon`` holds plain words in lower case. Punctuation and ``[MASK]`` are always known; of a word
    with a hyphen or apostrophe it is enough that its parts are.
    """
    unknown = []
    for word in words_of(text):
        bare = plain(MASK_AT.sub("", word))
        parts = [p for p in re.split(r"[\W_]+", bare) if p]
        if bare and bare not in lexicon and not all(p in lexicon for p in parts) and bare not in unknown:
            unknown.append(bare)
    if not unknown:
        return
    hints = []
    for word in unknown:
        near = nearest(word, lexicon)
        hints.append(f"{word!r} (known: {', '.join(near)})" if near else repr(word))
    raise TextError(
        f"This model was never trained on {_listed(hints)}; what it says of such a word means nothing. "
        "Use words that it knows."
    )


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
