"""The command ``vtexplore``. Thin: whatever it does is two lines in a notebook.

What goes wrong is told in one sentence, with exit code 2; Ctrl-C ends with 130. A file appears whole or not
at all. With ``--json``, standard output is one JSON document and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vtexplore.errors import ConfigError
from vtexplore.terminal import (
    ClipName,
    Dpi,
    Json,
    Model,
    Out,
    Text,
    Weights,
    app,
    command,
    open_model,
    refuse_ending,
    refuse_partial,
    say,
    show_result,
)
from vtexplore.terminal import open_clip as _clip


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    app()


# ── looking ───────────────────────────────────────────────────────────────────────────────────────


@command("list")
def list_families(as_json: Json = False) -> None:
    """The families that there are.

    \b
    Example:
      vtexplore list --json
    """
    from vtexplore import registry

    pages = [registry.family(name) for name in registry.names()]
    if as_json:
        say([_page(page) for page in pages])
        return
    for page in pages:
        state = "miniature ready" if registry.shipped(page.name) else "no miniature yet"
        print(f"{page.name:14s} {page.year}  {page.title}  [{state}]")


@command("show")
def show(
    name: Annotated[str, typer.Argument(help="A family, such as violet.")],
    size: Annotated[str, typer.Option(help="One of its sizes: mini, published.")] = "mini",
    as_json: Json = False,
) -> None:
    """One family: its paper, its sizes, the places where it can be listened to, its card.

    \b
    Example:
      vtexplore show violet
    """
    from vtexplore import registry
    from vtexplore.record import sites

    page = registry.family(name)
    model = registry.build(name, size, device="meta")
    count = sum(p.numel() for p in model.parameters())
    there: dict[str, Any] = {"sites": list(sites(model)), "parameters": count, "inputs": _fields(page.inputs(size))}
    card = registry.card(name) if registry.shipped(name) else {}
    if as_json:
        say(_page(page) | there | {"size": size, "card": card})
        return
    print(f"{page.title} ({page.paper}, {page.year}, arXiv {page.arxiv})")
    print(f"size {size}: {count / 1e6:.1f} M parameters; other sizes: {', '.join(s for s in page.sizes if s != size)}")
    print("sees: " + ", ".join(f"{k} {v}" for k, v in there["inputs"].items()))
    print(f"heads: {', '.join(page.heads)}")
    print(f"trained on: {', '.join(page.objectives)}")
    print("sites: " + ", ".join(there["sites"]))
    if not card:
        print("miniature: none is shipped yet")
    for key in ("metrics", "grounding_head", "deviations"):
        if key in card:
            print(f"{key.replace('_', ' ')}: {json.dumps(card[key], ensure_ascii=False)}")


@command("attend")
def attend(
    clip: ClipName,
    text: Text = None,
    model: Model = "violet",
    weights: Weights = None,
    word: Annotated[str | None, typer.Option(help="The word to show: red, or red:2 for the second.")] = None,
    site: Annotated[str | None, typer.Option(help="A layer; left out: the one that grounds words best.")] = None,
    head: Annotated[int | None, typer.Option(min=0, help="A head of that layer, from 0.")] = None,
    method: Annotated[str, typer.Option(help="raw: one layer; rollout: all layers.")] = "raw",
    kind: Annotated[str, typer.Option(help="overlay, word_frame or head_grid.")] = "overlay",
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """What each word of a sentence looks at in a clip.

    \b
    Examples:
      vtexplore attend clip.mp4 "a red circle slides left" --word red -o red.png
      vtexplore attend world:3 -o word.gif
      vtexplore attend clip.mp4 "…" --kind head_grid -o heads.svg
    """
    refuse_ending(out)
    from vtexplore.probes.attend import attend as look

    result = look(open_model(model, weights), _clip(clip), text, site=site, head=head, method=method)
    options = {} if kind == "word_frame" else {"word": word}
    show_result(result, result.plot(kind, **options), out, as_json, dpi)


@command("fill")
def fill(
    clip: ClipName,
    text: Annotated[str | None, typer.Argument(help="A sentence with one [MASK], or any with --word.")] = None,
    model: Model = "violet",
    weights: Weights = None,
    word: Annotated[str | None, typer.Option(help="The word to mask, if the sentence has no [MASK].")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many words to show.")] = 5,
    against: Annotated[int, typer.Option(min=0, help="How many other clips of its world to ask beside.")] = 8,
    frames: Annotated[bool, typer.Option("--frames", help="What each frame adds, alone and in other orders.")] = False,
    foil: Annotated[list[str] | None, typer.Option(help="A word to tell it from; give several.")] = None,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which word fits, with the clip, without it, and beside other clips.

    \b
    Examples:
      vtexplore fill clip.mp4 "the [MASK] circle slides left" -o bars.png
      vtexplore fill world:3 --word pink --frames --foil pink --foil red -o frames.png
    """
    refuse_ending(out)
    from vtexplore.probes.fill_mask import fill_mask

    asked: dict[str, Any] = {"against": against, "frames": frames, "foils": foil or ()}
    result = fill_mask(open_model(model, weights), _clip(clip), text, word=word, top=top, **asked)
    show_result(result, result.plot("frames" if frames else "bars"), out, as_json, dpi)


@command("answer")
def answer(
    clip: ClipName,
    text: Annotated[
        str | None, typer.Argument(help='A sentence, its phrase in brackets: "[the red ball] rolls left".')
    ] = None,
    phrase: Annotated[str | None, typer.Option(help="The phrase to ask for, if none is in brackets.")] = None,
    choice: Annotated[list[str] | None, typer.Option(help="A choice; give several. Left out: of its kind.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A family that answers questions.")] = "bridgeformer",
    weights: Weights = None,
    kind: Annotated[str, typer.Option(help="choices, options (a map for each) or overlay.")] = "choices",
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which phrase was erased, and what in the frames speaks for it.

    \b
    Examples:
      vtexplore answer clip.mp4 "[the red circle] slides left" -o bars.png
      vtexplore answer world:3 --phrase "pink plus" --kind options -o maps.png
      vtexplore answer clip.mp4 "the red circle [grows]" --choice grows --choice spins
    """
    refuse_ending(out)
    from vtexplore.probes.answer import answer as ask

    result = ask(open_model(model, weights), _clip(clip), text, phrase=phrase, choices=choice or None)
    show_result(result, result.plot(kind), out, as_json, dpi)


@command("retrieve")
def retrieve(
    folder: Annotated[Path, typer.Argument(help="Video files, each with its caption in a .json of the same name.")],
    text: Annotated[str | None, typer.Argument(help="The text whose hits are shown: one of the captions.")] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A family; `vtexplore list` names them.")
    ] = "bridgeformer",
    weights: Weights = None,
    kind: Annotated[str, typer.Option(help="hits or recalls.")] = "hits",
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which of many clips does a text mean?

    \b
    Examples:
      vtexplore retrieve clips/ "the red circle slides left" -o hits.png
      vtexplore retrieve clips/ --kind recalls --json
    """
    refuse_ending(out)
    refuse_partial()
    from vtexplore.data.captioned import captioned
    from vtexplore.probes.retrieve import retrieve as find

    result = find(open_model(model, weights), captioned(folder))
    options = {"text": text or 0} if kind == "hits" else {}
    show_result(result, result.plot(kind, **options), out, as_json, dpi)


@command("tour")
def tour(
    clip: Annotated[str | None, typer.Argument(help="A video file; left out: one that comes with vtexplore.")] = None,
    text: Annotated[str | None, typer.Option(help="What is said of it.")] = None,
    model: Model = "violet",
    weights: Weights = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("tour.html"),
) -> None:
    """The first look: one page that a browser opens without network.

    \b
    Examples:
      vtexplore tour
      vtexplore tour clip.mp4 --text "a red circle slides left"
    """
    from vtexplore.tour import default_clip
    from vtexplore.tour import tour as write

    loaded = open_model(model, weights)
    page = write(loaded, default_clip() if clip is None else _clip(clip), text, out)
    print(f"{page.resolve()}  (open it in a browser)")


@command("world")
def world(
    seed: Annotated[int, typer.Option(min=0, help="Which scene; the same seed gives the same scene.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=64, help="For a .png: how many scenes on the sheet.")] = 1,
    size: Annotated[int, typer.Option(min=32, max=1024, help="Side of the video in pixels.")] = 256,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="clip.mp4, or sheet.png", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """A scene of the miniature world, as a video or on a contact sheet.

    \b
    Examples:
      vtexplore world --seed 3 -o clip.mp4
      vtexplore world --seed 1 --count 12 -o sheet.png
    """
    from vtexplore.views.scenes import contact_sheet
    from vtexplore.world import sample_scene
    from vtexplore.world.video_file import write_mp4

    scenes = [sample_scene(seed + i) for i in range(count)]
    if out is not None and out.suffix.lower() == ".mp4":
        if count > 1:
            raise ConfigError("One .mp4 holds one scene. Leave --count out, or save a sheet as .png.")
        write_mp4(scenes[0], out, size)
    elif out is not None and out.suffix.lower() == ".png":
        contact_sheet(scenes, seed).save(out, 100)
    elif out is not None:
        raise ConfigError(f"A scene is saved as .mp4 and a sheet of scenes as .png, not as {out.name!r}.")
    told = [{"seed": seed + i, "caption": scene.caption.text} for i, scene in enumerate(scenes)]
    if as_json:
        say(told)
        return
    for scene in told:
        print(f"{scene['seed']}: {scene['caption']}")
    if out is not None:
        print(f"saved: {out}")


# ── making and measuring ──────────────────────────────────────────────────────────────────────────


@command("train")
def train(
    name: Annotated[str, typer.Argument(help="A family, such as violet, or a part shared by several.")],
    processes: Annotated[int, typer.Option(min=1, help="Processes that train together.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Where the run lives; left out: runs/NAME.", show_default=False)
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Fewer steps than the recipe, to try it.")] = None,
) -> None:
    """Make a miniature; a run that was stopped goes on where it was.

    \b
    Example:
      vtexplore train violet --processes 2
    """
    from vtexplore.miniatures import train as make

    make(name, processes=processes, folder=folder, steps=steps)


@command("evaluate")
def evaluate(
    name: Annotated[str, typer.Argument(help="A family, such as violet.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many clips.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Which clips.")] = 1,
    store: Annotated[bool, typer.Option("--store", help="Write what was found into the miniature's card.")] = False,
    parts: Annotated[list[str] | None, typer.Option("--part", help="Only this; may be given several times.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    as_json: Json = False,
) -> None:
    """Measure a miniature on scenes that it has never seen.

    \b
    Example:
      vtexplore evaluate violet --n 2000 --seed 1 --json
    """
    from vtexplore.evaluate import PARTS
    from vtexplore.evaluate import evaluate as measure

    found = measure(name, n=n, seed=seed, parts=tuple(parts or PARTS), processes=processes)
    if store:
        found.store()
    if as_json:
        say(found.to_dict())
    else:
        print(found)


def _page(page: Any) -> dict[str, Any]:
    """What a family's page says, for JSON."""
    from vtexplore.registry import shipped

    plain = {k: getattr(page, k) for k in ("name", "title", "paper", "year", "arxiv")}
    lists = {k: list(getattr(page, k)) for k in ("sizes", "heads", "objectives")}
    return plain | lists | {"miniature": shipped(page.name)}


def _fields(inputs: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(inputs)


import vtexplore.cli_many  # noqa: E402, F401 (their commands stand after these)
import vtexplore.cli_order  # noqa: E402, F401
import vtexplore.cli_weights  # noqa: E402, F401
import vtexplore.cli_why  # noqa: E402, F401
import vtexplore.cli_words  # noqa: E402, F401
