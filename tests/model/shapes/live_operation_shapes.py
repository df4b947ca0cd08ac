"""The answers of live Keras for the operations of `operation_shape_cases`: their config and the shapes of their
outputs."""

import importlib
import inspect
import json
import pkgutil
from typing import Any

from tests.live import keras as live_keras
from tests.model.shapes.operation_case import Case
from tests.model.shapes.operation_questions import QUESTIONS
from tests.recorded import begin_anew

keras: Any = live_keras()
MODULES = ("keras.src.activations.activations", "keras.src.quantizers.quantizers")


def answers() -> dict[str, Any]:
    """The answers of Keras for all cases, the cases that it refuses, and the operations that it has."""
    members = _members()
    names = sorted(member.__name__ for member in members)
    assert len(names) == len(set(names)), "two modules of operations have a class of the same name"
    classes = {member.__name__: member for member in members}
    asked = {question: case for cases in QUESTIONS.values() for question, case in cases.items()}
    return {**{question: _answer(case, classes) for question, case in asked.items()}, "operations": names}


def _members() -> set[type]:
    """Every operation of Keras that is no layer."""
    from keras.src.ops.operation import Operation

    ops = importlib.import_module("keras.src.ops")
    names = [f"keras.src.ops.{info.name}" for info in pkgutil.iter_modules(ops.__path__) if "_test" not in info.name]
    modules = [importlib.import_module(name) for name in (*names, *MODULES)]
    members = [member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)]
    return {
        member
        for member in members
        if issubclass(member, Operation)
        and member is not Operation
        and not issubclass(member, keras.layers.Layer)
        and member.__module__ in (*names, *MODULES)
    }


def _answer(case: Case, classes: dict[str, type]) -> dict[str, Any]:
    """The entry of the operation in a model's config, and the shapes that Keras reports, None where it refuses."""
    begin_anew()
    inputs = [keras.Input(batch_shape=shape, dtype=case.dtype) for shape in case.inputs]
    operation = classes[case.class_name](**case.config)
    try:
        outputs = case.call(operation, *inputs)
    except Exception:
        arguments = case.call(lambda *args: list(args), *inputs)
        node = keras.saving.serialize_keras_object({"args": arguments, "kwargs": {}})
        entry = {"class_name": case.class_name, "config": case.config, "inbound_nodes": [node]}
        return {"entry": entry, "outputs": None}
    config = json.loads(keras.Model(inputs, outputs).to_json())["config"]
    entry = next(entry for entry in config["layers"] if entry["name"] == operation.name)
    return {"entry": entry, "outputs": [tuple(output.shape) for output in keras.tree.flatten(outputs)]}
