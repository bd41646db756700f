"""BERT (Devlin et al. 2018, arXiv 1810.04805): words alone, both ways. It never sees a clip, which makes it a control.

What it says beside a clip is what can be guessed from the text.
"""

from __future__ import annotations

from typing import Any

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import LAYERS, Feed, Kind, Wants, tiny, worded
from vtexplore.guests._parts import words
from vtexplore.types import Batch, Output


def wants(config: Any) -> Wants:
    """A text."""
    return Wants(words=config.max_position_embeddings)


def feed(guest: Guest, batch: Batch) -> Feed:
    """The words."""
    return Feed(worded(batch), {"words": words(batch)})


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """Words, where the class predicts them; else the state of [CLS]."""
    if "last_hidden_state" in out:
        return Output(text_embedding=out.last_hidden_state[:, 0])
    return Output(word_logits=out.get("logits", out.get("prediction_logits")))


def small(name: str, vocabulary: int) -> Any:
    """Two layers."""
    return tiny(
        "BertConfig",
        name,
        vocab_size=vocabulary,
        **LAYERS,
        max_position_embeddings=48,
    )


KIND = Kind(
    title="BERT",
    paper="arXiv 1810.04805",
    sites=((r"encoder\.layer\.\d+\.attention\.self", "words>words"),),
    states=((r"encoder\.layer\.\d+", "words"),),
    wants=wants,
    feed=feed,
    say=say,
    classes=("BertForMaskedLM", "BertForPreTraining", "BertModel"),
    small=small,
)
