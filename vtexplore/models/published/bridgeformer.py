"""BridgeFormer's published weights (TencentARC/MCQ)."""

from vtexplore.models.bridgeformer import CLIP_NAMES, FAMILY
from vtexplore.published.layout import File, Layout, Published, drive, has

_LICENCE = "BSD 3-Clause (README)"
_BRIDGE = "video_model.blocks.0.bridgeattn.qkv.weight"

PUBLISHED = Published(
    "bridgeformer",
    FAMILY.title,
    files=(
        File(
            "MCQ.pth", "pretrained on CC3M and WebVid-2M: all three encoders", "github.com/TencentARC/MCQ, README",
            _LICENCE, "three encoders", by_hand=drive("1SojMkCprqaciA56wpm1jt_jJIdYM5vLP"), mb=1065, main=True,
        ),
        File(
            "MCQ_CLIP.pth", "the same training, begun from CLIP's ViT-B/32: two encoders",
            "github.com/TencentARC/MCQ, README", _LICENCE, "begun from CLIP",
            by_hand=drive("10ryRLuT4Mjg1fEzrSrL8G36tt0IklbN2"), mb=605,
        ),
    ),
    layouts=(
        Layout(
            "three encoders", "bridgeformer:MCQ_pretrain", FAMILY.names, has("video_model.cls_token", _BRIDGE),
            doubles=FAMILY.doubles,
        ),
        Layout(
            "two encoders", "bridgeformer:MCQ_zeroshot", FAMILY.names, has("video_model.cls_token", but=[_BRIDGE]),
            lacks=r"bridge(?:_proj)?\..*", silent=("answer_embedding",),
        ),
        Layout(
            "begun from CLIP", "bridgeformer:MCQ_CLIP_ViT-B-32", CLIP_NAMES,
            has("visual.class_embedding", "token_embedding.weight"), size="clip",
        ),
    ),
)  # fmt: skip
