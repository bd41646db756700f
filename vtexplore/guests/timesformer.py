"""TimeSformer (Bertasius et al. 2021, arXiv 2102.05095): each patch looks along time, then around in its frame.

Both looks are sites: ``….temporal_attention``, which ``transformers`` never returns, and that in space, in which each
frame has a copy of the one [CLS]. It sees a video and reads no text.
"""

from __future__ import annotations

from typing import Any

import torch

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import LAYERS, Feed, Kind, Wants, square, tiny, watched
from vtexplore.guests._parts import frame_by_frame, patches, summary
from vtexplore.types import Batch


def wants(config: Any) -> Wants:
    """A video of so many frames."""
    rows, columns = square(config.image_size, config.patch_size)
    return Wants(config.num_frames, config.image_size, (config.num_frames, rows, columns))


def feed(guest: Guest, batch: Batch) -> Feed:
    """The frames. In its sequence, all times of a place stand together."""
    slots, rows, columns = guest.grid(batch)
    grid = patches(batch, (slots, rows, columns))
    by_place = torch.arange(slots * rows * columns).view(slots, -1).T
    sequence = summary(batch) + grid.taken(by_place.flatten().tolist())
    in_space = frame_by_frame(slots, patches(batch, (slots, rows, columns), cls=1))
    joint = guest.model.config.attention_type == "joint_space_time"
    parts = {
        "time": grid.grouped(by_place),
        "space": sequence if joint else in_space,
        "sequence": in_space if guest.model.config.attention_type == "space_only" else sequence,
    }
    return Feed({"pixel_values": guest.pixels(batch)}, parts)


def small(name: str, vocabulary: int) -> Any:
    """Two layers."""
    return tiny(
        "TimesformerConfig",
        name,
        image_size=32,
        patch_size=8,
        num_frames=4,
        **LAYERS,
        num_labels=5,
    )


KIND = Kind(
    title="TimeSformer",
    paper="arXiv 2102.05095",
    sites=(
        (r"encoder\.layer\.\d+\.attention\.attention", "space>space"),
        (r"encoder\.layer\.\d+\.temporal_attention\.attention", "time>time"),
    ),
    optional=("temporal_attention",),
    states=((r"encoder\.layer\.\d+", "sequence"),),
    wants=wants,
    feed=feed,
    say=watched,
    classes=("TimesformerForVideoClassification", "TimesformerModel"),
    small=small,
    hides_patches=True,
)
