"""Published files, found in the usual caches or fetched into them: with a progress bar, resumed where they broke off.

Hubs are asked through huggingface_hub, into its cache. Plain addresses are fetched into torch.hub's folder
(``checkpoints`` under ``torch.hub.get_dir()``), where files got by hand are looked for, too.
"""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import torch.hub
from filelock import FileLock

from vtexplore.errors import WeightsError
from vtexplore.published.layout import File, Published
from vtexplore.published.reading import sha256

ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".pkl")
"""Files of a hub that may be weights, the safest first."""

_CHUNK, _TIMEOUT_S = 1 << 20, 30
_HUB = re.compile(r"hub:(?P<repo>[\w.-]+/[\w.-]+?)(?::(?P<file>[^@]+))?(?:@(?P<revision>[\w./-]+))?")


def cache() -> Path:
    """The folder in which published files lie."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def offline() -> bool:
    """Whether somebody said that there is no network (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def find_all(known: Published, weights: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that ``weights`` means (see ``registry.load``), fetched if need be.

    Raises ``WeightsError`` for what is missing, and says what to do.
    """
    if weights == "published":
        main = [file for file in known.files if file.main]
        if not main:
            raise WeightsError(
                f"The authors of {known.title} published no weights. Load the miniature, or give a file."
            )
        return [find(file) for file in main]
    several = [weights] if isinstance(weights, str | Path) else list(weights)
    return [_one(known, which) for which in several]


def _one(known: Published, which: str | Path) -> Path:
    if isinstance(which, str) and which.startswith("hub:"):
        return from_hub(which)
    if isinstance(which, str) and which.startswith("https://"):
        return fetch(which, cache() / Path(urlsplit(which).path).name)
    path = Path(which).expanduser()
    if path.exists() or path.name != str(which):
        return path  # what is wrong with it, its reader says
    by_name = [file for file in known.files if file.name == str(which)]
    return find(by_name[0]) if by_name else path


def here(file: File) -> bool:
    """Whether a published file lies in its cache; nothing is fetched, and nothing compared."""
    if file.at.startswith("hub:"):
        import huggingface_hub

        parts = _HUB.fullmatch(file.at)
        assert parts
        return isinstance(huggingface_hub.try_to_load_from_cache(parts["repo"], parts["file"]), str)
    return (cache() / file.name).is_file()


def find(file: File) -> Path:
    """A published file, fetched if it is not here. Raises ``WeightsError``, which says how to get it."""
    if file.why:
        raise WeightsError(f"{file.name} is {file.why}; load the miniature instead.")
    path = cache() / file.name
    if not path.is_file():
        if not file.at:
            raise WeightsError(f"{file.name} is not on this machine. {instructions(file)}")
        if file.at.startswith("hub:"):
            path = from_hub(file.at)
        else:
            fetch(file.at, path)
    if file.sha256 and not (found := sha256(path)).startswith(file.sha256):
        raise WeightsError(
            f"{path} is not the published file (SHA-256 {found[:12]}…, not {file.sha256[:12]}…). "
            "Delete it, and try again."
        )
    return path


def instructions(file: File) -> str:
    """How a person gets a file, and what to compare it with."""
    if file.at:
        return f"It is fetched from {file.at}; or put it there yourself: {cache() / file.name}."
    compare = f"Its SHA-256 begins with {file.sha256}." if file.sha256 else "No checksum of it is published."
    how = file.by_hand[:1].upper() + file.by_hand[1:]
    return f"{how}; put it at {cache() / file.name}, or give its path as weights. {compare}"


def fetch(url: str, path: Path) -> Path:
    """Fetch a file, going on where an earlier try broke off; it appears under its name only when it is whole.

    Raises ``WeightsError`` if the host cannot be reached, or breaks off.
    """
    if path.is_file():
        return path
    if offline():
        raise WeightsError(f"{path.name} is not on this machine, and HF_HUB_OFFLINE is set: fetch {url} to {path}.")
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{partial}.lock"):  # of several processes, one fetches
            if not path.is_file():
                _receive(url, partial)
                partial.replace(path)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # all of it had come, or it is another file by now
            partial.unlink(missing_ok=True)
        raise WeightsError(_unreachable(path, url, f"HTTP {error.code}")) from error
    except (OSError, ValueError) as error:
        raise WeightsError(_unreachable(path, url, str(getattr(error, "reason", error)))) from error
    return path


def _receive(url: str, partial: Path) -> None:
    """Append to ``partial`` what it has not got yet; ``OSError`` if less comes than was told."""
    from tqdm import tqdm

    there = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "vtexplore"})
    if there:
        request.add_header("Range", f"bytes={there}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        there = there if answer.status == 206 else 0  # a host that cannot go on begins again
        length = answer.headers.get("Content-Length")
        total = there + int(length) if length else None
        name = partial.name.removesuffix(".partial")
        bar = tqdm(total=total, initial=there, unit="B", unit_scale=True, desc=name)
        with bar, partial.open("ab" if there else "wb") as out:
            while piece := answer.read(_CHUNK):
                out.write(piece)
                bar.update(len(piece))
    if total is not None and (came := partial.stat().st_size) != total:
        raise OSError(f"{came:,} of {total:,} bytes came")


def _unreachable(path: Path, url: str, why: str) -> str:
    return f"{path.name} could not be fetched from {url} ({why}): try again to go on, or put the file at {path}."


def from_hub(address: str) -> Path:
    """A file of a hub, hub:owner/name or hub:owner/name:file@revision, through huggingface_hub and its cache.

    Raises ``WeightsError`` for an address that is none, or several files to choose from, or no network.
    """
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    parts = _HUB.fullmatch(address)
    if not parts:
        raise WeightsError(f"{address!r} is no address of a hub; that is hub:owner/name, or hub:owner/name:file.")
    repo, file, revision = parts["repo"], parts["file"], parts["revision"]
    try:
        file = file or _weights_of(address, _files(repo, revision))
        return Path(huggingface_hub.hf_hub_download(repo, file, revision=revision))
    except WeightsError:
        raise
    except LocalEntryNotFoundError as error:
        raise WeightsError(
            f"{address} is not on this machine, and the hub cannot be reached: fetch it where there is a network "
            f"(`hf download {repo}`), or give the path of a file."
        ) from error
    except Exception as error:  # whatever the hub, or the network, answers
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{address} could not be fetched: {why[:200]}") from error


def _files(repo: str, revision: str | None) -> list[str]:
    """The files of a repository; without network, those that were fetched before."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return list(huggingface_hub.list_repo_files(repo, revision=revision))
    except HfHubHTTPError:  # the hub answered: there is no such repository
        raise
    except Exception:  # no network, or none wanted
        folder = Path(huggingface_hub.snapshot_download(repo, revision=revision, local_files_only=True))
        return [p.relative_to(folder).as_posix() for p in folder.rglob("*")]


def _weights_of(address: str, files: Sequence[str]) -> str:
    """The one file of weights in a repository; the safest kind counts."""
    for ending in ENDINGS:
        if fitting := sorted(f for f in files if f.endswith(ending)):
            if len(fitting) > 1:
                raise WeightsError(
                    f"{address} holds several files; name one: {address}:{fitting[0]} ({_few(fitting)})."
                )
            return fitting[0]
    raise WeightsError(f"{address} holds no weights ({_few(files) or 'it is empty'}). Name the file: {address}:FILE.")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
