"""Layers under the names that Keras gives to what it does to masks: our answer is that of live Keras."""

import copy
from typing import Any

import pytest

from ckpttool.model.buildability import buildability_of_keras
from tests.live import keras

Entry = dict[str, Any]


def tensor(layer: str, node: int = 0) -> Entry:
    """A tensor that a layer takes, as Keras 3 writes it."""
    config = {"shape": [None, 4, 3], "dtype": "float32", "keras_history": [layer, node, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def layer(class_name: str, name: str, *inbound: str, **config: Any) -> Entry:
    """The entry of a layer that is called on some others."""
    inputs: Any = [tensor(name) for name in inbound]
    call = {"args": [inputs if len(inputs) > 1 else inputs[0]], "kwargs": {}} if inputs else None
    entry = {"module": "keras.layers", "class_name": class_name, "registered_name": None, "name": name}
    return {**entry, "config": {"name": name, **config}, "inbound_nodes": [call] if call else []}


def model(*layers: Entry, masks: bool = True, both: bool = True) -> Entry:
    """A model of two embeddings, `a` and `b`, and of some layers, the last of which is its output."""
    inputs = [layer("InputLayer", name, batch_shape=[None, 4], dtype="float32") for name in ("i", "j")]
    size = {"input_dim": 5, "output_dim": 3}
    first = layer("Embedding", "a", "i", **size, mask_zero=masks)
    second = layer("Embedding", "b", "j", **size, mask_zero=masks and both)
    ends = {"input_layers": [["i", 0, 0], ["j", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    config = {"name": "m", "trainable": True, "layers": [*inputs, first, second, *layers], **ends}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "registered_name": None,
        "config": config,
    }


def joined(name: str = "concatenate", axis: int = -1) -> Entry:
    """A Concatenate of both embeddings."""
    return layer("Concatenate", name, "a", "b", axis=axis)


def gru(source: str, name: str = "gru", **config: Any) -> Entry:
    """A layer that uses a mask."""
    return layer("GRU", name, source, units=2, **config)


def inside(source: str) -> Entry:
    """A model as a layer."""
    first = layer("InputLayer", "x", batch_shape=[None, 4, 6], dtype="float32")
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["gru", 0, 0]]}
    config = {"name": "inside", "trainable": True, "layers": [first, gru("x")], **ends}
    entry = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": None}
    return {**entry, "name": "inside", "config": config, "inbound_nodes": [{"args": [tensor(source)], "kwargs": {}}]}


def masked(source: str, mask: str) -> Entry:
    """A layer whose mask is passed, as in what Keras 3 wrote."""
    entry = gru(source)
    return {**entry, "inbound_nodes": [{"args": [tensor(source)], "kwargs": {"mask": tensor(mask)}}]}


def attention(class_name: str, **config: Any) -> Entry:
    """A layer that attends an embedding to itself and hands the mask of that on."""
    entry = layer(class_name, "attention", "a", **config)
    return {**entry, "inbound_nodes": [{"args": [tensor("a"), tensor("a")], "kwargs": {}}]}


def trained(source: str, name: str) -> Entry:
    """A layer that uses a mask, in a call with a further argument, as Keras 3 records it."""
    entry = gru(source, name)
    return {**entry, "inbound_nodes": [{"args": [tensor(source)], "kwargs": {"training": False}}]}


NOT_EQUAL = {
    **layer("NotEqual", "not_equal", "i"),
    "module": "keras.src.ops.numpy",
    "inbound_nodes": [{"args": [tensor("i"), 0], "kwargs": {}}],
}

CASES = {
    "used": model(joined(), gru("concatenate")),
    "one mask": model(joined(), gru("concatenate"), both=False),
    "no masks": model(joined(), gru("concatenate"), masks=False),
    "another name": model(joined("cat"), gru("cat")),
    "the second name": model(joined("concatenate_1"), gru("concatenate_1")),
    "not used": model(joined(), layer("Dense", "d", "concatenate", units=2)),
    "destroyed": model(joined(), layer("Conv1D", "c", "concatenate", filters=2, kernel_size=1), gru("c")),
    "handed on": model(joined(), layer("Dropout", "d", "concatenate", rate=0.5), gru("d")),
    "twice": model(joined("concatenate_1"), layer("Concatenate", "c", "concatenate_1", "b", axis=-1), gru("c")),
    "behind a GRU": model(joined("c"), gru("c", return_sequences=True), layer("Softmax", "concatenate", "gru")),
    "behind its end": model(joined("c"), gru("c"), layer("Dense", "concatenate", "gru", units=2)),
    "along time": model(joined(axis=1), gru("concatenate")),
    "merged": model(layer("Add", "logical_or", "a", "b"), gru("logical_or")),
    "normalized": model(joined(), layer("BatchNormalization", "n", "concatenate")),
    "pooled": model(joined(), layer("GlobalAveragePooling1D", "p", "concatenate")),
    "attended": model(joined(), layer("Attention", "t", "concatenate", "concatenate")),
    "of an embedding": model(gru("a", "not_equal"), joined("c"), layer("Flatten", "f", "c"), gru("b"),
                             layer("Concatenate", "z", "f", "gru", "not_equal")),
    "with a further argument": model(trained("a", "not_equal")),
    "of multi-head attention": model(attention("MultiHeadAttention", num_heads=2, key_dim=3),
                                     gru("attention", "not_equal")),
    "of grouped attention": model(attention("GroupQueryAttention", head_dim=3, num_query_heads=2,
                                            num_key_value_heads=1),
                                  gru("attention", "not_equal")),
    "in a model": model(joined(), inside("concatenate")),
    "passed": model(NOT_EQUAL, joined("c"), masked("c", "not_equal")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_as_live_keras_answers(case: str) -> None:
    """A model with a layer of such a name is not built where a layer uses the mask; it is in all other cases."""
    keras().utils.clear_session(free_memory=False)  # garbage is searched for in all that was imported
    try:
        keras().saving.deserialize_keras_object(copy.deepcopy(CASES[case]))
        problem = ""
    except ValueError as error:
        problem = str(error)
    obstacles = buildability_of_keras(CASES[case]).obstacles
    assert ("is used 2 times" in problem, bool(problem)) == (bool(obstacles), bool(obstacles))
    assert all("of what Keras does to masks" in obstacle.why for obstacle in obstacles)
