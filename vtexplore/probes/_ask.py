"""What every probe asks before it begins: a text, a model that can answer, and whether the two are at home."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import numpy as np

from vtexplore.data.outside import outside_world
from vtexplore.data.text import check_lexicon, plain, words_of
from vtexplore.errors import TextError, Unsupported
from vtexplore.types import Batch, Clip, Output, Stream, Tokens

SMALL = 30
"""Clips below which a result shows a case and not a rate (a drop of 10 points needs 155 pairs)."""


def text_of(model: Any, clip: Clip, text: str | None) -> str:
    """The text of a question: the given one, or the clip's caption; its words are held to the model's lexicon.

    Raises ``TextError`` if there is none, or if the model was never trained on one of its words.
    """
    text = clip.caption if text is None else text
    if text is None or not text.strip():
        raise TextError(
            f"{clip.name} has no caption of its own. Give a sentence: text='a red circle slides left', or, in a folder "
            "of clips, a .json with its caption beside it."
        )
    lexicon = card_of(model).get("lexicon")
    if lexicon:
        check_lexicon(text, frozenset(lexicon))
    return " ".join(text.split())


def foil_of(model: Any, clip: Clip, text: str, foil: str) -> str:
    """A sentence that is false of a clip, held to the model's lexicon.

    Raises ``TextError`` if it is empty, or the ``text`` that it should be told from.
    """
    if not foil.strip():
        raise TextError(f"The foil of {clip.name} is empty. Give a sentence that is false of it.")
    if [plain(word) for word in words_of(foil)] == [plain(word) for word in words_of(text)]:
        raise TextError(f"The foil of {clip.name} is the text itself, {text!r}. Give a sentence that is false of it.")
    return text_of(model, clip, foil)


def a_case(count: int, thing: str = "clip") -> tuple[str, ...]:
    """The notice that so few things show no rate; none from 30 on."""
    if count >= SMALL:
        return ()
    return (f"{count} {thing}s show cases, not a rate." if count > 1 else f"1 {thing} shows a case, not a rate.",)


def card_of(model: Any) -> dict[str, Any]:
    """The card of a model's weights; empty for a model that has none."""
    return getattr(model, "card", None) or {}


def notices(model: Any, clip: Clip) -> tuple[str, ...]:
    """What the reader must know before the numbers: what the card says of all, and a clip from outside its world."""
    of_all = card_of(model).get("notice")
    return (*([of_all] if of_all else []), *_foreign(model, clip))


def _foreign(model: Any, clip: Clip) -> tuple[str, ...]:
    """That a clip is from outside the world that the model knows."""
    home = card_of(model).get("world")
    if home is None or clip.world == home:
        return ()
    notice = outside_world(clip, home)
    return (notice.message,) if notice else ()


def needs(model: Any, output: Output, head: str, what: str) -> Any:
    """A field of the output, or ``Unsupported``, whose message names the families that have that head."""
    found = getattr(output, head)
    if found is not None:
        return found
    registry = import_module("vtexplore.registry")
    having = [name for name in registry.names() if head in registry.family(name).heads]
    others = f"Families that have one: {', '.join(having)}." if having else "No family here has one yet."
    raise Unsupported(f"{getattr(model, 'name', type(model).__name__)} has no head for {what}. {others}")


ALONE = {"match_logits": "matches", "word_logits": "fills"}
"""Methods that tell of one head alone, for a family for which that is less work."""


def alone(model: Any, head: str, video: Stream, text: Stream, batch: Batch) -> Output:
    """What a head says of videos and texts embedded before, and of a family that can tell it alone no more."""
    if hasattr(model, ALONE.get(head, "")):
        return Output(**{head: getattr(model, ALONE[head])(video, text, batch)})
    found: Output = model.read(video, text, batch)
    return found


def matches(model: Any, video: Stream, text: Stream, batch: Batch) -> Any:
    """The matching scores [item] of videos and texts embedded before.

    Raises ``Unsupported`` for a family without that head.
    """
    return needs(model, alone(model, "match_logits", video, text, batch), "match_logits", "matching")


def able(model: Any, method: str, what: str) -> Any:
    """A method of the model, or ``Unsupported``, whose message names the families whose page offers it."""
    found = getattr(model, method, None)
    if found is not None:
        return found
    registry = import_module("vtexplore.registry")
    having = [name for name in registry.names() if hasattr(registry.family(name).build, method)]
    others = f"Families that do: {', '.join(having)}." if having else "No family here does yet."
    raise Unsupported(f"{getattr(model, 'name', type(model).__name__)} does not {what}. {others}")


def few(times_s: Any, most: int = 8) -> np.ndarray:
    """Of the times at which a model looks, some to show: [frame] seconds, the middles of ``most`` equal parts."""
    times = np.asarray(times_s, dtype=float)
    count = min(len(times), most)
    return times[(np.arange(count) * 2 + 1) * len(times) // (2 * count)]


def about(model: Any, clip: Clip | None = None) -> dict[str, Any]:
    """The circumstances of a result: versions, model, the hash of its weights.

    ``precision`` if the model computes in 16 bits; ``foreign``: not a clip of its world.
    """
    from vtexplore import __version__

    precision = getattr(model, "precision", "fp32")
    return {
        "vtexplore": __version__,
        "torch": import_module("torch").__version__,
        "python": platform.python_version(),
        "model": getattr(model, "name", type(model).__name__),
        "size": getattr(model, "size", None),
        "weights": getattr(model, "weights_hash", None),
        **({} if precision == "fp32" else {"precision": precision}),
        **({"foreign": True} if clip is not None and _foreign(model, clip) else {}),
    }


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def pooling(tokens: Tokens, count: int) -> np.ndarray:
    """How whole words are made of tokens: [word, token], each row a mean over the word's pieces.

    Punctuation around a word does not count; a word that is nothing else keeps its pieces. A row is 0
    where the tokens hold no piece of that word.
    """
    table = np.zeros((count, len(tokens)))
    bare = np.array([bool(plain(label.removeprefix("##"))) for label in tokens.labels], dtype=bool)
    mine = tokens.where("text")
    for word in range(count):
        at = mine & (tokens.word == word)
        at = at & bare if (at & bare).any() else at
        table[word, at] = 1 / max(1, at.sum())
    return table


def find_word(words: Sequence[str], wanted: str | int) -> int:
    """The index of a word: by number, by its letters ("red", the first one), or "red:2" for the second.

    Raises ``TextError`` if the text has no such word, naming the nearest.
    """
    if isinstance(wanted, int):
        if not -len(words) <= wanted < len(words):
            raise TextError(f"The text has {len(words)} words, so there is no word {wanted}.")
        return wanted % len(words)
    name, _, nth = wanted.rpartition(":") if wanted.rpartition(":")[2].isdigit() else (wanted, "", "1")
    found = [i for i, word in enumerate(words) if (plain(word) or word) == (plain(name) or name)]
    if 0 < int(nth) <= len(found):
        return found[int(nth) - 1]
    if found:
        raise TextError(f"{name!r} stands {len(found)} times in the text, so there is no {wanted!r}.")
    near = get_close_matches(plain(name), [plain(w) for w in words], n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Its words: {' '.join(words)}."
    raise TextError(f"The text has no word {wanted!r}. {hint}")


def split(text: str) -> tuple[str, ...]:
    """The words of a text as the truth of a world counts them."""
    return tuple(words_of(text))
