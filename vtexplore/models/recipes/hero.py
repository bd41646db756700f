"""How HERO's miniature is pretrained: on single clips with their captions, then on narrated scripts as well.

A caption is one line through a whole clip: from these it learns what words mean, and to find a clip by its caption.
In scripts several things happen one after the other, each told near the time at which it happens. There it learns
which moment a line is about, and what usually follows what; of clips it forgets some, so both come once more. The last
stage is the same with the rate risen anew: order was still being learned (of two events, 79 % before it, 84 % after).
Its eyes are frozen, as in the paper, and look but once.
"""

from vtexplore.registry import Pretraining, Stage

FROZEN = (("eyes.", 0.0),)
DRAWN = {"words": 2.0, "frames": 2.0, "order": 1.0, "match": 2.0, "span": 2.0}  # how often the paper draws each
RATES = {"colour": 0.4, "shape": 0.4, "verb": 0.4, "direction": 0.5, "target": 0.5, "relation": 0.5, "": 0.08}

PRETRAINING = Pretraining(
    stages={
        "clips": Stage(
            1200, 1.2e-3, 32, weight=DRAWN, slow=FROZEN, rates=RATES, pool=4_000, scripts=0.3, lengths=(2, 4),
            drift_s=0.3,
        ),
        "scripts": Stage(
            2000, 1e-3, 32, weight=DRAWN | {"order": 2.0}, slow=FROZEN, rates=RATES, pool=2_500, scripts=0.7,
            lengths=(3, 4, 6, 8), drift_s=0.5, settings={"hardest": 8},
        ),
        "both": Stage(
            900, 8e-4, 32, weight=DRAWN | {"order": 2.0}, slow=FROZEN, rates=RATES, pool=4_000, scripts=0.4,
            lengths=(2, 3, 4, 6, 8), drift_s=0.5, settings={"hardest": 8}, bf16=True,
        ),
        "both, warm restart": Stage(
            1200, 8e-4, 32, weight=DRAWN | {"order": 3.0}, slow=FROZEN, rates=RATES, pool=3_000, scripts=0.3,
            lengths=(2, 3, 4, 6, 8), drift_s=0.5, settings={"hardest": 8}, bf16=True,
        ),
    },
    group=1,
    drop=0.03,
    deviations=(
        "64 px, 12 frames a second, a feature for each 8 frames, 2/3 s (a frame each 1.5 to 2 s)",
        "features of one frozen network of 128 channels, an S3D supervised by the world's labels (4352 channels, of a "
        "ResNet-152 supervised by ImageNet and a SlowFast by Kinetics)",
        "3 and 3 layers of width 128; the first start from the text encoder (6 and 3 of 768, from RoBERTa)",
        "places are learned for 24 frames (100 to 514)",
        "lines are what is told of scripts, up to 0.3 and 0.5 s too early or late, a tenth of it of something else, or "
        "a caption through a whole clip (subtitles and transcribed speech)",
        "clips without speech are asked for order as they look alone",
        "words are hidden by what they name, 40 to 50 % of those with content and 8 % of the others, frames are moved "
        "at 30 % (15 % each)",
        "two lines of a video are taken out (five); moments weigh 0.2 and are always asked (0.01, in a fifth of "
        "the steps); the 8 hardest wrong answers weigh more, after the first stage (20, after 20,000 steps)",
        "all objectives in each step, weighted as often as the paper draws them, order twice as much from the second "
        "stage on and three times in the last (one a step)",
        "lr 1.2e-3, 1e-3, 8e-4 and 8e-4, each stage with warm-up and cosine, weight decay 0.05, batches of 32 "
        "(3e-5, 512)",
        "3 % of clips dropped, no dropout (none, 0.1): scenes are told anew each time",
    ),
)  # fmt: skip
