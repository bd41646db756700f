"""A world of moving shapes whose truth is known: a Clip from a seed.

    from vtexplore.world import sample_scene, render, sibling_batch

    scene = sample_scene(7)                        # frozen, in continuous time
    scene.caption.text                             # what happens, in one annotator's words
    scene.caption.words                            # what each word names
    frames = render([scene], [0.8, 1.6, 2.4, 3.2], size_px=96)   # uint8 [scene, frame, height, width, rgb]
    scene.foil("order")                            # a caption that is false by little
    scene.sibling("order")                         # the scene in which that foil is true
    batch = sibling_batch(0, 32)                   # groups of siblings: hard negatives
    scene.clip()                                   # what the rest of the house looks at

Read in this order: ``theme`` (what a world is made of) → ``shapes`` (the default one) → ``language``
(words) → ``act`` (one event) → ``plan`` (a scene as data) → ``motion`` (where everything is at a time) →
``render`` (pixels), ``sound`` → ``places``, ``foils`` (falsehoods), ``telling`` (all that can be said),
``truth`` → ``scene`` → ``sampling``, ``batches``, ``script`` (longer videos), ``excerpt`` (some of their steps)
→ ``vocabulary``, ``video_file``. ``garden`` is another world. numpy only; av for files.
"""

from vtexplore.world.act import Act, Thing
from vtexplore.world.batches import in_one_voice, sibling_batch, siblings
from vtexplore.world.excerpt import excerpt
from vtexplore.world.foils import KINDS as FOIL_KINDS
from vtexplore.world.foils import Foil, holds
from vtexplore.world.garden import GARDEN_THEME
from vtexplore.world.language import Caption, Clause, Noun, Statement, Style, draw_style, say, tells_in_order
from vtexplore.world.render import boxes, masks, render
from vtexplore.world.sampling import CannotPlace, draft_scene, sample_scene
from vtexplore.world.scene import Scene
from vtexplore.world.script import script
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.sound import stereo, waveform
from vtexplore.world.telling import (
    dense_captions,
    dictionary,
    narration,
    questions,
    rewrites,
    scene_graph,
    tags,
)
from vtexplore.world.theme import Action, Background, Shape, Theme, Voice
from vtexplore.world.video_file import example_clips, write_mp4
from vtexplore.world.vocabulary import WORDS, build_vocabulary, lexicon, sentences

__all__ = [
    "FOIL_KINDS",
    "GARDEN_THEME",
    "SHAPES_THEME",
    "WORDS",
    "Act",
    "Action",
    "Background",
    "CannotPlace",
    "Caption",
    "Clause",
    "Foil",
    "Noun",
    "Scene",
    "Shape",
    "Statement",
    "Style",
    "Theme",
    "Thing",
    "Voice",
    "boxes",
    "build_vocabulary",
    "dense_captions",
    "dictionary",
    "draft_scene",
    "draw_style",
    "example_clips",
    "excerpt",
    "holds",
    "in_one_voice",
    "lexicon",
    "masks",
    "narration",
    "questions",
    "render",
    "rewrites",
    "sample_scene",
    "say",
    "scene_graph",
    "script",
    "sentences",
    "sibling_batch",
    "siblings",
    "stereo",
    "tags",
    "tells_in_order",
    "waveform",
    "write_mp4",
]
