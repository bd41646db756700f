"""The command ``vtexplore``. Thin: whatever it does is two lines in a notebook.

What goes wrong is told in one sentence, with exit code 2; Ctrl-C ends with 130. A file appears whole or not
at all. With ``--json``, standard output is one JSON document and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from vtexplore.errors import ConfigError, VtexploreError

app = typer.Typer(
    name="vtexplore",
    help="A microscope for video-text transformers.\n\nStart with: vtexplore tour",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ClipName = Annotated[str, typer.Argument(help="A video file, or world:SEED for a scene of the miniature world.")]
Text = Annotated[str | None, typer.Argument(help="A sentence; left out: the clip's own caption.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A family; `vtexplore list` names them.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Save a picture: .png .svg .gif .mp4", show_default=False)
]
Dpi = Annotated[int, typer.Option(min=30, max=600, help="Dots per inch of the picture.")]


def command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose errors become one sentence and an exit code."""

    def register(run: Callable[..., None]) -> Callable[..., None]:
        @wraps(run)
        def guarded(*args: Any, **options: Any) -> None:
            try:
                run(*args, **options)
                sys.stdout.flush()
            except VtexploreError as error:
                print(f"vtexplore: {error}", file=sys.stderr)
                raise SystemExit(2) from None
            except KeyboardInterrupt:
                print("vtexplore: stopped.", file=sys.stderr)
                raise SystemExit(130) from None
            except BrokenPipeError:  # the reader (`| head`) has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(0) from None

        app.command(name)(guarded)
        return guarded

    return register


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    app()


def _say(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_number))


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _clip(name: str) -> Any:
    """A file, or ``world:SEED``."""
    if name.startswith("world:"):
        seed = name.removeprefix("world:")
        if not seed.isdigit():
            raise ConfigError(f"{name!r} is no scene; a scene is world: and a number, such as world:3.")
        from vtexplore.world import sample_scene

        return sample_scene(int(seed)).clip()
    from vtexplore.data.video import read_video

    return read_video(name)


def _ending(out: Path | None) -> None:
    """Refuse a file that could not be written before any work is done."""
    from vtexplore.views.picture import ENDINGS

    if out is not None and out.suffix.lower() not in ENDINGS:
        raise ConfigError(f"A picture is saved as {', '.join(ENDINGS)}, not as {out.name!r}.")


def _notes(result: Any) -> None:
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)


def _show(result: Any, picture: Any, out: Path | None, as_json: bool, dpi: int) -> None:
    """The result as JSON, as a file, or as what its picture says."""
    if out is not None:
        picture.save(out, dpi)
    if as_json:
        _say(result.to_dict())
        return
    print(picture.alt)
    if out is not None:
        print(f"saved: {out}")
    _notes(result)


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
        _say([_page(page) for page in pages])
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
        _say(_page(page) | there | {"size": size, "card": card})
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
    _ending(out)
    from vtexplore.probes.attend import attend as look
    from vtexplore.registry import load

    result = look(load(model), _clip(clip), text, site=site, head=head, method=method)
    options = {} if kind == "word_frame" else {"word": word}
    _show(result, result.plot(kind, **options), out, as_json, dpi)


@command("fill")
def fill(
    clip: ClipName,
    text: Annotated[str | None, typer.Argument(help="A sentence with one [MASK], or any with --word.")] = None,
    model: Model = "violet",
    word: Annotated[str | None, typer.Option(help="The word to mask, if the sentence has no [MASK].")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many words to show.")] = 5,
    out: Out = None,
    dpi: Dpi = 150,
    as_json: Json = False,
) -> None:
    """Which word fits, with the clip and without it.

    \b
    Example:
      vtexplore fill clip.mp4 "the [MASK] circle slides left" -o bars.png
    """
    _ending(out)
    from vtexplore.probes.fill_mask import fill_mask
    from vtexplore.registry import load

    result = fill_mask(load(model), _clip(clip), text, word=word, top=top)
    _show(result, result.plot(), out, as_json, dpi)


@command("tour")
def tour(
    clip: Annotated[str | None, typer.Argument(help="A video file; left out: one that comes with vtexplore.")] = None,
    text: Annotated[str | None, typer.Option(help="What is said of it.")] = None,
    model: Model = "violet",
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("tour.html"),
) -> None:
    """The first look: one page that a browser opens without network.

    \b
    Examples:
      vtexplore tour
      vtexplore tour clip.mp4 --text "a red circle slides left"
    """
    from vtexplore.registry import load
    from vtexplore.tour import default_clip
    from vtexplore.tour import tour as write

    loaded = load(model)
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
        _say(told)
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
    as_json: Json = False,
) -> None:
    """Measure a miniature on scenes that it has never seen.

    \b
    Example:
      vtexplore evaluate violet --n 2000 --seed 1 --json
    """
    from vtexplore.evaluate import evaluate as measure

    found = measure(name, n=n, seed=seed)
    if store:
        found.store()
    if as_json:
        _say(found.to_dict())
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
