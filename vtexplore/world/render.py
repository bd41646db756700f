"""Pixels of scenes at any time and size.

Shapes are signed-distance functions, baked once per theme into an atlas and read through a rotated,
scaled patch around each object; edges are anti-aliased over one pixel. All scenes × frames are pasted
layer by layer (far to near), so a batch costs a handful of numpy calls. Backgrounds and noise are cut
out of large tiles made once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.world.motion import Poses, poses
from vtexplore.world.plan import Plan
from vtexplore.world.theme import NOISE, Background, Shape, Theme

ATLAS = 320  # texels along an atlas cell, which spans −1.25 … 1.25
SPAN = 1.25
TILE = 1024  # side of the noise tile
CHUNK = 12  # scenes drawn together: small enough to stay in the processor's cache
DARK, LIGHT = np.array([[20, 20, 24], [244, 244, 244]], dtype=np.float32)  # of the dot, whichever contrasts


def render(scenes: Sequence[Plan], times_s: Sequence[float] | np.ndarray, size_px: int = 96) -> np.ndarray:
    """Frames of scenes of one theme: uint8 [scene, frame, height, width, rgb].

    ``times_s`` [frame] for all scenes or [scene, frame], seconds from each start.
    """
    scenes = list(scenes)
    times = np.asarray(times_s, dtype=np.float64)
    times = np.broadcast_to(times, (len(scenes), times.shape[-1]))
    out = np.empty((len(scenes), times.shape[1], size_px, size_px, 3), dtype=np.uint8)
    for i in range(0, len(scenes), CHUNK):
        part, when = scenes[i : i + CHUNK], times[i : i + CHUNK]
        canvas = out[i : i + CHUNK]
        _paper(part, canvas)
        for shown in _layers(part[0].theme, poses(part, when), size_px):
            _paste(canvas, shown)
        _grain(part, when, canvas)
    return out


def masks(scenes: Sequence[Plan], times_s: Sequence[float] | np.ndarray, size_px: int = 96) -> np.ndarray:
    """Visible pixels of each object: bool [scene, object, frame, height, width].

    A pixel belongs to the nearest object that covers at least half of it; an object that is less than
    half faded in has none. Scenes with fewer objects are padded with empty masks.
    """
    scenes = list(scenes)
    width = max(len(s.objects) for s in scenes)
    times = np.asarray(times_s, dtype=np.float64)
    times = np.broadcast_to(times, (len(scenes), times.shape[-1]))
    owner = np.full((len(scenes), times.shape[1], size_px * size_px), -1, dtype=np.int8)
    for sprite in _layers(scenes[0].theme, poses(scenes, times), size_px):
        row, at = np.nonzero((sprite.cover * (sprite.alpha[:, None] >= 0.5)) >= 0.5)
        owner.reshape(-1, size_px * size_px)[sprite.image[row], sprite.pixel[row, at]] = sprite.object[row]
    owner = owner.reshape(len(scenes), 1, times.shape[1], size_px, size_px)
    return np.equal(owner, np.arange(width, dtype=np.int8)[None, :, None, None, None])


def boxes(scenes: Sequence[Plan], times_s: Sequence[float] | np.ndarray, size_px: int = 128) -> np.ndarray:
    """Boxes around visible pixels: float [scene, object, frame, 4] xyxy in 0..1, NaN where nothing is seen.

    Exact to 1/``size_px``.
    """
    return boxes_of(masks(scenes, times_s, size_px))


def boxes_of(visible: np.ndarray) -> np.ndarray:
    """Boxes [..., 4] xyxy in 0..1 around masks bool [..., height, width]; NaN for empty ones."""
    out = np.full((*visible.shape[:-2], 4), np.nan)
    seen = visible.any((-2, -1))
    for axis, other in ((0, -2), (1, -1)):  # x from columns, y from rows
        line = np.asarray(visible.any(other))
        n = line.shape[-1]
        out[..., axis] = np.where(seen, line.argmax(-1) / n, np.nan)
        out[..., axis + 2] = np.where(seen, 1 - line[..., ::-1].argmax(-1) / n, np.nan)
    return out


# ── objects ───────────────────────────────────────────────────────────────────────────────────────


def distance(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to a shape's outline in the unit circle, negative inside.

    Raises ``ConfigError`` for an unknown kind of outline.
    """
    if shape.outline == "disc":
        return np.hypot(x, y) - shape.size[0]
    if shape.outline == "ring":
        return np.abs(np.hypot(x, y) - shape.size[0]) - shape.size[1]
    if shape.outline != "polygon":
        raise ConfigError(f"outline is 'disc', 'ring' or 'polygon', not {shape.outline!r}")
    corners = np.array(shape.corners)
    best, inside = np.full(x.shape, np.inf), np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        t = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        best = np.minimum(best, np.hypot(x - ax - t * ex, y - ay - t * ey))
        if ey != 0.0:  # a ray to the right crosses this edge
            inside ^= ((ay > y) != (by > y)) & (x < (y - ay) / ey * ex + ax)
    return np.where(inside, -best, best)


@lru_cache(maxsize=8)
def _atlas(theme: Theme) -> tuple[np.ndarray, np.ndarray]:
    """Distances to outline and to dot, float32 [shape × texel × texel] flat, in units of the radius."""
    at = ((np.arange(ATLAS) + 0.5) / ATLAS * 2 - 1) * SPAN
    x, y = np.meshgrid(at, at)
    outline = np.stack([distance(s, x, y) for s in theme.shapes.values()])
    dot = np.stack([np.hypot(x - s.spot[0], y - s.spot[1]) - s.spot[2] for s in theme.shapes.values()])
    return outline.astype(np.float32).ravel(), dot.astype(np.float32).ravel()


@dataclass(frozen=True, slots=True)
class _Sprites:
    """One layer of patches, at most one in each image: arrays [patch] and [patch, pixel of the patch]."""

    image: np.ndarray  # [patch] which image (scene × frame)
    object: np.ndarray  # [patch] which object of the scene
    pixel: np.ndarray  # [patch, pixel] place in the image, row by row
    cover: np.ndarray  # [patch, pixel] how much of it the shape covers, 0..1
    dot: np.ndarray  # [patch, pixel] how much of it the dot covers
    alpha: np.ndarray  # [patch]
    rgb: np.ndarray  # [patch, rgb]


def _layers(theme: Theme, p: Poses, size_px: int) -> Iterator[_Sprites]:
    """Patches of all images, far to near. ``image`` counts scene × frame."""
    frames = p.x.shape[2]
    order = np.argsort(p.depth, axis=1, kind="stable")  # [scene, layer] -> object
    scene = np.arange(len(order))
    for layer in range(order.shape[1]):
        o = order[:, layer]
        alpha = p.alpha[scene, o]  # [scene, frame]
        s, f = np.nonzero(alpha > 0)
        if not len(s):
            continue
        o = o[s]
        yield _sprites(
            theme, size_px, s * frames + f, o, p.shape[s, o], p.x[s, o, f], p.y[s, o, f], p.radius[s, o, f],
            p.angle[s, o, f], alpha[s, f], p.rgb[s, o, f],
        )  # fmt: skip


def _sprites(
    theme: Theme, size_px: int, image: np.ndarray, object_: np.ndarray, shape: np.ndarray, x: np.ndarray,
    y: np.ndarray, radius: np.ndarray, angle: np.ndarray, alpha: np.ndarray, rgb: np.ndarray,
) -> _Sprites:  # fmt: skip
    side = min(size_px, 2 * int(np.ceil(radius.max() * size_px + 1)) + 1)
    left = np.clip(np.round(x * size_px - side / 2).astype(np.int32), 0, size_px - side)
    top = np.clip(np.round(y * size_px - side / 2).astype(np.int32), 0, size_px - side)
    scale = radius * size_px  # pixels per unit of the shape
    turn = 2 * np.pi * angle
    grid = np.arange(side, dtype=np.float32) + np.float32(0.5)
    # Texel coordinates are affine in the patch's pixel coordinates; all in float32.
    k = ATLAS / (2 * SPAN)
    c, s = (np.round(f(turn) * 65536) / 65536 / scale * k for f in (np.cos, np.sin))
    ox, oy = left - x * size_px, top - y * size_px
    f32 = np.float32

    def affine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        u = ((ox * a + oy * b) + ATLAS / 2).astype(f32)[:, None, None]
        t = u + a.astype(f32)[:, None, None] * grid[None, None, :] + b.astype(f32)[:, None, None] * grid[None, :, None]
        return np.clip(t, 0, ATLAS - 1, out=t).astype(np.int32)

    texel = affine(-s, c)
    texel += (shape * ATLAS).astype(np.int32)[:, None, None]
    texel *= ATLAS
    texel += affine(c, s)
    texel = texel.reshape(len(x), -1)
    outline, dot = _atlas(theme)
    sharp = scale.astype(f32)[:, None]
    pixel = ((top[:, None] + np.arange(side)) * size_px)[:, :, None] + (left[:, None] + np.arange(side))[:, None, :]
    return _Sprites(
        image=image, object=object_, pixel=pixel.reshape(len(x), -1), alpha=alpha,
        cover=_coverage(outline.take(texel), sharp), dot=_coverage(dot.take(texel), sharp), rgb=rgb,
    )  # fmt: skip


def _coverage(d: np.ndarray, px_per_unit: np.ndarray) -> np.ndarray:
    d *= -px_per_unit
    d += np.float32(0.5)
    return np.clip(d, 0, 1, out=d)


def _paste(canvas: np.ndarray, sprite: _Sprites) -> None:
    """Blend a layer into uint8 [scene, frame, height, width, rgb], in place."""
    flat = canvas.reshape(-1, 3)  # a view: canvas is contiguous
    size = canvas.shape[2] * canvas.shape[3]
    at = sprite.pixel + (sprite.image * size)[:, None]
    row, col = np.nonzero(sprite.cover)  # only pixels that change
    where = at[row, col]
    body = sprite.rgb.astype(np.float32)
    bright = body @ np.array([0.299, 0.587, 0.114], dtype=np.float32) > 118
    ink = np.where(bright[:, None], DARK, LIGHT)
    dot = sprite.dot[row, col][:, None]
    colour = body[row]
    colour += dot * (ink - body)[row]
    cover = (sprite.cover[row, col] * sprite.alpha.astype(np.float32)[row])[:, None]
    under = flat[where].astype(np.float32)
    under += cover * (colour - under)
    under += np.float32(0.5)
    flat[where] = under.astype(np.uint8)


# ── what lies behind, and the noise over all ──────────────────────────────────────────────────────


@lru_cache(maxsize=64)
def _tile(background: Background, size_px: int) -> np.ndarray:
    """A background a period larger than the frame: uint8 [height, width, rgb]."""
    side = size_px + int(np.ceil(background.period * size_px)) + 1
    at = (np.arange(side) + 0.5) / size_px / background.period  # in periods
    x, y = np.meshgrid(at, at)
    if background.pattern == "stripes":
        d = (np.abs((x + y) % 1.0 - 0.5) - 0.25) / 1.414
    elif background.pattern == "dots":
        d = np.hypot(x % 1.0 - 0.5, y % 1.0 - 0.5) - 0.27
    else:
        d = np.full(x.shape, 1.0)
    ink = np.clip(0.5 - d * background.period * size_px, 0, 1)[..., None]
    return np.round(ink * background.ink + (1 - ink) * np.array(background.paper)).astype(np.uint8)


@lru_cache(maxsize=1)
def _noise() -> np.ndarray:
    """Noise to be added modulo 256: uint8 [TILE, TILE, rgb], the same grey value in all three channels."""
    grey = np.random.default_rng(20).integers(-NOISE, NOISE + 1, (TILE, TILE, 1))
    return np.repeat(grey, 3, axis=2).astype(np.int8).view(np.uint8)


def _paper(scenes: Sequence[Plan], canvas: np.ndarray) -> None:
    size = canvas.shape[2]
    for scene, frames in zip(scenes, canvas, strict=True):
        background = scene.theme.backgrounds[scene.background]
        x, y = (int(o * background.period * size) for o in scene.offset)
        frames[:] = _tile(background, size)[y : y + size, x : x + size]


def _grain(scenes: Sequence[Plan], times_s: np.ndarray, canvas: np.ndarray) -> None:
    """Add noise that depends on the scene and the time only (to a 1/1000 s).

    Colours keep clear of 0 and 255 (see ``theme.py``), so uint8 arithmetic modulo 256 cannot wrap.
    """
    tile, size = _noise(), canvas.shape[2]
    room = max(1, TILE - size)
    for scene, times, frames in zip(scenes, times_s, canvas, strict=True):
        for t, frame in zip(times, frames, strict=True):
            ms = round((scene.duration_s - t if scene.backwards else t) * 1000)
            h = (scene.grain * 2654435761 + ms * 40503 * 65537) & 0xFFFFFFFF
            h = (h ^ (h >> 15)) * 2246822519 & 0xFFFFFFFF
            h ^= h >> 13
            x, y = h % room, (h // room) % room
            if size <= TILE:
                np.add(frame, tile[y : y + size, x : x + size], out=frame)
            else:  # larger than the tile: lay it several times
                reps = -(-size // TILE)
                np.add(frame, np.tile(tile, (reps, reps, 1))[:size, :size], out=frame)
