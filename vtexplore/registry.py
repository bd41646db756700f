"""The families: the folder ``models/`` is the list, and each file in it is one paper.

names()                          what there is
family("violet")                 one page's ``FAMILY``, imported only now
build("violet", "published")     a model with fresh weights, on any device ("meta" costs nothing)
load("violet")                   the miniature that is shipped
load("violet", weights="…")      the weights that its authors publish: "published", a path, hub:owner/name
load("violet", device="auto", precision="auto")    on a GPU in 16 bits, if there is one
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vtexplore.assets import find
from vtexplore.errors import AssetError, ConfigError, WeightsError
from vtexplore.types import Inputs

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vtexplore.published.layout import Layout, Published
    from vtexplore.published.reading import Contents

_PAGES = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Stage:
    """A stretch of a miniature's pretraining.

    ``weight`` of the losses in their sum (1 where not named); ``slow``: (prefix of a parameter's name,
    factor on the learning rate), 0 = frozen; ``settings`` replace fields of the Config for this stage;
    ``scenes`` are options of ``world.sample_scene``; ``spotlight``: share of steps in which only patches with
    objects are seen;
    ``rates``: how often words of a role ("colour", …; "" = all others) are hidden, where words are hidden
    at random; empty = all alike, as the Config says. ``pool``: so many clips, over and over, with what the
    family's ``backbone``, frozen in this stage, said of them; 0 = fresh clips without end, and live eyes.
    ``in_order``: captions of the pool mention first what happens first. ``scripts``: share of batches that are
    excerpts of longer videos, of which the pool then holds as many again; ``lengths`` are how many steps such an
    excerpt may have, one of them drawn for a batch; those longer than two steps come without words.
    ``drift_s``: excerpts are narrated, up to so many seconds too early or late; None: nobody speaks in them.
    ``bf16``: matrices are multiplied in 16 bits. ``one_voice``: the captions of a batch are all one annotator's.
    """

    steps: int
    lr: float = 1e-3
    batch: int = 32
    weight: Mapping[str, float] = field(default_factory=dict)
    slow: tuple[tuple[str, float], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    scenes: Mapping[str, Any] = field(default_factory=dict)
    spotlight: float = 0.0
    rates: Mapping[str, float] = field(default_factory=dict)
    pool: int = 0
    in_order: bool = False
    scripts: float = 0.0
    lengths: tuple[int, ...] = (1, 2)
    drift_s: float | None = None
    bf16: bool = False
    one_voice: bool = False


@dataclass(frozen=True)
class Pretraining:
    """How a family's miniature is pretrained; what differs from the paper is told in ``deviations``.

    ``drop``: share of clips hidden from the model; ``group``: siblings in a batch.
    """

    stages: Mapping[str, Stage] = field(default_factory=lambda: {"pairs": Stage(3000)})
    seed: int = 0
    drop: float = 0.08
    group: int = 4
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """What the rest of the house may know of a paper; the last lines of its page.

    ``build(config)`` makes the model; ``sizes`` names Configs ("mini" is shipped trained, "published" is
    the authors'); ``heads`` are the fields of ``Output`` that it fills. ``frames_independent``: its score
    of a video cannot depend on the order of frames. ``frames_ahead``: how many later frames the patch
    embedding of a frame's token sees. ``names`` translate the published file's tensors, ``doubles`` are
    those stored twice; ``manifests`` say which stored lists of keys describe it ("file:entry" → prefix that
    their names get before translation). ``parts`` are shared between miniatures (kind → prefix that the
    shared file's names get here, or their own prefixes → ours). ``backbone``: the child of the model through which
    all pixels go, if it is one module that is called; a stage may remember what it said. ``checkpoints`` are public
    files (name → what it is).
    """

    name: str
    title: str
    paper: str
    year: int
    arxiv: str
    build: Callable[[Any], nn.Module]
    sizes: Mapping[str, Any]
    heads: tuple[str, ...]
    objectives: tuple[str, ...]
    frames_independent: bool = False
    frames_ahead: int = 0
    names: tuple[tuple[str, str], ...] = ()
    doubles: Mapping[str, str] = field(default_factory=dict)
    manifests: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    backbone: str = ""
    checkpoints: Mapping[str, str] = field(default_factory=dict)

    def config(self, size: str = "mini", **overrides: Any) -> Any:
        """A size's Config with some fields replaced; ``ConfigError`` names what there is."""
        if size not in self.sizes:
            raise ConfigError(f"{self.name} has no size {size!r}; it has {', '.join(self.sizes)}.")
        config = self.sizes[size]
        if unknown := [k for k in overrides if k not in inspect.signature(type(config)).parameters]:
            known = ", ".join(inspect.signature(type(config)).parameters)
            raise ConfigError(f"{self.name} has no setting {unknown[0]!r}; it has {known}.")
        return replace(config, **overrides)

    @property
    def pretraining(self) -> Pretraining:
        """How its miniature is made: ``models/recipes/<name>.py``, or the usual way if there is no such file."""
        if not (_PAGES / "recipes" / f"{self.name}.py").is_file():
            return Pretraining()
        plan: Pretraining = import_module(f"vtexplore.models.recipes.{self.name}").PRETRAINING
        return plan

    def golden(self, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the original code put out, computed by the page from the weights and inputs of a golden file."""
        return golden_reader(self.name)(config, tensors)

    def inputs(self, size: str = "mini") -> Inputs:
        """What a size wants to see of a clip and a text."""
        inputs: Inputs = self.config(size).inputs
        return inputs


def names() -> tuple[str, ...]:
    """The families that there are: the files of ``models/``, in order of the alphabet."""
    return tuple(sorted(p.stem for p in _PAGES.glob("[a-z]*.py")))


def family(name: str) -> Family:
    """One page's ``FAMILY``. Raises ``ConfigError`` for an unknown name and suggests the nearest."""
    if name not in names():
        near = get_close_matches(name.lower(), names(), n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(names()) or 'none yet'}."
        raise ConfigError(f"There is no family called {name!r}. {hint}")
    page: Family = import_module(f"vtexplore.models.{name}").FAMILY
    return page


def build(
    name: str, size: str = "mini", device: Any = "cpu", vocabulary: str | None = None, **overrides: Any
) -> nn.Module:
    """A model of a family with fresh weights, in evaluation mode; ``overrides`` replace fields of its Config.

    ``vocabulary``: another than the size's, "world" or the path of a list; the model has then as many words as that.
    It carries ``name``, ``size``, ``inputs`` (what to ``prepare`` for it), ``weights_hash`` (None: fresh),
    ``card`` (what is known of its weights; empty: fresh) and ``explore(clip, text)``. ``device="meta"`` gives names
    and shapes without memory. Raises ``ConfigError`` for an unknown name, size or setting.
    """
    import torch

    from vtexplore.blocks.tap import name_taps

    page = family(name)
    if vocabulary is not None:
        inputs = overrides.get("inputs", page.inputs(size))
        overrides |= {"inputs": replace(inputs, vocabulary=vocabulary), "words": None}
    config = page.config(size, **overrides)
    with torch.device(device):
        model = name_taps(page.build(config)).eval()
    _tell(model, name=name, size=size, inputs=config.inputs, weights_hash=None, card={})
    opens = partial(_explore, model)
    opens.__doc__ = _explore.__doc__
    _tell(model, explore=opens)
    return model


Weights = str | Path | Sequence[str | Path]
"""Whose: "published", a path, hub:owner/name, an address; or several that go together."""


def load(
    name: str,
    size: str | None = None,
    device: Any = "cpu",
    weights: Weights | None = None,
    precision: str = "fp32",
) -> nn.Module:
    """A family with trained weights, in evaluation mode, with their ``card``; see ``build``.

    ``weights`` None: the miniature that comes with vtexplore. "published": what the authors published, fetched or
    found in the usual cache; a path, "hub:owner/name", an address or several of them: such files from there. Then
    the files say the size, and the card what became of each tensor ("report"). ``device``: "auto" is a GPU if there
    is one. ``precision``: "bf16" and "fp16" multiply matrices in 16 bits, "auto" if it is on a GPU; weights, attention
    that is recorded and outputs have 32, see ``vtexplore.devices``. Raises ``ConfigError`` for an unknown name or
    size, a device that is not here or cannot do so, ``AssetError`` if no weights are shipped, ``WeightsError`` for
    files that are not there or do not fit.
    """
    from vtexplore.devices import computing, device_of, precision_of

    page, there = family(name), device_of(device)
    precision = precision_of(precision, there)
    if weights is not None:
        return computing(_load_published(name, size, there, weights), precision)
    size = size or "mini"
    if size != "mini":
        raise ConfigError(
            f"Only miniatures are shipped; load({name!r}, weights='published') takes the authors' weights, "
            f"build({name!r}, {size!r}) gives that size without any."
        )
    if not shipped(name):
        raise AssetError(f"No miniature of {name} comes with this vtexplore. Make it: vtexplore train {name}")
    from vtexplore.weights import load_miniature

    model = build(name, size)
    _tell(model, weights_hash=load_miniature(model, name, page.parts), card=card(name))
    return computing(model.to(there), precision)


def _load_published(name: str, size: str | None, device: Any, weights: Weights) -> nn.Module:
    from vtexplore.published import filling

    known = published(name)
    contents = _contents(known, weights)
    layouts = [_layout(c, known) for c in contents]
    whole, settings = filling.settings_of(layouts, [c.name for c in contents])
    if size not in (None, whole.size):
        raise ConfigError(f"These files are of size {whole.size!r}, not {size!r}. Leave size out.")
    model = build(name, whole.size, **settings)
    report = filling.fill(model, list(zip(layouts, contents)))
    filling.silenced(model, report.silent)
    _tell(model, weights_hash=report.sha256, card={"report": report.to_dict()}, report=report)
    return model.to(device)


def backbone(name: str, device: Any = "cpu", weights: Weights = "published") -> nn.Module:
    """A part that several families share, as its authors trained it, in evaluation mode: s3d, video_swin.

    ``weights``: as for ``load``. It carries ``weights_hash`` and ``card``. Raises as ``load`` does.
    """
    from vtexplore.devices import device_of
    from vtexplore.published import filling

    known, there = published(name), device_of(device)
    (contents, *more) = _contents(known, weights)
    layout = _layout(contents, known)
    if layout.build is None or more:
        raise ConfigError(f"{name} is a family, or these are several files. Use load({name!r}, weights=…).")
    model = layout.build().eval()
    report = filling.fill(model, [(layout, contents)])
    _tell(model, weights_hash=report.sha256, card={"report": report.to_dict()}, report=report)
    return model.to(there)


def _layout(contents: Contents, known: Published) -> Layout:
    """How a file is arranged; if it is another's, the error says whose."""
    from vtexplore.published.filling import recognise

    try:
        return recognise(contents, known)
    except WeightsError:
        for other in map(published, publications()):
            if any(layout.fits(contents.shapes) for layout in other.layouts):
                verb = "load" if other.name in names() else "backbone"
                raise WeightsError(
                    f"{contents.name} is a file of {other.title}, not of {known.title}: "
                    f"use registry.{verb}({other.name!r}, weights={contents.name!r})."
                ) from None
        raise


def _contents(known: Published, weights: Weights) -> list[Contents]:
    """The files that are meant, read."""
    from vtexplore.published.fetching import find_all
    from vtexplore.published.reading import read

    return [read(path) for path in find_all(known, weights)]


def publications() -> tuple[str, ...]:
    """Families and backbones of whose published weights something is known."""
    return tuple(sorted(p.stem for p in (_PAGES / "published").glob("[a-z]*.py")))


def published(name: str) -> Published:
    """What is known of a family's, or a backbone's, published weights: ``models/published/<name>.py``.

    Raises ``ConfigError`` if nothing is.
    """
    if name not in publications():
        raise ConfigError(f"Nothing is known of published weights of {name!r}, only of {', '.join(publications())}.")
    known: Published = import_module(f"vtexplore.models.published.{name}").PUBLISHED
    return known


def _tell(model: nn.Module, **what: Any) -> None:
    """Give a model what others ask it for; through setattr, since modules are typed to hold tensors only."""
    for name, value in what.items():
        setattr(model, name, value)


def _explore(model: nn.Module, clip: Any, text: str | None = None, **others: Any) -> Any:
    """Open this model in the explorer beside a clip; short for ``vtexplore.explore(model, clip, text, …)``."""
    return import_module("vtexplore.widgets.live").explore(model, clip, text, **others)


def card(name: str) -> dict[str, Any]:
    """What is known of a miniature: how it was made, what it was measured to do, which words it knows.

    Raises ``AssetError`` if no miniature of that name is shipped.
    """
    found: dict[str, Any] = json.loads(find(f"miniatures/{name}.json").read_text("utf-8"))
    return found


Reader = Callable[[Mapping[str, Any], Mapping[str, "Tensor"]], dict[str, "Tensor"]]


def golden_reader(name: str) -> Reader:
    """The function that recomputes a golden file (of a family or of a backbone): ``models/golden/<name>.py``.

    A variant, "<name>-…" or "<name>_…", is read by the same module unless it has one of its own.
    """
    reader: Reader = _golden_module(name).golden
    return reader


def golden_weights(name: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights too big for a golden file, drawn as it says: ``weights(config)`` of its reader, if it has one."""
    module = _golden_module(name)
    drawn: dict[str, Tensor] = module.weights(config) if hasattr(module, "weights") else {}
    return drawn


def _golden_module(name: str) -> ModuleType:
    readers = [p.stem for p in (_PAGES / "golden").glob("[a-z]*.py")]
    fitting = [r for r in readers if name == r or name.startswith((f"{r}-", f"{r}_", f"{r}."))]
    if not fitting:
        raise ConfigError(f"Nobody reads the golden file of {name!r}. Write vtexplore/models/golden/{name}.py.")
    return import_module(f"vtexplore.models.golden.{max(fitting, key=len)}")


def shipped(name: str) -> bool:
    """Whether a family's miniature comes with this vtexplore."""
    try:
        return find(f"miniatures/{name}.safetensors").is_file()
    except AssetError:
        return False


def table_markdown() -> str:
    """The README's table of families: page, proof of parity, miniature, published weights."""
    rows = ["| page | paper | parity | miniature | published weights |", "|---|---|---|---|---|"]
    for name in names():
        page = family(name)
        rows.append(
            f"| [{page.title}](vtexplore/models/{name}.py) "
            f"| [{page.paper}, {page.year}](https://arxiv.org/abs/{page.arxiv}) "
            f"| {'every output ≤ 1e-4' if (_PAGES / 'golden' / f'{name}.py').is_file() else '–'} "
            f"| {'shipped' if shipped(name) else '–'} "
            f"| {len(page.checkpoints) or '–'} |"
        )
    return "\n".join(rows)
