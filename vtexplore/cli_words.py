"""Commands for families that read video in words: gaps of a sentence, visual words, what comes next."""

from __future__ import annotations

from typing import Annotated

import typer

from vtexplore.terminal import (
    ClipName,
    Dpi,
    Json,
    Out,
    Weights,
    command,
    open_clip,
    open_model,
    refuse_ending,
    show_result,
)

Reader = Annotated[str, typer.Option("--model", "-m", help="A family; `vtexplore list` names them.")]
Many = Annotated[int, typer.Option("--top", min=1, help="How many words to show.")]


@command("cloze")
def cloze(
    clip: ClipName,
    template: Annotated[
        str | None, typer.Argument(help='A sentence with gaps; left out: "the [MASK] [MASK] [MASK] [MASK]".')
    ] = None,
    model: Reader = "videobert",
    weights: Weights = None,
    among: Annotated[list[str] | None, typer.Option(help="A word to choose; give several. Left out: all.")] = None,
    other: Annotated[list[str] | None, typer.Option(help="A clip to ask beside, too; may be given again.")] = None,
    top: Many = 5,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """What happens: a sentence with gaps, filled with the clip and without it.

    \b
    Example:
      vtexplore cloze clip.mp4 "the [MASK] [MASK] [MASK] [MASK]" --other world:4 -o gaps.png
    """
    refuse_ending(out)
    from vtexplore.probes.cloze import TEMPLATE
    from vtexplore.probes.cloze import cloze as ask

    others = [open_clip(name) for name in other or ()]
    result = ask(
        open_model(model, weights), open_clip(clip), template or TEMPLATE, among=among or None, top=top, others=others
    )
    show_result(result, result.plot(), out, as_json, dpi)


@command("words")
def words(
    clip: ClipName,
    model: Reader = "videobert",
    weights: Weights = None,
    kind: Annotated[str, typer.Option(help="timeline, or gallery: the whole vocabulary.")] = "timeline",
    page: Annotated[int, typer.Option(min=0, help="Of the gallery, from 0.")] = 0,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """A clip as a sentence of visual words.

    \b
    Examples:
      vtexplore words clip.mp4 -o words.png
      vtexplore words world:3 --kind gallery -o gallery.png
    """
    refuse_ending(out)
    from vtexplore.probes.read_words import read_words

    result = read_words(open_model(model, weights), open_clip(clip))
    show_result(result, result.plot(kind, **({"page": page} if kind == "gallery" else {})), out, as_json, dpi)


@command("forecast")
def forecast(
    clip: ClipName,
    model: Reader = "videobert",
    weights: Weights = None,
    at: Annotated[int | None, typer.Option(min=0, help="The last moment that is seen; left out: late.")] = None,
    since: Annotated[int, typer.Option(min=0, help="The first moment that is seen.")] = 0,
    ahead: Annotated[list[int] | None, typer.Option(help="So many moments later; give several. Else 1, 2, 4.")] = None,
    top: Many = 3,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which visual words come next.

    \b
    Example:
      vtexplore forecast clip.mp4 --at 2 --ahead 1 --ahead 2 -o next.png
    """
    refuse_ending(out)
    from vtexplore.probes.forecast import forecast as ask

    result = ask(open_model(model, weights), open_clip(clip), at=at, ahead=ahead or (1, 2, 4), k=top, since=since)
    show_result(result, result.plot(), out, as_json, dpi)


@command("illustrate")
def illustrate(
    text: Annotated[str, typer.Argument(help="A sentence.")],
    model: Reader = "videobert",
    weights: Weights = None,
    moments: Annotated[int, typer.Option(min=1, help="How many moments of video.")] = 3,
    top: Many = 3,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """What a video of a sentence would look like, in visual words.

    \b
    Example:
      vtexplore illustrate "the red circle slides left" -o video.png
    """
    refuse_ending(out)
    from vtexplore.probes.illustrate import illustrate as ask

    result = ask(open_model(model, weights), text, moments, top)
    show_result(result, result.plot(), out, as_json, dpi)
