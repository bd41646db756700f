"""A second, smaller world, to show how little one needs: leaves and drops that drift, ripen and wilt."""

from vtexplore.world.theme import Action, Background, Shape, Theme, Voice

GARDEN_THEME = Theme(
    "garden",
    colours={"brown": (150, 92, 40), "lime": (150, 226, 60), "violet": (150, 80, 220), "cream": (246, 236, 200)},
    shapes={
        "leaf": Shape("polygon", corners=((0.0, -1.0), (0.5, -0.3), (0.3, 0.6), (0.0, 1.0), (-0.3, 0.6), (-0.5, -0.3))),
        "pond": Shape("disc", (0.8,)),
        "drop": Shape("polygon", corners=((0.0, -1.0), (0.6, 0.2), (0.4, 0.75), (-0.4, 0.75), (-0.6, 0.2))),
    },
    backgrounds={"soil": Background((70, 52, 40)), "lawn": Background((40, 92, 52), (58, 120, 70), "stripes")},
    actions={
        "falls": Action("slide", "rises", (("falls", "verb"),), towards=(0, 1)),
        "rises": Action("slide", "falls", (("rises", "verb"),), towards=(0, -1)),
        "ripens": Action("size", "wilts", (("ripens", "verb"),)),
        "wilts": Action("size", "ripens", (("wilts", "verb"),), sign=-1),
        "trembles": Action("shake", "trembles", (("trembles", "verb"),)),
    },
    voices=(
        Voice(
            words={"ground": "bed"},
            templates={
                "one": ("{A}",), "then": ("{A} then {B}", "before {B} {A}"), "while": ("{A} while {B}",),
                "script": ("{A} then {B}",),
            },
            frames={"one": ("look now {it}", "{it} {where}"), "then": ("{it}", "{it} {where}"), "while": ("{it}",)},
        ),
    ),
)  # fmt: skip
