"""Entries of objects in configs: whose class a module names, and which are operations."""

from typing import Any

import pytest

from ckpttool.dangers import allowed_names
from ckpttool.model import entries
from ckpttool.model.entries import (
    holds_operations,
    is_foreign,
    is_keras,
    is_keras_3,
    is_old_keras,
    is_operation,
    names_no_other,
    node_entry,
)

_KERAS_3 = (is_keras, is_keras_3, names_no_other)
_OPERATIONS = (*_KERAS_3, holds_operations)
_OLD = (is_keras, is_old_keras, names_no_other)

_ANSWERS: dict[Any, tuple[Any, ...]] = {
    "keras": _KERAS_3,
    "keras.layers": _KERAS_3,
    "keras.src.models.functional": _KERAS_3,
    "keras.ops": _OPERATIONS,
    "keras.src.ops.numpy": _OPERATIONS,
    "keras.opsins": _KERAS_3,
    "tf_keras": _OLD,
    "tf_keras.src.layers": _OLD,
    "tensorflow.keras.layers": _OLD,
    "tensorflow.python.keras.engine.sequential": _OLD,
    "builtins": (names_no_other,),
    "builtins.function": (),
    "keras_hub.src.layers.modeling.rotary_embedding": (),
    "keras_cv.layers": (),
    "keras_core.layers": (),
    "kerasx": (),
    "tf_keras_layers": (),
    "tensorflow.keras_addons": (),
    "tensorflow": (),
    "tensorflow.nn": (),
    "tensorflow_addons.optimizers": (),
    "my.keras.layers": (),
    "__main__": (),
    "": (),
    None: (),
    3: (),
}


@pytest.mark.parametrize("module", _ANSWERS, ids=str)
def test_whose_a_module_is(module: Any) -> None:
    """Each question about a module has its answer, and the judge of safety takes the same names for Keras's."""
    questions = (is_keras, is_keras_3, is_old_keras, names_no_other, holds_operations)
    answers = {question for question in questions if question(module)}
    assert answers == set(_ANSWERS[module])
    assert is_foreign({"module": module}) != is_keras(module)
    if isinstance(module, str):
        assert (allowed_names._in_keras(module) is not None) == is_keras(module)


def test_entries_without_a_module() -> None:
    """Older configs name no module, and are of Keras; in a legacy file, an operation is called in a graph."""
    called = [{"args": [], "kwargs": {}}]
    entry = {"class_name": "NotEqual", "config": {"name": "not_equal"}, "inbound_nodes": called}
    assert not is_foreign(entry)
    assert is_operation(entry)
    assert not is_operation({**entry, "config": {"trainable": True}})
    assert not is_operation({**entry, "class_name": "Dense"})
    assert not is_operation({**entry, "module": "keras.layers"})
    assert not is_operation({**entry, "inbound_nodes": [[["x", 0, 0, {}]]]})  # Keras 2
    assert not is_operation({**entry, "inbound_nodes": []})


def test_nodes_of_graphs() -> None:
    """An operation has its name as registered name, one of Keras's layers none."""
    assert node_entry("keras.src.ops.numpy", "Add", {})["registered_name"] == "Add"
    assert node_entry("keras.layers", "Add", {})["registered_name"] is None
    assert entries.layer_entry("Sequential", {})["module"] == "keras"
