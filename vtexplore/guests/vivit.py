"""ViViT (Arnab et al. 2021, arXiv 2103.15691), its first model: a [CLS] and all tubelets in one sequence.

It sees a video and reads no text.
"""

from __future__ import annotations

from typing import Any

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import LAYERS, Feed, Kind, Wants, square, tiny, watched
from vtexplore.guests._parts import patches, summary
from vtexplore.types import Batch


def wants(config: Any) -> Wants:
    """A video of so many frames."""
    each, *patch = config.tubelet_size
    rows, columns = square(config.image_size, patch)
    return Wants(config.num_frames, config.image_size, (config.num_frames // each, rows, columns))


def feed(guest: Guest, batch: Batch) -> Feed:
    """The frames."""
    tubes = summary(batch) + patches(batch, guest.grid(batch))
    return Feed({"pixel_values": guest.pixels(batch)}, {"tubes": tubes})


def small(name: str, vocabulary: int) -> Any:
    """Two layers."""
    return tiny(
        "VivitConfig",
        name,
        image_size=32,
        num_frames=4,
        tubelet_size=[2, 8, 8],
        **LAYERS,
        num_labels=5,
    )


KIND = Kind(
    title="ViViT",
    paper="arXiv 2103.15691",
    sites=((r"(?:encoder\.)?layers?\.\d+\.attention(?:\.attention)?", "tubes>tubes"),),
    states=((r"(?:encoder\.)?layers?\.\d+", "tubes"),),
    wants=wants,
    feed=feed,
    say=watched,
    classes=("VivitForVideoClassification", "VivitModel"),
    small=small,
    hides_patches=True,
)
