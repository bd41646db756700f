"""Commands about the order in which frames come."""

from __future__ import annotations

from typing import Annotated

import typer

from vtexplore.terminal import ClipName, Dpi, Json, Model, Out, Text, command, open_clip, refuse_ending, show_result


@command("reorder")
def reorder(
    clip: ClipName,
    text: Text = None,
    model: Model = "violet",
    foil: Annotated[str | None, typer.Option(help="A sentence that is false of the clip.")] = None,
    what: Annotated[str, typer.Option(help="What changes places: frames, tubelets, features or places.")] = "frames",
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
    from vtexplore.registry import load

    result = ask(
        load(model), open_clip(clip), text, foil=foil, what=what, frames=frames, draws=draws, seed=seed, quiet=as_json
    )
    show_result(result, result.plot(), out, as_json, dpi)
