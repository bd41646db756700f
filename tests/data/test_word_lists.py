"""Words of published models: found in the Hugging Face cache, cut as their own tokenizers cut, or one sentence."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from tokenizers import Tokenizer, models, pre_tokenizers

from vtexplore import registry
from vtexplore.data.text import SPECIALS, _stored, encode, vocabulary
from vtexplore.data.word_lists import WORD_LISTS
from vtexplore.errors import TextError

BERT = [*SPECIALS, "the", "red", "disc", "##s"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "t", "h", "e", "Ġ", "r", "d", "he", "the", "Ġr", "Ġre", "Ġred", "<mask>"]
CLIP = ["t", "h", "e</w>", "r", "e", "d</w>", "th", "the</w>", "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]


@pytest.fixture(autouse=True)
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of this test's own, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    _stored.cache_clear()
    yield
    _stored.cache_clear()


def cached(folder: Path, repo: str, name: str, text: str) -> None:
    """A file as huggingface_hub leaves it."""
    home = folder / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc")
    (home / "snapshots" / "abc").mkdir(parents=True)
    (home / "snapshots" / "abc" / name).write_text(text, encoding="utf-8")


def bpe(words: list[str], merges: list[tuple[str, str]], **how: str) -> str:
    """A tokenizer.json with these tokens."""
    machine = Tokenizer(models.BPE({word: at for at, word in enumerate(words)}, merges, **how))
    machine.pre_tokenizer = pre_tokenizers.Whitespace() if how else pre_tokenizers.ByteLevel(add_prefix_space=False)
    return machine.to_str()


@pytest.mark.parametrize("repo", WORD_LISTS["bert-base-uncased"].repos)
def test_a_list_is_found_under_its_new_name_and_its_old_one(tmp_path: Path, repo: str) -> None:
    cached(tmp_path, repo, "vocab.txt", "\n".join(BERT) + "\n")
    known = vocabulary("bert-base-uncased")
    assert known.pieces == tuple(BERT) and known.word("Discs,") == ((7, 8, 1), ("disc", "##s", "[UNK]"))


def test_words_of_roberta_and_of_clip_have_their_own_ids(tmp_path: Path) -> None:
    merges = [("h", "e"), ("t", "he"), ("Ġ", "r"), ("Ġr", "e"), ("Ġre", "d")]
    cached(tmp_path, "FacebookAI/roberta-base", "tokenizer.json", bpe(ROBERTA, merges))
    read = encode(["the red [MASK]"], 8, "roberta-base")
    assert read.ids[0].tolist() == [0, 11, 14, 15, 2, 1, 1, 1]  # <s> the Ġred <mask> </s> <pad> …
    assert read.pieces[0][:5] == ("[CLS]", "the", "red", "[MASK]", "[SEP]")
    merges = [("t", "h"), ("th", "e</w>"), ("r", "e"), ("re", "d</w>")]
    text = bpe(CLIP, merges, end_of_word_suffix="</w>")
    cached(tmp_path, "openai/clip-vit-base-patch32", "tokenizer.json", text)
    assert encode(["the red"], 6, "clip").ids[0].tolist() == [10, 7, 9, 11, 11, 11]  # the first end is the text's


def test_what_is_not_here_is_one_sentence_with_its_mend() -> None:
    for name, known in WORD_LISTS.items():
        with pytest.raises(TextError) as told:
            vocabulary(name)
        assert f"hf download {known.repos[0]} {known.file}" in str(told.value) and "\n" not in str(told.value)
    with pytest.raises(
        TextError, match="'world', bert-base-uncased, bert-large-uncased, roberta-base, clip, or the path"
    ):
        vocabulary("bert-base-cased")


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roberta-base").mkdir()
    (tmp_path / "roberta-base" / "vocab.txt").write_text("\n".join(BERT))
    assert vocabulary("roberta-base").pieces == tuple(BERT)


def test_every_size_with_published_weights_asks_for_words_that_can_be_found() -> None:
    for name in set(registry.publications()) & set(registry.names()):
        sizes = {layout.size for layout in registry.published(name).layouts}
        wanted = {registry.family(name).inputs(size).vocabulary for size in sizes}
        assert wanted <= set(WORD_LISTS), json.dumps({name: sorted(wanted)})
