"""Contents of published files become the weights of a model, and a report says what became of every tensor."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore.errors import WeightsError
from vtexplore.published.layout import Layout, Published
from vtexplore.published.reading import Contents
from vtexplore.weights import learned_of, load_state, tensors_of


@dataclass(frozen=True)
class Filled:
    """What became of published files.

    ``files``: name → what it is; ``sha256`` of the file, or of all their hashes together. ``used``, ``checked``
    (derived here and compared): our names. ``missing``: ours that no file holds, which are NaN; ``silent``: the
    fields of Output that therefore say nothing. ``ignored``: the authors' name → why; ``wrapped``: in what the
    weights stood, and what stood beside them, unread.
    """

    files: Mapping[str, str]
    sha256: str
    used: tuple[str, ...]
    checked: tuple[str, ...]
    missing: tuple[str, ...]
    silent: tuple[str, ...]
    ignored: Mapping[str, str]
    wrapped: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{name}: {what}" for name, what in self.files.items()]
        lines += [*self.wrapped, f"used: {len(self.used)} tensors", f"compared with what follows: {len(self.checked)}"]
        for why in dict.fromkeys(self.ignored.values()):
            names = [name for name, reason in self.ignored.items() if reason == why]
            lines.append(f"ignored: {_some(names)} ({why})")
        lines.append(f"missing: {_some(self.missing) if self.missing else 'nothing'}")
        if self.silent:
            lines.append(f"says nothing of: {', '.join(self.silent)}")
        return "\n".join([*lines, f"SHA-256: {self.sha256}"])


def recognise(contents: Contents, known: Published) -> Layout:
    """How a file is arranged; ``WeightsError`` if as none that is known."""
    for layout in known.layouts:
        if layout.fits(contents.shapes):
            return layout
    arranged = "; ".join(layout.name for layout in known.layouts) or "none is known"
    raise WeightsError(
        f"{contents.name} ({len(contents.tensors)} tensors: {_some(list(contents.tensors), 2)}) is arranged as no "
        f"published file of {known.title} ({arranged})."
    )


def settings_of(layouts: Sequence[Layout], files: Sequence[str]) -> tuple[Layout, dict[str, Any]]:
    """Of several files together: the one that a model is built for, and the settings that it needs.

    Raises ``WeightsError`` unless one file holds a model, and all others parts of it.
    """
    whole = [layout for layout in layouts if not layout.behind]
    if len(whole) != 1:
        which = ", ".join(f"{file} ({layout.name})" for file, layout in zip(files, layouts))
        raise WeightsError(
            f"{which}: {'none of them holds' if not whole else 'more than one of them holds'} a whole model. "
            "Give one that does, and what goes with it: weights=(…, …)."
        )
    brought = {setting for layout in layouts for setting in layout.brings}
    return whole[0], {k: v for k, v in whole[0].settings.items() if k not in brought}


def fill(model: nn.Module, pieces: Sequence[tuple[Layout, Contents]]) -> Filled:
    """Fill a model from files, in place; see ``Filled``. The first layout without ``behind`` says how.

    Raises ``WeightsError`` for names that are missing or have no place, for shapes that differ, and for numbers that
    are not finite; the model's own weights are then as before, or unusable.
    """
    whole = next((layout for layout, _ in pieces if not layout.behind), pieces[0][0])
    tensors: dict[str, Tensor] = {}
    ignored: dict[str, str] = {}
    for layout, contents in pieces:
        mine, others = _kept(layout, contents)
        if twice := sorted(tensors.keys() & mine.keys()):
            raise WeightsError(f"Two of the files hold {twice[0]!r}. Give one of them.")
        tensors |= mine
        ignored |= others
    if wild := sorted(n for n, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()):
        raise WeightsError(f"{_some(wild)}: numbers in the file are infinite or none. Get the file again.")
    report = load_state(model, tensors, whole.names, whole.doubles, whole.lacks or None)
    _forget(model, report.missing)
    wrapped = [line for _, contents in pieces for line in _told(contents)]
    return Filled(
        {contents.name: layout.name for layout, contents in pieces},
        _together([contents.sha256 for _, contents in pieces]),
        report.used, report.checked, report.missing, whole.silent if report.missing else (), ignored, tuple(wrapped),
    )  # fmt: skip


def silenced(model: nn.Module, fields: Sequence[str]) -> None:
    """Have a model say nothing in some fields of its Output, in place: no file told it how."""
    if not fields:
        return
    nothing = dict.fromkeys(fields)
    kind = type(model)

    def quiet(method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *args, **options: replace(method(self, *args, **options), **nothing)

    said = {name: quiet(getattr(kind, name)) for name in ("forward", "read") if hasattr(kind, name)}
    model.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **said})


def _kept(layout: Layout, contents: Contents) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file that count, by their place in the whole, and the others with the reason."""
    ignored: dict[str, str] = {}
    for pattern, why in layout.ignored:
        ignored |= {name: why for name in contents.tensors if re.fullmatch(pattern, name)}
    return {layout.behind + name: t for name, t in contents.tensors.items() if name not in ignored}, ignored


def _forget(model: nn.Module, names: Sequence[str]) -> None:
    """What no file filled is NaN, never a random number that looks like an answer."""
    ours = tensors_of(model)
    learned = learned_of(model)
    with torch.no_grad():
        for name in names:
            if name in learned and ours[name].is_floating_point():
                ours[name].fill_(float("nan"))


def _told(contents: Contents) -> list[str]:
    """In what a file's weights stood, line by line."""
    lines = []
    if contents.inside:
        lines.append(f"{contents.name}: the weights stand in {contents.inside!r}")
    if contents.prefix:
        lines.append(f"{contents.name}: {contents.prefix!r} is left out of every name")
    if contents.beside:
        lines.append(f"{contents.name}: not read: {', '.join(contents.beside)}")
    if contents.stood_in:
        lines.append(f"{contents.name}: stand-ins took the place of {', '.join(contents.stood_in)}")
    return lines


def _together(digests: Sequence[str]) -> str:
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _some(names: Sequence[str], count: int = 4) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
