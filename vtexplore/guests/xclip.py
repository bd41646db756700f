"""X-CLIP (Ni et al. 2022, arXiv 2208.02816): CLIP whose frames send each other messages.

In each layer of the tower, every frame's [CLS] becomes a message, messages attend to one another, and each is read by
its frame's patches and forgotten. A transformer over time makes one vector of the frames' [CLS]; the text's vector is
then written anew by looking at the patches, mean over frames: that look is of whole texts, not of words.
``transformers`` returns neither the messages' attention nor that over time.
"""

from __future__ import annotations

from typing import Any

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import Feed, Kind, Towers, Wants, square, tiny, unit, worded
from vtexplore.guests._parts import Part, frame_by_frame, of_frames, patches, places, whole_texts, words
from vtexplore.types import Batch, Output, Stream, Tokens


def wants(config: Any) -> Wants:
    """A text and a video of so many frames."""
    text, vision = config.text_config, config.vision_config
    rows, columns = square(vision.image_size, vision.patch_size)
    return Wants(vision.num_frames, vision.image_size, (0, rows, columns), text.max_position_embeddings)


def feed(guest: Guest, batch: Batch) -> Feed:
    """All texts of the batch stand beside each of its videos: the model scores every pair."""
    frames, (_, rows, columns) = batch.video.shape[1], guest.grid(batch)
    seen = patches(batch, guest.grid(batch), cls=1)
    messages = [of_frames(batch, f"message {i + 1}") for i in range(guest.model.config.vision_config.num_hidden_layers)]
    texts = Tokens.make(batch.texts, [{"text", "special"}] * len(batch))
    return Feed(
        worded(batch) | {"pixel_values": guest.pixels(batch)},
        {
            "words": words(batch),
            "frames": frame_by_frame(frames, seen),
            **{f"messages {i}": sent for i, sent in enumerate(messages)},
            **{f"frames and messages {i}": frame_by_frame(frames, seen, sent) for i, sent in enumerate(messages)},
            "moments": of_frames(batch, "[CLS]"),
            "texts": Part(lambda: [texts] * len(batch), len(batch)),
            "places": places(batch, rows, columns),
        },
    )


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """Each text's score beside its own video. There is no embedding of a text alone: it is rewritten by the video."""
    return Output(match_logits=out.logits_per_video.diagonal())


def see(guest: Guest, batch: Batch) -> Stream:
    """What leaves the tower of frames, [CLS] and patches of each [batch, frame · (1 + patch), channel].

    Messages know no order: frames in another one give the very same states in that order.
    """
    made = feed(guest, batch)
    with guest.listening(made.parts, batch):
        out = guest.model.vision_model(pixel_values=made.inputs["pixel_values"].flatten(0, 1)).last_hidden_state
    seen = patches(batch, guest.grid(batch), cls=1)
    return Stream(out.reshape(len(batch), seen.count, -1), batch.sees(guest.grid(batch), cls=1), seen.tokens)


def hear(guest: Guest, batch: Batch) -> Stream:
    """Each text's vector [batch, 1, channel], before any video writes it anew."""
    with guest.listening({"words": words(batch)}, batch):
        out = guest.model.get_text_features(**worded(batch)).pooler_output[:, None]
    return Stream(out, batch.word_mask[:, :1], whole_texts(batch).tokens)


def meet(guest: Guest, video: Stream, text: Stream, batch: Batch) -> Output:
    """One vector of the frames' [CLS]; the text's vector, written anew by the patches' mean over frames."""
    model, (frames, rows, columns) = guest.model, guest.grid(batch)
    parts = {"moments": of_frames(batch, "[CLS]"), "texts": whole_texts(batch), "places": places(batch, rows, columns)}
    each = video.hidden.unflatten(1, (frames, -1))  # [batch, frame, 1 + patch, channel]
    with guest.listening(parts, batch):
        pooled = model.visual_projection(model.vision_model.post_layernorm(each[:, :, 0]))
        clip = unit(model.mit(pooled).pooler_output)  # [batch, channel]
        shown = model.prompts_visual_layernorm(each[:, :, 1:]) @ model.prompts_visual_projection
        told = unit(text.hidden + model.prompts_generator(text.hidden, shown.mean(dim=1)))[:, 0]
    return Output(match_logits=(clip * told).sum(dim=-1) * model.logit_scale.exp())


def small(name: str, vocabulary: int) -> Any:
    """Two layers a tower, one over time."""
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "hidden_size": 32}
    text = {"vocab_size": vocabulary, "max_position_embeddings": 40}
    text |= {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    over_time = {"mit_hidden_size": 24, "mit_intermediate_size": 48, "mit_num_attention_heads": 4}
    vision = {"image_size": 32, "patch_size": 8, "num_frames": 4} | over_time
    return tiny(
        "XCLIPConfig",
        name,
        text_config=text | layers,
        vision_config=vision | layers,
        projection_dim=24,
        prompt_num_attention_heads=4,
    )


KIND = Kind(
    title="X-CLIP",
    paper="arXiv 2208.02816",
    sites=(
        (r"text_model\.encoder\.layers\.\d+\.self_attn", "words>words"),
        (r"vision_model\.encoder\.layers\.(\d+)\.message_attn", r"messages \1>messages \1"),
        (
            r"vision_model\.encoder\.layers\.(\d+)\.self_attn",
            r"frames and messages \1>frames and messages \1",
        ),
        (r"mit\.encoder\.layers\.\d+\.self_attn", "moments>moments"),
        (r"prompts_generator\.decoder\.\d+\.cross_attn", "texts>places"),
    ),
    states=(
        (r"text_model\.encoder\.layers\.\d+", "words"),
        (r"vision_model\.encoder\.layers\.(\d+)\.message_attn", r"messages \1"),
        (r"vision_model\.encoder\.layers\.\d+", "frames"),
        (r"mit\.encoder\.layers\.\d+", "moments"),
        (r"prompts_generator\.decoder\.\d+", "texts"),
    ),
    wants=wants,
    feed=feed,
    say=say,
    classes=("XCLIPModel",),
    small=small,
    towers=Towers(see, hear, meet),
)
