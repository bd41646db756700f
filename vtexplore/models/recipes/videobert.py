"""How VideoBERT's miniature is pretrained: its eyes once, its visual words once, then one BERT on pairs.

What a sentence is about lies in a few moments. Single events come first, whose sentence and moments can hardly be
about anything else; then captions in every form, two neighbouring steps joined into one sentence, and wrong sentences
from the same video; at last wrong ones from anywhere again. Longer excerpts have no words: these are for what comes
next.
"""

from vtexplore.registry import Pretraining, Stage

FROZEN = (("eyes.", 0.0),)
RATES = {"colour": 0.4, "shape": 0.4, "verb": 0.4, "direction": 0.5, "target": 0.5, "relation": 0.5, "": 0.08}

PRETRAINING = Pretraining(
    stages={
        "single events": Stage(
            2000, 1.5e-3, 64, slow=FROZEN, rates=RATES, settings={"match_groups": None},
            scenes={"form": "one"}, pool=6_000, scripts=0.5, lengths=(1,),
        ),
        "all": Stage(
            3500, 1.2e-3, 64, slow=FROZEN, rates=RATES, settings={"match_groups": 8},
            pool=8_000, scripts=0.6, lengths=(1, 1, 2, 5, 8),
        ),
        "all, any wrong sentence": Stage(
            5000, 1e-3, 64, weight={"match": 2.0}, slow=FROZEN, rates=RATES, settings={"match_groups": None},
            pool=10_000, scripts=0.6, lengths=(1, 1, 2, 5, 8),
        ),
    },
    group=4,
    drop=0.05,
    deviations=(
        "64 px, 12 frames a second, a visual word for each 8 frames, 2/3 s (224 px, 20 a second, 30 frames, 1.5 s)",
        "the S3D of 128 channels is supervised by the world's labels: places, then the action and what acts (Kinetics)",
        "8 branches and 3 levels, 512 visual words at most (12 and 4, 20736)",
        "3 layers of width 128 from random weights, but for the text's (24 of 1024, from BERT-large)",
        "embeddings of visual words start from centroids, and learn (frozen)",
        "words are hidden by what they name, 40 to 50 % of those with content and 8 % of the others, moments at 30 % "
        "(15 %)",
        "sentences are captions of clips, and of one or two steps of scripts; two steps are told in one sentence in "
        "either order (transcribed speech, neighbours joined at random)",
        "every 1st to 5th visual word, but never fewer than three are left if there were three",
        "wrong sentences come from anywhere, in the second stage from the same script, or from a clip that differs in "
        "one thing (unknown)",
        "alignment weighs 2 in the last stage (unknown)",
        "lr 1.5e-3 to 1e-3, each stage with warm-up and cosine, weight decay 0.05 (1e-5, linear)",
        "5 % of videos dropped, no dropout (none, 0.1): scenes are told anew each time",
    ),
)  # fmt: skip
