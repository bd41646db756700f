"""The one door upwards: a result finds its picture by the name of its type.

Results are numbers and know nothing of pictures. The rooms above fill a table, ``VIEWS``: name of a
result's type → kind of picture → function. It is imported here by name, when a picture is first wanted.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vtexplore.errors import ConfigError

ROOM = "vtexplore.views"


def kinds(result: Any) -> tuple[str, ...]:
    """The kinds of picture that there are of a result; the first is what it shows of itself."""
    return tuple(import_module(ROOM).VIEWS.get(type(result).__name__, {}))


def draw(result: Any, kind: str | None = None, **options: Any) -> Any:
    """A picture of a result. Raises ``ConfigError`` for an unknown kind, naming those that there are."""
    known = kinds(result)
    if not known:
        raise ConfigError(f"There is no picture of a {type(result).__name__}; its numbers are in to_dict().")
    if kind is not None and kind not in known:
        raise ConfigError(f"There is no picture {kind!r} of this result; there are {', '.join(known)}.")
    where = import_module(ROOM).VIEWS[type(result).__name__][kind or known[0]]
    module, function = where.split(":")
    return getattr(import_module(module), function)(result, **options)
