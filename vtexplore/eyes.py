"""The world's ImageNet: a backbone learns who does what, where, from the world's own labels.

The published models start from backbones that were supervised on ImageNet or Kinetics; the miniatures'
backbones are supervised on the world, at each place of their grid: which colour and which shape is
seen there, what that object is doing, and on what background; a backbone that sums a picture up (a ViT's [CLS])
also says which looks are in it. One whose frames never meet (a ViT's patches) is asked, as ImageNet's other task
has it, where the object is: motion can only be told from where a thing was in each frame. The classifiers on top are
thrown away. (An S3D, which looks at moments, is another matter: ``moments.py``.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtexplore.train import Task
from vtexplore.world import render
from vtexplore.world.motion import poses
from vtexplore.world.render import masks
from vtexplore.world.sampling import sample_scene

if TYPE_CHECKING:
    from vtexplore.world.scene import Scene
    from vtexplore.world.theme import Theme

MIN_COVER = 0.2  # share of a place that an object must cover to be named there
FINE = 4  # parts of a place, each way, in which the outline of objects is asked for
STILL = 0  # class of "does nothing now"
BINS = 24  # of a frame's side, in which the middle of an object is looked for, and of its radius
LARGEST = 0.24  # radius, in frame sides, of the last of these


@dataclass(frozen=True)
class Labels:
    """What is where: int64 [scene, frame, row, column] (−1 = no object), and [scene] the background.

    ``action`` [scene, frame, row, column, class] is a distribution: the share of the time from this
    frame to the next that the object spends in each action, class 0 being "nothing". ``where`` [scene, frame, row,
    column, 3]: which of ``BINS`` hold the x and y of the middle of the object, and its radius.
    """

    colour: Tensor
    shape: Tensor
    action: Tensor
    background: Tensor
    cover: Tensor
    object_shape: Tensor
    object_action: Tensor
    outline: Tensor
    where: Tensor

    def to(self, device: Any) -> Labels:
        """The same on a device."""
        return Labels(*(getattr(self, f.name).to(device) for f in fields(self)))

    def repeated(self, times: int) -> Labels:
        """The same scenes so many times, one after the other."""
        return Labels(*(torch.cat([getattr(self, f.name)] * times) for f in fields(self)))


def label(
    scenes: Sequence[Scene], times_s: np.ndarray, size_px: int, stride_px: int, end_s: float | None = None
) -> Labels:
    """Labels of the grid that a backbone of this stride sees at ``times_s`` [frame], of a stretch up to ``end_s``."""
    theme = scenes[0].theme
    seen = masks(scenes, times_s, size_px)  # [scene, object, frame, height, width]
    n, objects, frames = seen.shape[:3]
    side = size_px // stride_px
    cover = seen.reshape(n, objects, frames, side, stride_px, side, stride_px).mean((4, 6))
    owner = cover.argmax(1)  # [scene, frame, row, column]
    nobody = cover.max(1) < MIN_COVER
    colour, shape, action = object_labels(scenes, times_s, end_s)

    def at(table: np.ndarray) -> np.ndarray:  # [scene, object, frame, …] → [scene, frame, row, column, …]
        s, f = np.arange(n)[:, None, None, None], np.arange(frames)[None, :, None, None]
        return table[s, owner, f]

    hue = np.where(nobody, -1, at(colour))
    kind = np.where(nobody, -1, at(shape))
    grounds = list(theme.backgrounds)
    return Labels(
        torch.from_numpy(hue),
        torch.from_numpy(kind),
        torch.from_numpy(at(action).astype(np.float32)),
        torch.tensor([grounds.index(s.background) for s in scenes]),
        torch.from_numpy(cover.astype(np.float32)),
        torch.from_numpy(shape),
        torch.from_numpy(action.astype(np.float32)),
        torch.from_numpy(_outline(seen, side)),
        torch.from_numpy(at(_where(scenes, times_s))),
    )


def _where(scenes: Sequence[Scene], times_s: np.ndarray) -> np.ndarray:
    """Bins of x, y and radius of each object: int64 [scene, object, frame, 3]."""
    now = poses(scenes, times_s)
    shares = np.stack([now.x, now.y, now.radius / LARGEST], axis=-1)
    return np.clip((shares * BINS).astype(np.int64), 0, BINS - 1)


def _outline(seen: np.ndarray, side: int) -> np.ndarray:
    """How much of each of the FINE × FINE parts of a place is object: [scene, frame, row, column, part]."""
    n, _, frames, size_px, _ = seen.shape
    part = size_px // (side * FINE)
    fine = seen.any(1).reshape(n, frames, side, FINE, part, side, FINE, part).mean((4, 7))
    return fine.transpose(0, 1, 2, 4, 3, 5).reshape(n, frames, side, side, FINE**2).astype(np.float32)


def object_labels(
    scenes: Sequence[Scene], times_s: np.ndarray, end_s: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour and shape [scene, object, frame] and action [scene, object, frame, class] of each object.

    Actions are those from a frame to the next, and from the last to ``end_s`` (None: to the end of the scene).
    """
    theme = scenes[0].theme
    objects, frames = max(len(s.objects) for s in scenes), len(times_s)
    hues, shapes, kinds = list(theme.colours), list(theme.shapes), list(theme.kinds())
    colour = np.full((len(scenes), objects, frames), -1)
    shape = np.full_like(colour, -1)
    action = np.zeros((len(scenes), objects, frames, 1 + len(kinds)))
    for i, scene in enumerate(scenes):
        until_s = np.append(times_s[1:], scene.duration_s if end_s is None else end_s)
        for o, thing in enumerate(scene.objects):
            colour[i, o], shape[i, o] = hues.index(thing.colour), shapes.index(thing.shape)
        for event in scene.events:
            shared_s = np.minimum(until_s, event.end_s) - np.maximum(times_s, event.start_s)
            share = np.clip(shared_s, 0, None) / (until_s - times_s)
            for o in event.objects:
                action[i, o, :, 1 + kinds.index(event.kind)] += share
            if event.target is not None:
                turned = times_s > (event.start_s + event.end_s) / 2
                colour[i, event.objects[0], turned] = hues.index(event.target)
    total = action.sum(-1, keepdims=True)
    action /= np.maximum(total, 1)
    action[..., STILL] = 1 - action.sum(-1)
    return colour, shape, action


class Eyes(Task):
    """A backbone under training.

    ``backbone(video)`` gives grids [depth, batch, frame, row, column, channel], and a summary [batch, channel] or None.
    ``where``: whether it is asked for the middle and the radius of each object.
    """

    weight = {"looks": 10.0, "outline": 3.0, "colour": 1.0, "shape": 1.0, "action": 1.5, "background": 0.2}  # noqa: RUF012

    def __init__(
        self,
        backbone: nn.Module,
        width: int,
        theme: Theme,
        frames: int,
        size_px: int,
        stride_px: int,
        where: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.theme = backbone, theme
        self.frames, self.size_px, self.stride_px = frames, size_px, stride_px
        if frames == 1:  # a picture shows no action
            self.weight = {**self.weight, "action": 0.0, "o_action": 0.0}
        self.colour = nn.Linear(width, 1 + len(theme.colours))
        self.shape = nn.Linear(width, 1 + len(theme.shapes))
        self.action = nn.Linear(width, 1 + len(theme.kinds()))
        self.outline = nn.Linear(width, FINE**2)
        self.background = nn.Linear(width, len(theme.backgrounds))
        self.looks = nn.Linear(width, len(theme.colours) * len(theme.shapes))
        self.where = nn.Linear(width, 3 * BINS) if where else None

    def draw(self, rng: np.random.Generator, count: int, split: str = "train") -> Any:
        """Scenes as (video uint8, labels)."""
        scenes = [sample_scene(rng, split, theme=self.theme) for _ in range(count)]
        at = np.arange(1, self.frames + 1) / (self.frames + 1) if self.frames > 1 else rng.random(1)
        times_s = scenes[0].duration_s * at
        video = torch.from_numpy(render(scenes, times_s, self.size_px))
        return video, label(scenes, times_s, self.size_px, self.stride_px)

    def losses(self, data: tuple[Tensor, Labels], generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy at each place; empty places count little, or they would drown the rest."""
        video, truth = data
        grids, summary = self.backbone(pixels(video))  # [depth, batch, frame, row, column, channel], [batch, channel]
        summed_up = self._summed_up(summary, truth)
        x, truth = grids.flatten(0, 1), truth.repeated(len(grids))
        there = truth.colour >= 0
        share = torch.where(there, 1.0, 0.15)
        share = share / share.sum()
        colour, shape, action = self.colour(x), self.shape(x), self.action(x)

        def here(logits: Tensor, target: Tensor) -> Tensor:
            each = F.cross_entropy(logits.flatten(0, 3), (target + 1).flatten(), reduction="none")
            return (each * share.flatten()).sum()

        said = F.log_softmax(action[there], -1)
        wanted = truth.action[there]
        sure = wanted.max(-1).values > 0.6
        right = (said.argmax(-1) == wanted.argmax(-1))[sure]
        seen = truth.cover.sum((-1, -2))  # [scene, object, frame]
        pooled = torch.einsum("bfrcd,bofrc->bofd", x, truth.cover)
        visible = seen > 0.5
        pooled = pooled[visible] / seen[visible][:, None]
        o_shape, o_action = self.shape(pooled), self.action(pooled)
        return (
            summed_up
            | self._places(x[there], truth.where[there])
            | {
                "o_shape": F.cross_entropy(o_shape, truth.object_shape[visible] + 1),
                "o_action": -(truth.object_action[visible] * F.log_softmax(o_action, -1)).sum(-1).mean(),
                "_o_shape%": (o_shape.argmax(-1) - 1 == truth.object_shape[visible]).float().mean(),
                "outline": F.binary_cross_entropy_with_logits(self.outline(x), truth.outline),
                "colour": here(colour, truth.colour),
                "shape": here(shape, truth.shape),
                "action": -(wanted * said).sum(-1).mean(),
                "background": F.cross_entropy(self.background(x.mean((1, 2, 3))), truth.background),
                "_colour%": (colour[there].argmax(-1) - 1 == truth.colour[there]).float().mean(),
                "_shape%": (shape[there].argmax(-1) - 1 == truth.shape[there]).float().mean(),
                "_action%": right.float().mean(),
            }
        )

    def _places(self, x: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Where is the object that is seen at a place [place, channel]? ``wanted``: bins [place, 3]."""
        if self.where is None:
            return {}
        said = self.where(x).unflatten(1, (3, BINS))
        return {
            "where": F.cross_entropy(said.flatten(0, 1), wanted.flatten()),
            "_where%": ((said.argmax(-1) - wanted).abs() <= 1).all(-1).float().mean(),
        }

    def _summed_up(self, summary: Tensor | None, truth: Labels) -> dict[str, Tensor]:
        """Which looks (a colour and a shape) are anywhere in the picture? Nothing, if nobody sums it up."""
        if summary is None:
            return {}
        count = self.looks.out_features
        index = torch.where(truth.colour >= 0, truth.colour * len(self.theme.shapes) + truth.shape, count).flatten(1)
        there = summary.new_zeros(len(summary), count + 1).scatter(1, index, 1.0)[:, :count]
        said = self.looks(summary)
        return {
            "looks": F.binary_cross_entropy_with_logits(said, there),
            "_looks%": (said > 0)[there > 0].float().mean(),
        }


def pixels(video: Tensor) -> Tensor:
    """uint8 [batch, frame, height, width, rgb] to float [batch, frame, rgb, height, width] in 0..1."""
    return video.permute(0, 1, 4, 2, 3).float().div_(255)
