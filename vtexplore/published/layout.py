"""Where a published file lies, and how it is arranged: the lines of ``models/published/<name>.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, Sequence[int]]
"""A file's tensors: the authors' name → shape."""


@dataclass(frozen=True)
class File:
    """A file that authors publish.

    ``at``: an address that a program can fetch from (https://…, hub:owner/name:file), or "" if there is none; then
    ``by_hand`` says how a person gets it. ``sha256``: what is published of its SHA-256, all of it or the beginning;
    "" = nothing is. ``mb``: megabytes of its tensors in fp32; None = nobody here knows. ``layout`` names the
    Layout; "" = not supported, ``why`` says why. ``main``: part of what ``weights="published"`` means.
    """

    name: str
    holds: str
    source: str
    licence: str
    layout: str = ""
    at: str = ""
    by_hand: str = ""
    sha256: str = ""
    mb: int | None = None
    why: str = ""
    main: bool = False


def drive(identity: str) -> str:
    """How a person gets a file from a shared drive that hands pages, not files, to programs."""
    return f"open https://drive.google.com/file/d/{identity}/view in a browser and download it"


@dataclass(frozen=True)
class Layout:
    """How a published file is arranged.

    ``fits``: whether a file with these names and shapes is one. ``names``: the authors' names → ours, as in
    ``weights``. ``manifest``: the stored list of keys that describes it, "file:entry"; tests write files from it.
    ``size``, ``settings``: of the Config that it needs (families); ``build``: the model (backbones).
    ``ignored``: (pattern of the authors' names, why). ``lacks``: pattern of our names that such a file has not got;
    ``silent``: fields of Output that then say nothing. ``doubles``: the copy → the original.
    ``behind``: a prefix put before the authors' names; such a file is a part of a model, and the settings that it
    ``brings`` are left as the size has them.
    """

    name: str
    manifest: str
    names: Sequence[tuple[str, str]]
    fits: Callable[[Shapes], bool]
    size: str = "published"
    settings: Mapping[str, Any] = field(default_factory=dict)
    build: Callable[[], nn.Module] | None = None
    ignored: tuple[tuple[str, str], ...] = ()
    lacks: str = ""
    silent: tuple[str, ...] = ()
    doubles: Mapping[str, str] = field(default_factory=dict)
    behind: str = ""
    brings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """All that is known of a family's, or a backbone's, published weights."""

    name: str
    title: str
    files: tuple[File, ...]
    layouts: tuple[Layout, ...] = ()

    def layout(self, name: str) -> Layout:
        """A layout by its name."""
        return next(layout for layout in self.layouts if layout.name == name)


def has(*names: str, but: Sequence[str] = ()) -> Callable[[Shapes], bool]:
    """Fits files that have all of ``names`` and none of ``but``."""
    return lambda shapes: all(n in shapes for n in names) and not any(n in shapes for n in but)
