"""Commands that ask why: what speaks for a number, and which maps of it can be trusted."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vtexplore.terminal import (
    ClipName,
    Dpi,
    Json,
    Model,
    Out,
    Text,
    Weights,
    command,
    open_clip,
    open_model,
    refuse_ending,
    show_result,
)

WAYS = "attention, mean colour, blur or noisy linear"
Word = Annotated[str | None, typer.Option(help="The word in question: red, or red:2 for the second.")]
Target = Annotated[str | None, typer.Option(help="What stands in the gap, or match; left out: the word itself.")]


@command("explain")
def explain(
    clip: ClipName,
    text: Text = None,
    model: Model = "violet",
    weights: Weights = None,
    method: Annotated[
        str, typer.Option(help="raw, rollout, relevancy, gradient, ig, occlusion or edges.")
    ] = "relevancy",
    word: Word = None,
    target: Target = None,
    removal: Annotated[str | None, typer.Option(help=f"For occlusion: {WAYS}.")] = None,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """What of a clip and a sentence speaks for what a model says.

    \b
    Examples:
      vtexplore explain clip.mp4 "a [MASK] circle slides left" --target red -o red.png
      vtexplore explain clip.mp4 "a red circle slides left" --method ig --json
      vtexplore explain world:3 --word 2 --method occlusion --removal blur -o map.png
    """
    refuse_ending(out)
    from vtexplore.probes.explain import explain as ask

    options: dict[str, Any] = {} if removal is None else {"removal": removal}
    result = ask(
        open_model(model, weights), open_clip(clip), text, target=target, word=_word(word), method=method, **options
    )
    show_result(result, result.plot(), out, as_json, dpi)


@command("faithfulness")
def faithfulness(
    clip: ClipName,
    text: Text = None,
    model: Model = "violet",
    weights: Weights = None,
    method: Annotated[list[str] | None, typer.Option(help="A method; give several. Left out: all.")] = None,
    word: Word = None,
    target: Target = None,
    instead: Annotated[str | None, typer.Option(help="Another word, or sentence, for the wrong target.")] = None,
    removal: Annotated[list[str] | None, typer.Option(help=f"How patches go: {WAYS}; give several.")] = None,
    of: Annotated[str, typer.Option(help="What goes: patches, frames or words.")] = "patches",
    beam: Annotated[int, typer.Option(min=0, help="NAOPC: ways followed to the best order; 0: none.")] = 0,
    kind: Annotated[str, typer.Option(help="methods (the maps), curves or cascade.")] = "methods",
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which maps tell what the model uses, tried on one clip. Takes a minute or more.

    \b
    Examples:
      vtexplore faithfulness clip.mp4 "a red circle slides left" --word red --method relevancy --method ig -o maps.png
      vtexplore faithfulness clip.mp4 "a red circle slides left" --of frames --beam 5 --json
      vtexplore faithfulness world:3 --removal attention --removal "noisy linear" --kind curves -o curves.png
    """
    refuse_ending(out)
    from vtexplore.probes.faithfulness import METHODS
    from vtexplore.probes.faithfulness import faithfulness as ask

    options: dict[str, Any] = {
        "target": target,
        "word": _word(word),
        "instead": instead,
        "of": of,
        "beam": beam,
        "quiet": as_json,
    }
    options |= {"removals": removal} if removal else {}
    result = ask(open_model(model, weights), open_clip(clip), text, methods=method or METHODS, **options)
    show_result(result, result.plot(kind), out, as_json, dpi)


def _word(word: str | None) -> str | int | None:
    """A word by its letters, or by its number."""
    return int(word) if word is not None and word.isdigit() else word
