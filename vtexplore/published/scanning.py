"""What a file is, and what its pickle would build, found out without torch and without running it.

Checked before anything is loaded: the kind of file, that an archive holds no more than its length, every operation
of a pickle, every name in it, and that no tensor claims more numbers than the file holds.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from vtexplore.errors import WeightsError
from vtexplore.published.standins import BUILT, STAND_INS, STORAGES, StandIn

PICKLE_BYTES = 64 * 1024**2
"""The largest description of tensors; published ones take less than one megabyte."""

_OPERATIONS = (
    "PROTO STOP MARK GLOBAL REDUCE NEWOBJ BUILD BINPERSID NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 BINFLOAT LONG1 "
    "BINUNICODE SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM "
    "SETITEMS BINPUT LONG_BINPUT BINGET LONG_BINGET"
)

_OTHERS = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself. Fetch it with `git lfs pull`"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file of Keras or TensorFlow, which is not read here"),
    (b"\x1f\x8b", "is compressed (gzip). Unpack it first"),
    (b"BZh", "is compressed (bzip2). Unpack it first"),
    (b"\xfd7zXZ", "is compressed (xz). Unpack it first"),
    (b"\x93NUMPY", "is a single array of numpy, not a checkpoint"),
)


def kind_of(path: Path) -> str:
    """ "safetensors", "zip" (torch since 1.6) or "legacy" (before); ``WeightsError`` says what else it is."""
    if path.is_dir():
        raise WeightsError(f"{path} is a folder. Name the checkpoint file in it.")
    if not path.is_file():
        raise WeightsError(f"There is no file {path}. `vtexplore weights` tells which there are, and where.")
    if ".ckpt" in path.name and path.suffix in {".index", ".meta", ".data-00000-of-00001"}:
        raise WeightsError(f"{path.name} belongs to a checkpoint of TensorFlow, which is not read here.")
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(max(path.stat().st_size - 512, 0))
    for magic, what in _OTHERS:
        if start.startswith(magic):
            raise WeightsError(f"{path.name} {what}.")
    if start.startswith(b"PK"):
        return "zip"
    if start[8:9] == b"{":
        return "safetensors"
    if start.startswith(b"\x80"):
        return "legacy"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise WeightsError(f"{path.name} is a web page: its host sent one in place of the file. Download it again.")
    if start[257:262] == b"ustar":
        raise WeightsError(f"{path.name} is a tar archive. Unpack it first.")
    raise WeightsError(f"{path.name} is neither a checkpoint of torch nor safetensors. Is the download complete?")


def scan_zip(path: Path) -> set[str]:
    """Check a checkpoint that is an archive; the names of classes in it that are not built but stood in for."""
    refuse = partial(_refuse, path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if any(i.filename.endswith("/constants.pkl") or "/code/" in i.filename for i in infos):
                raise WeightsError(_TORCHSCRIPT.format(path.name))
            if len({i.filename for i in infos}) < len(infos):
                refuse("holds two entries of one name")
            if any(i.compress_type != zipfile.ZIP_STORED or i.flag_bits & 1 for i in infos):
                refuse("is compressed, as no checkpoint of torch is")
            if sum(i.file_size for i in infos) > path.stat().st_size:
                refuse("claims to hold more than its own length")
            sizes = {i.filename: i.file_size for i in infos}
            pickles = [name for name in sizes if name.endswith("/data.pkl") and name.count("/") == 1]
            if len(pickles) != 1:
                refuse("is an archive, but not one of torch (no data.pkl)")
            if sizes[pickles[0]] > PICKLE_BYTES:
                refuse(f"describes its tensors in {sizes[pickles[0]]:,} bytes, which is no honest size")
            data = archive.read(pickles[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, UnicodeError) as error:
        raise WeightsError(f"{path.name} is a damaged archive ({error}). Download it again.") from error
    folder = pickles[0].removesuffix("data.pkl")
    return _scan(io.BytesIO(data), refuse, lambda key: sizes.get(f"{folder}data/{key}", -1), path.stat().st_size)[0]


_TORCHSCRIPT = (
    "{0} is a TorchScript archive: a program, not only weights. If you trust its source, take the weights out of it "
    "with `python -c \"import torch; m = torch.jit.load('{0}', map_location='cpu'); "
    "torch.save(m.state_dict(), 'weights.pt')\"`."
)


def scan_legacy(path: Path) -> set[str]:
    """The same for a checkpoint from before torch 1.6: five pickles, and then the numbers."""
    refuse, length = partial(_refuse, path), path.stat().st_size
    with path.open("rb") as raw:
        file = io.BytesIO(raw.read(PICKLE_BYTES))
    named: set[str] = set()
    for number in range(5):  # a magic number, a version, the machine, the object, the order of its numbers
        found, value = _scan(file, refuse, lambda _: length, length)  # all that is known is that they fit into the file
        named |= found
        if number == 0 and value != _MAGIC:
            refuse("is a pickle, but not one of torch")
    return named


_MAGIC = 0x1950A86A20F9469CFC6C
Refuse = Callable[[str], None]


def _refuse(path: Path, what: str) -> None:
    raise WeightsError(f"{path.name} {what}; it was not loaded. Get the file again, from its authors.")


def _scan(file: io.BytesIO, refuse: Refuse, room: Callable[[str], int], length: int) -> tuple[set[str], Any]:
    """Check one pickle, leaving ``file`` behind it: the names that are stood in for, and what it would build.

    ``room``: bytes that the file holds of a storage; ``length``: of all that it holds.
    """
    start, named, value = file.tell(), set[str](), None
    try:
        named = _names(file, refuse)
        file.seek(start)
        value = _DryRun(file, room, length).load()
    except WeightsError:
        raise
    except _Dishonest as error:
        refuse(str(error))
    except Exception as error:  # whatever a broken pickle does to a parser
        refuse(f"holds a broken pickle ({type(error).__name__}: {error or 'no reason given'})"[:200])
    return named & STAND_INS.keys(), value


def _names(file: io.BytesIO, refuse: Refuse) -> set[str]:
    """Full names that a pickle looks up, all of them among those that it may."""
    found, known = set(), set(_OPERATIONS.split())
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in known or (opcode.name == "PROTO" and argument != 2):
            refuse(f"holds a pickle that does {opcode.name} {argument or ''}".rstrip() + ", which no checkpoint needs")
        if opcode.name == "GLOBAL":
            found.add(full_name(*str(argument).split(" ", 1)))
    if strange := sorted(found - BUILT - STAND_INS.keys()):
        refuse(f"names {', '.join(strange[:3])}, which no checkpoint needs and which could be code to run")
    return found


def full_name(module: str, name: str) -> str:
    """What a global of a pickle is called today; files written by Python 2 call some otherwise."""
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    return f"{module}.{name}"


class _Dishonest(Exception):
    """A pickle that describes what cannot be."""


class _DryRun(pickle._Unpickler):  # the one in Python: its memo is a dictionary, not an array as long as a file says
    """Builds what a pickle describes out of stand-ins alone, to see whether it is honest."""

    stack: list[Any]
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, room: Callable[[str], int], length: int) -> None:
        super().__init__(file, encoding="utf-8")
        self.room, self.left = room, length
        self.counted: set[tuple[str, int]] = set()

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, whatever is asked for."""
        full = full_name(module, name)
        if full in STORAGES:
            return full
        if full in STAND_INS:
            return STAND_INS[full]
        return {"collections.OrderedDict": _ordered, "builtins.set": _set}.get(full, StandIn)

    def persistent_load(self, pid: Any) -> Any:
        """The numbers of a tensor: nothing but their count is looked at."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[2], str)):
            raise _Dishonest("refers to something that is no tensor's numbers")
        kind, key, count = pid[1], pid[2], pid[4]
        if not isinstance(kind, str) or kind not in STORAGES or not isinstance(count, int) or count < 0:
            raise _Dishonest("describes numbers of no known kind")
        if count * STORAGES[kind] > self.room(key):
            raise _Dishonest(f"claims {count * STORAGES[kind]:,} bytes for one tensor, more than it holds")
        if (key, count) not in self.counted:  # many tensors may have the same numbers
            self.counted.add((key, count))
            self.left -= count * STORAGES[kind]
        if self.left < 0:
            raise _Dishonest("claims more bytes for its tensors than it has")
        return StandIn()

    def load_setitem(self) -> None:
        """One entry of a dictionary."""
        _plain_keys(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        """Entries of a dictionary."""
        _plain_keys(self.stack[::2])
        super().load_setitems()  # type: ignore[misc]

    def load_build(self) -> None:
        """The state of an object: of a stand-in, or what torch says of its dictionaries."""
        state, instance = self.stack[-1], self.stack[-2]
        told = type(instance) is OrderedDict and isinstance(state, dict) and state.keys() <= {"_metadata"}
        if not (told or isinstance(instance, StandIn)):
            raise _Dishonest("gives a state to something that has none")
        super().load_build()  # type: ignore[misc]

    dispatch |= {pickle.BUILD[0]: load_build, pickle.SETITEM[0]: load_setitem, pickle.SETITEMS[0]: load_setitems}  # type: ignore[dict-item]


def _plain_keys(keys: Iterable[Any]) -> None:
    """Keys of checkpoints are words and numbers; to hash a deep nest of tuples could exhaust the stack."""
    if not all(key is None or isinstance(key, str | int | float | bytes) for key in keys):
        raise _Dishonest("holds a dictionary whose keys are neither words nor numbers")


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    pairs = [tuple(pair) for pair in pairs]
    _plain_keys(key for key, _ in pairs)
    return OrderedDict(pairs)


def _set(items: Any = ()) -> set[Any]:
    items = list(items)
    _plain_keys(items)
    return set(items)
