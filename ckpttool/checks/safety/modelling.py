"""What a config may name: the classes and functions that models are made of, by module and by name.

Everything else that Keras has, and all of Python's own modules, can read, write, fetch or run when a config names it
(CVE-2025-1550, CVE-2025-8747, CVE-2025-9906). The table is that of Keras 3.15, with what Keras 0 to 2 had besides;
`tests/checks/live_modelling.py` asks live Keras for it.
"""

import builtins
import json
import re
import sys
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any


class Standing(Enum):
    """What is to be thought of a name in a config: `KNOWN` as part of models, the code of somebody else (`FOREIGN`), or
    something that no model needs (`UNSAFE`)."""

    KNOWN = "known"
    FOREIGN = "foreign"
    UNSAFE = "unsafe"


# The package under its other names, and what it has put between its name and a module in some version.
_KERAS = re.compile(r"(tf_keras|(tensorflow\.(python\.)?)?keras)((\.(api|keras|_tf_keras|_v1|_v2|compat|v1))*)(?=\.|$)")

# Parts of Keras, of any version, in which a class or function of a known name is that class or function.
_AREAS = frozenset({
    "activations", "constraints", "distillation", "dtype_policies", "engine", "feature_column", "initializers",
    "layers", "losses", "metrics", "mixed_precision", "models", "ops", "optimizer_v1", "optimizer_v2",
    "optimizers", "premade", "premade_models", "quantizers", "random", "regularizers", "trainers",
    "wrappers",
})  # fmt: skip

# What is installed wherever Keras is, or often beside it, and can load, fetch or run things.
_ABLE = frozenset({
    "IPython", "PIL", "absl", "cffi", "cloudpickle", "cupy", "dask", "dill", "fsspec", "google", "h5py",
    "huggingface_hub", "jax", "jaxlib", "joblib", "keras_tuner", "matplotlib", "ml_dtypes", "namex", "numba",
    "numpy", "onnx", "optree", "packaging", "pandas", "pip", "pkg_resources", "pydoc", "requests", "rich", "scipy",
    "setuptools", "six", "sklearn", "tensorboard", "tensorflow", "tensorflow_datasets", "torch", "transformers",
    "urllib3", "wheel", "yaml",
})  # fmt: skip

# TensorFlow's modules of plain arithmetic, from which functions in old Lambda layers come.
_ARITHMETIC = re.compile(
    r"tensorflow\.python\.ops\.((gen_)?(array|bitwise|clip|control_flow|image|init|linalg|math|nn|random|special_math|"
    r"sparse|string|spectral)_(grad_)?ops(_impl|_v2)?|nn|nn_impl|(math|signal|linalg|image)\.\w+)"
)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("modelling.json").read_text(encoding="utf-8"))
    return table


@cache
def _names(kind: str) -> frozenset[str]:
    """The names of all "classes" or "functions", of Keras 3.15 and before."""
    return frozenset(_table()["older"][kind]).union(*_table()[kind].values())


@cache
def _short_functions() -> frozenset[str]:
    """The functions that configs name without their module."""
    found = (_table()["functions"][f"keras.{area}"] for area in ("activations", "losses", "metrics"))
    return frozenset(_table()["older"]["functions"]).union(*found)


def class_standing(module: str | None, name: str) -> Standing:
    """What is to be thought of a class, of which a config wants an instance; `module` is None where it names none."""
    if not module or module == "__main__":
        return Standing.KNOWN if name in _names("classes") or is_old_optimizer(name) else Standing.FOREIGN
    home = _in_keras(module)
    if home is None:
        return _elsewhere(module)
    if name in _table()["classes"].get(home, ()) or (_area(home) in _AREAS and name in _names("classes")):
        return Standing.KNOWN
    is_public = home in _table()["classes"] and _area(home) in _AREAS and not home.startswith("keras.src.")
    of_tomorrow = is_public and name.isidentifier() and name[0].isupper()
    return Standing.FOREIGN if of_tomorrow else Standing.UNSAFE


def is_old_optimizer(name: str) -> bool:
    """Keras 2.11 to 2.15 registered its own optimizers as if a user had, and wrote `Custom>Adam`
    (keras/optimizers/optimizer.py, 2.12)."""
    return name.startswith("Custom>") and name.removeprefix("Custom>") in _table()["classes"]["keras.optimizers"]


def function_standing(module: str | None, name: str) -> Standing:
    """What is to be thought of a function that a config refers to. A class that is named as a function is unsafe:
    Keras would call it and skip the checks of its `from_config`."""
    if not module or module == "__main__":
        return Standing.KNOWN if name in _short_functions() else Standing.FOREIGN
    if module == "builtins":
        return _of_builtins(name)
    home = _in_keras(module)
    if home is None:
        return _elsewhere(module)
    return Standing.KNOWN if _is_function(home, name) else Standing.UNSAFE


def spec_standing(module: str | None, name: str) -> Standing:
    """What is to be thought of a type specification, which TensorFlow has for tensors of all kinds."""
    is_spec = re.fullmatch(r"[A-Za-z]*Spec", name) and (module or "").startswith("tensorflow.python.")
    return Standing.KNOWN if is_spec else Standing.UNSAFE


def _is_function(home: str, name: str) -> bool:
    area = _area(home)
    if area == "applications":
        return name == "preprocess_input"
    if area == "backend":  # of Keras 2, whose functions are those of keras.ops today
        return name in _table()["older"]["backend"]
    if name in _table()["functions"].get(home, ()):
        return True
    return area in ("activations", "losses", "metrics") and name in _short_functions()


def _of_builtins(name: str) -> Standing:
    """Keras writes `builtins` for its own functions, for those of keras.ops, such as `abs` and `sum`, though it does
    not find them again, and until 3.6 for those of the user too."""
    if name in _short_functions():
        return Standing.KNOWN
    is_pythons = hasattr(builtins, name.partition(".")[0]) and name not in _table()["functions"]["keras.ops"]
    return Standing.UNSAFE if is_pythons else Standing.FOREIGN


def _in_keras(module: str) -> str | None:
    """The module as Keras 3 would name it, or None where it belongs to another package."""
    found = _KERAS.match(module)
    return f"keras{module[found.end() :]}" if found else None


def _area(home: str) -> str:
    """The part of Keras that a module belongs to: `layers` for keras.src.layers.core.dense."""
    parts = [part for part in home.split(".")[1:] if part not in ("src", "_impl")]
    return parts[0] if parts else ""


def _elsewhere(module: str) -> Standing:
    package = module.partition(".")[0]
    if _ARITHMETIC.fullmatch(module):
        return Standing.FOREIGN
    return Standing.UNSAFE if package in sys.stdlib_module_names or package in _ABLE else Standing.FOREIGN
