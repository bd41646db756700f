"""HERO's published weights (linjieli222/HERO)."""

from vtexplore.models.hero import FAMILY
from vtexplore.published.layout import File, Layout, Published, has

PUBLISHED = Published(
    "hero",
    FAMILY.title,
    files=(
        File(
            "hero-tv-ht100.pt", "pretrained on TV and HowTo100M; sees features of a ResNet-152 and a SlowFast",
            "github.com/linjieli222/HERO, README", "MIT", "pretraining",
            at="https://convaisharables.blob.core.windows.net/hero/pretrained/hero-tv-ht100.pt", mb=484, main=True,
        ),
    ),
    layouts=(
        Layout(
            "pretraining", "hero", FAMILY.names,
            has("v_encoder.fom_output.linear_1.weight", "video_st_predictor.weight"), doubles=FAMILY.doubles,
        ),
    ),
)  # fmt: skip
