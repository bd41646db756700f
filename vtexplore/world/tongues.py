"""Chinese and German for the default theme, and the small talk of its narrators.

Chinese is written with spaces between words, so that every word can say what it names. German puts the
verb last after "bevor" and first after "dann": templates ask for it by ``{B:last}`` and ``{B:first}``.
"""

from __future__ import annotations

from vtexplore.world.theme import Slot, Voice

_NAMES = {
    "grow": "grows", "shrink": "shrinks", "spin": "spins", "bounce": "bounces", "shake": "shakes",
    "appear": "appears", "vanish": "vanishes",
}  # fmt: skip
_SIDES = ("left", "right", "up", "down")
_NOW: Slot = ("now", "function")

GERMAN = Voice(
    words={
        "the.circle": "der", "the.square": "das", "the.triangle": "das", "the.cross": "das", "the.ring": "der",
        "the.star": "der", "the.with": "dem", "it.circle": "er", "it.square": "es", "it.triangle": "es",
        "it.cross": "es", "it.ring": "er", "it.star": "er",
        "circle": "Kreis", "square": "Quadrat", "triangle": "Dreieck", "cross": "Kreuz", "ring": "Ring",
        "star": "Stern", "red": "rote", "orange": "orange", "yellow": "gelbe", "green": "grüne", "cyan": "türkise",
        "blue": "blaue", "pink": "rosa", "white": "weiße",
        "red.with": "roten", "yellow.with": "gelben", "green.with": "grünen", "cyan.with": "türkisen",
        "blue.with": "blauen", "white.with": "weißen",
        "red.is": "rot", "yellow.is": "gelb", "green.is": "grün", "cyan.is": "türkis", "blue.is": "blau",
        "white.is": "weiß",
        "slide": "gleitet", "towards": "nach", "left": "links", "right": "rechts", "up": "oben", "down": "unten",
        "grow": "wächst", "shrink": "schrumpft", "spin": "dreht", "itself": "sich", "bounce": "hüpft",
        "shake": "zittert", "appear": "erscheint", "vanish": "verschwindet", "turn": "wird", "now": "jetzt",
        "collide": "kollidiert", "swap": "tauscht", "with": "mit", "pass": "läuft", "front": "vor", "back": "hinter",
        "past": "vorbei", "dark": "dunklem", "grey": "grauem", "striped": "gestreiftem", "dotted": "gepunktetem",
        "on": "vor", "ground": "Grund",
    },
    templates={
        "one": ("{A}",),
        "then": (
            "{A} bevor {B:last}", "nachdem {A:last} {B:first}", "zuerst {A:first} dann {B:first}",
            "bevor {B:last} {A:first}", "{B} nachdem {A:last}", "{B} aber zuerst {A:first}",
        ),
        "while": ("{A} während {B:last}", "während {A:last} {B:first}"),
        "script": ("{A} dann {B:first}",),
    },
    frames=dict.fromkeys(("one", "then", "while"), ("{it}", "{it} {where}")),
    noun=("the.{shape}", "{colour}", "{shape}"),
    noun_with=("the.with", "{colour}.with", "{shape}"),
    where=("on", "{background}", "ground"),
    says={
        **{f"slides {w}": (("slide", "verb"), ("towards", "function"), (w, "direction")) for w in _SIDES},
        "spins": (("spin", "verb"), ("itself", "function"), _NOW),
        "turns": (("turn", "verb"), ("target.is", "target")),
        "collides with": (("collide", "relation"), _NOW, ("with", "function")),
        "swaps with": (("swap", "relation"), _NOW, ("with", "function")),
        "passes in front of": (("pass", "verb"), ("front", "relation")),
        "passes in back of": (("pass", "verb"), ("back", "relation")),
    },
    after={f"passes in {w} of": (("past", "function"),) for w in ("front", "back")},
)  # fmt: skip

CHINESE = Voice(
    words={
        "it": "它", "circle": "圆形", "square": "方形", "triangle": "三角", "cross": "十字", "ring": "圆环",
        "star": "星形", "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "cyan": "青色",
        "blue": "蓝色", "pink": "粉色", "white": "白色", "slide": "滑动", "towards": "向", "left": "左", "right": "右",
        "up": "上", "down": "下",
        "grow": "变大", "shrink": "变小", "spin": "旋转", "bounce": "弹跳", "shake": "抖动", "appear": "出现",
        "vanish": "消失", "turn": "变成", "now": "正在", "collide": "相撞", "swap": "换位", "with": "与", "from": "从",
        "front": "前面", "back": "后面", "pass": "经过", "here": "当场", "on": "在", "above": "上面", "dark": "深色",
        "grey": "灰色", "striped": "条纹", "dotted": "圆点", "ground": "背景",
    },
    templates={
        "one": ("{A}",),
        "then": (
            "{A} 然后 {B}", "在 {A} 之后 {B}", "先是 {A} 接着 {B}",
            "在 {B} 之前 {A}", "{B} 此前 {A}", "{B} 不过 先是 {A}",
        ),
        "while": ("{A} 同时 {B}", "当 {A} 时 {B}"),
        "script": ("{A} 然后 {B}",),
    },
    frames=dict.fromkeys(("one", "then", "while"), ("{it}", "{where} {it}")),
    noun=("{colour}", "{shape}"),
    noun_with=("{colour}", "{shape}"),
    where=("on", "{background}", "ground", "above"),
    says={
        **{f"slides {w}": (("towards", "function"), (w, "direction"), ("slide", "verb")) for w in _SIDES},
        **{name: (_NOW, (concept, "verb")) for concept, name in _NAMES.items()},
        "collides with": (("with", "function"),),
        "swaps with": (("with", "function"),),
        "passes in front of": (("from", "function"),),
        "passes in back of": (("from", "function"),),
    },
    after={
        "collides with": (("here", "function"), ("collide", "relation")),
        "swaps with": (("here", "function"), ("swap", "relation")),
        "passes in front of": (("front", "relation"), ("pass", "verb")),
        "passes in back of": (("back", "relation"), ("pass", "verb")),
    },
)  # fmt: skip

# What a narrator says besides, as a recogniser writes it down.
FILLERS = ("so", "um", "okay so", "and now", "well", "you know", "all right", "look")
SMALL_TALK = (
    "hello everybody and welcome back",
    "let me know in the comments",
    "my dog is sleeping next to me today",
    "do not forget to subscribe",
    "i made some coffee this morning",
    "thank you for watching",
)
