"""What HERO's published files call its tensors (linjieli222/HERO), and what they are called here."""

from vtexplore.blocks import embeddings, transformer
from vtexplore.weights import prefixed

_FRAMES = (
    (r"img_linear\.(\w+)", r"linear.\1"),
    (r"img_LayerNorm\.(\w+)", r"norm.\1"),
    (r"position_embeddings\.weight", r"places.place.weight"),
    (r"mask_embedding\.weight", r"hide.table.weight"),
    (r"LayerNorm\.(\w+)", r"places.norm.\1"),
)

_PLACES = ((r"position_embeddings\.weight", r"place.weight"), (r"LayerNorm\.(\w+)", r"norm.\1"))

_PROJECT = ((r"LayerNorm\.(\w+)", r"norm.\1"), (r"net\.1\.(\w+)", r"linear.\1"))

_QUERY = (
    *((f"query_input_proj\\.{p}", f"project.{r}") for p, r in _PROJECT),
    *((f"query_pos_embed\\.{p}", f"places.{r}") for p, r in _PLACES),
    (r"query_self_attention\.self\.(query|key|value)\.(\w+)", r"attention.\1.\2"),
    (r"query_self_attention\.output\.dense\.(\w+)", r"attention.out.\1"),
    (r"query_self_attention\.output\.LayerNorm\.(\w+)", r"norm.\1"),
    (r"modular_vector_mapping\.weight", r"weigh.weight"),
)

_ORDER = ((r"linear_1\.(\w+)", r"inner.\1"), (r"LayerNorm\.(\w+)", r"norm.\1"), (r"linear_2\.(\w+)", r"out.\1"))

_SPANS = (
    (r"query_linear\.(\w+)", r"query.\1"),
    (r"st_predictor\.weight", r"start.weight"),
    (r"ed_predictor\.weight", r"end.weight"),
)

_WORDS = (
    (r"dense\.(\w+)", r"dense.\1"),
    (r"LayerNorm\.(\w+)", r"norm.\1"),
    (r"decoder\.weight", r"decoder.weight"),
    (r"bias", r"decoder.bias"),
)

_UNASKED = (
    (r"pad", r"pad"),
    (r"f_encoder\.pad", r"local_pad"),
    (r"f_encoder\.pooler\.dense\.(\w+)", r"poolers.0.\1"),
    (r"c_encoder\.pooler\.dense\.(\w+)", r"poolers.1.\1"),
)

NAMES = (
    *prefixed(transformer.NAMES, "v_encoder.f_encoder.encoder.", "fusion."),
    *prefixed(embeddings.WORD_NAMES, "v_encoder.f_encoder.embeddings.", "words."),
    *prefixed(_FRAMES, "v_encoder.f_encoder.img_embeddings.", "frames."),
    *prefixed(_WORDS, "v_encoder.f_encoder.lm_head.", "word_head."),
    *prefixed(_PROJECT, "v_encoder.frame_transform.", "skip."),
    *prefixed(_PLACES, "v_encoder.c_encoder.embeddings.", "places."),
    *prefixed(transformer.NAMES, "v_encoder.c_encoder.encoder.", "temporal."),
    (r"v_encoder\.feat_regress\.net\.(\w+)\.(\w+)", r"feature_head.\1.\2"),
    (r"v_encoder\.mask_embedding\.weight", r"hide.table.weight"),
    *prefixed(_ORDER, "v_encoder.fom_output.", "order_head."),
    *prefixed(_SPANS, "video_", "span_head."),
    *prefixed(_QUERY, "q_feat_attn.", "query."),
    *prefixed(_UNASKED, "v_encoder.", "unasked."),
)
"""The whole model: bijective."""
