"""CLIP (Radford et al. 2021, arXiv 2103.00020): a tower for pictures and one for texts, which never see each other.

A clip's frames are seen one by one. Its embedding is the mean of theirs (of unit length), so that its product with
the text's, times the learned scale, is the mean of the frames' scores.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import Feed, Kind, Towers, Wants, mean_of_frames, square, tiny, unit, worded
from vtexplore.guests._parts import frame_by_frame, of_frames, patches, whole_texts, words
from vtexplore.types import Batch, Output, Stream


def wants(config: Any) -> Wants:
    """A text and pictures."""
    text, vision = config.text_config, config.vision_config
    rows, columns = square(vision.image_size, vision.patch_size)
    return Wants(None, vision.image_size, (0, rows, columns), text.max_position_embeddings)


def feed(guest: Guest, batch: Batch) -> Feed:
    """Each frame is a picture of its own, each text is read once."""
    frames = frame_by_frame(batch.video.shape[1], patches(batch, guest.grid(batch), cls=1))
    inputs = worded(batch) | {"pixel_values": guest.pixels(batch).flatten(0, 1)}
    return Feed(inputs, {"words": words(batch), "frames": frames})


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """Embeddings, and their product times the scale."""
    return _met(guest, mean_of_frames(unit(out.image_embeds), batch.video.shape[1]), unit(out.text_embeds))


def see(guest: Guest, batch: Batch) -> Stream:
    """The embedding of each frame [batch, frame, channel], of length 1: frames are pictures, in any order."""
    made, frames = feed(guest, batch), batch.video.shape[1]
    with guest.listening(made.parts, batch):
        out = guest.model.get_image_features(pixel_values=made.inputs["pixel_values"]).pooler_output
    mask = batch.has_video[:, None].expand(-1, frames)
    return Stream(unit(out).unflatten(0, (-1, frames)), mask, of_frames(batch, "[CLS]").tokens)


def hear(guest: Guest, batch: Batch) -> Stream:
    """The embedding of each text [batch, 1, channel], of length 1."""
    with guest.listening({"words": words(batch)}, batch):
        out = unit(guest.model.get_text_features(**worded(batch)).pooler_output)[:, None]
    return Stream(out, batch.word_mask[:, :1], whole_texts(batch).tokens)


def meet(guest: Guest, video: Stream, text: Stream, batch: Batch) -> Output:
    """The mean of the frames that are there, beside the text."""
    there = (video.mask | ~video.mask.any(dim=1, keepdim=True)).to(video.hidden)[..., None]
    return _met(guest, (video.hidden * there).sum(dim=1) / there.sum(dim=1), text.hidden[:, 0])


def _met(guest: Guest, video: Tensor, text: Tensor) -> Output:
    return Output(
        match_logits=(video * text).sum(dim=-1) * guest.model.logit_scale.exp(),
        video_embedding=video,
        text_embedding=text,
    )


def small(name: str, vocabulary: int) -> Any:
    """Two layers a tower; the end of a text is the last word of the vocabulary."""
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "projection_dim": 24}
    text = {"vocab_size": vocabulary, "hidden_size": 32, "max_position_embeddings": 40}
    text |= {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    vision = {"image_size": 32, "patch_size": 8, "hidden_size": 32}
    return tiny("CLIPConfig", name, text_config=text | layers, vision_config=vision | layers, projection_dim=24)


KIND = Kind(
    title="CLIP",
    paper="arXiv 2103.00020",
    sites=(
        (r"text_model\.encoder\.layers\.\d+\.self_attn", "words>words"),
        (r"vision_model\.encoder\.layers\.\d+\.self_attn", "frames>frames"),
    ),
    states=(
        (r"text_model\.encoder\.layers\.\d+", "words"),
        (r"vision_model\.encoder\.layers\.\d+", "frames"),
    ),
    wants=wants,
    feed=feed,
    say=say,
    classes=("CLIPModel",),
    small=small,
    hides_patches=True,
    frames_independent=True,
    towers=Towers(see, hear, meet),
)
