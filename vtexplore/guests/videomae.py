"""VideoMAE (Tong et al. 2022, arXiv 2203.12602): tubelets of two frames, all in one sequence without a [CLS].

It sees a video and reads no text; nothing is hidden here, of which its pretraining hides most.
"""

from __future__ import annotations

from typing import Any

from vtexplore.guests._guest import Guest
from vtexplore.guests._kind import LAYERS, Feed, Kind, Wants, square, tiny, watched
from vtexplore.guests._parts import patches
from vtexplore.types import Batch


def wants(config: Any) -> Wants:
    """A video of so many frames."""
    rows, columns = square(config.image_size, config.patch_size)
    return Wants(config.num_frames, config.image_size, (config.num_frames // config.tubelet_size, rows, columns))


def feed(guest: Guest, batch: Batch) -> Feed:
    """The frames."""
    return Feed({"pixel_values": guest.pixels(batch)}, {"tubes": patches(batch, guest.grid(batch))})


def small(name: str, vocabulary: int) -> Any:
    """Two layers."""
    return tiny(
        "VideoMAEConfig",
        name,
        image_size=32,
        patch_size=8,
        num_frames=4,
        tubelet_size=2,
        **LAYERS,
        num_labels=5,
    )


KIND = Kind(
    title="VideoMAE",
    paper="arXiv 2203.12602",
    sites=((r"encoder\.layer\.\d+\.attention\.attention", "tubes>tubes"),),
    states=((r"encoder\.layer\.\d+", "tubes"),),
    wants=wants,
    feed=feed,
    say=watched,
    classes=("VideoMAEForVideoClassification", "VideoMAEModel"),
    small=small,
)
