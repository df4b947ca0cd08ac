"""A process of its own that loads a converted model with Keras and predicts on seeded input; talks JSON on its output.

`ckpttool.conversion.prove.keras_run` starts it. It names modules of ckpttool's own that are imported first, and the
function of the user's own that builds such a model, if there is one: the classes that it uses are then known to Keras.
"""

import importlib
import importlib.util
import json
import os
import sys
from dataclasses import replace
from typing import Any

from ckpttool.conversion.prove.inputs import SIZES, Kind, kinds_of
from ckpttool.io import scalars
from ckpttool.model.live.user_function import admit_own_code, model_of


def predicted(model: Any, inputs: list[Any]) -> list[Any]:
    """What a model gives, its outputs in one list."""
    import numpy as np

    found = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    values = found.values() if isinstance(found, dict) else found if isinstance(found, list | tuple) else [found]
    return [np.asarray(value, "float64") for value in values]


def loaded_of_old(source: str) -> Any:
    """The old model as tf_keras loads it, in safe mode; else it would run the code of a Lambda in a legacy file."""
    safe = importlib.import_module("tf_keras.src.saving.serialization_lib").SafeModeScope
    with safe(True):
        return importlib.import_module("tf_keras").models.load_model(source, compile=False)


def compared(outputs: list[Any], source: str, inputs: list[Any], unloaded: str) -> dict[str, Any]:
    """The largest difference from what tf_keras predicts with the old model, relative to its largest output; why not,
    where it cannot, or where it must not load it (`unloaded`)."""
    import numpy as np

    if unloaded:
        return {"old": unloaded}
    if "tf_keras" not in sys.modules and importlib.util.find_spec("tf_keras") is None:
        return {"old": "tf_keras is not installed"}
    try:
        before = predicted(loaded_of_old(source), inputs)
    except Exception as error:  # whatever hinders the old Keras, which is not the converted model's fault
        return {"old": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
    pairs = zip(outputs, before, strict=True)
    shares = (np.abs(new - was).max(initial=0) / (np.abs(was).max(initial=0) or 1) for new, was in pairs)
    worst = max(map(scalars.as_float, shares))
    return {"difference": worst}


def objects_of(function: str) -> dict[str, Any]:
    """The classes of the model that `package.module:function` returns, and what else its module names, under the names
    by which a config may ask for them."""
    import keras

    if not function:
        return {}
    held = [type(layer) for layer in model_of(function)._flatten_layers()]
    module = sys.modules[function.partition(":")[0]]
    found = [*held, *(value for value in vars(module).values() if callable(value))]
    own = [one for one in found if not (getattr(one, "__module__", None) or "keras").startswith("keras")]
    named = [one for one in own if isinstance(getattr(one, "__name__", None), str)]
    return {key: one for one in named for key in (one.__name__, keras.saving.get_registered_name(one))}


def tried(model: Any, seed: int) -> tuple[list[Kind], list[Any], list[Any]]:
    """The kinds of inputs, such inputs and what a model gives for them: of the first size that it takes on axes of any
    size. Raises what Keras raises where it takes none."""
    import numpy as np

    kinds = kinds_of(model)
    sizes = SIZES if any(None in kind.shape[1:] for kind in kinds) else SIZES[:1]
    for size in sizes:
        rng, kinds = np.random.default_rng(seed), [replace(kind, size=size) for kind in kinds]
        inputs = [kind.batch(rng) for kind in kinds]
        try:
            return kinds, inputs, predicted(model, inputs)
        except Exception:
            if size == sizes[-1]:
                raise
    raise AssertionError("there are sizes")


def told(target: str, source: str, function: str = "", unloaded: str = "", seed: int = 0) -> dict[str, Any]:
    """What came out: Keras's version, the inputs, the shapes of outputs, whether all are finite, the difference from
    the old model."""
    import keras
    import numpy as np

    model = keras.models.load_model(target, custom_objects=objects_of(function))
    kinds, inputs, outputs = tried(model, seed)
    finite = all(bool(np.isfinite(value).all()) for value in outputs)
    shapes = [list(value.shape) for value in outputs]
    said = {"keras": keras.__version__, "finite": finite, "compiled": bool(model.compiled)}
    given = [kind.description for kind in kinds]
    return said | {"inputs": given, "outputs": shapes} | compared(outputs, source, inputs, unloaded)


def main(job: str) -> None:
    """Predicts and writes what came out, or the error. The job is a JSON object of the new file (`target`), the old one
    (`source`), `modules`, `function`, and the `directories` in which that is."""
    asked = json.loads(job)
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Keras prints is not ours
    for module in asked["modules"]:
        importlib.import_module(module)
    if asked["function"]:
        admit_own_code(asked["function"], asked["directories"])
    try:
        found = told(asked["target"], asked["source"], asked["function"], asked["unloaded"])
    except Exception as error:
        found = {"error": f"{type(error).__name__}: {error}"[:2000]}
    json.dump(found, output)
    output.close()
