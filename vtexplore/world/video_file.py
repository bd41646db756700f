"""Scenes as real files: H.264 pictures and AAC stereo in an mp4.

python -c "from vtexplore.world.video_file import example_clips; example_clips('assets/clips')"
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.files import writing
from vtexplore.world.language import Style, say
from vtexplore.world.render import render
from vtexplore.world.sampling import sample_scene
from vtexplore.world.scene import Scene
from vtexplore.world.sound import RATE_HZ, stereo

if TYPE_CHECKING:
    from av import AudioFrame

# name: (seed, split, what was asked for), each the first telling one.
EXAMPLES: dict[str, tuple[int, str, dict[str, Any]]] = {
    "red_circle_slides_left": (2, "heldout", {"form": "one", "kinds": ["slides left"], "objects": 2}),
    "blue_square_grows_then_red_circle_spins": (
        0,
        "train",
        {"form": "then", "kinds": ["grows", "spins"], "objects": 3},
    ),
    "blue_triangle_passes_in_back_of_red_cross": (
        3,
        "train",
        {"form": "relation", "kinds": ["passes in back of"], "objects": 3},
    ),
    "blue_ring_turns_green_then_bounces": (
        15,
        "heldout",
        {"form": "same", "kinds": ["turns", "bounces"], "objects": 2},
    ),
    "pink_square_vanishes_while_cyan_ring_shakes": (
        9,
        "train",
        {"form": "while", "kinds": ["vanishes", "shakes"], "objects": 3},
    ),
}


def write_mp4(scene: Scene, path: str | os.PathLike[str], size_px: int = 256, fps: int = 24) -> Path:
    """Write a scene as an mp4 (H.264, AAC stereo at 16 kHz), whole or not at all; returns the path.

    ``size_px`` must be even, as H.264 wants it. Raises ``ConfigError`` if it is not, or if nothing can be
    written there.
    """
    import av

    if size_px % 2 or size_px < 16:
        raise ConfigError(f"size_px must be even and at least 16, not {size_px}. Try {max(16, size_px + size_px % 2)}")
    path = Path(path)
    with writing(path) as partial, av.open(str(partial), "w", format="mp4") as file:
        video = file.add_stream("libx264", rate=fps, options={"crf": "23", "preset": "medium"})
        video.width, video.height, video.pix_fmt = size_px, size_px, "yuv420p"
        audio = file.add_stream("aac", rate=RATE_HZ, layout="stereo")
        audio.bit_rate = 64_000
        for picture in _pictures(scene, size_px, fps):
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode())
        for frame in _sounds(scene):
            file.mux(audio.encode(frame))
        file.mux(audio.encode())
    return path


def _pictures(scene: Scene, size_px: int, fps: int) -> Iterator[np.ndarray]:
    """Frames in blocks of a second, so that long scripts need little memory."""
    times = np.arange(round(scene.duration_s * fps)) / fps
    for i in range(0, len(times), fps):
        yield from render([scene], times[i : i + fps], size_px)[0]


def _sounds(scene: Scene, block: int = 1024) -> Iterator[AudioFrame]:
    import av

    sound = stereo(scene)
    for i in range(0, sound.shape[1], block):
        part = np.ascontiguousarray(sound[:, i : i + block])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, i, Fraction(1, RATE_HZ)
        yield frame


def example_scene(name: str) -> Scene:
    """A shipped example.

    Raises ``ConfigError`` naming the examples there are.
    """
    if name not in EXAMPLES:
        raise ConfigError(f"there is no example {name!r}. There are {', '.join(EXAMPLES)}")
    seed, split, wish = EXAMPLES[name]
    return sample_scene(seed, split, **wish)


def plain_caption(scene: Scene) -> str:
    """The caption in the first annotator's words and the simplest template, without a frame around it."""
    words = say(scene.theme, scene.statement, Style(0, 0, 0)).words
    return " ".join(w.text for w in words if w.role != "function" or w.objects)


def example_clips(folder: str | os.PathLike[str]) -> list[Path]:
    """Write the shipped example clips into a folder: an mp4 and a small JSON of seed and caption each."""
    out = []
    for name, (seed, split, wish) in EXAMPLES.items():
        scene = example_scene(name)
        out.append(write_mp4(scene, Path(folder) / f"{name}.mp4"))
        about = {
            "world": scene.theme.name, "seed": seed, "split": split, "wish": wish, "caption": plain_caption(scene),
            "events": [
                {"kind": e.kind, "objects": e.objects, "start_s": e.start_s, "end_s": e.end_s} for e in scene.events
            ],
            "objects": [f"{o.colour} {o.shape}" for o in scene.objects], "background": scene.background,
        }  # fmt: skip
        with writing(Path(folder) / f"{name}.json") as partial:
            partial.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return out
