"""The process that loads a converted model with Keras and predicts with seeded inputs; it writes JSON to its output.

`ckpttool.conversion.prove.keras_run` starts it. The job names modules of ckpttool that are imported first, and the
user's function that builds such a model, if there is one: its classes are then known to Keras.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import re
import sys
from dataclasses import replace
from typing import Any

from ckpttool.conversion.prove.inputs import SIZES, Kind, kinds_of
from ckpttool.io import scalars
from ckpttool.model.entries import is_keras
from ckpttool.model.live.user_function import admit_own_code, model_of


def predict(model: Any, inputs: list[Any]) -> list[Any]:
    """The outputs of a model, in one list."""
    import numpy as np

    samples = inputs[0].shape[0]  # in one batch, as a stateful model takes no part of its own
    predicted = model.predict(inputs if len(inputs) > 1 else inputs[0], batch_size=samples, verbose=0)
    values = (
        predicted.values()
        if isinstance(predicted, dict)
        else predicted
        if isinstance(predicted, list | tuple)
        else [predicted]
    )
    return [np.asarray(value, "float64") for value in values]


def load_old(source: str) -> Any:
    """The old model, loaded by tf_keras in safe mode. Otherwise, tf_keras runs the code of Lambda layers."""
    safe = importlib.import_module("tf_keras.src.saving.serialization_lib").SafeModeScope
    with safe(True):
        return importlib.import_module("tf_keras").models.load_model(source, compile=False)


def comparison(outputs: list[Any], source: str, inputs: list[Any], unloaded: str) -> dict[str, Any]:
    """The largest difference from the outputs of the old model in tf_keras, relative to the largest of these.

    The result has the reason instead where tf_keras cannot load the old model, or must not (`unloaded`).
    """
    import numpy as np

    if unloaded:
        return {"old": unloaded}
    if "tf_keras" not in sys.modules and importlib.util.find_spec("tf_keras") is None:
        return {"old": "tf_keras is not installed"}
    try:
        before = predict(load_old(source), inputs)
    except Exception as error:  # a failure of the old Keras says nothing about the converted model
        return {"old": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    pairs = zip(outputs, before, strict=True)
    shares = (np.abs(new - was).max(initial=0) / (np.abs(was).max(initial=0) or 1) for new, was in pairs)
    worst = max(map(scalars.as_float, shares))
    return {"difference": worst}


def objects_of(function: str) -> dict[str, Any]:
    """The classes of the model that `package.module:function` returns, and the classes and functions in its module, by
    the names that a config may have for them."""
    import keras

    if not function:
        return {}
    classes = [type(layer) for layer in model_of(function)._flatten_layers()]
    module = sys.modules[function.partition(":")[0]]
    candidates = [*classes, *(value for value in vars(module).values() if callable(value))]
    own = [obj for obj in candidates if (home := getattr(obj, "__module__", None)) and not is_keras(home)]
    named = [obj for obj in own if isinstance(getattr(obj, "__name__", None), str)]
    return {key: obj for obj in named for key in (obj.__name__, keras.saving.get_registered_name(obj))}


def try_inputs(model: Any, seed: int) -> tuple[list[Kind], list[Any], list[Any]]:
    """The kinds of a model's inputs, inputs of these kinds, and the model's outputs for them.

    Open axes have the first size of `SIZES` that the model accepts. If it accepts none, the exception of Keras is
    raised."""
    kinds = kinds_of(model)
    *first, last = SIZES if any(None in kind.shape[1:] for kind in kinds) else SIZES[:1]
    for size in first:
        with contextlib.suppress(Exception):
            return _try_size(model, kinds, size, seed)
    return _try_size(model, kinds, last, seed)


def _try_size(model: Any, kinds: list[Kind], size: int, seed: int) -> tuple[list[Kind], list[Any], list[Any]]:
    """The kinds with a size for open axes, inputs of these, and the outputs."""
    import numpy as np

    rng, sized = np.random.default_rng(seed), [replace(kind, size=size) for kind in kinds]
    inputs = [kind.batch(rng) for kind in sized]
    return sized, inputs, predict(model, inputs)


def outcome(target: str, source: str, function: str = "", unloaded: str = "", seed: int = 0) -> dict[str, Any]:
    """The outcome: Keras's version, the inputs, the shapes of outputs, whether all are finite, the difference from the
    old model."""
    import keras
    import numpy as np

    model = keras.models.load_model(target, custom_objects=objects_of(function))
    kinds, inputs, outputs = try_inputs(model, seed)
    finite = all(bool(np.isfinite(value).all()) for value in outputs)
    shapes = [list(value.shape) for value in outputs]
    result = {"keras": keras.__version__, "finite": finite, "compiled": bool(model.compiled)}
    descriptions = [kind.description for kind in kinds]
    return result | {"inputs": descriptions, "outputs": shapes} | comparison(outputs, source, inputs, unloaded)


def _in_a_line(error: Exception) -> str:
    """The message of an error without colours, and without the values of all arguments that Keras writes below it."""
    text = re.sub(r"\x1b\[[\d;]*m", "", str(error)).partition("\n\nArguments received by")[0]
    return " ".join(text.split())


def main(job: str) -> None:
    """Predict and write the outcome, or the error. The job is a JSON object of the new file (`target`), the old one
    (`source`), `modules`, `function`, the `directories` in which that is, and the reason not to load the old file
    (`unloaded`)."""
    settings = json.loads(job)
    # TensorFlow convolves channels_first on a CPU by oneDNN alone, which it leaves off where AVX-512 is missing.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Keras prints must not get into the answer
    for module in settings["modules"]:
        importlib.import_module(module)
    if settings["function"]:
        admit_own_code(settings["function"], settings["directories"])
    try:
        answer = outcome(settings["target"], settings["source"], settings["function"], settings["unloaded"])
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {_in_a_line(error)}"[:2000]}
    json.dump(answer, output)
    output.close()
