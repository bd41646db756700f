"""Published Video Swins: those of the original, with or without a classifier, and the one that VIOLET starts from."""

from functools import partial

from vtexplore.blocks.video_swin import NAMES, SwinConfig, VideoSwin
from vtexplore.published.layout import File, Layout, Published, Shapes, drive
from vtexplore.weights import prefixed

_AT = "https://github.com/SwinTransformer/storage/releases/download/v1.0.4/"
_SOURCE = "github.com/SwinTransformer/Video-Swin-Transformer, README"
_DEEP, _WIDE = (2, 2, 18, 2), (4, 8, 16, 32)
_WITH_HEAD = (r"cls_head\..*", "names actions, which nobody here asks for")


def _size(prefix: str, depth: int, width: int, window: int) -> partial[bool]:
    return partial(_fits, prefix=prefix, depth=depth, width=width, window=window)


def _fits(shapes: Shapes, prefix: str, depth: int, width: int, window: int) -> bool:
    biases = (2 * window - 1) * 13 * 13
    table = shapes.get(f"{prefix}layers.0.blocks.0.attn.relative_position_bias_table", (0,))
    blocks = sum(name.startswith(f"{prefix}layers.2.blocks.") and name.endswith("norm1.weight") for name in shapes)
    return (blocks, list(shapes.get(f"{prefix}norm.weight", ())), table[0]) == (depth, [8 * width], biases)


def _file(size: str, window: str, data: str, layout: str, mb: int | None, main: bool = False) -> File:
    name = f"swin_{size}_patch244_window{window}_{data}.pth"
    return File(name, f"{layout}, {data}", _SOURCE, "Apache-2.0", layout, at=_AT + name, mb=mb, main=main)


def _layout(name: str, manifest: str, config: SwinConfig, prefix: str = "backbone.") -> Layout:
    fits = _size(prefix, config.depths[2], config.width, config.window[0])
    names, ignored = (prefixed(NAMES, prefix, ""), (_WITH_HEAD,)) if prefix else (NAMES, ())
    return Layout(name, manifest, names, fits, build=partial(VideoSwin, config), ignored=ignored)


PUBLISHED = Published(
    "video_swin",
    "Video Swin",
    files=(
        _file("tiny", "877", "kinetics400_1k", "Tiny", 127),
        _file("small", "877", "kinetics400_1k", "Small", 229, main=True),
        _file("base", "877", "kinetics400_1k", "Base", None),
        _file("base", "877", "kinetics400_22k", "Base", None),
        _file("base", "877", "kinetics600_22k", "Base", None),
        _file("base", "1677", "sthv2", "Base, a window of 16 frames", None),
        File(
            "ckpt_video-swin.pt", "Small, Kinetics-400, as VIOLET starts from it",
            "github.com/tsujuifu/pytorch_violet, README", "Apache-2.0 (the original's)", "Small, VIOLET's copy",
            by_hand=drive("1B1tkA9EnlQlK72xB8liz_WRo7WTEpJDt"), mb=228,
        ),
    ),
    layouts=(
        _layout("Tiny", "video_swin", SwinConfig(depths=(2, 2, 6, 2))),
        _layout("Small", "video_swin_small", SwinConfig()),
        _layout("Base", "", SwinConfig(width=128, depths=_DEEP, heads=_WIDE, drop_path=0.3)),
        _layout(
            "Base, a window of 16 frames", "",
            SwinConfig(width=128, depths=_DEEP, heads=_WIDE, drop_path=0.4, window=(16, 7, 7)),
        ),
        _layout(
            "Small, VIOLET's copy", "violet:video_swin_init_file(ckpt_video-swin.pt)",
            SwinConfig(time_stride=1, drop_path=0.2), prefix="",
        ),
    ),
)  # fmt: skip
