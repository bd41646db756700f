"""LXMERT (Tan & Bansal 2019, arXiv 1908.07490): words and regions, each by themselves first, then across.

In each layer of the last stack, one and the same cross-attention is called twice, words asking regions and then
regions asking words: two sites, ``….words`` and ``….regions``. ``transformers`` returns only the first.
A picture model: each frame's regions are read beside the text, and scores are means over frames.
"""

from __future__ import annotations

from typing import Any

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import Feed, Kind, Wants, mean_of_frames, tiny, worded
from vtexplore.guests._parts import frame_by_frame, regions, words_of_each_frame
from vtexplore.types import Batch, Output


def wants(config: Any) -> Wants:
    """A text, and regions with boxes."""
    return Wants(None, 96, words=config.max_position_embeddings, regions=config.visual_feat_dim)


def feed(guest: Guest, batch: Batch) -> Feed:
    """The text beside each frame's regions."""
    frames = batch.video.shape[1]
    boxes, features = guest.found(batch)
    inputs = worded(batch, frames) | {"visual_feats": features.flatten(0, 1), "visual_pos": boxes.flatten(0, 1)}
    return Feed(
        inputs,
        {
            "words": frame_by_frame(frames, words_of_each_frame(batch)),
            "regions": frame_by_frame(frames, regions(batch, boxes)),
        },
    )


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """Words, the match (label 1 is "matches") and answers, mean over frames."""
    frames = batch.video.shape[1]
    match = mean_of_frames(out.get("cross_relationship_score"), frames)
    return Output(
        word_logits=mean_of_frames(out.get("prediction_logits"), frames),
        match_logits=None if match is None else match[:, 1] - match[:, 0],
        answer_logits=mean_of_frames(out.get("question_answering_score"), frames),
    )


def small(name: str, vocabulary: int) -> Any:
    """Two layers a stack."""
    return tiny(
        "LxmertConfig",
        name,
        vocab_size=vocabulary,
        hidden_size=32,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=40,
        l_layers=2,
        x_layers=2,
        r_layers=2,
        visual_feat_dim=14,
        num_qa_labels=12,
    )


KIND = Kind(
    title="LXMERT",
    paper="arXiv 1908.07490",
    sites=(
        (r"encoder\.layer\.\d+\.attention\.self", "words>words"),
        (r"encoder\.r_layers\.\d+\.attention\.self", "regions>regions"),
        (r"encoder\.x_layers\.\d+\.visual_attention\.att", "words>regions", "regions>words"),
        (r"encoder\.x_layers\.\d+\.lang_self_att\.self", "words>words"),
        (r"encoder\.x_layers\.\d+\.visn_self_att\.self", "regions>regions"),
    ),
    states=(
        (r"encoder\.layer\.\d+", "words"),
        (r"encoder\.r_layers\.\d+", "regions"),
        (r"encoder\.x_layers\.\d+\.visual_attention", "words", "regions"),
        (r"encoder\.x_layers\.\d+\.lang_self_att", "words"),
        (r"encoder\.x_layers\.\d+\.visn_self_att", "regions"),
        (r"encoder\.x_layers\.\d+", "words", "regions"),
    ),
    wants=wants,
    feed=feed,
    say=say,
    classes=("LxmertForPreTraining", "LxmertForQuestionAnswering", "LxmertModel"),
    small=small,
    frames_independent=True,
)
