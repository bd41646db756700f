"""The rules of the house, read from the source: nothing here imports a room.

A test names what breaks its rule, so that the message is the list of what to mend.
"""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "vtexplore"

# From the ground up. A room imports from its own floor and from those below it, never from above.
FLOORS = (
    {"errors", "assets", "files", "statistics", "types"},
    {
        "blocks",
        "objectives",
        "data",
        "world",
        "registry",
        "weights",
        "published",
        "visual_words",
        "devices",
        "foresight",
    },
    {"models", "guests", "record", "train", "eyes", "moments", "pool", "tasks", "exemplars", "miniatures"},
    {"probes", "measures", "evaluate", "many", "testing"},
    {"views"},
    {"widgets"},
    {"cli", "cli_many", "cli_order", "cli_weights", "cli_why", "cli_words", "terminal", "tour", "course", "readme"},
)
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}

# The only door upwards: a result finds its picture by type, through one table that is imported by name when asked.
DOOR = "probes/_show.py"
# The registry reads the folder above it, by file name; it imports a page when asked for that family, and the explorer
# when a model that it made is asked to be explored.
READS_ABOVE = {("registry.py", "models"), ("registry.py", "widgets")}

PAGE_LINES, FILE_LINES, FILE_BYTES = 220, 400, 5 * 1024**2
WEIGHTS_BYTES = 8 * 1024**2  # six blocks, a bridge beside them and a text encoder are 3.2 million numbers of 16 bits


# ---------------------------------------------------------------- reading


@cache
def sources() -> dict[str, ast.Module]:
    """Every Python file of the package, by its path from there."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {p.relative_to(PACKAGE).as_posix(): ast.parse(p.read_text("utf-8")) for p in paths}


@cache
def tracked() -> list[Path]:
    """Every file under version control; without git (a source archive), every file that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not any(s.startswith(".") for s in p.relative_to(ROOT).parts)]
    return [p for p in paths if p.is_file() and not p.is_symlink()]


@cache
def families() -> list[str]:
    """The folder is the registry."""
    return sorted(p.stem for p in (PACKAGE / "models").glob("[a-z]*.py"))


def room_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def module_of(path: str) -> str:
    return ".".join(["vtexplore", *path.removesuffix(".py").split("/")]).removesuffix(".__init__")


def imports(path: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, wherever in the file, `from x import y` as x.y."""
    package = module_of(path) if path.endswith("__init__.py") else module_of(path).rpartition(".")[0]
    for node in ast.walk(sources()[path]):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def docstrings(tree: ast.Module) -> set[int]:
    """Identities of the string nodes that are docstrings or stand alone as statements."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def strings(path: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a file that is code, not prose."""
    prose = docstrings(sources()[path])
    for node in ast.walk(sources()[path]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def files_of(*rooms: str) -> list[Path]:
    """Files of some rooms, scripts and styles of widgets included."""
    kinds = {".py", ".js", ".mjs", ".css"}
    return [p for room in rooms for p in sorted((PACKAGE / room).rglob("*")) if p.suffix in kinds]


# ---------------------------------------------------------------- floors


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in sources()} - {"__init__", "__main__"}
    assert rooms <= set(FLOOR), f"give these rooms a floor in FLOORS: {sorted(rooms - set(FLOOR))}"
    folders = {p.parent for p in PACKAGE.rglob("*.py")}
    bare = sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists())
    assert not bare, f"a room says in its __init__.py what it is for: {bare}"


def test_imports_go_one_way() -> None:
    up = []
    for path in sources():
        room = room_of(path)
        if room in {"__init__", "__main__"} or path == DOOR:
            continue
        named = [(line, text) for line, text in strings(path) if re.match(r"vtexplore\.\w", text)]
        for line, name in [*imports(path), *named]:
            root, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if root != "vtexplore" or target == "__version__" or (path, target) in READS_ABOVE:
                continue
            if target not in FLOOR:
                up.append(f"{path}:{line} imports {name}; name the room it lives in")
            elif FLOOR[target] > FLOOR.get(room, len(FLOORS)):
                up.append(f"{path}:{line} {room} (floor {FLOOR[room] + 1}) reaches up for {name}")
    assert not up, "\n".join(["imports go one way:", *up])


def test_contributing_shows_the_floors() -> None:
    rows = re.findall(r"^\| (\d) \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    shown = {int(level): set(re.findall(r"`(\w+)`", rooms)) for level, rooms in rows}
    assert shown == dict(enumerate(FLOORS, 1))


def test_no_files_import_each_other_in_a_loop() -> None:
    modules = {module_of(path) for path in sources()}
    graph = {}
    for path in sources():
        named = {name if name in modules else name.rpartition(".")[0] for _, name in imports(path)}
        graph[module_of(path)] = (named & modules) - {module_of(path), "vtexplore"}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as loop:
        pytest.fail("files import each other in a loop: " + " → ".join(loop.args[1]))


@pytest.mark.parametrize("forbidden", ["torchvision", "timm"])
def test_no_second_model_zoo(forbidden: str) -> None:
    pattern = re.compile(rf"^\s*(?:import|from)\s+{forbidden}\b", re.M)
    guilty = [p.relative_to(ROOT) for p in tracked() if p.suffix == ".py" and pattern.search(p.read_text("utf-8"))]
    assert not guilty, f"{forbidden} is not used here: {', '.join(map(str, guilty))}"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module = {"pillow": "PIL", "scikit-learn": "sklearn", "pyyaml": "yaml"}

    def modules(requirements: list[str]) -> set[str]:
        names = [re.match(r"[\w-]+", r).group().lower() for r in requirements]  # type: ignore[union-attr]
        return {module.get(name, name.replace("-", "_")) for name in names}

    always = modules(project["dependencies"]) | set(sys.stdlib_module_names) | {"vtexplore"}
    # The last two are there whenever a widget is asked to show itself in them.
    lab = always | modules(project["optional-dependencies"]["lab"]) | {"traitlets", "IPython", "marimo"}
    missing = [
        f"{path}:{line} {name}"
        for path in sources()
        for line, name in imports(path)
        if name.split(".")[0] not in (lab if room_of(path) == "widgets" else always)
    ]
    assert not missing, "\n".join(["imported and not in the dependencies of pyproject.toml:", *missing])


# ---------------------------------------------------------------- names, sizes, words


def test_probes_views_and_widgets_know_no_family() -> None:
    """A probe asks for heads, never for names. Names that are words of the trade as well count only as arguments."""
    words = {"clip", "hit"}
    whole = re.compile(rf"\b({'|'.join(set(families()) - words) or '(?!)'})\b", re.I)
    guilty = []
    for file in files_of("probes", "views", "widgets"):
        path = file.relative_to(PACKAGE).as_posix()
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            guilty += [f"{path}:{number} says {name}" for name in whole.findall(line)]
        for node in ast.walk(sources()[path]) if file.suffix == ".py" else ():
            asked = []
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"load", "family"}:
                asked = node.args
            elif isinstance(node, ast.Compare):
                asked = [e for c in node.comparators for e in ast.walk(c) if isinstance(e, ast.expr)]
            guilty += [
                f"{path}:{node.lineno} asks for {e.value}"
                for e in asked
                if isinstance(e, ast.Constant) and e.value in words & set(families())
            ]
    assert not guilty, "\n".join(["ask for heads (fields of Output), never for a family:", *guilty])


@pytest.mark.parametrize("page", families() or [pytest.param("", marks=pytest.mark.skip("no pages yet"))])
def test_a_family_is_a_page(page: str) -> None:
    length = len((PACKAGE / "models" / f"{page}.py").read_text("utf-8").splitlines())
    assert length <= PAGE_LINES, f"{page} has {length} lines, a page {PAGE_LINES}: a block is missing"


def test_no_file_is_too_long() -> None:
    long = {path: len((PACKAGE / path).read_text("utf-8").splitlines()) for path in sources()}
    long = {path: lines for path, lines in long.items() if lines > FILE_LINES}
    assert not long, f"over {FILE_LINES} lines, two things in one file: {long}"


def test_every_public_name_says_what_it_is_for() -> None:
    mute = []
    for path, tree in sources().items():
        if not ast.get_docstring(tree) and tree.body:
            mute.append(path)
        for node in tree.body:
            public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):  # type: ignore[arg-type]
                mute.append(f"{path}:{node.lineno} {node.name}")  # type: ignore[attr-defined]
    assert not mute, "\n".join(["without a docstring:", *mute])


def test_no_file_is_too_big() -> None:
    sizes = {p.relative_to(ROOT).as_posix(): p.stat().st_size for p in tracked()}
    big = {n: b for n, b in sizes.items() if b > (WEIGHTS_BYTES if n.endswith(".safetensors") else FILE_BYTES)}
    assert not big, f"over 5 MB, or 8 MB of weights: {big}"


def test_no_file_names_a_machine() -> None:
    """Neither somebody's folders nor the host that a package once came from."""
    machine = re.compile(
        r"(?:(?<![\w./:}>-])|(?<=file://))/(?:home|Users|root|work|farm)/\w"
        r"|\b[A-Z]:\\Users\\"
        r"|/(?:tmp)/ipykernel"
        r"|\b(?:pypi|npmjs)\.(?:org)\b|python(?:hosted)\.|download\.(?:pytorch)\.|deb\.(?:debian)\."
    )
    guilty = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if hit := machine.search(line):
                guilty.append(f"{path.relative_to(ROOT)}:{number} …{line[max(0, hit.start() - 20) : hit.end() + 20]}…")
    assert not guilty, "\n".join(["written for one machine:", *guilty])


# ---------------------------------------------------------------- one thing in one place


def test_the_version_is_one() -> None:
    version = re.search(r'__version__ = "(.+)"', (PACKAGE / "__init__.py").read_text("utf-8")).group(1)  # type: ignore[union-attr]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_constraints_pin_every_requirement_for_every_machine() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    stated = sum(project["optional-dependencies"].values(), project["dependencies"])
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    bad = [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    assert not bad, f"a pin is name==version, without local suffix or address: {bad}"
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    missing = {re.match(r"[\w-]+", r).group().lower() for r in stated} - pinned  # type: ignore[union-attr]
    assert not missing, f"not pinned in constraints.txt: {sorted(missing)}"
    bounded = [r for r in stated if re.search(r"[<!=~]=|<", r.partition(";")[0])]
    assert not bounded, f"pyproject.toml states lower bounds only: {bounded}"


def test_the_readme_shows_the_registry() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    start, end = "<!-- families:start -->", "<!-- families:end -->"
    if start not in readme:
        pytest.skip("the README has no table of families yet")
    from vtexplore.registry import table_markdown

    shown = readme.partition(start)[2].partition(end)[0].strip()
    assert shown == table_markdown().strip(), "put registry.table_markdown() between the two marks of README.md"


# ---------------------------------------------------------------- the front door


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_is_light() -> None:
    heavy = {"torch", "numpy", "matplotlib", "transformers", "scipy", "sklearn", "av", "decord", "PIL", "typer"}
    loaded = python("import sys, vtexplore; print(*{m.split('.')[0] for m in sys.modules})").split()
    assert not heavy & set(loaded)
    timed = "import time; t = time.perf_counter(); import vtexplore; print(time.perf_counter() - t)"
    seconds = min(float(python(timed)) for _ in range(5))
    assert seconds < 0.2, f"import vtexplore takes {seconds:.2f} s"


def test_every_verb_leads_somewhere() -> None:
    import vtexplore

    assert set(vtexplore._VERBS) <= set(dir(vtexplore))
    for name, (room, verb) in vtexplore._VERBS.items():
        path = room.removeprefix("vtexplore.").replace(".", "/")
        if not ((PACKAGE / f"{path}.py").exists() or (PACKAGE / path / "__init__.py").exists()):
            continue  # a room that is not built yet
        value = getattr(vtexplore, name)
        assert value is (sys.modules[room] if verb is None else getattr(sys.modules[room], verb))
    with pytest.raises(AttributeError, match="read_video"):
        vtexplore.read_vidoe  # noqa: B018


def test_a_verb_stays_a_verb_whoever_imports_its_room_first() -> None:
    if not (PACKAGE / "record.py").exists():
        pytest.skip("no record yet")
    assert python("import vtexplore.record; import vtexplore; print(callable(vtexplore.record))") == "True"
