"""What published files of S3D call its tensors: three layouts, each a bijection onto our names.

MIL_NCE      antoine77340/S3D_HowTo100M: conv1, conv_2b, mixed_3b.conv_b1_a …, with the text branch
KYLEMIN      kylemin/S3D: a list, base.0 … base.15, pools counted
TORCHVISION  the same list, and in each entry lists again
"""

from __future__ import annotations

from vtexplore.blocks.s3d import MIXED
from vtexplore.weights import Rules, prefixed

TEXT: Rules = ((r"word_embd\.(\w+)", r"word.\1"), (r"(fc[12])\.(\w+)", r"\1.\2"))
"""The text branch alone."""

_UNIT = (("conv1", "conv"), ("bn1", "norm"))
_PAIR = (("conv1", "space.conv"), ("bn1", "space.norm"), ("conv2", "time.conv"), ("bn2", "time.norm"))

# Places in the list of the two Kinetics layouts; the numbers left out are pools.
_AT = {0: "stem", 2: "conv_2b", 3: "conv_2c"}
_BLOCK_AT = dict(zip((5, 6, 8, 9, 10, 11, 12, 14, 15), MIXED))


def _mil_nce() -> Rules:
    block, mine = r"mixed_(\d\w)\.", r"mixed.\1.branches."
    return (
        *((rf"conv1\.{theirs}\.(\w+)", rf"stem.unit.{ours}.\1") for theirs, ours in _UNIT),
        *((rf"conv_2b\.{theirs}\.(\w+)", rf"conv_2b.{ours}.\1") for theirs, ours in _UNIT),
        *((rf"conv_2c\.{theirs}\.(\w+)", rf"conv_2c.{ours}.\1") for theirs, ours in _PAIR),
        (r"gating\.fc\.(\w+)", r"gate.fc.\1"),
        *((rf"{block}conv_b0\.{theirs}\.(\w+)", rf"{mine}0.point.{ours}.\2") for theirs, ours in _UNIT),
        *((rf"{block}conv_b([12])_a\.{theirs}\.(\w+)", rf"{mine}\2.point.{ours}.\3") for theirs, ours in _UNIT),
        *((rf"{block}conv_b([12])_b\.{theirs}\.(\w+)", rf"{mine}\2.separable.{ours}.\3") for theirs, ours in _PAIR),
        *((rf"{block}conv_b3_b\.{theirs}\.(\w+)", rf"{mine}3.point.{ours}.\2") for theirs, ours in _UNIT),
        (rf"{block}gating_b(\d)\.fc\.(\w+)", rf"{mine}\2.gate.fc.\3"),
        (r"fc\.(\w+)", r"project.\1"),
        *prefixed(TEXT, "text_module.", "text."),
    )


def _kinetics(base: str, unit: tuple[str, str], pair: tuple[str, ...], first: str, head: str) -> Rules:
    """``unit``, ``pair``: what the parts of a convolution are called; ``first``: where branch 0 has its own."""
    units, pairs = tuple(zip(unit, ("conv", "norm"))), tuple(zip(pair, (ours for _, ours in _PAIR)))
    rules: list[tuple[str, str]] = [
        *((rf"{base}\.{n}\.{theirs}\.(\w+)", rf"{_AT[n]}.{ours}.\1") for n in (0, 3) for theirs, ours in pairs),
        *((rf"{base}\.2\.{theirs}\.(\w+)", rf"{_AT[2]}.{ours}.\1") for theirs, ours in units),
        (rf"{head}\.(\w+)", r"classify.\1"),
    ]
    for n, name in _BLOCK_AT.items():
        block, mine = rf"{base}\.{n}\.branch", rf"mixed.{name}.branches."
        for theirs, ours in units:
            rules += [
                (rf"{block}0\.{first}{theirs}\.(\w+)", rf"{mine}0.point.{ours}.\1"),
                (rf"{block}([12])\.0\.{theirs}\.(\w+)", rf"{mine}\1.point.{ours}.\2"),
                (rf"{block}3\.1\.{theirs}\.(\w+)", rf"{mine}3.point.{ours}.\1"),
            ]
        rules += [(rf"{block}([12])\.1\.{theirs}\.(\w+)", rf"{mine}\1.separable.{ours}.\2") for theirs, ours in pairs]
    return tuple(rules)


MIL_NCE = _mil_nce()
MIL_NCE_FULL_STEM: Rules = tuple((theirs, ours.replace("stem.unit.", "stem.")) for theirs, ours in MIL_NCE)
"""The same for weights trained without space-to-depth, whose stem has the same name and another shape."""
KYLEMIN = _kinetics("base", ("conv", "bn"), ("conv_s", "bn_s", "conv_t", "bn_t"), r"0\.", r"fc\.0")
TORCHVISION = _kinetics("features", ("0", "1"), (r"0\.0", r"0\.1", r"1\.0", r"1\.1"), "", r"classifier\.1")
