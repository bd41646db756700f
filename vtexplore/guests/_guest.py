"""A model of transformers behind the house's door: a Batch in, an Output out, and a tap in every attention."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore.blocks.tap import listened
from vtexplore.data.borrowed import Borrowed
from vtexplore.data.text import lend
from vtexplore.devices import computing
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.guests._hearing import find, heard
from vtexplore.guests._kind import Feed, Kind
from vtexplore.guests._parts import Part
from vtexplore.guests._reading import Looking, parts_of
from vtexplore.types import Batch, Inputs, Output, Stream

FRAMES, MOST_WORDS, CELLS = 4, 64, 6
_ALONE = threading.RLock()  # hooks stand in the model itself: one listened forward at a time
Detector = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Frames [batch, frame, rgb, height, width] in 0..1 to boxes [batch, frame, region, 4] (xyxy in 0..1 of the square) and
features [batch, frame, region, channel]."""


class Guest(nn.Module):
    """A model of transformers that every probe, view and widget takes; made by ``wrap``.

    Its weights are those of ``model``, which stays as it was. ``inputs`` says what to ``prepare`` for it.
    """

    inputs: Inputs

    def __init__(self, model: Any, kind: Kind, looking: Looking, inputs: Inputs, detector: Detector | None) -> None:
        super().__init__()
        self.model, self.kind, self.looking, self.detector = model, kind, looking, detector
        self.inputs = inputs
        self.name, self.size = str(model.config.model_type), type(model).__name__
        self.weights_hash, self.card = None, dict[str, Any]()
        self.wants = kind.wants(model.config)
        self.spots, self.layers = find(model, kind.sites, kind.states, model.base_model_prefix, kind.optional)
        self.taps = nn.ModuleList([look.tap for spot in self.spots for look in spot.looks])

    def forward(self, batch: Batch) -> Output:
        """What the heads say. What is declared unseen (clips, patches) is hidden from attention.

        Of a clip that is not there, pixels are the mean colour (and features 0), for heads that read states without
        attention. Raises ``Unsupported`` for hidden patches where such a head would read them, or regions hold them.
        """
        self.able(batch)
        feed = self.kind.feed(self, batch)
        return self.kind.say(self, self.run(feed, batch), batch)

    def run(self, feed: Feed, batch: Batch) -> Any:
        """The model's own output, listened to if anybody listens."""
        with self.listening(feed.parts, batch), self.kind.around(self, batch):
            return self.model(**feed.inputs)

    @contextmanager
    def listening(self, parts: Mapping[str, Part], batch: Batch) -> Iterator[None]:
        """In this block all that is called of the model is listened to, if anybody listens or something is hidden."""
        hiding = batch.video_mask is not None or batch.patch_mask is not None
        with ExitStack() as stack:
            if listened() or hiding:
                stack.enter_context(_ALONE)
                stack.enter_context(heard(self.spots, self.layers, parts))
            yield

    def able(self, batch: Batch) -> None:
        """Raises ``Unsupported`` for a batch of which single patches are hidden, where that cannot be."""
        if batch.patch_mask is not None and not self.kind.hides_patches:
            raise Unsupported(
                f"Single patches cannot be hidden from {self.kind.title}. Paint them over instead: "
                "removal='mean colour'."
            )

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        """Slots of time, rows and columns of the video's places; regions lie anywhere, and are laid over ``CELLS``²."""
        slots, rows, columns = (0, CELLS, CELLS) if self.wants.regions else self.wants.grid
        return slots or batch.video.shape[1], rows, columns

    def pixels(self, batch: Batch) -> Tensor:
        """The video as the model wants its colours: [batch, frame, rgb, height, width]."""
        mean, std = (batch.video.new_tensor(x).view(3, 1, 1) for x in (self.looking.mean, self.looking.std))
        return _there((batch.video - mean) / std, batch).to(self.model.dtype)

    def found(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Boxes and features of the regions of each frame, see ``Detector``."""
        assert self.detector is not None
        boxes, features = self.detector(batch.video)
        if boxes.shape != (*features.shape[:3], 4) or features.shape[3] != self.wants.regions:
            raise ConfigError(
                f"{self.size} wants boxes [batch, frame, region, 4] and features of {self.wants.regions} channels; the "
                f"detector gave {list(boxes.shape)} and {list(features.shape)}."
            )
        return boxes.to(self.model.dtype), _there(features, batch).to(self.model.dtype)


class Apart(Guest):
    """A guest of two towers: what it makes of a clip and of a text can be asked for before the two meet.

    Whoever asks of many texts, or of many orders of frames, has each clip looked at once. A guest that reads both
    together from its first layers has nothing of the kind, and is a ``Guest`` alone.
    """

    def embed(self, batch: Batch) -> tuple[Stream, Stream]:
        """What the towers make of clips and of texts, [batch, token, channel] each; see the kind's page."""
        assert self.kind.towers is not None
        self.able(batch)
        return self.kind.towers.see(self, batch), self.text(batch)

    def text(self, batch: Batch) -> Stream:
        """What the tower of texts makes of them [batch, token, channel]."""
        assert self.kind.towers is not None
        return self.kind.towers.hear(self, batch)

    def read(self, video: Stream, text: Stream, batch: Batch) -> Output:
        """What the heads say of clips and texts that were embedded before; the same as ``forward`` says of both."""
        assert self.kind.towers is not None
        seen = None if bool(video.mask.all()) else video.mask.any(dim=1)
        return self.kind.towers.meet(self, video, text, replace(batch, video_mask=seen, patch_mask=None))


def _there(x: Tensor, batch: Batch) -> Tensor:
    """0 for clips that are declared not to be there: [batch, …]."""
    return x if batch.video_mask is None else x * batch.video_mask.view(-1, *[1] * (x.dim() - 1))


def names() -> tuple[str, ...]:
    """The architectures that can be wrapped, by transformers' name of their type: the files of this folder."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py")))


def kind_of(name: str) -> Kind:
    """One page's ``KIND``. Raises ``ConfigError`` for an architecture that is not known here, naming those that are."""
    if name not in names():
        near = get_close_matches(name, names(), n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"No guest is known of type {name!r}. {hint}There are {', '.join(names())}; any other model can speak for "
            "itself, see vtexplore.testing."
        )
    kind: Kind = import_module(f"vtexplore.guests.{name}").KIND
    return kind


def wrap(
    model: Any,
    processor: Any = None,
    *,
    detector: Detector | None = None,
    frames: int | None = None,
    max_words: int | None = None,
    precision: str = "fp32",
) -> Guest:
    """A model of transformers as one that every probe, view and widget takes; its outputs stay what they are.

    ``processor``: its processor, or a tokenizer and an image processor together as a tuple (one of them, where the
    model reads or sees nothing). ``detector``: finds regions, for models that want them. ``frames``: how many a model
    of pictures is shown, one by one (its scores are then their mean); one of videos has its own number. ``max_words``:
    pieces of a text, the model's own limit at most (None: at most 64). ``precision``: as for ``load``, on the device
    where the model is; one whose own weights have 16 bits stays what it is.

    Pixels are brought to size by the house's reader (bilinear), where some processors use bicubic.
    Raises ``ConfigError`` for an architecture or class that is not known here, if part of the processor is missing, or
    for a precision that the device cannot do.
    """
    kind = kind_of(str(getattr(getattr(model, "config", None), "model_type", type(model).__name__)))
    if type(model).__name__ not in kind.classes:
        raise ConfigError(f"{type(model).__name__} cannot be wrapped; of {kind.title}, {', '.join(kind.classes)} can.")
    wants = kind.wants(model.config)
    tokenizer, looker = parts_of(processor)
    if wants.words and tokenizer is None:
        raise ConfigError(f"{kind.title} reads: give its processor or tokenizer, wrap(model, processor).")
    if wants.grid != (0, 1, 1) and looker is None:
        raise ConfigError(f"{kind.title} sees: give its processor, or (tokenizer, image processor).")
    if wants.regions and detector is None:
        raise ConfigError(
            f"{kind.title} reads regions: give detector=…, a function from frames to boxes and features of "
            f"{wants.regions} channels (vtexplore.guests.cells({wants.regions}) to try it out)."
        )
    if frames is not None and wants.frames not in (None, frames):
        raise ConfigError(f"{kind.title} sees {wants.frames} frames, not {frames}.")
    looking = Looking.of(looker)
    inputs = Inputs(
        frames=wants.frames or frames or (FRAMES if wants.grid != (0, 1, 1) or wants.regions else 1),
        sampling="middle",
        size_px=wants.size_px,
        fit=looking.fit,
        max_words=min(wants.words, max_words or MOST_WORDS) or MOST_WORDS,
        vocabulary=lend(Borrowed.of(tokenizer)) if wants.words else "world",
    )
    guest = (Guest if kind.towers is None else Apart)(model, kind, looking, inputs, detector)
    guest.training = model.training
    computing(guest, precision)
    return guest


def cells(channels: int, rows: int = 3) -> Detector:
    """A stand-in for a detector: the cells of a ``rows`` × ``rows`` grid, each with its own pixels made coarse.

    For trying out a model that reads regions. It finds no things, and a model that was trained on a detector's
    features makes nothing of these.
    """

    def detect(video: Tensor) -> tuple[Tensor, Tensor]:
        batch, frames, colours, height, width = video.shape
        edge = torch.arange(rows, device=video.device, dtype=torch.float32) / rows
        y, x = torch.meshgrid(edge, edge, indexing="ij")
        boxes = torch.stack([x, y, x + 1 / rows, y + 1 / rows], dim=-1).view(1, 1, -1, 4)
        h, w = height // rows, width // rows
        pixels = video[..., : rows * h, : rows * w].reshape(batch, frames, colours, rows, h, rows, w)
        pixels = pixels.permute(0, 1, 3, 5, 2, 4, 6).reshape(batch * frames, rows * rows, -1)
        coarse = nn.functional.adaptive_avg_pool1d(pixels, channels)
        return boxes.expand(batch, frames, -1, -1), coarse.view(batch, frames, rows * rows, channels)

    return detect
