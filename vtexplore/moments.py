"""The world's Kinetics for a network that looks at moments: who acts in this stretch of video, and what does it do?

VideoBERT's S3D was taught to name the action of a clip before its pooled features were clustered; so is this one, on
windows of the world's clips and scripts. What it cannot tell apart, no visual word can: hence it is asked for the
action, and for the colour and the shape of what acts, and not for what else there is.

A deep and narrow network hears nothing of a colour through a pooled feature. So it learns from its first maps to its
last: at each place of ``sites`` on the way it says what is seen there, as the first Inception did with classifiers
half way (Szegedy et al., arXiv 1409.4842). Stages of the training move the sites up. All heads are thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtexplore.blocks.s3d import S3D
from vtexplore.errors import ConfigError
from vtexplore.eyes import FINE, STILL, Labels, label, object_labels, pixels
from vtexplore.train import Task
from vtexplore.world import render, sample_scene, script

if TYPE_CHECKING:
    from vtexplore.world.scene import Scene
    from vtexplore.world.theme import Theme

PLACES = {"2c": (2, 4), "3c": (2, 8), "4f": (4, 16)}
"""Maps on the way that can be asked, and what a place of them spans: frames, pixels."""
SURE = 0.6  # share of a window that something must take, for it to count as right or wrong
SCRIPTS = 0.25  # share of batches that are of longer videos
STEPS = 6  # of such a one


class Acting(NamedTuple):
    """What happens in a stretch of each scene, as distributions.

    ``action`` [scene, action], 0 being "nothing"; ``colour`` [scene, colour] and ``shape`` [scene, shape] of whatever
    acts (0 everywhere if nothing does); ``share`` [scene] of the stretch in which something does.
    """

    action: Tensor
    colour: Tensor
    shape: Tensor
    share: Tensor


def acting(scenes: Sequence[Scene], start_s: float, end_s: float) -> Acting:
    """Who acts in ``start_s`` … ``end_s``, and what it does; colours are those of the middle."""
    theme = scenes[0].theme
    halves = np.array([start_s, (start_s + end_s) / 2])
    colour, shape, action = object_labels(scenes, halves, end_s)
    doing = action[..., 1 + STILL :].mean(2)  # [scene, object, kind]; partners of one event do the same
    kinds = doing.max(1)
    kinds /= np.maximum(kinds.sum(-1, keepdims=True), 1)
    share = kinds.sum(-1)
    who = doing.sum(-1) / np.maximum(doing.sum((1, 2)), 1e-9)[:, None]

    def of(look: np.ndarray, count: int) -> Tensor:
        table = np.zeros((len(scenes), count))
        i, o = np.nonzero(who)
        np.add.at(table, (i, look[i, o]), who[i, o])
        return torch.from_numpy(table).float()

    return Acting(
        torch.from_numpy(np.concatenate([1 - share[:, None], kinds], axis=1)).float(),
        of(colour[..., 1], len(theme.colours)),
        of(shape[..., 1], len(theme.shapes)),
        torch.from_numpy(share).float(),
    )


class Heads(nn.ModuleDict):
    """What is asked at each place of some maps: colour, shape, action of the object there; its outline everywhere."""

    def __init__(self, width: int, theme: Theme) -> None:
        counts = {"colour": len(theme.colours), "shape": len(theme.shapes), "action": 1 + len(theme.kinds())}
        super().__init__({name: nn.Linear(width, count) for name, count in (counts | {"outline": FINE**2}).items()})

    def losses(self, maps: Tensor, truth: Labels) -> dict[str, Tensor]:
        """Cross-entropies over the places that hold an object; ``maps`` [scene, channel, frame, row, column]."""
        x, there = maps.movedim(1, -1), truth.colour >= 0
        said = {name: self[name](x[there]).log_softmax(-1) for name in ("colour", "shape", "action")}
        return {
            "outline": F.binary_cross_entropy_with_logits(self["outline"](x), truth.outline),
            "colour": F.nll_loss(said["colour"], truth.colour[there]),
            "shape": F.nll_loss(said["shape"], truth.shape[there]),
            "action": -(truth.action[there] * said["action"]).sum(-1).mean(),
            "_colour%": (said["colour"].argmax(-1) == truth.colour[there]).float().mean(),
            "_shape%": (said["shape"].argmax(-1) == truth.shape[there]).float().mean(),
        }


class Moments(Task):
    """An S3D under training on windows of ``window`` frames, ``fps`` of them a second.

    ``sites``: the maps on the way that are asked at each place (of ``PLACES``); ``whole``: whether pooled features are
    asked for the action and what acts. What lies behind the last of these does not learn.
    """

    MOMENTUM = 0.03  # of the batch norms' statistics: the published 1e-3 would outlast the run
    OUTLINE, ACTION = 3.0, 2.0

    def __init__(
        self, backbone: S3D, theme: Theme, window: int, fps: float, size_px: int, sites: Sequence[str], whole: bool
    ) -> None:
        super().__init__()
        if wrong := [name for name in sites if name not in PLACES]:
            raise ConfigError(f"Nothing is known of the places of {wrong[0]!r}. Ask at {', '.join(PLACES)}.")
        self.backbone, self.theme = backbone.requires_grad_(True), theme
        self.window, self.fps, self.size_px, self.sites, self.whole = window, fps, size_px, tuple(sites), whole
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.momentum = self.MOMENTUM
        width = {"2c": backbone.conv_2c.time.conv.out_channels}
        width |= {name: block.out_width for name, block in backbone.mixed.items()}  # type: ignore[misc]
        self.places = nn.ModuleDict({name: Heads(width[name], theme) for name in PLACES})
        self.action = nn.Linear(backbone.config.out_width, 1 + len(theme.kinds()))
        self.colour = nn.Linear(backbone.config.out_width, len(theme.colours))
        self.shape = nn.Linear(backbone.config.out_width, len(theme.shapes))
        self.weight = {f"{name} outline": self.OUTLINE for name in PLACES} | {"action": self.ACTION}

    def draw(self, rng: np.random.Generator, count: int, split: str = "train") -> Any:
        """One window of each of ``count`` scenes, the same for all: (video uint8, who acts, labels by site)."""
        longer = rng.random() < SCRIPTS
        scenes = [
            script(rng, STEPS, split, theme=self.theme) if longer else sample_scene(rng, split, theme=self.theme)
            for _ in range(count)
        ]
        long_s = self.window / self.fps
        start_s = float(rng.random() * (scenes[0].duration_s - long_s))
        video = render(scenes, start_s + (np.arange(self.window) + 0.5) / self.fps, self.size_px)
        labels = {}
        for name in self.sites:
            frames, stride_px = PLACES[name]
            times_s = start_s + (np.arange(self.window // frames) + 0.5) * frames / self.fps
            labels[name] = label(scenes, times_s, self.size_px, stride_px, start_s + long_s)
        return torch.from_numpy(video), acting(scenes, start_s, start_s + long_s), labels

    def losses(self, data: tuple[Tensor, Acting, dict[str, Labels]], generator: torch.Generator) -> dict[str, Tensor]:
        """At each place of each site what is seen there; of the whole, the action and what acts."""
        video, truth, labels = data
        out: dict[str, Tensor] = {}
        for name, x in self.backbone.steps(pixels(video)):
            if name in labels:
                heads: Heads = self.places[name]  # type: ignore[assignment]
                found = heads.losses(x, labels[name])
                out |= {f"_{name} {k[1:]}" if k[0] == "_" else f"{name} {k}": v for k, v in found.items()}
                if not self.whole and name == self.sites[-1]:
                    return out
        return out | self._of_the_whole(x.mean((2, 3, 4)), truth)

    def _of_the_whole(self, features: Tensor, truth: Acting) -> dict[str, Tensor]:
        out = {}
        for name, wanted in (("action", truth.action), ("colour", truth.colour), ("shape", truth.shape)):
            said = getattr(self, name)(features).log_softmax(-1)
            share = torch.ones_like(truth.share) if name == "action" else truth.share
            out[name] = -((wanted * said).sum(-1) * share).sum() / share.sum().clamp(min=1e-6)
            sure = (wanted.max(-1).values > SURE) & (truth.share > SURE)
            out[f"_{name}%"] = (said.argmax(-1) == wanted.argmax(-1))[sure].float().mean()
        return out
