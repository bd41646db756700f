"""What each part of a miniature is trained on; the order is the published models' own.

Eyes (eyes.py)   a backbone, supervised by the world's labels       "the world's ImageNet"
Moments (…)      one that looks at windows of video, likewise       "the world's Kinetics"
Words            a text encoder, on the world's sentences alone     "the world's BERT"
Codes            a discrete VAE, by painting frames again           "the world's DALL·E"
Pretrain         a family, with its own objectives, on clips and captions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vtexplore.blocks.dvae import DiscreteVAE
from vtexplore.blocks.embeddings import WordEmbeddings, WordIds
from vtexplore.blocks.heads import MaskedWords
from vtexplore.blocks.transformer import Encoder
from vtexplore.data.prepare import subtitles, text_batch
from vtexplore.data.text import vocabulary
from vtexplore.errors import ConfigError
from vtexplore.eyes import pixels
from vtexplore.objectives import discrete_vae, masked_words
from vtexplore.objectives.masked_words import IGNORE
from vtexplore.pool import Pool, Scripts, standing_in
from vtexplore.registry import Pretraining, Stage, build, family
from vtexplore.train import Recipe, Task, step_rng
from vtexplore.types import Batch, Inputs, Subtitles
from vtexplore.world import (
    draft_scene,
    in_one_voice,
    masks,
    narration,
    render,
    sample_scene,
    script,
    sentences,
    sibling_batch,
)
from vtexplore.world.act import DURATION_S
from vtexplore.world.script import STEP_S

if TYPE_CHECKING:
    from vtexplore.world import Scene


# ── scenes to batches ─────────────────────────────────────────────────────────────────────────────


def scene_times(inputs: Inputs, duration_s: float) -> np.ndarray:
    """When a family looks at a scene: [frame] seconds (as ``data.prepare`` does for clips)."""
    step = np.arange(inputs.frames)
    if inputs.sampling == "interior":
        return duration_s * (step + 1) / (inputs.frames + 1)
    return duration_s * (step + 0.5) / inputs.frames


def inputs_for(inputs: Inputs, duration_s: float) -> Inputs:
    """What a family wants to see of a longer video: as many frames a second as of a clip of the world."""
    return replace(inputs, frames=round(inputs.frames * duration_s / DURATION_S))


def scene_batch(
    scenes: Sequence[Scene], inputs: Inputs, texts: Sequence[str] | None = None, blank: bool = False
) -> Batch:
    """``data.prepare`` for many scenes at once: the same Batch, without a Clip for each.

    ``texts``: one a scene; None = the scenes' own captions. ``blank``: nobody will look; all is black.
    """
    times_s = scene_times(inputs, scenes[0].duration_s)
    if blank:
        video = torch.zeros(()).expand(len(scenes), inputs.frames, 3, inputs.size_px, inputs.size_px)
    else:
        video = pixels(torch.from_numpy(render(scenes, times_s, inputs.size_px)))
    batch = text_batch([s.caption.text for s in scenes] if texts is None else texts, inputs)
    count = len(scenes)
    return replace(
        batch,
        video=video,
        times_s=np.tile(times_s, (count, 1)),
        view=np.tile([0.0, 0.0, 1.0, 1.0], (count, 1)),
        durations_s=np.array([s.duration_s for s in scenes]),
    )


def word_rates(rates: Mapping[str, float], name: str) -> Tensor:
    """How often each piece of a vocabulary is hidden, from rates by role; "" is for all other words: [vocabulary]."""
    known = vocabulary(name)
    out = torch.full((len(known),), rates.get("", 0.0))
    for i in range(400):  # enough captions for every word of the world to come up
        for word in draft_scene(i).caption.words:
            if word.role in rates:
                out[list(known.word(word.text)[0])] = rates[word.role]
    return out


STEPS = 8  # of the scripts of a pool
TOLD = 2  # steps of an excerpt that have words
IDLE = 0.1  # share of its narration that speaks of something else
LIT = 0.15  # share of a patch that objects cover, for it to be in the spotlight
HELD = 0.25  # share of an object that a patch holds, likewise: of an object where four patches meet, one has so much


# ── the parts ─────────────────────────────────────────────────────────────────────────────────────


class Words(Task):
    """Masked words on sentences alone (Devlin et al. 2018, without next-sentence prediction)."""

    RATE = 0.2

    def __init__(self, text: WordEmbeddings, fusion: Encoder, word_head: MaskedWords, inputs: Inputs) -> None:
        super().__init__()
        self.text, self.fusion, self.word_head, self.inputs = text, fusion, word_head, inputs
        self.ids = WordIds.of(inputs.vocabulary)

    def draw(self, rng: np.random.Generator, count: int, split: str = "train") -> Batch:
        """Sentences of the world."""
        return text_batch(list(islice(sentences(rng, split=split), count)), self.inputs)

    def losses(self, data: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of the hidden pieces."""
        chosen = masked_words.choose(~self.ids.special(data.word_ids), self.RATE, generator)
        ids, target = masked_words.corrupt(data.word_ids, chosen, self.ids.mask)
        x = self.fusion(self.text(replace(data, word_ids=ids))).hidden
        logits = self.word_head(x[target >= 0])
        wanted = target[target >= 0]
        return {
            "words": masked_words.loss(logits, wanted),
            "_right": (logits.argmax(-1) == wanted).float().mean(),
        }


class Codes(Task):
    """A discrete VAE on frames of the world at the size at which families look at its codes, and closer up.

    The temperature of the relaxed choice falls from ``hottest`` (1) to 1/16 (Ramesh et al. 2021, App. A.2) over the
    first three quarters of the run. Two things differ from the paper, because most of this world is empty
    ground: the scale of the likelihood has a floor (or else the ground, painted ever more exactly,
    outweighs all objects), and codes are asked to be in use evenly over a batch (or else a dozen serve).
    """

    weight = {"use": 0.15}  # noqa: RUF012
    FRAMES = 2  # frames of each scene
    SHARPEST = -1.5  # floor of the likelihood's log scale

    def __init__(self, dvae: DiscreteVAE, side_px: int, hottest: float = 1.0) -> None:
        super().__init__()
        self.dvae, self.side_px, self.hottest = dvae, side_px, hottest

    def draw(self, rng: np.random.Generator, count: int, split: str = "train") -> Tensor:
        """Frames uint8 [frame, side, side, rgb] at random times of ``count`` scenes: half whole, half close up."""
        scenes = [sample_scene(rng, split) for _ in range(count)]
        times_s = np.sort(rng.uniform(0, scenes[0].duration_s, (count, self.FRAMES)))
        near = count // 2
        whole = render(scenes[near:], times_s[near:], self.side_px).reshape(-1, self.side_px, self.side_px, 3)
        twice = render(scenes[:near], times_s[:near], 2 * self.side_px)
        twice = twice.reshape(-1, *twice.shape[2:])
        corner = rng.integers(0, self.side_px + 1, (len(twice), 2))
        cut = [f[y : y + self.side_px, x : x + self.side_px] for f, (y, x) in zip(twice, corner, strict=True)]
        return torch.from_numpy(np.concatenate([*(c[None] for c in cut), whole]))

    def losses(self, data: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Painting and evenness of use; watched: how far the most likely painting is off, in 0..1."""
        frames = pixels(data[:, None])[:, 0]
        logits = self.dvae(frames)  # [frame, code, row, column]
        temperature = self.hottest * (1 / 16 / self.hottest) ** min(1.0, self.progress / 0.75)
        raw = self.dvae.decoder(discrete_vae.gumbel_softmax(logits, temperature, generator))
        mu, log_b = raw.chunk(2, dim=1)
        bounded = torch.cat([mu, self.SHARPEST + F.softplus(log_b - self.SHARPEST)], dim=1)
        used = logits.softmax(1).mean((0, 2, 3))
        return {
            "paint": discrete_vae.logit_laplace(bounded, frames).mean(),
            "use": (used * (used * len(used) + 1e-9).log()).sum(),
            "_off": (self.dvae.paint(raw) - frames).abs().mean(),
        }


class Pretrain(Task):
    """A family with its own objectives, on batches of sibling scenes.

    A group of siblings stands for one GPU's batch in the papers; another item's caption is often a hard
    negative. ``drop`` of the clips are hidden, so that "no video" is something the model has met.
    """

    def __init__(self, model: Any, plan: Pretraining, stage: Stage) -> None:
        super().__init__()
        self.model, self.stage, self.weight = model, stage, dict(stage.weight)
        self.drop, self.group = plan.drop, plan.group
        self.pool: Pool | None = None
        self.scripts: Scripts | None = None
        fixed = {n for n, p in build(model.name, device="meta").named_parameters() if not p.requires_grad}
        for name, parameter in model.named_parameters():  # earlier stages may have frozen others than this one does
            factor = next((f for prefix, f in stage.slow if name.startswith(prefix)), 1.0)
            parameter.requires_grad_(factor > 0 and name not in fixed)
        self.backbone = family(model.name).backbone
        if stage.pool and (not self.backbone or any(p.requires_grad for p in self._eyes.parameters())):
            raise ConfigError(
                f"A pool remembers what a frozen backbone said, and {model.name} has none in this stage. Let its "
                "Family name one, and the stage freeze it (slow), or leave the pool out."
            )
        model.word_rates = word_rates(stage.rates, model.config.inputs.vocabulary) if stage.rates else None

    @property
    def _eyes(self) -> nn.Module:
        eyes: nn.Module = self.model.get_submodule(self.backbone)
        return eyes

    def prepare(self, recipe: Recipe, rank: int, processes: int, quiet: bool = False) -> None:
        """Fill the pool of a stage that has one: each process has a share of its own."""
        if not self.stage.pool:
            return
        rng = step_rng(recipe.seed, recipe.steps, rank + 2_000)
        clips = self.stage.pool // processes // self.group * self.group
        scenes = sibling_batch(rng, clips, self.group, **self.stage.scenes)
        groups = [scenes[i : i + self.group] for i in range(0, clips, self.group)]
        self.pool = Pool.fill(groups, self._features, quiet)
        if self.stage.scripts:
            longer = [[script(rng, STEPS)] for _ in range(clips // self.group)]
            self.scripts = Scripts(Pool.fill(longer, self._features, quiet), STEPS, self.stage.lengths)

    def _inputs(self, scenes: Sequence[Scene]) -> Inputs:
        return inputs_for(self.model.config.inputs, scenes[0].duration_s)

    def _features(self, scenes: Sequence[Scene]) -> Tensor:
        batch = scene_batch(scenes, self._inputs(scenes), texts=[""] * len(scenes))
        heard: list[Tensor] = []
        listening = self._eyes.register_forward_hook(lambda module, given, said: heard.append(said))
        try:
            self.model.embed(batch.to(next(self.model.parameters()).device))
        finally:
            listening.remove()
        return heard[0]

    def draw(self, rng: np.random.Generator, count: int, split: str = "train") -> Any:
        """Clips and captions; ``video_mask`` says which clips are dropped. With a pool, also its features."""
        features: Tensor | None = None
        texts: list[str] | None = None
        speech: Subtitles | None = None
        if self.scripts is not None and rng.random() < self.stage.scripts:
            scenes, features = self.scripts.excerpts(rng, count // self.group, self.group)
            if scenes[0].duration_s > TOLD * STEP_S:
                texts = [""] * count
            if self.stage.drift_s is not None:
                told = [narration(scene, rng, self.stage.drift_s, IDLE) for scene in scenes]
                speech = subtitles(told, self.model.config.inputs)
        elif self.pool is None:
            scenes = sibling_batch(rng, count, self.group, split, **self.stage.scenes)
        else:
            scenes, features = self.pool.draw(rng, count // self.group, self.stage.in_order)
        if self.stage.one_voice:
            scenes = in_one_voice(scenes, rng)
        batch = scene_batch(scenes, self._inputs(scenes), texts, blank=features is not None)
        seen = torch.from_numpy(rng.random(count) >= self.drop)
        lit = self._lit(scenes, batch) if rng.random() < self.stage.spotlight else None
        return replace(batch, video_mask=seen, patch_mask=lit, speech=speech), features

    def _lit(self, scenes: Sequence[Scene], batch: Batch) -> Tensor:
        """Patches of which an object covers much, or that hold much of one: bool [batch, frame, row, column]."""
        frames, rows, columns = self.model.grid(batch)
        if rows * columns == 1:
            raise ConfigError(f"Every token of {self.model.name} is of the whole picture: no spotlight. Set it to 0.")
        times_s, side = scene_times(self._inputs(scenes), scenes[0].duration_s), batch.video.shape[-1]
        seen = masks(scenes, times_s, side)  # [batch, object, frame, height, width]
        held = seen.reshape(*seen.shape[:2], frames, rows, side // rows, columns, -1).sum((4, 6))
        whole = held.sum((3, 4), keepdims=True).clip(1)
        much = (held.sum(1) > LIT * side**2 / (rows * columns)) | (held >= HELD * whole).any(1)
        return torch.from_numpy(much)

    def losses(self, data: tuple[Batch, Tensor | None], generator: torch.Generator) -> dict[str, Tensor]:
        """The family's own."""
        batch, features = data
        losses: dict[str, Tensor]
        if features is None:
            losses = self.model.loss(batch, generator)
        else:
            asked: dict[str, Tensor] = {}
            if features.is_floating_point() and hasattr(self.model, "codes"):
                # What was remembered of pixels knows of no hidden patch: no code is asked for.
                asked["codes"] = torch.full((len(batch), *self.model.grid(batch)), IGNORE, device=features.device)
            with standing_in(self.model, self.backbone, features):
                losses = self.model.loss(batch, generator, **asked)
        if not any(batch.texts) and batch.speech is None:  # one text is as good as another
            losses.pop("match", None)
        return losses
