"""How VIOLET's miniature is pretrained.

Its words were learned without pictures, and a picture is nine parts ground to one part object: with all
three objectives from a standing start, the cross-modal layers see no colour in 30,000 clips. So they meet
single objects first, lit alone; then whole scenes, of which they name words and tell captions apart.

What happens first is harder: nothing is won by knowing when things happen before it is known what "before"
and "after" ask for, nor the other way round, and 100,000 clips of both at once taught neither. So captions
first mention things in the order in which they happen, and then in any.

In these stages the eyes do not learn, and so need to look but once (``pool``). At last come the paper's three
objectives together, with live eyes.
"""

from dataclasses import replace

from vtexplore.registry import Pretraining, Stage

FROZEN = (("swin.", 0.0), ("dvae.", 0.0))
RATES = {"colour": 0.3, "shape": 0.3, "verb": 0.3, "direction": 0.5, "target": 0.6, "relation": 0.5, "": 0.06}
ORDER = Stage(
    steps=0,
    lr=1.2e-3,
    weight={"words": 0.5},
    slow=FROZEN,
    settings={"candidates": 4, "attended": 0.0, "match_groups": 4},
    scenes={"form": ("then", "same")},
    spotlight=0.8,
    rates=RATES | {"colour": 0.2, "shape": 0.2, "verb": 0.5, "connective": 0.5},
    pool=12_000,
)

PRETRAINING = Pretraining(
    stages={
        "spotlight": Stage(
            steps=500,
            lr=1.2e-3,
            slow=(*FROZEN, ("match_head.", 0.0)),
            settings={"candidates": 1, "attended": 0.0},
            scenes={"objects": 1, "form": "one"},
            spotlight=1.0,
            rates=dict.fromkeys(("colour", "shape", "verb", "direction", "target", "background"), 0.5) | {"": 0.08},
            pool=6_000,
        ),
        "whole scenes": Stage(
            steps=2500,
            lr=1.2e-3,
            weight={"match": 0.3},
            slow=FROZEN,
            settings={"candidates": 2, "attended": 0.0},
            rates=RATES,
            pool=16_000,
        ),
        "siblings": Stage(
            steps=5000,
            lr=1.2e-3,
            weight={"match": 0.3},
            slow=FROZEN,
            settings={"candidates": 2, "attended": 0.0, "match_groups": 4},
            rates=RATES,
            pool=16_000,
        ),
        "order, told in order": replace(ORDER, steps=1200, in_order=True),
        "order": replace(ORDER, steps=2000),
        "all": Stage(
            steps=700,
            lr=6e-4,
            weight={"codes": 0.3},
            slow=(("swin.", 0.3), ("dvae.", 0.0)),
            settings={"match_groups": 4},
            rates=RATES,
        ),
    },
    deviations=(
        "96 px, 6 × 6 patches, 3 cross-modal layers of width 128 (224 px, 7 × 7, 12 layers of 768)",
        "six stages (one): single objects lit alone; whole scenes, first with any captions beside their own, then "
        "with those of siblings; sequences, first told in the order in which things happen, then in any; these with a "
        "frozen backbone, masked words and matching only, on pools of clips; then all three objectives with live eyes "
        "on fresh clips",
        "while order is learned, four fifths of the steps show only patches that hold an object, by the world's truth: "
        "heads look at objects more than the objectives alone would make them",
        "words are hidden by what they name: 20 to 60 % of those with content, 6 % of the others, 50 % of those that "
        "tell order while that is learned (15 % of all)",
        "masked codes weigh 0.3, matching 0.3 before order is learned, words 0.5 while it is (1 each)",
        "a video is offered the text of one other scene, at last those of its three siblings (three of 12 pairs)",
        "lr 0.6e-3 to 1.2e-3, each stage with warm-up and cosine, weight decay 0.05 (2e-5, constant, 1e-3)",
        "8 % of clips dropped (none)",
        "no dropout and no drop path (0.1 and 0.2): scenes never repeat, or are told anew",
    ),
)
