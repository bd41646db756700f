"""Small guests with fresh weights, and processors made of a handful of words: nothing is fetched."""

from pathlib import Path
from typing import Any

import torch
import transformers

from vtexplore import guests

LETTERS = list("abcdefghijklmnopqrstuvwxyz.,")
WORDS = ["the", "a", "red", "blue", "disc", "square", "slides", "right", "left", "and", "still", "stand", "##s"]


def bert_tokenizer(folder: Path) -> Any:
    """WordPiece, lower case."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    path = folder / "vocab.txt"
    path.write_text("\n".join([*specials, *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS)]) + "\n")
    return transformers.BertTokenizer(vocab=str(path))


def clip_tokenizer(folder: Path) -> Any:
    """Byte pairs whose words end in </w>."""
    merges = [("r", "e"), ("re", "d</w>"), ("t", "h"), ("th", "e</w>"), ("s", "l")]
    pieces = [*LETTERS, *(f"{c}</w>" for c in LETTERS), *("".join(m) for m in merges)]
    vocab = {p: i for i, p in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    return transformers.CLIPTokenizer(vocab=vocab, merges=merges)


def roberta_tokenizer(folder: Path) -> Any:
    """Byte pairs whose words begin with a space."""
    merges = [("r", "e"), ("re", "d"), ("Ġ", "red"), ("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "s")]
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = [*specials, "Ġ", *LETTERS, *("".join(m) for m in merges)]
    return transformers.RobertaTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=merges)


TOKENIZERS = {"clip": clip_tokenizer, "xclip": clip_tokenizer, "bridgetower": roberta_tokenizer}


def image_processor() -> Any:
    return transformers.models.clip.image_processing_pil_clip.CLIPImageProcessorPil()


def made(name: str, folder: Path, cls: str | None = None, **options: Any) -> Any:
    """A guest of a kind (of its first class), the same each time."""
    kind = guests.kind_of(name)
    tokenizer = TOKENIZERS.get(name, bert_tokenizer)(folder)
    torch.manual_seed(0)
    model = kind.small(cls or kind.classes[0], len(tokenizer)).eval()
    wants = kind.wants(model.config)
    detector = guests.cells(wants.regions) if wants.regions else None
    return guests.wrap(model, (tokenizer, image_processor()), detector=detector, **options)
