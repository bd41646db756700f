"""A table: one row a clip, and what the clips say together."""

from __future__ import annotations

import csv
import html
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.files import writing
from vtexplore.probes._result import Cell, Row
from vtexplore.statistics import RESAMPLES, bootstrap, sign_flip

ENDINGS = (".csv", ".parquet")
OF_ALL = ("id", "clip")  # the first columns of every table; "error" is the last
MOST_DRAWN = 20_000_000  # numbers that a bootstrap holds at one time


def check_ending(path: str | os.PathLike[str]) -> None:
    """Raise ``ConfigError`` for a table that could not be written, before any work is done."""
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(f"A table is saved as {' or '.join(ENDINGS)}, not as {Path(path).name!r}.")
    if ending == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("A .parquet is written by pyarrow, which is not installed. Install it, or save as .csv.")


@dataclass(frozen=True)
class Table:
    """One row for each clip that was asked, in order: "id", "clip", the columns of its result, "error" where it failed.

    ``about`` says what was asked of which model, ``notes`` what the reader must know.
    """

    rows: tuple[Row, ...]
    about: dict[str, Any]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which they first occur; "error" last."""
        inner = dict.fromkeys(name for row in self.rows for name in row if name not in (*OF_ALL, "error"))
        return (*OF_ALL, *inner, "error")

    @property
    def errors(self) -> dict[str, str]:
        """Id → what went wrong with that clip."""
        return {str(row["id"]): str(row["error"]) for row in self.rows if "error" in row}

    def column(self, name: str) -> np.ndarray:
        """One column [row]: float, NaN where a clip has no value, or words, "" where it has none.

        Raises ``ConfigError`` for a column that there is not.
        """
        if name not in self.columns:
            raise ConfigError(f"There is no column {name!r}; there are {', '.join(self.columns)}.")
        cells = [row.get(name) for row in self.rows]
        if any(isinstance(cell, str) for cell in cells) or name == "error":
            return np.array(["" if cell is None else str(cell) for cell in cells], dtype=str)
        return np.array([np.nan if cell is None else float(cell) for cell in cells])

    @cached_property
    def summary(self) -> dict[str, tuple[int, float, float, float]]:
        """Column of numbers → clips that have one, mean, 95 % interval (low, high) by a bootstrap over clips."""
        numbers = {name: v for name in self.columns if (v := self.column(name)).dtype.kind == "f" and len(v)}
        if not numbers:
            return {}
        values, clips = np.stack(list(numbers.values()), axis=1), self.column("clip")
        draws = min(RESAMPLES, max(100, MOST_DRAWN // len(values)))
        found = zip(*bootstrap(values, clips, draws), strict=True)
        counts = [len(np.unique(clips[~np.isnan(v)])) for v in numbers.values()]
        return {
            name: (count, float(mean), float(low), float(high))
            for name, count, (mean, low, high) in zip(numbers, counts, found, strict=True)
            if count
        }

    def mean(self, name: str) -> tuple[float, float, float]:
        """Mean of a column (of a yes or no: its share) and its 95 % interval over clips, low and high.

        Raises ``ConfigError`` for a column that holds no numbers.
        """
        if name not in self.summary:
            raise ConfigError(f"{name!r} is no column of numbers here; there are {', '.join(self.summary) or 'none'}.")
        return self.summary[name][1:]

    def versus(self, other: Table, name: str) -> tuple[float, float, float, float]:
        """Mean difference (this − the other) of a column on the same ids, its 95 % interval, and p by sign flips.

        Two models, or two options, on the same clips. The unit is the clip. Raises ``ConfigError`` if they share none.
        """
        beside = dict(zip(other.column("id").tolist(), other.column(name), strict=True))
        gaps: dict[str, list[float]] = {}
        for row, value in zip(self.rows, self.column(name), strict=True):
            gap = float(value) - float(beside.get(str(row["id"]), np.nan))
            if not np.isnan(gap):
                gaps.setdefault(str(row["clip"]), []).append(gap)
        if not gaps:
            raise ConfigError(f"No clip has {name!r} in both tables. Ask both of the same clips.")
        means = np.array([np.mean(gap) for gap in gaps.values()])
        mean, low, high = bootstrap(means, np.arange(len(means)))
        return float(mean), float(low), float(high), sign_flip(means)

    # ── other shapes ──

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``.csv`` or ``.parquet`` (with pyarrow), whole or not at all. ``ConfigError`` for another ending."""
        check_ending(path)
        if Path(path).suffix.lower() == ".csv":
            self.to_csv(path)
        else:
            self.to_parquet(path)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV in UTF-8: all digits of every number, nothing where there is no value."""
        with writing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(self.columns)
            lines.writerows([_written(row.get(name)) for name in self.columns] for row in self.rows)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write a parquet file; needs pyarrow."""
        check_ending(path)
        columns = {name: _of_one_kind([row.get(name) for row in self.rows]) for name in self.columns}
        with writing(path) as partial:
            import_module("pyarrow.parquet").write_table(import_module("pyarrow").table(columns), partial)

    def to_pandas(self) -> Any:
        """A pandas DataFrame; ``ConfigError`` if pandas is not installed."""
        if find_spec("pandas") is None:
            raise ConfigError("pandas is not installed. Install it, or read the .csv with what you have.")
        return import_module("pandas").DataFrame(list(self.rows), columns=list(self.columns))

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints: the summary, errors and circumstances, without the rows."""
        columns = {k: dict(zip(("clips", "mean", "low", "high"), v, strict=True)) for k, v in self.summary.items()}
        about = self.about | {"rows": len(self), "failed": len(self.errors)}
        return about | {"columns": columns, "errors": self.errors, "notes": list(self.notes)}

    def __str__(self) -> str:
        head = f"{self.about.get('probe')} of {self.about.get('model')}, {_count(len(self), 'row')}"
        failed = f" ({len(self.errors)} failed)" if self.errors else ""
        wide = max(map(len, self.summary), default=0)
        lines = [
            f"{name:<{wide}}  {n:>6}  {m:>9.4g}  [{a:.4g}, {b:.4g}]" for name, (n, m, a, b) in self.summary.items()
        ]
        titles = [f"{'':<{wide}}  {'clips':>6}  {'mean':>9}  95 % over clips"] if lines else []
        return "\n".join([head + failed, *titles, *lines])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return f"<pre>{html.escape(str(self))}</pre>" + (f"<ul>{notes}</ul>" if notes else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _written(cell: Cell | None) -> str:
    """A cell of a CSV; NaN is no value."""
    if cell is None or cell != cell:
        return ""
    return cell if isinstance(cell, str) else repr(cell)


def _of_one_kind(cells: Iterable[Cell | None]) -> list[Any]:
    """A column of one type: words if there are any, else numbers with a point if there is one."""
    kept = list(cells)
    kinds = {type(cell) for cell in kept if cell is not None}
    kind: Any = str if str in kinds else float if float in kinds else int if kinds == {int, bool} else None
    return [cell if cell is None or kind is None else kind(cell) for cell in kept]
