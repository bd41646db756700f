"""What all results can do: show themselves, become plain numbers, become one small file and come back."""

from __future__ import annotations

import html
import json
import math
import os
import re
import zipfile
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, ClassVar, TypeVar

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.files import writing
from vtexplore.probes._show import draw
from vtexplore.types import Tokens

R = TypeVar("R", bound="Result")
FORMAT = 1  # of the file; a reader refuses a later one
Cell = str | int | float | bool
Row = dict[str, Cell]
"""One line of a table: a name of a column → what stands there; a column that is missing has no value here."""
SHORT = 8  # numbers of a list that get a column each
NOT_IN_ROWS = ("clip", "times_s", "about", "notes")


class Result:
    """A frozen dataclass of numbers, words and Tokens; see ``plot``, ``to_dict``, ``save``, ``load``."""

    PICTURES: ClassVar[tuple[str, ...]] = ()
    """Fields that exist only to be looked at (frames, outlines) and are left out of ``to_dict``."""

    notes: tuple[str, ...]

    def plot(self, kind: str | None = None, **options: Any) -> Any:
        """A picture of this result: a matplotlib figure with ``.alt`` and ``.save(path, dpi=…)``."""
        return draw(self, kind, **options)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, words and lists, ready for JSON; no pictures."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.PICTURES}  # type: ignore[arg-type]
        return {k: _plain(v) for k, v in kept.items()}

    def row(self) -> Row:
        """One flat row for a table: single numbers and words, and lists of at most eight numbers as ``name_0`` ….

        A probe of one clip says better what its row is; names mean the same in every clip's row.
        """
        out: Row = {}
        for f in fields(self):  # type: ignore[arg-type]
            if f.name not in (*self.PICTURES, *NOT_IN_ROWS):
                out |= _cells(f.name, getattr(self, f.name))
        return out

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one small file (compressed arrays and a JSON header, no pickle), whole or not at all."""
        arrays: dict[str, np.ndarray] = {}
        home = type(self).__module__.rsplit(".", 1)[-1]
        head = {"format": FORMAT, "probe": home, "result": _pack(self, arrays)}
        arrays["header"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        with writing(path) as partial, partial.open("wb") as f:
            np.savez_compressed(f, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls: type[R], path: str | os.PathLike[str]) -> R:
        """Read a file written by ``save``; needs no torch. ``ConfigError`` if it is something else."""
        try:
            with np.load(path, allow_pickle=False) as f:
                arrays = {k: f[k] for k in f.files}
            head = json.loads(arrays.pop("header").tobytes())
            if head["format"] > FORMAT:
                raise ConfigError(f"{path} was saved by a later vtexplore; install that one to read it.")
            if not re.fullmatch(r"[a-z_]+", head["probe"]):
                raise ValueError(head["probe"])
            room = import_module(f"vtexplore.probes.{head['probe']}")
            result = _unpack(head["result"], arrays, room)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
            why = error.strerror if isinstance(error, FileNotFoundError) else "not a saved result"
            raise ConfigError(f"{path} cannot be read ({why}). Results are written by .save(path).") from error
        if not isinstance(result, cls):
            raise ConfigError(f"{path} holds a {type(result).__name__}, not a {cls.__name__}.")
        return result

    def _repr_png_(self) -> bytes:
        small: bytes = self.plot().small_png()
        return small

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return str(self.plot().html()) + (f"<ul>{notes}</ul>" if notes else "")


def column(*parts: object) -> str:
    """The name of a column: lower case, words joined by "_", so that it can be typed anywhere."""
    return "_".join(re.sub(r"\W+", "_", str(part).lower()).strip("_") for part in parts)


def _cells(name: str, value: Any) -> Row:
    """What a table can hold of a field: {} for what has no place in one."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return {name: value}
    if isinstance(value, dict):
        return {column(name, k): v for k, v in value.items() if isinstance(v, bool | int | float | str)}
    numbers = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value
    if isinstance(numbers, list | tuple) and len(numbers) <= SHORT:
        return {column(name, i): v for i, v in enumerate(numbers) if isinstance(v, bool | int | float)}
    return {}


def _plain(value: Any) -> Any:
    """Numbers and lists; NaN becomes None."""
    if isinstance(value, Tokens):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON in which arrays are named and types are marked."""
    if isinstance(value, Tokens):
        return {"$tokens": value.to_dict()}
    if isinstance(value, np.ndarray):
        arrays[f"a{len(arrays)}"] = value
        return {"$array": f"a{len(arrays) - 1}"}
    if is_dataclass(value) and not isinstance(value, type):
        return {"$type": type(value).__name__} | {f.name: _pack(getattr(value, f.name), arrays) for f in fields(value)}
    if isinstance(value, tuple):
        return {"$tuple": [_pack(v, arrays) for v in value]}
    if isinstance(value, list):
        return [_pack(v, arrays) for v in value]
    if isinstance(value, dict):
        return {str(k): _pack(v, arrays) for k, v in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _unpack(value: Any, arrays: dict[str, np.ndarray], room: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(v, arrays, room) for v in value]
    if not isinstance(value, dict):
        return value
    if "$tokens" in value:
        return Tokens.from_dict(value["$tokens"])
    if "$array" in value:
        return arrays[value["$array"]]
    if "$tuple" in value:
        return tuple(_unpack(v, arrays, room) for v in value["$tuple"])
    inner = {k: _unpack(v, arrays, room) for k, v in value.items() if k != "$type"}
    if "$type" not in value:
        return inner
    kind = getattr(room, value["$type"])
    if not (isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == room.__name__):
        raise ValueError(value["$type"])
    return kind(**inner)
