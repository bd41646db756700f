"""A result becomes a picture: matplotlib figures with words for labels and a text for those who cannot see.

``VIEWS`` is the table through which a result finds its pictures: name of its type → kind → function. The
first kind is what a result shows of itself. Every function takes the result and returns a ``Picture``.
"""

VIEWS: dict[str, dict[str, str]] = {
    "AttendResult": {
        "overlay": "vtexplore.views.overlay:overlay",
        "word_frame": "vtexplore.views.word_frame:word_frame",
        "head_grid": "vtexplore.views.head_grid:head_grid",
    },
    "FillMaskResult": {"bars": "vtexplore.views.masked_word:bars", "frames": "vtexplore.views.masked_word:frames"},
    "MaskedWordsResult": {"classes": "vtexplore.views.masked_classes:classes"},
    "GroundingResult": {"heads": "vtexplore.views.head_grid:grounding_heads"},
    "MaskingResult": {"maps": "vtexplore.views.masking:maps"},
    "MaskingRates": {"intervals": "vtexplore.views.masking:intervals"},
    "FillCodesResult": {"codes": "vtexplore.views.codes:codes", "guesses": "vtexplore.views.codes:guesses"},
    "ClozeResult": {"gaps": "vtexplore.views.cloze:gaps"},
    "ForecastResult": {"forecast": "vtexplore.views.foreseen:forecast"},
    "IllustrateResult": {"illustrate": "vtexplore.views.foreseen:illustrate"},
    "ReadWordsResult": {
        "timeline": "vtexplore.views.visual_words:timeline",
        "gallery": "vtexplore.views.visual_words:gallery",
    },
    "FoilsResult": {"shares": "vtexplore.views.compare_foils:shares"},
    "MatchResult": {"scores": "vtexplore.views.match:scores"},
    "AnswerResult": {
        "choices": "vtexplore.views.answer:choices",
        "overlay": "vtexplore.views.answer:overlay",
        "options": "vtexplore.views.answer:options",
    },
    "ExplainResult": {"overlay": "vtexplore.views.explain:overlay"},
    "FaithfulnessResult": {
        "methods": "vtexplore.views.faithfulness:methods",
        "curves": "vtexplore.views.faithfulness:curves",
        "cascade": "vtexplore.views.faithfulness:cascade",
    },
    "AblateHeadsResult": {"heads": "vtexplore.views.faithfulness:heads"},
    "RetrieveResult": {"hits": "vtexplore.views.retrieve:hits", "recalls": "vtexplore.views.retrieve:recalls"},
    "ReorderResult": {"orders": "vtexplore.views.reorder:orders"},
    "OrdersResult": {"intervals": "vtexplore.views.compare_orders:intervals"},
    "BeforeAfterResult": {"shares": "vtexplore.views.before_after:shares"},
    "RecoverResult": {"recovered": "vtexplore.views.recover_order:recovered"},
}
