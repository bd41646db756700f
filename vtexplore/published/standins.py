"""What a pickled checkpoint may name.

A pickle can name any function of any library and have it called. Of the few names that a checkpoint needs, torch
builds tensors and dictionaries (``BUILT``). Where published files hold objects as well (a trainer's settings, a
module of DALL·E), inert classes stand for theirs, by full name (``STAND_INS``): they keep what was to be the
object's state, and do nothing. Nothing else is ever looked up.
"""

from __future__ import annotations

from typing import Any

STORAGES = {
    "torch.DoubleStorage": 8, "torch.FloatStorage": 4, "torch.HalfStorage": 2, "torch.BFloat16Storage": 2,
    "torch.LongStorage": 8, "torch.IntStorage": 4, "torch.ShortStorage": 2, "torch.CharStorage": 1,
    "torch.ByteStorage": 1, "torch.BoolStorage": 1,
}  # fmt: skip
"""Kinds of numbers, and bytes of one."""

BUILT = frozenset(
    {
        "collections.OrderedDict",
        "builtins.set",
        "torch.Size",
        "torch.device",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        *STORAGES,
    }
)
"""What ``torch.load(weights_only=True)`` builds by itself, as far as a checkpoint needs it."""


class StandIn:
    """An object of a class that is not here: what the file says of its state, without anything that it does."""

    state: Any = None

    def __new__(cls, *_: Any) -> StandIn:
        """Arguments of a constructor are kept, not used."""
        return object.__new__(cls)

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _stand_in(name: str) -> type[StandIn]:
    module, _, cls = name.rpartition(".")
    return type(cls, (StandIn,), {"__module__": module, "__doc__": f"Stands for {name}."})


_TRAINERS = ("parse_config.ConfigParser", "parse_config_dist_multi.ConfigParser")  # MCQ's settings, as pickled
_PLAIN = ("argparse.Namespace", "pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib.Path", "pathlib.WindowsPath")
_DALLE = (
    "dall_e.encoder.Encoder", "dall_e.encoder.EncoderBlock", "dall_e.decoder.Decoder", "dall_e.decoder.DecoderBlock",
    "dall_e.utils.Conv2d", "utils.Conv2d",
)  # fmt: skip
_MODULES = (
    "torch.nn.modules.container.Sequential", "torch.nn.modules.activation.ReLU", "torch.nn.modules.linear.Identity",
    "torch.nn.modules.pooling.MaxPool2d", "torch.nn.modules.upsampling.Upsample",
)  # fmt: skip

STAND_INS: dict[str, type[StandIn]] = {name: _stand_in(name) for name in (*_TRAINERS, *_PLAIN, *_DALLE, *_MODULES)}
"""Full names of classes that published files name → what stands for them."""
