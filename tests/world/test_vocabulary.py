"""The committed vocabulary is the one that the world makes."""

from tokenizers import BertWordPieceTokenizer

from vtexplore.world import GARDEN_THEME, WORDS, build_vocabulary, lexicon
from vtexplore.world.vocabulary import PATH, PIECES, SPECIAL


def test_rebuilding_gives_the_committed_file():
    assert build_vocabulary() == PATH.read_text(encoding="utf-8").splitlines()


def test_it_spells_everything_and_splits_a_few_words():
    tokenizer = BertWordPieceTokenizer(str(PATH), lowercase=True)
    pieces = PATH.read_text(encoding="utf-8").splitlines()
    assert tuple(pieces[:5]) == SPECIAL and len(pieces) == len(set(pieces)) == PIECES

    def cut(word):
        return tokenizer.encode(word, add_special_tokens=False).tokens

    split = [w for w in WORDS if len(cut(w)) > 1]
    assert 3 <= len(split) <= 12 and all(len(cut(w)) == 2 for w in split)
    everything = [*WORDS, *lexicon(language="de"), *lexicon(language="zh"), "zebra", "photographing", "2024"]
    assert not any("[UNK]" in cut(w) for w in everything)


def test_another_theme_has_another():
    garden = build_vocabulary(GARDEN_THEME, size=200, count=300)
    assert "leaf" in garden and "triangle" not in garden and len(garden) <= 200
