"""VisualBERT (Li et al. 2019, arXiv 1908.03557): regions appended to the words of a BERT.

Regions carry no box: where a thing is, the model is not told. A picture model: each frame's regions are read beside
the text, and scores are means over frames. Of its two labels, 1 is taken for "the sentence fits"; the docstring of
``transformers`` says the opposite, and no published file was at hand to tell.
"""

from __future__ import annotations

from typing import Any

import torch

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import LAYERS, Feed, Kind, Wants, mean_of_frames, tiny, worded
from vtexplore.guests._parts import frame_by_frame, regions, words_of_each_frame
from vtexplore.types import Batch, Output


def wants(config: Any) -> Wants:
    """A text, and regions."""
    return Wants(None, 96, words=config.max_position_embeddings, regions=config.visual_embedding_dim)


def feed(guest: Guest, batch: Batch) -> Feed:
    """The text beside each frame's regions, in one sequence."""
    frames = batch.video.shape[1]
    boxes, features = guest.found(batch)
    there = torch.ones(features.flatten(0, 1).shape[:2], dtype=torch.long, device=features.device)
    visual = {"visual_embeds": features.flatten(0, 1), "visual_attention_mask": there, "visual_token_type_ids": there}
    joint = frame_by_frame(frames, words_of_each_frame(batch), regions(batch, boxes))
    return Feed(worded(batch, frames) | visual, {"joint": joint})


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """Words and the match, mean over frames."""
    frames, length = batch.video.shape[1], batch.word_ids.shape[1]
    words = mean_of_frames(out.get("prediction_logits"), frames)
    match = mean_of_frames(out.get("seq_relationship_logits"), frames)
    return Output(
        word_logits=None if words is None else words[:, :length],
        match_logits=None if match is None else match[:, 1] - match[:, 0],
    )


def small(name: str, vocabulary: int) -> Any:
    """Two layers."""
    return tiny(
        "VisualBertConfig",
        name,
        vocab_size=vocabulary,
        **LAYERS,
        max_position_embeddings=40,
        visual_embedding_dim=14,
    )


KIND = Kind(
    title="VisualBERT",
    paper="arXiv 1908.03557",
    sites=((r"encoder\.layer\.\d+\.attention\.self", "joint>joint"),),
    states=((r"encoder\.layer\.\d+", "joint"),),
    wants=wants,
    feed=feed,
    say=say,
    classes=("VisualBertForPreTraining", "VisualBertModel"),
    small=small,
    frames_independent=True,
)
