"""The world is tested without run-time type checks.

A scene is made of dozens of tiny objects, and statistics need thousands of scenes: with every call
checked (see ``addopts``), these tests would take 200 times as long. mypy checks the same annotations.
"""

import importlib
import sys


def _import_unchecked() -> None:
    for name in [n for n in sys.modules if n.split(".")[:2] == ["vtexplore", "world"]]:
        del sys.modules[name]  # a test of another folder may have brought in the checked one
    hooks = [f for f in sys.meta_path if type(f).__module__.startswith("jaxtyping")]
    importlib.import_module("vtexplore.types")
    sys.meta_path[:] = [f for f in sys.meta_path if f not in hooks]
    try:
        importlib.import_module("vtexplore.world")
        importlib.import_module("vtexplore.world.truth")
    finally:
        sys.meta_path[:0] = hooks


_import_unchecked()
