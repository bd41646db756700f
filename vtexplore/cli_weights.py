"""Commands about published weights: which there are, what a file holds, and how to be rid of a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vtexplore.errors import ConfigError
from vtexplore.terminal import Json, command, say


@command("weights")
def weights(
    name: Annotated[str | None, typer.Argument(help="A family, or s3d, video_swin; left out: all.")] = None,
    fetch: Annotated[str | None, typer.Option(help="A file to fetch; or to be told how to get it.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file of yours: what of it the family would use.")] = None,
    as_json: Json = False,
) -> None:
    """Weights that the authors published: where they are, their licence and size, and whether you have them.

    \b
    Examples:
      vtexplore weights
      vtexplore weights violet --fetch encoder.pkl
      vtexplore weights violet --file ckpt_violet_pretrain.pt
    """
    from vtexplore import registry

    if (fetch or file) and name is None:
        raise ConfigError("Say whose file it is: vtexplore weights violet …")
    known = [registry.published(n) for n in ([name] if name else registry.publications())]
    if fetch:
        _say(_fetched(known[0], fetch), as_json)
    elif file:
        _say(_held(known[0], file), as_json)
    elif as_json:
        say({page.name: [_row(f) for f in page.files] for page in known})
    else:
        print("\n\n".join(_listed(page) for page in known))


@command("convert")
def convert(
    file: Annotated[Path, typer.Argument(help="A checkpoint of torch: .pt, .pth, .bin, .pkl.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The .safetensors to write; left out: beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rewrite a pickled checkpoint as safetensors, which can hold nothing but tensors. Nothing of the pickle runs.

    \b
    Example:
      vtexplore convert MCQ.pth -o MCQ.safetensors
    """
    from vtexplore.published.reading import convert as rewrite

    out = file.with_suffix(".safetensors") if out is None else out
    if out.suffix != ".safetensors":
        raise ConfigError(f"The new file is a .safetensors, not {out.name!r}.")
    contents = rewrite(file, out)
    told = {"saved": str(out), "tensors": len(contents.tensors), "not_kept": list(contents.beside)}
    if as_json:
        say(told)
        return
    left = f"; left out: {', '.join(contents.beside)}" if contents.beside else ""
    print(f"saved: {out} ({len(contents.tensors)} tensors{left})")


def _say(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(told)
    else:
        print(told["text"])


def _fetched(page: Any, name: str) -> dict[str, Any]:
    """Where a file is now; its own hash, to compare."""
    from vtexplore.published.fetching import find
    from vtexplore.published.reading import sha256

    file = next((f for f in page.files if f.name == name), None)
    if file is None:
        raise ConfigError(
            f"{page.title} has no file {name!r}; it has {', '.join(f.name for f in page.files) or 'none'}."
        )
    path = find(file)
    digest = sha256(path)
    compare = "as published" if file.sha256 else "no checksum is published to compare it with"
    return {"path": str(path), "sha256": digest, "text": f"{path}\nSHA-256: {digest} ({compare})"}


def _held(page: Any, path: Path) -> dict[str, Any]:
    """What becomes of a file's tensors."""
    from vtexplore import registry

    is_family = page.name in registry.names()
    model = registry.load(page.name, weights=path) if is_family else registry.backbone(page.name, weights=path)
    report: Any = model.report
    return report.to_dict() | {"text": str(report)}


def _row(file: Any) -> dict[str, Any]:
    from vtexplore.published.fetching import here, instructions

    plain = {
        k: getattr(file, k) for k in ("name", "holds", "source", "licence", "layout", "at", "sha256", "mb", "main")
    }
    how = f"not supported: {file.why}; its authors: {file.by_hand}" if file.why else instructions(file)
    return plain | {"cached": here(file), "how": how}


def _listed(page: Any) -> str:
    """A family's files, three lines each."""
    lines = [page.title]
    for file in page.files:
        row = _row(file)
        state = "in the cache" if row["cached"] else "not supported" if file.why else "not here"
        size = f"about {file.mb} MB" if file.mb else "size unknown"
        lines += [
            f"  {file.name}  [{state}]  {size}, licence: {file.licence}",
            f"    {file.holds}; {file.source}",
            f"    {row['how']}",
        ]
    return "\n".join(lines if page.files else [*lines, "  nothing was published"])
