"""What all commands share: their errors, what they print, and the words of their options."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
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

ClipName = Annotated[
    str,
    typer.Argument(
        help="A video file, film.mp4#t=60,70 for those seconds of it, or world:SEED for a scene of the miniature world."
    ),
]
Clips = Annotated[list[str], typer.Argument(help="A folder, files, a .csv, world:0..63; one or several.")]
Split = Annotated[str, typer.Option(help="Of world: scenes: train, or heldout.")]
Seed = Annotated[int, typer.Option(min=0, help="Of whatever is drawn.")]
Text = Annotated[str | None, typer.Argument(help="A sentence; left out: the clip's own caption.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A family; `vtexplore list` names them.")]
Weights = Annotated[
    list[str] | None,
    typer.Option("--weights", help="Whose, if not the miniature's: published, a file, hub:owner/name; give several."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Save a picture: .png .svg .gif .mp4", show_default=False)
]
Dpi = Annotated[int, typer.Option(min=30, max=600, help="Dots per inch of the picture.")]


_THERE: ContextVar[dict[str, str] | None] = ContextVar("vtexplore_there", default=None)
Device = Annotated[str | None, typer.Option(help="Where models compute: cpu, cuda, mps; auto: a GPU if there is one.")]
Precision = Annotated[str | None, typer.Option(help="fp32, bf16 or fp16; auto: 16 bits on a GPU.")]

_PARTIAL: ContextVar[bool] = ContextVar("vtexplore_partial", default=False)
Partial = Annotated[bool, typer.Option("--partial", help="Of a damaged video, take what can be read (one clip).")]


@app.callback()
def _anywhere(device: Device = None, precision: Precision = None, partial: Partial = False) -> None:
    _PARTIAL.set(partial)
    said = {"device": device, "precision": precision}
    _THERE.set({name: word for name, word in said.items() if word is not None})


def open_model(name: str, weights: list[str] | None, device: str | None = None) -> Any:
    """A family's miniature, or the family with other weights (a file, or several that go together).

    It computes where and how ``vtexplore --device … --precision …`` says, else on ``device`` (the CPU).
    """
    from vtexplore.registry import load

    options: dict[str, Any] = {} if device is None else {"device": device}
    options |= _THERE.get() or {}
    if weights:
        options["weights"] = weights[0] if len(weights) == 1 else weights
    return load(name, **options)


def model_or_name(name: str, weights: list[str] | None, device: str) -> Any:
    """The same; but only its name where nothing was said, for whoever finds each process a device."""
    return open_model(name, weights, device) if weights or _THERE.get() else name


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
            except KeyboardInterrupt as stop:
                print(f"vtexplore: stopped. {stop}".rstrip(), file=sys.stderr)
                raise SystemExit(130) from None
            except BrokenPipeError:  # the reader (`| head`) has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(0) from None

        app.command(name)(guarded)
        return guarded

    return register


def say(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_number))


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def open_clip(name: str) -> Any:
    """A file or a stretch of one, or ``world:SEED``."""
    if name.startswith("world:"):
        seed = name.removeprefix("world:")
        if not seed.isdigit():
            raise ConfigError(f"{name!r} is no scene; a scene is world: and a number, such as world:3.")
        from vtexplore.world import sample_scene

        return sample_scene(int(seed)).clip()
    from vtexplore.data.video import read_video

    if not _PARTIAL.get():
        return read_video(name)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        clip = read_video(name, allow_partial=True)
    for warning in said:
        if issubclass(warning.category, UserWarning):
            print(f"note: {warning.message}", file=sys.stderr)
    return clip


def refuse_partial() -> None:
    """Many clips are taken whole, or told to be damaged."""
    if _PARTIAL.get():
        raise ConfigError("--partial is for commands about one clip. Leave it out: of many, each damaged one is named.")


def open_clips(names: list[str], split: str, foil: str | None = None) -> tuple[list[Any], list[str]]:
    """The clips of folders, files, tables or the world, and a false sentence for each if one is asked for.

    ``foil`` is a kind of the world's, or a word of the clips' .json or column of the .csv.
    """
    from vtexplore.many.items import items

    refuse_partial()
    found = items(names, split)
    return [item.open() for item in found], [] if foil is None else [item.say(foil) for item in found]


def refuse_ending(out: Path | None) -> None:
    """Refuse a file that could not be written before any work is done."""
    from vtexplore.views.picture import ENDINGS

    if out is not None and out.suffix.lower() not in ENDINGS:
        raise ConfigError(f"A picture is saved as {', '.join(ENDINGS)}, not as {out.name!r}.")


def notes(result: Any) -> None:
    """What the reader must know, on standard error."""
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)


def show_result(result: Any, picture: Any, out: Path | None, as_json: bool, dpi: int) -> None:
    """The result as JSON, as a file, or as what its picture says."""
    if out is not None:
        picture.save(out, dpi)
    if as_json:
        say(result.to_dict())
        return
    print(picture.alt)
    if out is not None:
        print(f"saved: {out}")
    notes(result)
