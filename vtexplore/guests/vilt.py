"""ViLT (Kim et al. 2021, arXiv 2102.03334): words and patches in one transformer, without eyes of its own.

The model draws the order of its patches anew in each forward; here they are laid back row by row, in what it hears
and in what it says, and the draw takes nothing from anybody else's random numbers. Frames are seen one by one, beside
the text each time, and scores are means over frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import LAYERS, Feed, Kind, Wants, mean_of_frames, square, tiny, worded
from vtexplore.guests._parts import frame_by_frame, patches, words_of_each_frame
from vtexplore.types import Batch, Output


def wants(config: Any) -> Wants:
    """A text and pictures."""
    rows, columns = square(config.image_size, config.patch_size)
    return Wants(None, config.image_size, (0, rows, columns), config.max_position_embeddings)


def feed(guest: Guest, batch: Batch) -> Feed:
    """The text beside each frame."""
    frames = batch.video.shape[1]
    pixels = guest.pixels(batch).flatten(0, 1)
    joint = frame_by_frame(frames, words_of_each_frame(batch), patches(batch, guest.grid(batch), cls=1))
    inputs = worded(batch, frames) | {"pixel_values": pixels, "pixel_mask": torch.ones_like(pixels[:, 0]).long()}
    return Feed(inputs, {"joint": joint})


def say(guest: Guest, out: Any, batch: Batch) -> Output:
    """What the class's head says, mean over frames."""
    said, name = mean_of_frames(out.get("logits"), batch.video.shape[1]), type(guest.model).__name__
    if said is None:
        return Output()
    if name == "ViltForMaskedLM":
        return Output(word_logits=said)
    return Output(answer_logits=said) if name == "ViltForQuestionAnswering" else Output(match_logits=said[:, 0])


@contextmanager
def in_order(guest: Guest, batch: Batch) -> Iterator[None]:
    """Patches stand row by row, those that pad a smaller picture last."""
    base = getattr(guest.model, guest.model.base_model_prefix, guest.model)
    embeddings = base.embeddings
    drawn = embeddings.visual_embed

    def laid_back(*given: Any, **options: Any) -> tuple[Tensor, Tensor, Any]:
        x, mask, (index, (rows, columns)) = drawn(*given, **options)
        place = index[..., 0] * columns + index[..., 1] + (1 - mask[:, 1:]) * rows * columns
        order = place.argsort(dim=1)
        back = torch.cat([torch.zeros_like(order[:, :1]), order + 1], dim=1)
        x = x.gather(1, back[..., None].expand_as(x))
        return x, mask.gather(1, back), (index.gather(1, order[..., None].expand_as(index)), (rows, columns))

    with torch.random.fork_rng(devices=[]):
        embeddings.visual_embed = laid_back
        try:
            yield
        finally:
            del embeddings.visual_embed


def small(name: str, vocabulary: int) -> Any:
    """Two layers."""
    return tiny(
        "ViltConfig",
        name,
        vocab_size=vocabulary,
        **LAYERS,
        max_position_embeddings=40,
        image_size=32,
        patch_size=8,
    )


KIND = Kind(
    title="ViLT",
    paper="arXiv 2102.03334",
    sites=((r"encoder\.layer\.\d+\.attention\.attention", "joint>joint"),),
    states=((r"encoder\.layer\.\d+", "joint"),),
    wants=wants,
    feed=feed,
    say=say,
    classes=("ViltForMaskedLM", "ViltForImageAndTextRetrieval", "ViltForQuestionAnswering", "ViltModel"),
    small=small,
    hides_patches=True,
    around=in_order,
    frames_independent=True,
)
