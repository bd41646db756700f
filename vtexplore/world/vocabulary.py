"""The world's words, sentences without end, and the WordPiece vocabulary made of them.

python -m vtexplore.world.vocabulary      writes vtexplore/world/vocab.txt anew (the same file)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from vtexplore.world.act import pick
from vtexplore.world.sampling import draft_scene
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.telling import narration, questions
from vtexplore.world.theme import Theme, Voice
from vtexplore.world.tongues import FILLERS, SMALL_TALK

PATH = Path(__file__).with_name("vocab.txt")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PIECES = 600
SENTENCES = 6000
WHOLE = 110
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?!-'"


def lexicon(theme: Theme = SHAPES_THEME, language: str = "en") -> frozenset[str]:
    """Every word that captions of a theme can contain, all annotators together, as they are written.

    Raises ``ConfigError`` if the theme does not speak the language.
    """
    voices = theme.voices if language == "en" else (theme.voice(0, language),)
    return frozenset(w for v in voices for w in _words_of(theme, v))


def _words_of(theme: Theme, voice: Voice) -> Iterator[str]:
    concepts = [*theme.colours, *theme.shapes]
    cases = {k.split(".", 1)[1] for k in voice.words if "." in k}
    for kind in theme.actions:
        slots = voice.says.get(kind, theme.actions[kind].says) + voice.after.get(kind, ())
        yield from (voice.word(c) for c, role in slots if role != "target")
    yield from (voice.word(b) for b in theme.backgrounds)
    yield from (voice.word(p) for p in voice.where if "{" not in p)
    yield from (voice.word(p) for p in (*voice.noun, *voice.noun_with) if "{" not in p)
    yield from (voice.word(f"it.{s}") for s in theme.shapes)
    for concept in concepts:
        yield voice.word(concept)
        yield from (voice.words[f"{concept}.{c}"] for c in cases if f"{concept}.{c}" in voice.words)
    yield from (voice.word(f"the.{s}") for s in theme.shapes if "the.{shape}" in voice.noun)
    for pattern in (p for table in (voice.templates, voice.frames) for ps in table.values() for p in ps):
        yield from (voice.word(w) for w in pattern.split() if "{" not in w)


WORDS = lexicon()
"""Every word that an English caption of the default theme can contain."""


def sentences(seed: int | np.random.Generator = 0, theme: Theme = SHAPES_THEME, split: str = "train") -> Iterator[str]:
    """Captions without end, for a text encoder that sees no pictures; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    while True:
        yield draft_scene(rng, split, theme=theme).caption.text


def build_vocabulary(
    theme: Theme = SHAPES_THEME, size: int = PIECES, count: int = SENTENCES, seed: int = 0
) -> list[str]:
    """WordPieces of a theme's text in all its languages: special ones first, then characters, then merges.

    Text is read as a lower-case BERT reads it (accents stripped, Chinese cut into characters). The most
    frequent pair of neighbours is merged until there are ``size`` pieces; so frequent words end up
    whole, and rare or long ones split, as they do in life. Ties go by spelling, which makes it
    deterministic: the trainer of the tokenizers library is not.
    """
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    read, cut = BertNormalizer(lowercase=True), BertPreTokenizer()
    counts: Counter[str] = Counter()
    for line, times in _corpus(theme, count, seed):
        for word, _ in cut.pre_tokenize_str(read.normalize_str(line)):
            counts[word] += times
    words = {w: [w[0], *(f"##{c}" for c in w[1:])] for w in counts}
    letters = {w[0] for w in counts} | {f"##{c}" for c in LETTERS}
    pieces = [*SPECIAL, *sorted(letters | {p for ps in words.values() for p in ps})]
    known = set(pieces)
    while len(pieces) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for w, ps in words.items():
            if len(ps) > 2 or counts[w] >= WHOLE:
                for pair in pairwise(ps):
                    pairs[pair] += counts[w]
        if not pairs:
            break
        one, two = max(pairs, key=lambda p: (pairs[p], p))
        merged = one + two.removeprefix("##")
        if merged not in known:
            known.add(merged)
            pieces.append(merged)
        for w, ps in words.items():
            if len(ps) > 2 or counts[w] >= WHOLE:
                words[w] = _merge(ps, one, two, merged)
    return pieces


def _merge(pieces: list[str], one: str, two: str, merged: str) -> list[str]:
    out: list[str] = []
    for p in pieces:
        if out and out[-1] == one and p == two:
            out[-1] = merged
        else:
            out.append(p)
    return out


def _corpus(theme: Theme, count: int, seed: int) -> Iterator[tuple[str, int]]:
    """(line, how often it counts): captions, a tenth as much narration, questions and other languages."""
    for line in islice(sentences(seed, theme), count):
        yield line, 1
    rng = np.random.default_rng(seed + 1)
    for number in range(count // 10):
        scene = draft_scene(rng, theme=theme)
        for language in theme.languages:
            yield pick(rng, list(scene.captions(language=language))).text, 1
        for speech in narration(scene, number):
            yield speech.words, 1
        for q in questions(scene, number):
            if q.kind != "verify":  # captions again, half of them foils: the vocabulary shall not hang on those
                yield f"{q.text} {q.answer}", 1
    # Whatever the draws were, each word is there, and any text can be spelled.
    every_word = sorted(w for language in ("en", *theme.languages) for w in lexicon(theme, language))
    for line in ["is it true that yes no", *FILLERS, *SMALL_TALK, *every_word]:
        yield line, 5
    yield from ((letter, 1) for letter in LETTERS)


if __name__ == "__main__":
    PATH.write_text("\n".join(build_vocabulary()) + "\n", encoding="utf-8")
    print(f"{PATH.name}: {len(PATH.read_text(encoding='utf-8').splitlines())} pieces")
