"""Files that want to run something, to exhaust memory, or that lie: nothing runs, and one sentence says what is wrong.

A canary file and a hook on what Python audits are watched throughout.
"""

import io
import json
import os
import pickle
import random
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vtexplore.errors import WeightsError
from vtexplore.published.reading import read

FORBIDDEN = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.remove", "os.rename", "os.mkdir",
    "subprocess.Popen", "socket.connect", "socket.bind", "exec", "compile", "pickle.find_class", "ctypes.dlopen",
    "webbrowser.open", "code.__new__", "import",
}  # fmt: skip
HEARD: list[str] = []
LISTENING = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if LISTENING and event in FORBIDDEN:
        HEARD.append(f"{event} {arguments[:1]}")


sys.addaudithook(_hear)


@pytest.fixture(autouse=True, scope="module")
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import all that honest files need, so that whatever is imported later is a file's doing."""
    folder = tmp_path_factory.mktemp("warm")
    for codec in ("ascii", "latin1", "raw_unicode_escape", "unicode_escape"):  # operations of old pickles look them up
        "a".encode(codec)
    for legacy in (False, True):
        torch.save({"a": torch.ones(2)}, folder / "a.pt", _use_new_zipfile_serialization=not legacy)
        assert set(read(folder / "a.pt").tensors) == {"a"}
    archive(folder / "a.pt", tensor())  # its names are in the code page of DOS
    assert set(read(folder / "a.pt").tensors) == {"a"}
    lie = struct.pack("<Q", 2) + b"{}"
    (folder / "b.safetensors").write_bytes(lie)
    assert not read(folder / "b.safetensors").tensors
    for broken in (b"\x80\x02cos\nsystem\n.", b"\x80\x02\x8c\xff", b"PK", lie[:9], b""):
        (folder / "c.pt").write_bytes(broken)
        with pytest.raises(WeightsError):
            read(folder / "c.pt")


class Watch:
    """Whether anything ran."""

    def __init__(self, folder: Path) -> None:
        self.canary = folder / "canary"
        self.canary.write_text("alive")

    def __enter__(self) -> None:
        global LISTENING
        HEARD.clear()
        LISTENING = True

    def __exit__(self, *_: object) -> None:
        global LISTENING
        LISTENING = False
        assert not HEARD, HEARD
        assert self.canary.read_text() == "alive"


# ── files by hand ─────────────────────────────────────────────────────────────────────────────────


def archive(path: Path, data: bytes, how: int = zipfile.ZIP_STORED, **more: bytes) -> Path:
    """A checkpoint of torch whose description is ``data``, with one storage of eight floats."""
    with zipfile.ZipFile(path, "w", how) as out:
        out.writestr("archive/data.pkl", data)
        out.writestr("archive/byteorder", "little")
        out.writestr("archive/data/0", more.get("numbers", bytes(32)))
        out.writestr("archive/version", "3\n")
    return path


def call(function: str, *arguments: Any, protocol: int = 2) -> bytes:
    """A pickle that has ``function`` ("module name") called."""
    inner = pickle.dumps(arguments, protocol)[2:-1]  # without what begins and ends a pickle
    return b"\x80\x02c" + function.replace(" ", "\n").encode() + b"\n" + inner + b"R."


def tensor(count: int = 8, size: tuple[int, ...] = (8,), stride: tuple[int, ...] = (1,), kind: str = "Float") -> bytes:
    """A pickle of {"a": a tensor} that claims so much."""

    def whole(value: Any) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    pid = b"(" + whole("storage") + f"ctorch\n{kind}Storage\n".encode() + whole("0") + whole("cpu") + whole(count)
    arguments = b"(" + pid + b"tQ" + whole(0) + whole(size) + whole(stride) + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"\x80\x02}" + whole("a") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def _pid(key: str, count: int) -> bytes:
    parts = (pickle.dumps(v, 2)[2:-1] for v in ("storage", key, "cpu", count))
    kind, *rest = parts
    return b"(" + kind + b"ctorch\nFloatStorage\n" + b"".join(rest) + b"NtQ"


def header(told: dict[str, Any], data: bytes = bytes(32), length: int | None = None) -> bytes:
    text = json.dumps(told).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


class Evil:
    """Asks for a function to be called when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.wants = function, arguments

    def __reduce__(self) -> Any:
        return self.wants


def saved(path: Path, value: Any, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def legacy(path: Path, description: bytes) -> Path:
    start = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    path.write_bytes(start + description + pickle.dumps(["0"], 2) + struct.pack("<q", 8) + bytes(32))
    return path


def nest(depth: int) -> bytes:
    return b"\x80\x02})" + b"\x85" * depth + b"K\x01s."


def laughs(depth: int) -> Any:
    value: Any = [torch.ones(1)]
    for _ in range(depth):
        value = [value, value]
    return {"a": value}


def torchscript(path: Path) -> Path:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    return path


ONE = {"a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}
BAD = "which no checkpoint needs"

KINDS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "os.system": (lambda p, c: saved(p, {"a": Evil(os.system, f"echo dead > {c}")}), BAD),
    "os.system, before 1.6": (lambda p, c: saved(p, {"a": Evil(os.system, f"echo dead > {c}")}, True), BAD),
    "eval": (lambda p, c: saved(p, Evil(eval, f"open({str(c)!r}, 'w').close()")), BAD),
    "exec beside honest tensors": (
        lambda p, c: saved(p, {"a": torch.ones(2), "b": Evil(exec, "import antigravity")}), BAD,
    ),
    "Python 2's eval": (lambda p, c: archive(p, call("__builtin__ eval", f"open({str(c)!r}, 'w')")), "builtins.eval"),
    "a nested global": (lambda p, c: archive(p, pickle.dumps(Evil(os.system, f"rm {c}"), 4)), "PROTO 4"),
    "a nested global, protocol 2": (
        lambda p, c: archive(p, b"\x80\x02\x8c\x02os\x8c\x06system\x93."), "SHORT_BINUNICODE",
    ),
    "getattr": (lambda p, c: archive(p, call("builtins getattr", "os", "system")), "builtins.getattr"),
    "a chain of reductions": (
        lambda p, c: archive(p, call("functools partial", "x")[:-1] + b")R."), "functools.partial",
    ),
    "torch.load in torch.load": (lambda p, c: archive(p, call("torch.serialization load", "a")), "serialization.load"),
    "torch.hub": (lambda p, c: archive(p, call("torch.hub load_state_dict_from_url", "https://a.b")), "torch.hub"),
    "runpy": (lambda p, c: archive(p, call("runpy run_path", str(c))), "runpy.run_path"),
    "codecs": (lambda p, c: archive(p, call("_codecs encode", "x" * 10, "hex")), "_codecs.encode"),
    "an instance by INST": (lambda p, c: archive(p, b"\x80\x02(ios\nsystem\n."), "INST"),
    "an instance by OBJ": (lambda p, c: archive(p, b"\x80\x02(cargparse\nNamespace\no."), "OBJ"),
    "an extension": (lambda p, c: archive(p, b"\x80\x02\x82\x01."), "EXT1"),
    "a dictionary with a method of its own": (
        lambda p, c: archive(p, b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb."),
        "gives a state to something that has none",
    ),
    "a state for a function": (
        lambda p, c: archive(p, b"\x80\x02ccollections\nOrderedDict\n}X\x0c\x00\x00\x00__defaults__K\x01sb."),
        "gives a state to something that has none",
    ),
    "a module's source": (
        lambda p, c: archive(p, b"\x80\x02(X\x06\x00\x00\x00modulecargparse\nNamespace\nX\x01\x00\x00\x00aNNtQ."),
        "no tensor's numbers",
    ),
    "terabytes of bytes": (lambda p, c: archive(p, call("builtins bytearray", 10**13)), "builtins.bytearray"),
    "terabytes of a storage": (lambda p, c: archive(p, call("torch.storage UntypedStorage", 10**13)), "UntypedStorage"),
    "terabytes of numbers": (lambda p, c: archive(p, tensor(10**13)), "claims 40,000,000,000,000 bytes"),
    "less numbers than none": (lambda p, c: archive(p, tensor(-1)), "no known kind"),
    "terabytes of numbers, before 1.6": (lambda p, c: legacy(p, tensor(10**13)), "claims 40,000,000,000,000 bytes"),
    "a storage many times over, before 1.6": (
        lambda p, c: legacy(p, b"\x80\x02]" + b"".join(_pid(str(i), 40) + b"a" for i in range(9)) + b"."),
        "claims more bytes for its tensors than it has",
    ),
    "one number a million times": (lambda p, c: archive(p, tensor(8, (1000, 1000), (0, 0))), "claims more numbers"),
    "more numbers than there are": (lambda p, c: archive(p, tensor(8, (9,))), "cannot be loaded"),
    "a memo without end": (lambda p, c: archive(p, b"\x80\x02}r\xff\xff\xff\xff."), "holds no tensors"),
    "keys nested a million deep": (lambda p, c: archive(p, nest(10**6)), "neither words nor numbers"),
    "a string without end": (lambda p, c: archive(p, b"\x80\x02X\xff\xff\xff\x7fa."), "broken pickle"),
    "a billion laughs": (lambda p, c: saved(p, laughs(60)), "holds no tensors, but a"),
    "a zip bomb": (
        lambda p, c: archive(p, tensor(10**8), zipfile.ZIP_DEFLATED, numbers=bytes(10**8)), "is compressed",
    ),
    "a pickle that is no checkpoint": (lambda p, c: Path(_put(p, pickle.dumps({"a": 1}, 2))), "not one of torch"),
    "a program of TorchScript": (lambda p, c: torchscript(p), r"TorchScript archive.*torch\.jit\.load"),
    "a web page": (lambda p, c: _put(p, b"<!DOCTYPE html><html>Google Drive - Virus scan warning"), "a web page"),
    "a pointer": (lambda p, c: _put(p, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "Git LFS"),
    "nothing": (lambda p, c: _put(p, b""), "neither a checkpoint"),
    "a header past the end": (lambda p, c: _put(p, header(ONE, length=10**6)), "safetensors"),
    "a header without end": (lambda p, c: _put(p, header(ONE, length=2**63)), "safetensors"),
    "offsets past the end": (lambda p, c: _put(p, header(ONE, bytes(8))), "safetensors"),
    "offsets of another shape": (
        lambda p, c: _put(p, header({"a": ONE["a"] | {"shape": [10**12]}})), "safetensors",
    ),
    "offsets that overlap": (lambda p, c: _put(p, header(ONE | {"b": ONE["a"]})), "safetensors"),
    "a shape that overflows": (
        lambda p, c: _put(p, header({"a": ONE["a"] | {"shape": [2**62, 8]}})), "safetensors",
    ),
}  # fmt: skip


def _put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_runs_and_one_sentence_says_why(kind: str, tmp_path: Path) -> None:
    make, why = KINDS[kind]
    watch = Watch(tmp_path)
    path = make(tmp_path / "evil.pt", watch.canary)
    with watch, pytest.raises(WeightsError, match=why) as caught:
        read(path)
    told = str(caught.value)
    assert told.startswith("evil.pt") or "evil.pt" in told
    assert "\n" not in told and len(told) < 400


def test_the_canary_dies_where_files_are_trusted(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    path = saved(tmp_path / "evil.pt", {"a": Evil(os.system, f"echo dead > {watch.canary}")})
    with pytest.raises(AssertionError, match=r"os\.system"), watch:
        torch.load(path, weights_only=False)
    assert watch.canary.read_text() == "dead\n"


def test_the_files_by_hand_are_read_when_they_are_honest(tmp_path: Path) -> None:
    """Otherwise the tests above would refuse them for their form."""
    for path in (archive(tmp_path / "a.pt", tensor()), legacy(tmp_path / "b.pt", _old(tensor()))):
        assert read(path).shapes == {"a": (8,)}
    assert read(_put(tmp_path / "c.safetensors", header(ONE))).shapes == {"a": (8,)}


def _old(description: bytes) -> bytes:
    return description.replace(b"tQ", b"NtQ", 1)  # before 1.6, numbers may be a view of others: None


def test_stand_ins_are_never_the_classes(tmp_path: Path) -> None:
    """A settings object is read, and neither its class nor a constructor of that name runs."""
    import pathlib

    whole = {"state_dict": {"a": torch.ones(2)}, "config": pathlib.PosixPath("a/b")}
    watch, before = Watch(tmp_path), torch.serialization.get_safe_globals()
    path = saved(tmp_path / "a.pt", whole)
    with watch:
        contents = read(path)
    assert contents.stood_in == ("pathlib.PosixPath",) and contents.beside == ("config",)
    assert torch.serialization.get_safe_globals() == before, "what was allowed for one file is allowed for no other"


# ── fuzz ──────────────────────────────────────────────────────────────────────────────────────────

NAMES = (b"cos\nsystem\n", b"cbuiltins\neval\n", b"c__builtin__\nexec\n", b"csubprocess\nPopen\n", b"cos\npopen\n")
HONEST = (
    b"ccollections\nOrderedDict\n", b"cbuiltins\nset\n", b"ctorch\nFloatStorage\n", b"cargparse\nNamespace\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nSize\n",
    b"ctorch\ndevice\n", b"cdall_e.encoder\nEncoder\n",
)  # fmt: skip
PIECES = (
    *NAMES, *HONEST, *(bytes([c]) for c in range(256)), b"(", b")", b"t", b"R", b"b", b"\x81", b"}", b"]", b"s", b"u",
    b"e", b"a", b"\x85", b"\x86", b"\x87", b"0", b"2", b"Q", b"q\x00", b"h\x00", b"K\x01", b"N", b"\x89",
    b"X\x07\x00\x00\x00storage", b"X\x01\x00\x00\x000", b"X\x02\x00\x00\x00id",
)  # fmt: skip


def tried(path: Path) -> bool:
    """Whether a file was read; any error but one sentence fails the test."""
    try:
        read(path)
    except WeightsError as error:
        assert "\n" not in str(error)
        return False
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("fuzz")


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_sequence_of_operations(folder: Path, pieces: list[bytes]) -> None:
    watch = Watch(folder)
    path = archive(folder / "a.pt", b"\x80\x02" + b"".join(pieces) + b".")
    with watch:
        tried(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "description"])
def test_any_honest_file_with_damage(form: str, folder: Path) -> None:
    """Bytes changed, cut out and put in, wherever they fall; some files survive, or the damage would be none."""
    draw, whole = random.Random(form), io.BytesIO()
    value = OrderedDict((f"layer.{i}.weight", torch.ones(2, 2)) for i in range(4))
    if form == "safetensors":
        from safetensors.torch import save

        good = save(dict(value))
    else:
        torch.save({"state_dict": value, "epoch": 1}, whole, _use_new_zipfile_serialization=form != "legacy")
        good = whole.getvalue()
    if form == "description":
        with zipfile.ZipFile(whole) as there:
            good = there.read(next(n for n in there.namelist() if n.endswith("data.pkl")))
    watch, read_whole = Watch(folder), 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(draw.choice((1, 1, 2, 8))):
            at = draw.randrange(len(data))
            how = draw.randrange(3)
            data[at : at + (how > 0)] = (bytes([draw.randrange(256)]), b"", draw.choice(PIECES))[how]
        path = folder / "b.pt"
        if form == "description":
            archive(path, bytes(data), numbers=bytes(16))
        else:
            path.write_bytes(data)
        with watch:
            read_whole += tried(path)
    assert form == "description" or 0 < read_whole < 400
