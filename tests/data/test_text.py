"""Words, pieces, masks and the lexicon."""

import pytest

from vtexplore.data.text import check_lexicon, encode, hide_word, nearest, plain, vocabulary, words_of
from vtexplore.errors import TextError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*SPECIAL, "a", "red", "circle", "slide", "##s", "tri", "##angle", ",", ".", "'", "s", "ü", "##n"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "vocab.txt"
    file.write_text("\n".join(PIECES) + "\n", "utf-8")
    return str(file)


def test_pieces_know_their_word(path):
    got = encode(["A red triangle, slides."], 12, path)
    assert " ".join(got.pieces[0]) == "[CLS] a red tri ##angle , slide ##s . [SEP] [PAD] [PAD]"
    assert got.piece_words[0].tolist() == [-1, 0, 1, 2, 2, 2, 3, 3, 3, -1, -1, -1]
    assert got.mask[0].tolist() == [True] * 10 + [False] * 2
    assert [PIECES[i] for i in got.ids[0]] == list(got.pieces[0])


def test_same_pieces_as_transformers(path):
    transformers = pytest.importorskip("transformers")
    try:
        theirs = transformers.BertTokenizer(vocab=path)
    except TypeError:
        theirs = transformers.BertTokenizer(path)
    for text in ["A red triangle, slides.", "the red-circle's  slide ...", "a [MASK] circle.", ""]:
        wanted = theirs(text)["input_ids"]
        assert encode([text], 24, path).ids[0, : len(wanted)].tolist() == wanted


def test_typed_mask_is_one_word(path):
    got = encode(["a [MASK] circle, [mask]."], 12, path)
    assert got.pieces[0][:8] == ("[CLS]", "a", "[MASK]", "circle", ",", "[MASK]", ".", "[SEP]")
    assert got.piece_words[0][:8].tolist() == [-1, 0, 1, 2, 2, 3, 3, -1]
    assert got.ids[0, 2] == vocabulary(path).mask_id


def test_case_and_accents_follow_the_list(path):
    assert vocabulary(path).word("ÜN")[1] == ("ü", "##n")


def test_too_long_says_how_many_words_fit(path):
    with pytest.raises(TextError, match=r"has 5 words \(7 pieces\).*first 3 fit, up to 'triangle'"):
        encode(["a red triangle slides a"], 7, path)
    encode(["a red triangle slides a"], 9, path)


@pytest.mark.parametrize("content", ["[PAD]\n[UNK]\na\n", "\ufffd"])
def test_a_file_that_is_no_vocabulary(tmp_path, content):
    (tmp_path / "v.txt").write_text(content, "utf-8")
    with pytest.raises(TextError, match="lacks"):
        vocabulary(str(tmp_path / "v.txt"))
    with pytest.raises(TextError, match="no WordPiece vocabulary"):
        vocabulary(str(tmp_path / "none.txt"))


def test_hide_word_keeps_punctuation():
    assert hide_word("a red circle, then", 2) == "a red [MASK], then"
    assert hide_word("'Tis a star!", -1) == "'Tis a [MASK]!"
    assert hide_word("a [MASK] star", 1) == "a [MASK] star"
    with pytest.raises(TextError, match="has 2 words"):
        hide_word("a star", 2)


def test_lexicon_names_the_word_and_its_neighbours():
    known = {"a", "red", "circle", "slides", "left", "its", "half", "time"}
    check_lexicon("A red CIRCLE, slides [MASK] half-time. -- it's [MASK]s", known | {"it", "s"})
    with pytest.raises(TextError, match=r"'cirle' \(known: circle\)") as error:
        check_lexicon("a cirle slides left", known)
    assert "\n" not in str(error.value)
    with pytest.raises(TextError, match="'zzzz' and 'qqqq'"):
        check_lexicon("zzzz qqqq zzzz", known)
    assert nearest("slide", known)[0] == "slides"


def test_words_and_plain():
    assert words_of("  a red,\tcircle\n") == ["a", "red,", "circle"]
    words = {"Circle,": "circle", "(half-time)": "half-time", "...": "", "it's": "it's"}
    assert [plain(w) for w in words] == list(words.values())
