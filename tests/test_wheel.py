"""The wheel, built and installed elsewhere, is all that a user needs: package, assets, command; no tests."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wheel, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
WHEEL_BYTES = 60 * 1024**2


def run(*command: object, cwd: Path) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VTEXPLORE_GOLDEN"}}
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """Source archive and wheel; `build` makes the wheel from the archive, so both are complete or neither."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory) -> Path:
    """The Python of a fresh environment with the wheel; libraries are borrowed, the editable install is not."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    # A folder named in a .pth file joins sys.path, but .pth files inside it, such as an editable install, are not read.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run(*pip, wheel, cwd=home)
    return python


def test_it_holds_the_package_and_its_assets_and_no_more(wheel: Path, dist: Path) -> None:
    assert wheel.stat().st_size <= WHEEL_BYTES, f"{wheel.stat().st_size / 1024**2:.0f} MB"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"vtexplore"}
    inside = {name.removeprefix("vtexplore/") for name in names}
    assert {"py.typed", "__init__.py", "assets.py", "assets/README.md"} <= inside
    assert not [name for name in names if Path(name).name.startswith("test_") or "__pycache__" in name]

    listed = subprocess.run(["git", "ls-files", "assets", "vtexplore"], cwd=ROOT, capture_output=True, text=True)
    there = {name for name in listed.stdout.split("\n") if (ROOT / name).is_file()}
    missing = {name for name in there if name.removeprefix("vtexplore/") not in inside}
    assert not missing, f"tracked and not in the wheel: {sorted(missing)}"

    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        archived = {name.partition("/")[2] for name in source.getnames()}
    assert there | {"pyproject.toml", "constraints.txt", "Makefile", "tests/test_wheel.py"} <= archived


def test_it_works_outside_the_checkout(elsewhere: Path, tmp_path: Path) -> None:
    code = (
        "import vtexplore, vtexplore.assets as a; "
        "print(vtexplore.__file__); print(a.find('README.md')); print(a.find()); print(vtexplore.__version__)"
    )
    module, readme, folder, version = run(elsewhere, "-c", code, cwd=tmp_path).split()
    home = elsewhere.parents[1]
    assert all(Path(p).is_relative_to(home) for p in (module, readme, folder))
    assert Path(readme).read_bytes() == (ROOT / "assets" / "README.md").read_bytes()

    code = "import importlib.metadata as m; print(m.version('vtexplore'))"
    assert run(elsewhere, "-c", code, cwd=tmp_path).strip() == version


@pytest.mark.skipif(not (ROOT / "vtexplore" / "cli.py").exists(), reason="no command line yet")
def test_its_command_runs_outside_the_checkout(elsewhere: Path, tmp_path: Path) -> None:
    by_module = run(elsewhere, "-m", "vtexplore", "list", cwd=tmp_path)
    by_script = run(elsewhere.with_name("vtexplore"), "list", cwd=tmp_path)
    assert by_module == by_script
    for page in (ROOT / "vtexplore" / "models").glob("[a-z]*.py"):
        assert page.stem in by_module
