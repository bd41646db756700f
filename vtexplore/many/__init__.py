"""A probe over many clips: one table, made by one process or by many, which goes on where it was stopped.

    table = over("fill_mask", "violet", "world:0..999", word=1, out="table.csv")
    table.mean("lift")              mean over clips, low, high
    table.rows[0]                   a row a clip; table.csv holds the same

    vtexplore probe fill_mask clips/ --option word=1 --out table.csv --processes 2               (on CPUs)
    accelerate launch -m vtexplore probe fill_mask clips/ --option word=1 --out table.csv        (on GPUs)

(On CPUs ``accelerate launch --num_processes 2`` starts one process, whose table is the same, only later.)
Every process (of accelerate: of a GPU, of a machine with the same disk) asks its share of the clips and appends a line
for each to a shard of its own, ``table.csv.parts/rank-k.jsonl``; in the end the main process merges them by id. A clip
is asked once, whoever stopped when: shards are read first, and each pending clip belongs to one process. (A DataLoader
would fill up the last batch with clips asked before.) A clip that cannot be asked is a row with its error.

    items       which clips, and their ids              shards      what is on disk
    question    which probe, with which options         table       rows, means, intervals
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from vtexplore.errors import ConfigError, TextError, VideoError, VtexploreError
from vtexplore.many.items import AnyClip, Item, items, key
from vtexplore.many.question import Question, find
from vtexplore.many.shards import Key, Line, Memory, Shards
from vtexplore.many.table import Table, check_ending
from vtexplore.probes._ask import SMALL, about
from vtexplore.probes.fill_mask import ONE_CASE

__all__ = ["Stopped", "Table", "over"]

T = TypeVar("T")
LOOK_S = 1.0  # between two looks at what the other processes have done
PATIENCE = timedelta(days=30)  # of a process that has done its share, with the others
MOST_NOTES = 5


class Stopped(KeyboardInterrupt):
    """Ctrl-C; the message says what is kept, and how to go on."""


def over(
    probe: str | Callable[..., Any],
    model: Any,
    clips: AnyClip | Iterable[AnyClip],
    *,
    out: str | os.PathLike[str] | None = None,
    split: str = "train",
    retry: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Table:
    """Ask a probe of many clips; returns the table, and writes it to ``out`` (.csv, or .parquet with pyarrow).

    ``probe``: a verb such as "fill_mask", ``module:function``, or any function (model, clip, …) that returns a
    ``Result``. ``model``: a family's name, or a model. ``clips``: see ``items``; ``split`` is of ``world:`` scenes.
    ``options`` go to the probe; words in braces stand for what is said of a clip ("{caption}").

    What ``out`` has kept of the same run, finished or stopped, is not asked again (with ``retry``: errors are). Without
    ``out`` nothing is kept. Processes that accelerate or torchrun started share the work.

    Raises ``ConfigError`` before anything is written for options that do not fit, nothing to ask, or an ``out`` that
    holds another run; ``Unsupported`` if the model lacks what the probe asks for; ``Stopped`` at Ctrl-C.
    """
    question = Question(find(probe), options)
    listed = items(clips, split)
    question.check(listed)
    if out is not None:
        check_ending(out)
    state = _processes()
    if out is None and state.num_processes > 1:
        raise ConfigError("Several processes meet in a file. Give one: --out table.csv (out=… in Python).")
    model = _ready(model, state)
    store = Memory() if out is None else Shards(Path(out).expanduser())
    recipe = _recipe(question, model)

    def begin() -> tuple[list[Line], list[int], int]:
        store.check(recipe)
        pending = _pending(store.lines(), listed, retry)
        tried = _tried(question, model, listed, pending)
        store.begin(recipe)
        return tried, pending[len(tried) :], store.count()

    try:
        tried, rest, before = _together(state, begin)
        first = (state.process_index - len(tried)) % state.num_processes  # the main process has done some
        share = rest[first :: state.num_processes]
        done = len(listed) - len(rest) - len(tried)
        hidden = quiet or not state.is_main_process
        others = None if state.num_processes == 1 else lambda: done + store.count() - before
        with _bar(question.name, len(listed), done, hidden, others) as tell:
            with store.writer(state.process_index) as shard:
                for line in tried if state.is_main_process else []:
                    shard.add(line)
                    tell(line)
                for at in share:
                    shard.add(line := _line(question, model, listed[at]))
                    tell(line)
            state.wait_for_everyone()
    except KeyboardInterrupt:
        raise Stopped(_kept(store, listed, retry) if state.is_main_process else "") from None
    table = _merged(store, listed, recipe, str(out))
    if out is not None:
        _together(state, lambda: table.save(out))
    return table


# ── processes ─────────────────────────────────────────────────────────────────────────────────────


def _processes() -> Any:
    """Who else is here. Without GPUs accelerate must be told so, or each process believes that it is alone."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def _together(state: Any, decide: Callable[[], T]) -> T:
    """What the main process decides, told to all; what goes wrong there goes wrong everywhere."""
    from accelerate.utils import broadcast_object_list

    told: list[Any] = [None, None]
    if state.is_main_process:
        try:
            told[0] = decide()
        except Exception as error:
            told[1] = error
    if state.num_processes > 1:
        broadcast_object_list(told)
    if told[1] is not None:
        raise told[1]
    found: T = told[0]
    return found


def _ready(model: Any, state: Any) -> Any:
    """The model on this process's own device."""
    if isinstance(model, str):
        from vtexplore.registry import load

        return load(model, device=state.device)
    return model.to(state.device) if state.num_processes > 1 and hasattr(model, "to") else model


def _recipe(question: Question, model: Any) -> dict[str, Any]:
    """What makes a run the same run. Weights that have no hash get one, if there are any."""
    who = about(model)
    weights = who["weights"] or _hashed(model)
    kept = {k: who[k] for k in ("vtexplore", "model", "size", "precision") if k in who} | {"weights": weights}
    return {"probe": question.name, "where": question.where, "options": question.plain()} | kept


def _hashed(model: Any) -> str | None:
    if not hasattr(model, "state_dict"):
        return None
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


# ── asking ────────────────────────────────────────────────────────────────────────────────────────


def _pending(lines: dict[Key, Line], listed: list[Item], retry: bool) -> list[int]:
    """Indices of what is still to be asked."""

    def done(item: Item) -> bool:
        line = lines.get(key(item))
        return line is not None and not (retry and "error" in line)

    return [at for at, item in enumerate(listed) if not done(item)]


def _tried(question: Question, model: Any, listed: list[Item], pending: list[int]) -> list[Line]:
    """The lines of the first clips, up to one that can be seen: what is wrong with all is found before any is kept.

    Raises what the probe raises there, unless it is the clip's own fault.
    """
    tried: list[Line] = []
    for at in pending:
        try:
            tried.append(_found(question, model, listed[at]))
            break
        except TextError as error:
            tried.append(_failed(listed[at], error))
            break
        except VideoError as error:
            tried.append(_failed(listed[at], error))
    return tried


def _line(question: Question, model: Any, item: Item) -> Line:
    """What is kept of one clip, whatever happens to it; only a lack of memory is everybody's."""
    from torch.cuda import OutOfMemoryError

    try:
        return _found(question, model, item)
    except (MemoryError, OutOfMemoryError):
        raise
    except Exception as error:
        return _failed(item, error)


def _found(question: Question, model: Any, item: Item) -> Line:
    result = question.ask(model, item)
    row = {k: getattr(v, "item", lambda v=v: v)() for k, v in result.row().items() if k not in ("id", "clip", "error")}
    return _head(item) | {"row": row, "notes": [note for note in result.notes if note != ONE_CASE]}


def _failed(item: Item, error: Exception) -> Line:
    kind = "" if isinstance(error, VtexploreError) else f"{type(error).__name__}: "
    return _head(item) | {"error": f"{kind}{error}", "notes": []}


def _head(item: Item) -> Line:
    return {"key": key(item), "clip": item.clip}


@contextmanager
def _bar(
    name: str, total: int, done: int, hidden: bool, all_done: Callable[[], int] | None
) -> Iterator[Callable[[Line], None]]:
    """A progress bar of all clips; yields what to tell of each own line. ``all_done`` counts those of others, too."""
    from tqdm.auto import tqdm

    failed, ended = 0, threading.Event()
    with tqdm(total=total, initial=done, desc=name, unit="clip", disable=hidden) as bar:

        def look() -> None:
            bar.n = min(total, all_done() if all_done else done)
            bar.refresh()

        def watch() -> None:
            while not ended.wait(LOOK_S):
                look()

        def tell(line: Line) -> None:
            nonlocal failed
            if "error" in line:
                failed += 1
                bar.set_postfix_str(f"{failed} failed", refresh=False)
            if all_done is None:
                bar.update()

        watcher = None if all_done is None or hidden else threading.Thread(target=watch, daemon=True)
        if watcher:
            watcher.start()
        try:
            yield tell
        finally:
            ended.set()
            if watcher:
                watcher.join()
                look()


# ── the end ───────────────────────────────────────────────────────────────────────────────────────


def _kept(store: Any, listed: list[Item], retry: bool) -> str:
    if isinstance(store, Memory):
        return "Nothing was kept; with --out table.csv (out=… in Python) it would have been."
    done = len(listed) - len(_pending(store.lines(), listed, False))
    return f"{done} of {len(listed)} clips are done and kept; the same command again goes on from there."


def _merged(store: Any, listed: list[Item], recipe: dict[str, Any], out: str) -> Table:
    """One table of all shards, in the order of the list."""
    lines = store.lines()
    if lacking := [item.id for item in listed if key(item) not in lines]:
        raise ConfigError(
            f"{len(lacking)} clips have no row, {lacking[0]} for one. All processes must see {out}.parts on one disk; "
            "run the same command again to fill them in."
        )
    mine = [lines[key(item)] for item in listed]
    rows = [
        {"id": line["key"][0], "clip": line["clip"], **line.get("row", {})}
        | ({"error": line["error"]} if "error" in line else {})
        for line in mine
    ]
    return Table(tuple(rows), dict(recipe), _notes(mine))


def _notes(lines: list[Line]) -> tuple[str, ...]:
    """The commonest notes with the number of clips that they stand at, and what is to be said of so few."""
    clips = len({line["clip"] for line in lines})
    common = Counter(note for line in lines for note in line["notes"]).most_common(MOST_NOTES)
    told = [note if n == len(lines) else f"{note} ({n} of {len(lines)} rows)" for note, n in common]
    small = [f"{clips} clips show cases, not rates: the intervals are wide."] if 1 < clips < SMALL else []
    return (*small, *([ONE_CASE] if clips == 1 else []), *told)
