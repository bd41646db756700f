"""How BridgeFormer's miniature is pretrained: nouns on single frames, nouns on clips, verbs on clips, as published.

Scenes of a batch are independent. Siblings would be of little use: half of them differ in order or direction
alone, which this model cannot see, and such pairs in one batch only add a constant to the loss.
"""

from dataclasses import replace

from vtexplore.models.bridgeformer import MINI
from vtexplore.registry import Pretraining, Stage

STILLS = replace(MINI.inputs, frames=1)
SLOW = tuple((f"video.{part}.", 0.1) for part in ("patch", "blocks.0", "blocks.1", "blocks.2", "blocks.3"))
"""Its eyes are open already, and what the bridge reads of them is what *enters* a block: contrast alone would make a
third of the places that it can tell illegible within these few steps."""

PRETRAINING = Pretraining(
    stages={
        "nouns, single frames": Stage(
            1500, 1e-3, 128, slow=SLOW, settings={"nouns": 1.0, "inputs": STILLS}, one_voice=True, bf16=True
        ),
        "nouns": Stage(800, 1e-3, 64, slow=SLOW, settings={"nouns": 1.0}, one_voice=True, bf16=True),
        "verbs, single objects": Stage(
            1200, 1e-3, 64, slow=SLOW, settings={"nouns": 0.1}, scenes={"objects": 1, "form": "one"}, spotlight=0.7,
            one_voice=True, bf16=True,
        ),
        "verbs": Stage(
            3000, 8e-4, 64, slow=SLOW, settings={"nouns": 0.3}, spotlight=0.5, one_voice=True, bf16=True
        ),
        "verbs, warm restart": Stage(
            900, 6e-4, 64, slow=SLOW, settings={"nouns": 0.3}, spotlight=0.2, one_voice=True, bf16=True
        ),
        "verbs, second warm restart": Stage(
            1500, 6e-4, 64, slow=SLOW, settings={"nouns": 0.2}, spotlight=0.1, one_voice=True, bf16=True
        ),
    },
    group=1,
    drop=0.0,
    deviations=(
        "96 px, 6 × 6 patches, 6 video and 6 bridge layers of width 128, 3 text layers, of which the bridge hears "
        "the embeddings, the first and the second (224 px, 14 × 14, 12 and 12 of 768, 6)",
        "the text encoder has the token types of the one that it starts from (DistilBERT has none)",
        "the video encoder starts from the world's labels: of each place, among them where its object is, and of whole "
        "pictures (from ImageNet's)",
        "captions of a batch are all one annotator's, or else how a thing is said tells answers of a batch apart (web "
        "text)",
        "in seven of ten steps with single objects, half of those of the next stage, a fifth and a tenth of the last "
        "two, only patches that hold an object are seen (all)",
        "frames at fixed times (at random ones)",
        "three in ten questions of the last stages ask for nouns, in the end two, or they are forgotten (none)",
        "a verb phrase holds the direction, colour or place that goes with the verb: without them, slides could be "
        "told apart by the words that are left (single verbs)",
        "batches of 128 and 64 (2,048 and 800)",
        "lr 1e-3, 0.8e-3 and 0.6e-3 with warm-up and cosine, a tenth of it for the first four video blocks, weight "
        "decay 0.05 (1e-4, 3e-5, 1e-5, in steps)",
        "no dropout in the text encoder (0.1): scenes never repeat",
    ),
)  # fmt: skip
