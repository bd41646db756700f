"""What was found so far, on disk: a folder beside the table, a shard for each process, a line for each clip.

A line is written whole and at once, so a process that is killed leaves one line cut off at most; it is passed over, and
its clip is asked again. Whoever goes on reads all shards, so it may be another number of processes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vtexplore.errors import ConfigError
from vtexplore.files import writing

SYNC_S = 1.0  # a power cut costs what was found since; a kill costs nothing
Line = dict[str, Any]
"""What is kept of one item: "key" (see ``items``), "clip", "notes", and "row" or "error"."""
Key = tuple[str, str]


class Shards:
    """The folder of a table's shards: ``table.csv.parts/``."""

    def __init__(self, table: Path) -> None:
        self.folder = table.with_name(table.name + ".parts")
        self._read: dict[Path, tuple[int, int]] = {}  # bytes and lines counted so far

    def check(self, recipe: dict[str, Any]) -> None:
        """Raise ``ConfigError`` if the folder holds a run of another recipe, naming what differs."""
        path = self.folder / "run.json"
        if not path.is_file():
            if any(self.folder.glob("*.jsonl")):
                raise ConfigError(f"{self.folder} does not say what was asked. Remove it, or give another --out.")
            return
        try:
            there = json.loads(path.read_text("utf-8"))
            differing = [key for key in recipe if there.get(key) != recipe[key]]
        except (OSError, ValueError, AttributeError) as error:
            raise ConfigError(f"{path} cannot be read ({error}). Remove the folder, or give another --out.") from error
        if differing:
            key = differing[0]
            raise ConfigError(
                f"{self.folder} holds another run: its {key} is {there.get(key)!r}, not {recipe[key]!r}. "
                "Give another --out, or remove that folder."
            )

    def begin(self, recipe: dict[str, Any]) -> None:
        """Write down what is asked, before any line. Raises ``ConfigError`` if nothing can be written there."""
        with writing(self.folder / "run.json") as partial:
            partial.write_text(json.dumps(recipe, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def lines(self) -> dict[Key, Line]:
        """The line of each key; where there are several, one without an error."""
        found: dict[Key, Line] = {}
        for path in self._paths():
            for line in path.read_bytes().split(b"\n"):
                try:
                    one = json.loads(line)
                    name, mark = one["key"]
                except (ValueError, KeyError, TypeError):  # cut off by a kill
                    continue
                if "error" not in one or (name, mark) not in found:
                    found[name, mark] = one
        return found

    def count(self) -> int:
        """How many lines all shards have by now; reads only what is new."""
        for path in self._paths():
            at, lines = self._read.get(path, (0, 0))
            with path.open("rb") as file:
                file.seek(at)
                new = file.read()
            self._read[path] = at + len(new), lines + new.count(b"\n")
        return sum(lines for _, lines in self._read.values())

    @contextmanager
    def writer(self, rank: int) -> Iterator[Writer]:
        """A process's own shard, to append to. Raises ``ConfigError`` if it cannot be written."""
        path = self.folder / f"rank-{rank}.jsonl"
        try:
            with path.open("ab") as file:
                yield Writer(file)
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(f"{path} cannot be written ({why}). All processes must see it on one disk.") from error

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("rank-*.jsonl"))


class Writer:
    """Appends lines to a shard."""

    def __init__(self, file: Any) -> None:
        self.file, self._synced_s = file, time.monotonic()
        if file.tell() and not _ends_a_line(Path(file.name)):
            file.write(b"\n")  # what a kill cut off stays a line of its own

    def add(self, line: Line) -> None:
        """Write one line; when this returns, a kill can no longer take it back."""
        self.file.write(json.dumps(line).encode() + b"\n")
        self.file.flush()
        if time.monotonic() - self._synced_s > SYNC_S:
            os.fsync(self.file.fileno())
            self._synced_s = time.monotonic()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


class Memory:
    """The same without a disk, for one process: nothing is kept when it ends."""

    def __init__(self) -> None:
        self.kept: dict[Key, Line] = {}

    def check(self, recipe: dict[str, Any]) -> None:
        """There is never another run."""

    def begin(self, recipe: dict[str, Any]) -> None:
        """Nothing to write."""

    def lines(self) -> dict[Key, Line]:
        """The line of each key."""
        return self.kept

    def count(self) -> int:
        """How many lines there are by now."""
        return len(self.kept)

    @contextmanager
    def writer(self, rank: int) -> Iterator[Memory]:
        """Itself."""
        yield self

    def add(self, line: Line) -> None:
        """Keep one line."""
        self.kept[line["key"]] = line
