"""Commands for many clips: one probe, one table, as many processes as there are; and probes that need many."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vtexplore.errors import ConfigError, VtexploreError
from vtexplore.terminal import (
    Clips,
    Dpi,
    Json,
    Model,
    Out,
    Seed,
    Split,
    Weights,
    command,
    model_or_name,
    notes,
    open_clips,
    open_model,
    refuse_ending,
    refuse_partial,
    say,
    show_result,
)

SHOWN = 10  # errors that are listed; the table has all


@command("probe")
def probe(
    name: Annotated[str, typer.Argument(help="fill_mask, attend, match, … or your own as module:function.")],
    clips: Annotated[list[str], typer.Argument(help="A folder, files, a .csv, world:0..999; one or several.")],
    model: Model = "violet",
    weights: Weights = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The table: .csv, or .parquet with pyarrow.", show_default=False)
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-p", help="key=value for the probe; may be given again.")
    ] = None,
    split: Annotated[str, typer.Option(help="Of world: scenes: train, or heldout.")] = "train",
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work, on CPUs.")] = 1,
    retry: Annotated[bool, typer.Option("--retry", help="Ask clips that failed before once more.")] = False,
    as_json: Json = False,
) -> None:
    """A probe over many clips: a table with a row for each, and what they say together.

    The same command again goes on where it was stopped. {caption} in an option is the clip's own caption; so is any
    word of its .json, any column of the .csv, and, of the world, any kind of foil ({order}, {colour}, …). A .csv has a
    column "path"; columns named like an option are that clip's own.

    \b
    Examples:
      vtexplore probe fill_mask clips/ -p word=1 -o table.csv
      vtexplore probe attend world:0..999 --split heldout -o looks.csv --processes 2
      vtexplore probe match world:0..99 -p texts={caption} -p texts={order} -o order.csv
      vtexplore probe answer questions.csv --model bridgeformer -o answers.csv --json
      accelerate launch -m vtexplore probe attend clips/ -o looks.csv    (on all GPUs)
    """
    from vtexplore.many import over
    from vtexplore.many.question import find, options_of
    from vtexplore.miniatures import is_main, launch

    refuse_partial()
    if processes > 1 and "RANK" not in os.environ:
        _refuse(name, clips, out, option or (), split)
        raise SystemExit(launch(sys.argv[1:], processes))
    try:
        options = options_of(find(name), option or (), split)
        who = model_or_name(model, weights, "auto")
        table = over(name, who, clips, out=out, split=split, retry=retry, **options)
    except VtexploreError:
        if is_main():
            raise
        raise SystemExit(2) from None  # it is told once
    if is_main():
        _told(table, out, as_json)


@command("masked-words")
def masked_words(
    clips: Clips,
    model: Model = "violet",
    weights: Weights = None,
    others: Annotated[int, typer.Option(min=1, help="Other clips of the set to ask beside.")] = 8,
    orders: Annotated[int, typer.Option(min=0, help="Other orders of the frames.")] = 2,
    floor: Annotated[bool, typer.Option("--floor", help="Ask a model with random weights the same.")] = False,
    split: Split = "heldout",
    seed: Seed = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Every word of every caption masked once: what the clips do for each class of words.

    \b
    Examples:
      vtexplore masked-words world:0..63 -o classes.png
      vtexplore masked-words clips/ --others 4 --floor --json
    """
    refuse_ending(out)
    import torch

    from vtexplore.probes.masked_words import masked_words as ask
    from vtexplore.registry import build

    some, _ = open_clips(clips, split)
    loaded = open_model(model, weights)
    torch.manual_seed(seed)
    random = build(model, loaded.size) if floor else None
    result = ask(loaded, some, others=others, orders=orders, floor=random, seed=seed, quiet=as_json)
    show_result(result, result.plot(), out, as_json, dpi)


@command("foils")
def foils(
    clips: Clips,
    foil: Annotated[str, typer.Option(help="A kind of the world's (order, colour, …), or a column.")],
    simple: Annotated[
        str | None, typer.Option(help="A kind of simpler foils, for P+T; told beside the same caption.")
    ] = None,
    model: Model = "violet",
    weights: Weights = None,
    threshold: Annotated[float | None, typer.Option(help="Above which score a sentence counts as believed.")] = None,
    split: Split = "heldout",
    seed: Seed = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """True sentences against false ones: chosen, believed, and given away without the clip.

    \b
    Examples:
      vtexplore foils world:0..63 --foil colour -o foils.png
      vtexplore foils clips.csv --foil false --json
    """
    refuse_ending(out)
    from vtexplore.probes.compare_foils import compare_foils

    some, false = open_clips(clips, split, foil)
    pairs = None
    if simple is not None:
        pairs = [
            (str(clip.caption), other) for clip, other in zip(some, open_clips(clips, split, simple)[1], strict=True)
        ]
    asked = {"proficiency": pairs, "threshold": threshold, "seed": seed, "quiet": as_json}
    result = compare_foils(open_model(model, weights), some, false, **asked)  # type: ignore[arg-type]
    show_result(result, result.plot(), out, as_json, dpi)


def _refuse(name: str, clips: list[str], out: Path | None, option: Sequence[str], split: str) -> None:
    """Refuse what cannot work before processes are started, each of which would say so."""
    from vtexplore.many.items import items
    from vtexplore.many.question import Question, find, options_of
    from vtexplore.many.table import check_ending

    if out is None:
        raise ConfigError("Several processes meet in a file. Give one: --out table.csv.")
    check_ending(out)
    function = find(name)
    Question(function, options_of(function, option, split)).check(items(clips, split))


def _told(table: Any, out: Path | None, as_json: bool) -> None:
    """The summary; raises ``ConfigError`` if not one clip could be asked."""
    for name, error in list(table.errors.items())[:SHOWN]:
        print(f"failed: {name}: {error}", file=sys.stderr)
    if len(table.errors) > SHOWN:
        where = f"; see the column 'error' of {out}" if out else ""
        print(f"failed: {len(table.errors) - SHOWN} more{where}", file=sys.stderr)
    if len(table.errors) == len(table):
        raise ConfigError("Not one clip could be asked. Mend what is said above, and run the same command again.")
    if as_json:
        say(table.to_dict() | {"out": None if out is None else str(out)})
        return
    print(table)
    if out is not None:
        print(f"saved: {out}")
    notes(table)
