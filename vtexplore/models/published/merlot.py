"""MERLOT's published weights (rowanz/merlot): TensorFlow's, which are not read here."""

from vtexplore.models.merlot import FAMILY
from vtexplore.published.layout import File, Published

_WHY = "a checkpoint of TensorFlow 1, which is not read here"


def _file(segments: int) -> File:
    return File(
        f"checkpoint_{segments}segments", f"pretrained on YT-Temporal-180M, {segments} frames and lines at a time",
        "github.com/rowanz/merlot, README", "see LICENSE of the repository", why=_WHY, main=segments == 4,
        by_hand=f"fetch https://storage.googleapis.com/merlot/checkpoint_{segments}segments/model.ckpt.index, "
        ".meta and .data-00000-of-00001",
    )  # fmt: skip


PUBLISHED = Published("merlot", FAMILY.title, files=(_file(4), _file(5)))
