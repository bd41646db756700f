"""BridgeTower (Xu et al. 2023, arXiv 2206.08657): two towers, and bridges from their upper layers into a third.

Each layer of the third looks at its own words (or patches), then across. ``transformers`` returns the first of these
looks and calls it attention; the cross one, ``….crossattention``, is what tells where words look. A picture model:
the text stands beside each frame, and scores are means over frames.
"""

from __future__ import annotations

from typing import Any

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import Feed, Kind, Wants, mean_of_frames, square, tiny, unit, worded
from vtexplore.guests._parts import frame_by_frame, patches, words_of_each_frame
from vtexplore.types import Batch, Output


def wants(config: Any) -> Wants:
    """A text (RoBERTa's places begin at 2) and pictures."""
    vision = config.vision_config
    rows, columns = square(vision.image_size, vision.patch_size)
    return Wants(None, vision.image_size, (0, rows, columns), config.text_config.max_position_embeddings - 2)


def feed(guest: Guest, batch: Batch) -> Feed:
    """The text beside each frame."""
    frames = batch.video.shape[1]
    inputs = worded(batch, frames) | {"pixel_values": guest.pixels(batch).flatten(0, 1)}
    words = frame_by_frame(frames, words_of_each_frame(batch))
    return Feed(inputs, {"words": words, "frames": frame_by_frame(frames, patches(batch, guest.grid(batch), cls=1))})


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """What the class's head says, mean over frames."""
    frames, name = batch.video.shape[1], type(guest.model).__name__
    if "text_embeds" in out:
        video, text = (mean_of_frames(unit(x), frames) for x in (out.image_embeds, out.text_embeds))
        match = (video * text).sum(dim=-1) * guest.model.logit_scale.exp()
        return Output(match_logits=match, video_embedding=video, text_embedding=text)
    said = mean_of_frames(out.get("logits"), frames)
    if said is None:
        return Output()
    return Output(word_logits=said) if "MaskedLM" in name else Output(match_logits=said[:, 1] - said[:, 0])


def small(name: str, vocabulary: int) -> Any:
    """Three layers a tower, two across; eyes are 64 wide at least."""
    tower = {"hidden_size": 64, "num_hidden_layers": 3}
    text = {"vocab_size": vocabulary, "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 42}
    return tiny(
        "BridgeTowerConfig",
        name,
        hidden_size=64,
        num_attention_heads=4,
        num_hidden_layers=2,
        intermediate_size=96,
        contrastive_hidden_size=24,
        logit_scale_init_value=2.6,
        text_config=text | tower,
        vision_config={"image_size": 32, "patch_size": 8} | tower,
    )


KIND = Kind(
    title="BridgeTower",
    paper="arXiv 2206.08657",
    sites=(
        (r"text_model\.encoder\.layer\.\d+\.attention\.self", "words>words"),
        (r"vision_model\.visual\.transformer\.resblocks\.\d+\.attn", "frames>frames"),
        (r"cross_modal_text_layers\.\d+\.attention\.self", "words>words"),
        (r"cross_modal_text_layers\.\d+\.crossattention\.self", "words>frames"),
        (r"cross_modal_image_layers\.\d+\.attention\.self", "frames>frames"),
        (r"cross_modal_image_layers\.\d+\.crossattention\.self", "frames>words"),
    ),
    states=(
        (r"text_model\.encoder\.layer\.\d+", "words"),
        (r"vision_model\.visual\.transformer\.resblocks\.\d+", "^frames"),
        (r"cross_modal_text_layers\.\d+", "words"),
        (r"cross_modal_image_layers\.\d+", "frames"),
    ),
    wants=wants,
    feed=feed,
    say=say,
    classes=(
        "BridgeTowerForMaskedLM",
        "BridgeTowerForImageAndTextRetrieval",
        "BridgeTowerForContrastiveLearning",
        "BridgeTowerModel",
    ),
    small=small,
    hides_patches=True,
    frames_independent=True,
)
