"""How VIOLET's miniature is pretrained.

Its words were learned without pictures, and a picture is nine parts ground to one part object: from a
standing start, the cross-modal layers see no colour in 30,000 clips. So they meet single objects first,
lit alone; then whole scenes; then the paper's three objectives together, with live eyes.
"""

from vtexplore.registry import Pretraining, Stage

FROZEN = (("swin.", 0.0), ("dvae.", 0.0), ("match_head.", 0.0))

PRETRAINING = Pretraining(
    stages={
        "spotlight": Stage(
            steps=300,
            lr=1e-3,
            weight={"codes": 0.1},
            slow=FROZEN,
            settings={"candidates": 1, "attended": 0.0},
            scenes={"objects": 1, "form": "one"},
            spotlight=True,
            rates={"colour": 0.9, "shape": 0.7, "verb": 0.3, "direction": 0.5, "target": 0.9},
        ),
        "words": Stage(
            steps=800,
            lr=1.2e-3,
            weight={"codes": 0.2},
            slow=FROZEN,
            settings={"candidates": 1, "attended": 0.0},
            rates={**dict.fromkeys(("colour", "shape", "verb", "direction", "target", "relation"), 0.45), "": 0.05},
        ),
        "all": Stage(steps=420, lr=8e-4, weight={"codes": 0.3, "match": 0.2}, slow=(("swin.", 0.3), ("dvae.", 0.0))),
    },
    deviations=(
        "96 px, 6 × 6 patches, 3 cross-modal layers of width 128 (224 px, 7 × 7, 12 layers of 768)",
        "three stages: single objects lit alone; whole scenes with a frozen backbone, masked words and codes only; "
        "then all three objectives with live eyes (all from the start)",
        "in the first two stages words are hidden by what they name, colours most; then 25 % (15 %)",
        "masked codes weigh 0.3, matching 0.2 (1 and 1)",
        "lr 0.8e-3 to 1.2e-3 with warm-up and cosine, weight decay 0.05 (2e-5, constant, 1e-3)",
        "batches of sibling scenes, matched within 8 neighbours (12 pairs a GPU); 8 % of clips dropped (none)",
        "no dropout and no drop path (0.1 and 0.2): scenes never repeat",
    ),
)
