"""The names that live Keras 3.15 lets a config use: the content of ckpttool/dangers/modelling.json.

Run as `python -m tests.recorded` to write it. What Keras 2.15 and older had besides, `older`, cannot be
asked any more and is kept as it is.
"""

import inspect
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ckpttool.dangers import allowed_names
from tests.live import modules

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PATH = Path(allowed_names.__file__).with_name("modelling.json")

# The public namespaces of what models are made of.
CLASSES = (
    *("", "constraints", "distillation", "dtype_policies", "initializers", "layers", "losses", "metrics", "models"),
    *("optimizers", "optimizers.schedules", "quantizers", "random", "regularizers", "utils"),
)
FUNCTIONS = (
    *("activations", "losses", "metrics", "ops", "ops.image", "ops.linalg", "ops.nn", "ops.numpy", "quantizers"),
    "random",
)
# What turns a config into objects, or reads and writes files; rules of their own speak of the two classes.
NEVER = frozenset({"get", "serialize", "deserialize", "TFSMLayer", "TorchModuleWrapper"})


def table() -> dict[str, Any]:
    """The classes and functions by module, the public ones and the modules in which the classes are defined."""
    classes = {f"keras.{name}".rstrip("."): sorted(_public(name, _is_instantiable)) for name in CLASSES}
    classes |= {module: sorted(names) for module, names in _private()}
    functions = {f"keras.{name}": sorted(_public(name, inspect.isfunction)) for name in FUNCTIONS}
    functions |= {module: ["preprocess_input"] for module in _applications()}
    return {"classes": dict(sorted(classes.items())), "functions": dict(sorted(functions.items()))}


def _is_instantiable(value: Any) -> bool:
    """Whether a class is made from a config."""
    return inspect.isclass(value) and hasattr(value, "from_config")


def _public(namespace: str, wanted: Any) -> set[str]:
    import keras

    module = keras
    for part in filter(None, namespace.split(".")):
        module = getattr(module, part)
    return {name for name, value in vars(module).items() if wanted(value) and not name.startswith("_")} - NEVER


def _private() -> Iterator[tuple[str, set[str]]]:
    """Keras 3 names a class that it does not export by the module that defines it, such as the operations of a graph
    (`_retrieve_class_or_fn`, keras/src/saving/serialization_lib.py, 3.15)."""
    import keras.src as source

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules(source):
            if module.__name__.startswith("keras.src.backend."):
                continue
            own = {
                name
                for name, value in vars(module).items()
                if _is_instantiable(value) and value.__module__ == module.__name__
            } - NEVER
            if own:
                yield module.__name__, own


def _applications() -> Iterator[str]:
    import keras

    for name, value in vars(keras.applications).items():
        if hasattr(value, "preprocess_input"):
            yield f"keras.applications.{name}"


def text() -> str:
    """The table as the file holds it, a line for each module, with the names of older Keras that are there."""
    sections = []
    for key, places in {**table(), "older": json.loads(PATH.read_text("utf-8"))["older"]}.items():
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(names)}" for name, names in places.items())
        sections.append(f"{json.dumps(key)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(sections) + "\n}\n"
