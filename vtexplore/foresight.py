"""How many bytes a record will hold, before anything is computed: the forward is walked through without numbers.

    foreseen(model, batch, recorder).bytes      what record(model, batch) would keep
    refuse(model, batch, recorder)              TooBig, if that is more than is free

In a walk, tensors of numbers have shapes and no contents (torch's "meta" tensors), so that a model of any size takes
milliseconds and no memory. Whole numbers and truths are real, since shapes depend on them: which words there are, who
sees whom, how windows lie. Where they are read off numbers (is this finite? which code is nearest?), numbers are 0.
The recorder is the very one of a real record, so what it keeps of nothing has the shapes of what it will keep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from vtexplore.blocks.tap import Call, Listener, listening
from vtexplore.devices import free_bytes, in_full
from vtexplore.errors import TooBig
from vtexplore.types import Attention, Batch, Stream, Subtitles


@runtime_checkable
class Keeps(Protocol):
    """A listener that keeps attention and states by site, as ``record.Recorder`` does."""

    sites: tuple[str, ...] | None
    rows: Any
    reduce: str | None
    hidden: bool
    attention: dict[str, Attention]
    states: dict[str, Stream]

    def hear(self, call: Call) -> Tensor | None:
        """See ``tap.Listener``."""
        ...

    def see(self, site: str, stream: Stream) -> None:
        """See ``tap.Listener``."""
        ...


@dataclass(frozen=True)
class Foreseen:
    """What a record would hold, in bytes.

    ``attention`` and ``hidden`` by site; ``passing``: at most so many more, for a moment, while a site is heard;
    ``most``: what the same question keeps at most of any texts of these shapes.
    """

    attention: dict[str, int]
    hidden: dict[str, int]
    passing: int
    most: int

    @property
    def bytes(self) -> int:
        """What is kept."""
        return sum(self.attention.values()) + sum(self.hidden.values())


def foreseen(model: nn.Module, batch: Batch, recorder: Keeps) -> Foreseen | None:
    """What a fresh ``recorder`` would keep of this forward; it keeps things without contents, so make another.

    None where that cannot be told: in training, or for a model that reads numbers and decides by them (a detector's
    boxes, ViLT's mask of pixels).
    """
    ear = _Ear(recorder, Walk(_home(model, batch)))
    if not _walked(model, batch, ear, ear.walk):
        return None
    attention = {site: _bytes(a.weights) for site, a in recorder.attention.items()}
    hidden = {site: _bytes(s.hidden) for site, s in recorder.states.items()}
    most = sum(_bytes(a.weights) * _share(a, ear.queries[site]) for site, a in recorder.attention.items())
    return Foreseen(attention, hidden, 2 * ear.largest, most + sum(hidden.values()))


def ceiling(model: nn.Module, batch: Batch) -> int | None:
    """Bytes that no record of a batch of these shapes exceeds, whatever is asked: every row of every site, all states.

    None where that cannot be told, see ``foreseen``.
    """
    ear = _Everything()
    if not _walked(model, batch, ear, Walk(_home(model, batch))):
        return None
    return ear.kept + 3 * ear.largest


def _home(model: nn.Module, batch: Batch) -> torch.device:
    home = next(model.parameters(), batch.video).device
    return batch.video.device if home.type == "meta" else home


def _walked(model: nn.Module, batch: Batch, ear: Listener, walk: Walk) -> bool:
    """Whether the model could be walked through."""
    if model.training:
        return False  # a walk would count as a step of batch normalisation
    try:
        with torch.inference_mode(False), torch.no_grad(), in_full(), listening(ear), walk:
            model(batch)
    except Exception:  # whatever is wrong is said by the real forward
        return False
    return True


def _share(a: Attention, queries: int) -> int:
    """How many times as many rows there may be as there are: rows of words are kept, and texts differ in length."""
    rows = a.weights.shape[2]
    return 1 if a.groups is not None or a.reduced == "received" else -(-queries // max(1, rows))


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()


@dataclass
class _Ear:
    """Passes on what it hears, and remembers the largest tensor that was made of it."""

    recorder: Keeps
    walk: Walk
    largest: int = 0
    queries: dict[str, int] = field(default_factory=dict)

    def hear(self, call: Call) -> None:
        self.queries[call.site] = len(call.queries()[0])
        self.walk.largest = 0
        self.recorder.hear(call)
        self.largest = max(self.largest, self.walk.largest)

    def see(self, site: str, stream: Stream) -> None:
        self.recorder.see(site, stream)


@dataclass
class _Everything:
    """Counts what every row and every state would take, from shapes alone."""

    kept: int = 0
    largest: int = 0

    def hear(self, call: Call) -> None:
        batch, heads, queries, keys = *call.q.shape[:3], call.k.shape[2]
        pairs = heads * queries * keys
        if call.groups is not None:  # as windows, or scattered
            others = call.groups if call.key_groups is None else call.key_groups
            whole = int(call.groups.max() + 1) * int(others.max() + 1)
            pairs = max(pairs, heads // len(call.groups) * whole)
        self.kept += 4 * batch * pairs
        self.largest = max(self.largest, 4 * batch * pairs)

    def see(self, site: str, stream: Stream) -> None:
        self.kept += 4 * stream.hidden.numel()


# ── arithmetic without numbers ────────────────────────────────────────────────────────────────────

_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")


_MADE: dict[Any, Any] = {}
"""What operations make of shapes. Layers are alike, and torch takes its time to find out."""
_MANY = 20_000


class Walk(TorchDispatchMode):
    """Inside, tensors of numbers have no contents; whole numbers and truths are real and lie on ``home``.

    ``largest``: bytes of the largest tensor of numbers made since it was last set to 0.
    """

    def __init__(self, home: torch.device) -> None:
        super().__init__()
        self.home, self.largest = home, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operation: on shapes alone if only numbers come out, else for real, with 0 for every number."""
        kwargs = kwargs or {}
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if not given or any(map(_is_number, given)):
            found = self._on_shapes(func, args, kwargs)
            made = [x for x in tree_leaves(found) if isinstance(x, Tensor)]
            if made and all(map(_is_number, made)):
                self.largest = max(self.largest, *map(_bytes, made))
                return found
        kwargs = {**kwargs, "device": self.home} if str(kwargs.get("device")) == "meta" else kwargs
        args, kwargs = tree_map(self._zeros, (args, kwargs))
        return tree_map(_emptied, func(*args, **kwargs))

    def _on_shapes(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What comes out, without contents; None if it depends on contents."""
        if indexing := func.overloadpacket.__name__ in _INDEXING:
            args = (args[0], _whole(args[1]), *args[2:])
        question = None if indexing or func._schema.is_mutable else (func, _plain(args), _plain(kwargs))
        if question in _MADE:
            return _blank(_MADE[question])
        args, kwargs = tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, (args, kwargs))
        kwargs = {**kwargs, "device": torch.device("meta")} if kwargs.get("device") is not None else kwargs
        try:
            found = func(*args, **kwargs)
        except (NotImplementedError, RuntimeError):
            return None
        if question is not None:
            if len(_MADE) >= _MANY:
                _MADE.clear()
            _MADE[question] = _plain(found)
        return found

    def _zeros(self, x: Any) -> Any:
        """A tensor of zeros, stored as one of them, in place of numbers."""
        if not (isinstance(x, Tensor) and (x.is_meta or _is_number(x))):
            return x
        return torch.zeros((), dtype=x.dtype, device=self.home).expand(x.shape)


def _plain(x: Any) -> Any:
    """Arguments or results as something to look up: tensors by their shapes."""
    if isinstance(x, Tensor):
        return Tensor, tuple(x.shape), x.stride(), x.dtype
    if isinstance(x, tuple | list):
        return type(x), *map(_plain, x)
    if isinstance(x, dict):
        return dict, *((k, _plain(v)) for k, v in x.items())
    return type(x), x  # 1 and True are not the same argument


def _blank(x: Any) -> Any:
    """The inverse of ``_plain``, for results."""
    kind, *rest = x
    if kind is Tensor:
        return torch.empty_strided(rest[0], rest[1], dtype=rest[2], device="meta")
    return kind(map(_blank, rest)) if kind in (tuple, list) else rest[0]


def _is_number(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


def _emptied(x: Any) -> Any:
    return x.to("meta") if isinstance(x, Tensor) and _is_number(x) else x


def _whole(index: list[Tensor | None]) -> list[Tensor | None]:
    """Truths as an index, written as the places where they hold."""
    out: list[Tensor | None] = []
    for at in index:
        by_truth = at is not None and not at.is_meta and at.dtype in (torch.bool, torch.uint8)
        out += list(at.nonzero().unbind(1)) if by_truth and at is not None else [at]
    return out


# ── refusing ──────────────────────────────────────────────────────────────────────────────────────

_KNOWN: WeakKeyDictionary[nn.Module, dict[Any, int]] = WeakKeyDictionary()
"""The most that is held, by model, shapes and question, so that a model is walked through once and not each time."""


def refuse(model: nn.Module, batch: Batch, fresh: Callable[[], Keeps], at_most: int | None = None) -> None:
    """Raise ``TooBig`` if a record would take more bytes than ``at_most``, or (None) than are free on its device.

    ``fresh()`` makes a recorder. Nothing is refused where nothing can be foreseen, see ``foreseen``.
    """
    if not isinstance(model, nn.Module) or model.training:
        return
    limit = free_bytes(_home(model, batch)) if at_most is None else at_most
    known, recorder, shapes = _KNOWN.setdefault(model, {}), fresh(), shapes_of(batch)
    if shapes not in known:
        most = ceiling(model, batch)
        if most is None:
            return
        known[shapes] = most
    twice = not isinstance(recorder.rows, str) and len(set(recorder.rows)) < len(recorder.rows)
    if known[shapes] <= limit and not twice:
        return
    question = (shapes, recorder.sites, str(recorder.rows), recorder.reduce, recorder.hidden)
    if known.get(question, limit + 1) <= limit:
        return
    found = foreseen(model, batch, recorder)
    if found is None:
        return
    known[question] = found.most + found.passing
    if found.bytes + found.passing > limit:
        raise TooBig(_told(found, limit, at_most is None, recorder, len(batch)))


def shapes_of(batch: Batch | Subtitles) -> tuple[Any, ...]:
    """The shapes of a batch's tensors, those of its questions and speech included."""
    parts = [(name, getattr(batch, name)) for name in batch.__dataclass_fields__]
    return tuple(
        (name, shapes_of(x) if isinstance(x, Batch | Subtitles) else tuple(x.shape))
        for name, x in parts
        if isinstance(x, Batch | Subtitles | Tensor)
    )


def _told(found: Foreseen, limit: int, is_free: bool, recorder: Keeps, clips: int) -> str:
    """What would be too much, and every mend that is left."""
    mends = [
        *(["fewer rows (rows='text')"] if recorder.rows not in ("text",) else []),
        *(["fewer layers (sites=…)"] if len(found.attention) + len(found.hidden) > 1 else []),
        *(["no states (hidden=False)"] if found.hidden else []),
        *(["means of heads (reduce='heads')"] if recorder.reduce is None and found.attention else []),
        *(["fewer clips at a time"] if clips > 1 else []),
        "fewer frames",
    ]
    places = f"attention at {len(found.attention)} sites" + (f", states of {len(found.hidden)}" if found.hidden else "")
    return (
        f"This record would hold {size(found.bytes)} ({places}) and need {size(found.passing)} more on the way; "
        f"{size(limit)} {'are free' if is_free else 'are allowed'}. Ask for {', '.join(mends[:-1])} or {mends[-1]}."
    )


def size(count: float) -> str:
    """Bytes as a reader says them: 3.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
