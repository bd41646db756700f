"""Is a clip from the world that a miniature was trained on? A notice for those who show it another one.

Three shares of a clip's pixels, at 96 px: on the colours of one of the world's backgrounds (``ground``),
on the colours of its objects (``things``), on either (``known``). A world is flat colours on a few
papers, so all three are high there and at least one is low nearly everywhere else. It is a notice, not a
proof: a drawing in the same colours passes. The limits were read off clips of the training split; to fit
them anew, and to measure both rates on held-out clips:

    python -m vtexplore.data.outside --fit 10000
    python -m vtexplore.data.outside --check 4000 --files 2000 [clips that must be flagged …]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.types import Clip

__all__ = ["Notice", "Palette", "measures", "outside_world", "palette"]

_SIZE_PX, _FRAMES = 96, 8
# How far a pixel may be from a colour and still count as that colour (Euclidean, of 255): noise and the
# rounding of video codecs stay well within.
_NEAR_GROUND, _NEAR_THING = 16.0, 36.0
_TINY = 5e-4  # of the fitted clips, this share lies below each limit
_SHADES = 32  # colours are looked up in a cube with so many steps a side


@dataclass(frozen=True)
class Notice:
    """What the pixels of a clip say: ``outside`` is true if it is not from the world.

    ``score`` is 0 for the typical clip of the world and above 1 outside; ``measures`` are the shares and
    ``limits`` their least values inside; ``message`` is a sentence for people, empty if all is well.
    """

    world: str
    score: float
    measures: dict[str, float]
    limits: dict[str, float]
    message: str = ""

    @property
    def outside(self) -> bool:
        """Whether the clip is taken for one from elsewhere."""
        return self.score > 1

    def __bool__(self) -> bool:
        return self.outside


def outside_world(clip: Clip, world: str = "shapes") -> Notice:
    """Whether a clip is from outside a miniature's world, judged by eight of its frames.

    Raises ``ConfigError`` for a world that was never measured, ``VideoError`` if the clip cannot be read.
    """
    times_s = [clip.duration_s * (i + 0.5) / _FRAMES for i in range(_FRAMES)]
    got = measures(clip.sample(times_s, _SIZE_PX), palette(world))
    known = _known(world)
    limits = {name: known[name]["limit"] for name in got}
    score = max((known[n]["middle"] - v) / (known[n]["middle"] - known[n]["limit"]) for n, v in got.items())
    message = ""
    if score > 1:
        message = (
            f"{clip.name} does not look like the world of {world} on which this miniature was trained; "
            "what it says of this clip shows how it works, not what is in the clip."
        )
    return Notice(world, float(score), got, limits, message)


# ── what is measured ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Palette:
    """Which colours belong to what: tables over a coarse cube of all colours.

    ``grounds`` bool [background, shade, shade, shade], ``things`` bool [shade, shade, shade].
    """

    grounds: np.ndarray
    things: np.ndarray


@lru_cache(maxsize=8)
def palette(world: str = "shapes") -> Palette:
    """The palette of a world by its name. Raises ``ConfigError`` if there is no such world."""
    from vtexplore.world import GARDEN_THEME, SHAPES_THEME

    theme = {t.name: t for t in (SHAPES_THEME, GARDEN_THEME)}.get(world)
    if theme is None:
        raise ConfigError(f"There is no world {world!r}; there are 'shapes' and 'garden'.")
    papers = [[b.paper] if b.pattern == "plain" else [b.paper, b.ink] for b in theme.backgrounds.values()]
    return Palette(np.stack([_near(p, _NEAR_GROUND) for p in papers]), _near(list(theme.colours.values()), _NEAR_THING))


def _near(colours: Sequence[tuple[int, int, int]], radius: float) -> np.ndarray:
    """bool [shade, shade, shade]: shades within a distance of one of the colours."""
    step = 256 // _SHADES
    shades = np.stack(np.meshgrid(*[np.arange(_SHADES) * step + (step - 1) / 2] * 3, indexing="ij"), -1)
    return np.any([np.linalg.norm(shades - c, axis=-1) <= radius for c in np.array(colours)], axis=0)


def measures(frames: np.ndarray, colours: Palette) -> dict[str, float]:
    """The three shares of frames uint8 [frame, height, width, rgb], each in 0..1."""
    r, g, b = np.moveaxis(frames // (256 // _SHADES), -1, 0)
    shares = [ground[r, g, b].mean() for ground in colours.grounds]
    ground = colours.grounds[int(np.argmax(shares))][r, g, b]
    thing = colours.things[r, g, b] & ~ground
    # A clip of a moving thing shows it in some frames at least: the frame that shows most counts.
    return {
        "ground": float(ground.mean()),
        "things": float(thing.mean(axis=(1, 2)).max()),
        "known": float((ground | thing).mean()),
    }


# ── limits ────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=8)
def _known(world: str) -> dict[str, dict[str, float]]:
    worlds = json.loads(resources.files("vtexplore.data").joinpath("outside.json").read_text("utf-8"))
    if world not in worlds:
        raise ConfigError(
            f"The world {world!r} was never measured; fit it with "
            f"python -m vtexplore.data.outside --world {world} --fit 10000."
        )
    return dict(worlds[world]["measures"])


def _rendered(world: str, split: str, seeds: range) -> Iterator[np.ndarray]:
    """Frames uint8 [frame, height, width, rgb] of scenes by seed, as ``outside_world`` samples them."""
    from vtexplore.world import GARDEN_THEME, SHAPES_THEME, render, sample_scene

    theme = SHAPES_THEME if world == "shapes" else GARDEN_THEME
    for seed in seeds:
        scene = sample_scene(seed, split, theme=theme)
        times_s = [scene.duration_s * (i + 0.5) / _FRAMES for i in range(_FRAMES)]
        yield render([scene], times_s, _SIZE_PX)[0]


def _fit(world: str, count: int, path: Path) -> None:
    got = [measures(f, palette(world)) for f in _rendered(world, "train", range(count))]
    fitted = {}
    for name in got[0]:
        values = np.array([m[name] for m in got])
        middle, least = float(np.median(values)), float(np.quantile(values, _TINY))
        # Room for codecs and sizes: an mp4 file of a scene loses up to 0.05, one of 64 px up to 0.12; clips
        # from elsewhere lose 0.7 or more.
        limit = least / 2 if name == "things" else least - 0.2
        fitted[name] = {"middle": round(middle, 4), "limit": round(limit, 4)}
    worlds = json.loads(path.read_text("utf-8")) if path.exists() else {}
    worlds[world] = {"clips": count, "split": "train", "measures": fitted}
    path.write_text(json.dumps(worlds, indent=2) + "\n", "utf-8")


def _upper(flagged: int, count: int) -> float:
    """The upper end of the 95 % interval (Wilson) of a share."""
    z, p = 1.96, flagged / count
    return (p + z * z / (2 * count) + z * np.sqrt(p * (1 - p) / count + z * z / (4 * count**2))) / (1 + z * z / count)


def _check(world: str, count: int, files: int, others: Sequence[str]) -> None:
    import tempfile

    from vtexplore.data.arrays import ArraySource
    from vtexplore.data.video import read_video
    from vtexplore.world import GARDEN_THEME, SHAPES_THEME, sample_scene, write_mp4

    def clip_of(frames: np.ndarray) -> Clip:
        return Clip(ArraySource(frames, _FRAMES / 4), 4.0, _FRAMES / 4, (), "rendered")

    flagged = sum(outside_world(clip_of(f), world).outside for f in _rendered(world, "heldout", range(count)))
    if count:
        print(f"rendered: {flagged} of {count} flagged, at most {_upper(flagged, count):.2%}")
    theme = SHAPES_THEME if world == "shapes" else GARDEN_THEME
    flagged = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(files):
            path = write_mp4(sample_scene(seed, "heldout", theme=theme), Path(folder) / "scene.mp4")
            flagged += outside_world(read_video(path), world).outside
    if files:
        print(f"mp4 files: {flagged} of {files} flagged, at most {_upper(flagged, files):.2%}")
    for other in others:
        notice = outside_world(read_video(other), world)
        shares = " ".join(f"{k} {v:.3f}" for k, v in notice.measures.items())
        print(f"{Path(other).name}: {'flagged' if notice else 'NOT FLAGGED'}, score {notice.score:.1f} ({shares})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fit or check the notice for clips from outside a world.")
    parser.add_argument("--world", default="shapes")
    parser.add_argument("--fit", type=int, default=0, metavar="N", help="fit on N clips of the training split")
    parser.add_argument("--check", type=int, default=0, metavar="N", help="rate on N held-out clips, rendered")
    parser.add_argument("--files", type=int, default=0, metavar="N", help="rate on N held-out mp4 files")
    parser.add_argument("others", nargs="*", help="clips that must be flagged")
    given = parser.parse_args()
    if given.fit:
        _fit(given.world, given.fit, Path(__file__).with_name("outside.json"))
        _known.cache_clear()
    _check(given.world, given.check, given.files, given.others)
