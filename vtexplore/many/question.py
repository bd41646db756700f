"""What is asked: a probe, found by its name or as the function itself, and options that were looked at before."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from vtexplore.errors import ConfigError
from vtexplore.many.items import Item, items
from vtexplore.probes._result import Result
from vtexplore.types import Clip

SAID = re.compile(r"\{(\w+)\}")
SEVERAL = {"Sequence", "Iterable", "list", "tuple"}
NUMBERS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}


def probes() -> dict[str, Callable[..., Any]]:
    """The probes of one clip: verbs of the package that live in ``probes`` and ask (model, clip, …)."""
    package = import_module("vtexplore")
    rooms = [name for name, (room, verb) in package._VERBS.items() if verb and ".probes." in room]
    return {name: function for name in rooms if _asks_of_a_clip(function := getattr(package, name))}


def find(wanted: str | Callable[..., Any]) -> Callable[..., Any]:
    """A probe by its name, by ``module:function``, or as it is.

    Raises ``ConfigError`` for an unknown name, suggesting the nearest, and for what does not ask (model, clip, …).
    """
    if callable(wanted):
        found: Any = wanted
    elif ":" in wanted:
        module, _, name = wanted.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"{wanted} cannot be imported ({error}). Write it as module:function.") from error
    else:
        known, name = probes(), wanted.replace("-", "_")
        if name not in known:
            near = get_close_matches(name, known, n=2, cutoff=0.4)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
            raise ConfigError(f"There is no probe of one clip called {wanted!r}. {hint}")
        found = known[name]
    if not _asks_of_a_clip(found):
        raise ConfigError(f"{wanted} is no probe of one clip: its first two parameters are not (model, clip).")
    return found


def _asks_of_a_clip(found: Any) -> bool:
    return callable(found) and list(inspect.signature(found).parameters)[:2] == ["model", "clip"]


@dataclass(frozen=True)
class Question:
    """A probe with the options that it gets beside every clip.

    Words in braces stand for what is said of a clip: ``texts=["{caption}", "nothing moves"]``.
    """

    function: Callable[..., Any]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The probe's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def where(self) -> str:
        """Where its code is: ``module:function``."""
        return f"{getattr(self.function, '__module__', '?')}:{self.name}"

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """What it can be asked, by name."""
        return dict(list(inspect.signature(self.function).parameters.items())[2:])

    def check(self, asked: Iterable[Item]) -> None:
        """Raise ``ConfigError`` for an option that the probe has not got, cannot read, or must have and nobody gave."""
        known, free = self.parameters, False
        asked = list(asked)
        for item in asked:
            for name, text in item.options.items():
                if name in known and "Clip" not in str(known[name].annotation):
                    value_of(name, text, known[name])
        for name, parameter in known.items():
            free = free or parameter.kind is parameter.VAR_KEYWORD
            wanted = parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            )
            if wanted and name not in self.options:
                lacking = next((item for item in asked if name not in item.options), None)
                if lacking is not None:
                    raise ConfigError(f"{self.name} needs an option {name}=…, which nobody gave for {lacking.id}.")
        if unknown := [name for name in self.options if name not in known and not free]:
            near = get_close_matches(unknown[0], known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"It has {', '.join(known) or 'none'}."
            raise ConfigError(f"{self.name} has no option {unknown[0]!r}. {hint}")

    def ask(self, model: Any, item: Item) -> Result:
        """The result for one clip. Raises what the probe raises, ``ConfigError`` if it returns no ``Result``."""
        known, clip = self.parameters, item.open()
        if "text" in item.options and "text" not in known and clip.truth is None:
            clip = replace(clip, caption=item.options["text"])
        own = {name: value_of(name, text, known[name]) for name, text in item.options.items() if name in known}
        result = self.function(model, clip, **_filled({**self.options, **own}, item.say))
        if not isinstance(result, Result):
            raise ConfigError(f"{self.name} returned a {type(result).__name__}; a probe returns a Result.")
        return result

    def plain(self) -> dict[str, Any]:
        """The options as JSON can hold them; clips by name."""
        plain: dict[str, Any] = json.loads(json.dumps(dict(self.options), default=_plain, sort_keys=True))
        return plain


def options_of(function: Callable[..., Any], given: Iterable[str], split: str = "train") -> dict[str, Any]:
    """Options from ``key=value``, read as the probe's annotations say; a key given again makes a list.

    A value is JSON or plain words; where the probe wants clips, it is what ``items`` reads: ``against=world:0..7``.
    Raises ``ConfigError`` for what is not of that form, has no such name, or is of another kind.
    """
    known = Question(function, {}).parameters
    said: dict[str, list[str]] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name:
            raise ConfigError(f"{one!r} is no option; an option is written key=value, such as word=red.")
        said.setdefault(name, []).append(text)
    Question(function, said).check(())
    return {name: _value(name, texts, known.get(name), split) for name, texts in said.items()}


def value_of(name: str, text: str, parameter: inspect.Parameter) -> Any:
    """One option of one clip, from a cell of a table."""
    return _value(name, [text], parameter, "train")


def _value(name: str, texts: list[str], parameter: inspect.Parameter | None, split: str) -> Any:
    annotation = "Any" if parameter is None or parameter.annotation is parameter.empty else parameter.annotation
    kinds = set(re.findall(r"\w+", str(annotation)))
    if "Clip" in kinds:
        return [item.open() for item in items(texts, split)]
    several = bool(SEVERAL & kinds)
    read = [_read(text, kinds, several) for text in texts]
    value = read[0] if len(read) == 1 else read
    if several and not isinstance(value, list) and value is not None:
        value = [value]
    elif isinstance(value, list) and not several and "Any" not in kinds:
        raise ConfigError(f"{name} is one value, and several were given: {' and '.join(texts)}.")
    if isinstance(value, str) and not kinds & {"str", "Any"}:
        wanted = " or ".join(k for k in NUMBERS if k in kinds) or "something that only Python can give"
        raise ConfigError(f"{name}={value}: {wanted} is wanted.")
    return tuple(value) if isinstance(value, list) and "tuple" in kinds else value


def _read(text: str, kinds: set[str], several: bool) -> Any:
    """JSON, if it is of a wanted kind; else the words themselves."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if "Any" in kinds or isinstance(value, str) or (value is None and "None" in kinds):
        return value
    if isinstance(value, list):
        return value if several else text
    fitting = [types for kind, types in NUMBERS.items() if kind in kinds]
    exact = isinstance(value, bool) == ("bool" in kinds) or not isinstance(value, bool)
    return value if exact and any(isinstance(value, types) for types in fitting) else text


def _filled(value: Any, say: Callable[[str], str]) -> Any:
    """Words in braces become what is said of the clip."""
    if isinstance(value, str):
        return SAID.sub(lambda match: say(match[1]), value)
    if isinstance(value, dict):
        return {k: _filled(v, say) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(v, say) for v in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Clip):
        return value.name
    if hasattr(value, "tolist"):
        return value.tolist()
    return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', type(value).__name__)}"
