"""Commands about the order in which frames come."""

from __future__ import annotations

from typing import Annotated

import typer

from vtexplore.errors import ConfigError
from vtexplore.terminal import (
    ClipName,
    Clips,
    Dpi,
    Json,
    Model,
    Out,
    Seed,
    Split,
    Text,
    Weights,
    command,
    open_clip,
    open_clips,
    open_model,
    refuse_ending,
    show_result,
)

What = Annotated[str, typer.Option(help="What changes places: frames, tubelets, features or places.")]
Foil = Annotated[str | None, typer.Option(help="False sentences: a kind of the world's (order, …), or a column.")]


@command("reorder")
def reorder(
    clip: ClipName,
    text: Text = None,
    model: Model = "violet",
    weights: Weights = None,
    foil: Annotated[str | None, typer.Option(help="A sentence that is false of the clip.")] = None,
    what: What = "frames",
    frames: Annotated[int | None, typer.Option(min=2, help="How many frames are shown; left out: the usual.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="How many orders, if there are more than 720.")] = 199,
    seed: Annotated[int, typer.Option(min=0, help="Which orders.")] = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Whether the order of frames matters to a score.

    \b
    Examples:
      vtexplore reorder clip.mp4 "a red circle slides left" -o orders.png
      vtexplore reorder world:3 --what tubelets --json
      vtexplore reorder clip.mp4 "… spins and then grows" --foil "… grows and then spins"
    """
    refuse_ending(out)
    from vtexplore.probes.reorder import reorder as ask

    result = ask(
        open_model(model, weights),
        open_clip(clip),
        text,
        foil=foil,
        what=what,
        frames=frames,
        draws=draws,
        seed=seed,
        quiet=as_json,
    )
    show_result(result, result.plot(), out, as_json, dpi)


@command("compare-orders")
def compare_orders(
    clips: Clips,
    model: Model = "violet",
    weights: Weights = None,
    foil: Foil = None,
    what: What = "frames",
    draws: Annotated[int, typer.Option(min=1, help="How many orders, if there are more than 720.")] = 199,
    split: Split = "heldout",
    seed: Seed = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Whether the order of frames matters, over many clips, with controls.

    \b
    Examples:
      vtexplore compare-orders world:0..63 -o orders.png
      vtexplore compare-orders clips.csv --foil false --json
    """
    refuse_ending(out)
    from vtexplore.probes.compare_orders import compare_orders as ask

    some, foils = open_clips(clips, split, foil)
    result = ask(
        open_model(model, weights), some, foils=foils or None, what=what, draws=draws, seed=seed, quiet=as_json
    )
    show_result(result, result.plot(), out, as_json, dpi)


@command("before-after")
def before_after(
    clips: Annotated[
        list[str] | None, typer.Argument(help="Two clips, shown one after the other; none: scenes.")
    ] = None,
    model: Model = "violet",
    weights: Weights = None,
    says: Annotated[list[str] | None, typer.Option(help="What happens in each; twice. Else their captions.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of scenes, without clips of your own.")] = 32,
    seed: Seed = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which of two events came first: pairs of clips that differ in nothing else.

    \b
    Examples:
      vtexplore before-after --pairs 64 -o pairs.png
      vtexplore before-after a.mp4 b.mp4 --says "the red circle spins" --says "the blue square grows" --json
    """
    refuse_ending(out)
    from vtexplore.probes.before_after import before_after as ask
    from vtexplore.probes.before_after import clip_pair, world_pairs

    if len(clips or ()) not in (0, 2) or len(says or ()) not in (0, 2):
        raise ConfigError(
            "A pair is two clips, and --says is given twice or not at all; without clips there are scenes."
        )
    given = clip_pair(*(open_clip(name) for name in clips), *(says or ())) if clips else None
    result = ask(open_model(model, weights), [given] if given else world_pairs(pairs, seed), seed=seed, quiet=as_json)
    show_result(result, result.plot(), out, as_json, dpi)


@command("recover-order")
def recover_order(
    clips: Clips,
    model: Model = "violet",
    weights: Weights = None,
    what: Annotated[str, typer.Option(help="What is put in order: frames, or tubelets.")] = "frames",
    frames: Annotated[int | None, typer.Option(min=2, help="How many frames are shown; left out: the usual.")] = None,
    split: Split = "heldout",
    seed: Seed = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Shuffled frames put in order.

    \b
    Examples:
      vtexplore recover-order clip.mp4 -o order.png
      vtexplore recover-order world:0..63 --json
    """
    refuse_ending(out)
    from vtexplore.probes.recover_order import recover_order as ask

    some, _ = open_clips(clips, split)
    result = ask(open_model(model, weights), some, what=what, frames=frames, seed=seed, quiet=as_json)
    show_result(result, result.plot(), out, as_json, dpi)
