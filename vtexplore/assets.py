"""Where the files that come with vtexplore are: clips, miniatures and figures.

In a checkout, and so in an editable install, they lie in `assets/` beside the package; in a wheel they travel
inside it, as `vtexplore/assets/`. Only this file knows that.
"""

from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from vtexplore.errors import AssetError

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent


def find(name: str = "") -> Path:
    """The path of an asset, a file or a folder: `find("clips/pancake.mp4")`, `find("miniatures")`, `find()`."""
    in_checkout = (_CHECKOUT / "pyproject.toml").is_file()
    home = _CHECKOUT / "assets" if in_checkout else _PACKAGE / "assets"
    parts = PurePosixPath(name).parts
    if ".." in parts or PurePosixPath(name).is_absolute():
        raise AssetError(f"{name!r} does not lie under assets/. Give a name relative to it: 'clips/pancake.mp4'.")
    path = home.joinpath(*parts)
    if path.exists():
        return path

    if not home.is_dir():
        near = "there is no assets folder at all"
    else:
        there = [p.relative_to(home).as_posix() for p in sorted(home.rglob("*"))]
        near = f"nearest: {', '.join(get_close_matches(name, there, n=3, cutoff=0.5)) or 'nothing like it'}"
    mend = (
        f"restore it with `git checkout -- assets/{name}`"
        if in_checkout
        else "install again with `pip install --force-reinstall --no-deps vtexplore`"
    )
    raise AssetError(f"assets/{name} did not come with this vtexplore ({near}). If it should have, {mend}.")
