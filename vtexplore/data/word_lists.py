"""Word lists of published models: found in the Hugging Face cache, or fetched into it when one is first used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtexplore.errors import TextError


@dataclass(frozen=True)
class WordList:
    """Where a published list lies: a ``file`` of repositories on the hub, the first the one to fetch from.

    A vocab.txt has one WordPiece a line; a tokenizer.json says all but which of its tokens are ``special``.
    """

    repos: tuple[str, ...]
    file: str = "vocab.txt"
    special: Mapping[str, str] = field(default_factory=dict)

    def tokenizer(self, path: Path) -> Any:
        """The tokenizer in a tokenizer.json."""
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast(tokenizer_file=str(path), **self.special)


_ROBERTA = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
_CLIP = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}

WORD_LISTS: dict[str, WordList] = {
    "bert-base-uncased": WordList(("google-bert/bert-base-uncased", "bert-base-uncased")),
    "bert-large-uncased": WordList(("google-bert/bert-large-uncased", "bert-large-uncased")),
    "roberta-base": WordList(("FacebookAI/roberta-base", "roberta-base"), "tokenizer.json", _ROBERTA),
    "clip": WordList(("openai/clip-vit-base-patch32",), "tokenizer.json", _CLIP),
}
"""The names by which published sizes ask for their words (``Inputs.vocabulary``)."""


def find_list(name: str) -> Path:
    """The file of one of ``WORD_LISTS``, fetched if it is not in the cache; ``TextError`` if it cannot be had."""
    import huggingface_hub

    known = WORD_LISTS[name]
    for repo in known.repos:
        found = huggingface_hub.try_to_load_from_cache(repo, known.file)
        if isinstance(found, str):
            return Path(found)
    repo = known.repos[0]
    try:
        return Path(huggingface_hub.hf_hub_download(repo, known.file))
    except Exception as error:  # whatever the hub, or the network, answers
        raise TextError(
            f"The words of {name} are not on this machine, and {known.file} of {repo} cannot be fetched: get it where "
            f"there is a network (`hf download {repo} {known.file}`), and copy the Hugging Face cache."
        ) from error
