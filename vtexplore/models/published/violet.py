"""VIOLET's published weights (tsujuifu/pytorch_violet), and the two halves of the discrete VAE that goes with them."""

from vtexplore.blocks import dvae
from vtexplore.models.violet import FAMILY
from vtexplore.published.layout import File, Layout, Published, Shapes, drive, has
from vtexplore.weights import prefixed

_NAMES = (*FAMILY.names, *prefixed(dvae.NAMES, "dvae.", "dvae."))
_HEADS = r"(?:word_head|code_head)\..*"
_TASK = has("enc_img.emb_cls", "trsfr.layer.0.output.dense.weight", "fc.3.weight", but=["fc_mtm.predictions.bias"])
_LICENCE = "none stated in the repository"


def _scores(shapes: Shapes) -> int:
    return shapes["fc.3.weight"][0]


PUBLISHED = Published(
    "violet",
    FAMILY.title,
    files=(
        File(
            "ckpt_violet_pretrain.pt", "pretrained on YT-Temporal-180M, WebVid-2.5M and CC3M",
            "github.com/tsujuifu/pytorch_violet, README", _LICENCE, "pretraining",
            by_hand=drive("1RLbthdRIflxCFjRTcVV5jQJGP30_lNfg"), mb=820, main=True,
        ),
        File(
            "encoder.pkl", "DALL-E's discrete VAE: names the patches", "github.com/openai/DALL-E, README",
            "modified MIT", "encoder of the discrete VAE", at="https://cdn.openai.com/dall-e/encoder.pkl",
            mb=215, main=True,
        ),
        File(
            "decoder.pkl", "DALL-E's discrete VAE: paints the names", "github.com/openai/DALL-E, README",
            "modified MIT", "decoder of the discrete VAE", at="https://cdn.openai.com/dall-e/decoder.pkl",
            mb=175, main=True,
        ),
        File(
            "ckpt_violet_msrvtt-retrieval.pt", "fine-tuned to retrieve on MSR-VTT",
            "github.com/tsujuifu/pytorch_violet, README", _LICENCE, "retrieval or multiple choice",
            by_hand=drive("1GzqNkgd9kDZ5YzjWZdYOtgmxJazruUiA"), mb=668,
        ),
    ),
    layouts=(
        Layout(
            "pretraining", "violet:VIOLET_Pretrain", _NAMES,
            has("fc_mtm.predictions.bias", "fc_mvm.3.weight", "enc_img.emb_cls"),
            settings={"dvae": None}, doubles=FAMILY.doubles,
        ),
        Layout(
            "retrieval or multiple choice", "violet:VIOLET_Retrieval", _NAMES,
            lambda shapes: _TASK(shapes) and _scores(shapes) == 1,
            settings={"dvae": None}, lacks=_HEADS, silent=("word_logits", "code_logits"),
        ),
        Layout(
            "answers from a list", "violet:VIOLET_QAOE_vocab1000", _NAMES,
            lambda shapes: _TASK(shapes) and _scores(shapes) > 1,
            settings={"dvae": None}, ignored=((r"fc\..*", "scores a list of answers that is not in the file"),),
            lacks=rf"{_HEADS}|match_head\..*", silent=("word_logits", "code_logits", "match_logits"),
        ),
        Layout(
            "encoder of the discrete VAE", "dalle:Encoder", _NAMES,
            lambda shapes: tuple(shapes.get("blocks.input.w", ()))[1:] == (3, 7, 7),
            behind="dvae.encoder.", brings=("dvae",),
        ),
        Layout(
            "decoder of the discrete VAE", "dalle:Decoder", _NAMES,
            lambda shapes: tuple(shapes.get("blocks.input.w", ()))[2:] == (1, 1),
            behind="dvae.decoder.", brings=("dvae",),
        ),
    ),
)  # fmt: skip
