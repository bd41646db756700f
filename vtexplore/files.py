"""Files are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vtexplore.errors import ConfigError


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place when the block ends without an error.

    Whatever happens inside, ``path`` holds either what it held before or the whole new file. Missing
    folders are made. Raises ``ConfigError`` if nothing can be written there.
    """
    target = Path(path).expanduser()
    partial = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(target)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(f"{target} cannot be written ({why}). Give another path.") from error
    finally:
        with suppress(OSError):  # a folder that is none: there is nothing to clean up
            partial.unlink()
