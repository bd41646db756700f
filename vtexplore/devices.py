"""Where a model computes, in how many bits, and how much memory is free there.

    load("violet", device="auto", precision="auto")    a GPU in 16 bits if there is one, else this CPU in 32

Weights stay in 32 bits; torch's autocast multiplies matrices in 16. Attention that somebody asks for is computed from
queries and keys in 32 bits whatever the precision (``Call.weights``), and what a model hands out has 32 bits. Queries
and keys themselves come from products in 16: in the trained miniature of VIOLET in bf16, no weight of any site was off
by more than 0.031 (one clip, one text). Where video is read in words, one near a border may become its neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore.blocks.tap import wide
from vtexplore.errors import ConfigError
from vtexplore.types import Output, Stream

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CGROUP = Path("/sys/fs/cgroup")  # what a container may have (Linux, version 2)


def device_of(device: Any) -> torch.device:
    """The device that is meant; "auto": an NVIDIA or AMD GPU, else Apple's, else the CPU.

    Raises ``ConfigError`` for a device that torch does not know or does not find here.
    """
    gpu, apple = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if gpu else "mps" if apple else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"{device!r} is no device. Use 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.") from error
    count = torch.cuda.device_count() if gpu else 0
    if found.type == "cuda" and (found.index or 0) >= count:
        raise ConfigError(f"torch finds {count} GPUs here, so there is no {str(found)!r}. Use device='auto' or 'cpu'.")
    if found.type == "mps" and not apple:
        raise ConfigError("torch finds no Apple GPU here, so there is no 'mps'. Use device='auto' or 'cpu'.")
    return found


def precision_of(precision: str, device: torch.device) -> str:
    """ "fp32", "bf16" or "fp16"; "auto": bf16 on a GPU that multiplies in it, fp16 on older ones, else fp32.

    Raises ``ConfigError`` for another word, and for fp16 on a CPU.
    """
    if precision == "auto":
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if precision not in PRECISIONS:
        raise ConfigError(f"There is no precision {precision!r}. Use {', '.join(PRECISIONS)} or auto.")
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("A CPU does not compute in fp16. Use precision='bf16' or 'fp32', or device='auto'.")
    return precision


def computing(model: nn.Module, precision: str) -> nn.Module:
    """The model itself, whose public methods multiply matrices in this precision from now on; see ``precision_of``.

    It remembers the word as ``precision``. What its methods return has 32 bits: tensors, streams, outputs, and
    tuples, lists and dicts of them. Gradients that pass through fp16 may vanish: for maps by gradients use bf16.
    """
    home = next(model.parameters(), torch.empty(0)).device
    word = precision_of(precision, home)
    kind = type(model)
    if word != "fp32":
        public: dict[str, Any] = {}
        for base in kind.__mro__[: kind.__mro__.index(nn.Module)]:
            for name, method in vars(base).items():
                if isinstance(method, FunctionType) and not name.startswith("_"):
                    public.setdefault(name, _inside(method, PRECISIONS[word]))
        # A class of its own and not a wrapped instance: copies of the model compute as it does, with their weights.
        model.__class__ = type(
            kind.__name__, (kind,), public | {"__module__": kind.__module__, "__doc__": kind.__doc__}
        )
    setattr(model, "precision", word)  # noqa: B010 (modules are typed to hold tensors only)
    return model


_WHOLE: ContextVar[bool] = ContextVar("vtexplore_whole", default=False)


@contextmanager
def in_full() -> Iterator[None]:
    """A block, in this thread and context, in which every model computes in 32 bits."""
    token = _WHOLE.set(True)
    try:
        yield
    finally:
        _WHOLE.reset(token)


def _inside(method: Callable[..., Any], dtype: torch.dtype) -> Callable[..., Any]:
    @wraps(method)
    def narrowed(self: nn.Module, *args: Any, **options: Any) -> Any:
        home = next(self.parameters()).device.type
        with torch.autocast(home, dtype, enabled=not _WHOLE.get()):
            return widened(method(self, *args, **options))

    return narrowed


def widened(x: Any) -> Any:
    """Tensors of 16 bits in 32; likewise in streams, outputs, tuples, lists and dicts. All else as it is."""
    if isinstance(x, Tensor):
        return wide(x)
    if isinstance(x, Stream):
        return x.with_hidden(widened(x.hidden))
    if isinstance(x, Output):
        return Output(**{name: widened(getattr(x, name)) for name in x.heads()})
    if type(x) in (tuple, list):
        return type(x)(map(widened, x))
    return {k: widened(v) for k, v in x.items()} if type(x) is dict else x


# ── memory ────────────────────────────────────────────────────────────────────────────────────────


def free_bytes(device: torch.device) -> int:
    """Bytes that could be had on a device now: of a GPU also those that torch holds and does not use."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    import psutil

    return min([int(psutil.virtual_memory().available), *_allowed(CGROUP)])


def _allowed(cgroup: Path) -> list[int]:
    """What is left to this container, if it is one with a limit: [] or one number of bytes."""
    try:
        most, used = ((cgroup / f"memory.{name}").read_text("utf-8").strip() for name in ("max", "current"))
        held = dict(line.split() for line in (cgroup / "memory.stat").read_text("utf-8").splitlines())
        return [max(0, int(most) - int(used) + int(held["inactive_file"]))]  # files read before make room
    except (OSError, ValueError, KeyError):
        return []
