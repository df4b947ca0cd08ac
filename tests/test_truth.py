"""The facts that ckpttool reads of each fixture against what live Keras said when it wrote it.

Every difference there may be stands in a table below, with its reason; anything else is a fault.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import ckpttool
from ckpttool import Section, UnsafeFileError
from ckpttool.inspection.info import describe
from ckpttool.inspection.listing import Choice, Row, list_checkpoint
from tests.loops import for_each
from tests.samples import FIXTURES, TRUE_FILES, live

NOT_OPENED = {
    "keras2.15/npz.keras": "its .npz holds pickles, which are never opened",
    "keras3/npz.keras": "its .npz holds pickles, which are never opened",
}
OPENED = [name for name in TRUE_FILES if name not in NOT_OPENED]

# Weights that a file holds beside those of the live model, by path; the second path is that of the weight itself.
STORED_TWICE = dict.fromkeys(
    ("keras2.15/wrappers.keras", "keras3/wrappers.keras", "keras3/wrappers.weights.h5"),
    (
        "layers/spectral_normalization/vars/0",
        "layers/spectral_normalization/layer/vars/0",
        "SpectralNormalization lists the kernel of its layer as its own, too",
    ),
)

# Layers whose weights stand in another order in the file than in the live model.
OTHER_ORDER = {
    "keras3/int4.keras": (
        {"four"},
        "quantized: `_save_own_variables` writes kernel before bias, the model makes it after",
    ),
    "keras3/int8.keras": (
        {"eight"},
        "quantized: `_save_own_variables` writes kernel before bias, the model makes it after",
    ),
}

# Files whose layer names are not those of the live model.
NAMES_NOT_STORED = {
    "keras2.15/mlp.weights.h5": ({"dense": "hidden", "dense_1": "output"}, "no names and no config: the path is all"),
    "keras0.3/mlp_weights.hdf5": ({"layer_0": "hidden", "layer_3": "dense"}, "Keras 0 stores numbers, not names"),
    "keras0.3/cnn_weights.hdf5": (
        {"layer_0": "convolution2d", "layer_1": "batchnormalization", "layer_4": "dense"},
        "Keras 0 stores numbers, not names",
    ),
    "keras0.3/lstm_weights.hdf5": (
        {"layer_0": "lstm", "layer_1": "gru", "layer_2": "dense"},
        "Keras 0 stores numbers, not names",
    ),
}

# Layers of classes of the user's own: whether their weights are trained and what comes out, no config tells.
OWN_CLASSES = {"keras3/odd.keras": {"odd"}}

# What the file does not tell of the optimizer, or tells otherwise: (field, what is read).
_NO_CLASS = {"class": None}
OPTIMIZERS: dict[str, tuple[dict[str, Any], str]] = {
    "keras1.2/bidirectional.h5": ({"iterations": None}, "Keras 1's RMSprop does not save its iterations"),
    "keras1.2/mlp.h5": ({"iterations": None}, "Keras 1 calls it param_0 like everything else"),
    "keras2.15/mlp.weights.h5": ({**_NO_CLASS, "learning_rate": None}, "no config, and Keras 2 saves no learning rate"),
    "keras3/chunked.weights.h5": (_NO_CLASS, "no config"),
    "keras3/latest.weights.h5": (_NO_CLASS, "no config"),
    "keras3/mlp.weights.h5": (_NO_CLASS, "no config"),
    "keras3/mlp_dir": (_NO_CLASS, "its compile_config names no optimizer"),
    "keras3/mlp_dir/model.weights.h5": (_NO_CLASS, "no config"),
    "keras3/nested.weights.h5": (_NO_CLASS, "no config"),
    "run/epoch_02.weights.h5": ({**_NO_CLASS, "learning_rate": None}, "no config, where its schedule would be"),
    "run/epoch_03.weights.h5": ({**_NO_CLASS, "learning_rate": None}, "no config, where its schedule would be"),
    "keras3/mixed_float16.keras": (
        {"variables": 16},
        "the inner optimizer's variables are saved beside the outer one's",
    ),
}

# Files that hold nothing of the optimizer that the live model has.
NO_OPTIMIZER = {
    **dict.fromkeys(
        [name for name in OPENED if "_weights." in name], "weights only: legacy files of weights have no optimizer"
    ),
    "keras2.2/cnn.h5": "compiled after it was saved",
    "keras2.2/nested.h5": "compiled after it was saved",
}

# Model names as the file has them where the live model has another.
MODEL_NAMES = {
    "keras1.2/lstm.h5": ("", "Keras 1 stores no name of a Sequential"),
    "keras1.2/mlp.h5": ("", "Keras 1 stores no name of a Sequential"),
}

_NO_VERSION = {"weights-h5", "sharded", "keras0-weights"}
_ALL = Choice(frozenset({Section.MODEL, Section.OTHER}), sha256=True)


def rows_of(name: str) -> Iterator[tuple[Row, tuple[tuple[int, ...], str, str | None]]]:
    """The rows of a fixture's model, each with shape, dtype and checksum; what is stored twice only once."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        for row in list_checkpoint(checkpoint, _ALL).rows:
            if row.weight.path != STORED_TWICE.get(name, ("",))[0]:
                yield row, (row.weight.shape, row.weight.dtype, row.sha256)


def true_weights(name: str) -> list[dict[str, Any]]:
    """The weights of the live model that the file holds."""
    return [weight for weight in live(name)["weights"] if weight.get("stored", True)]


def content(weight: dict[str, Any]) -> tuple[tuple[int, ...], str, str]:
    """Shape, dtype and checksum of a live weight."""
    return tuple(weight["shape"]), weight["dtype"], weight["sha256"]


def by_content(name: str) -> dict[tuple[tuple[int, ...], str, str], list[dict[str, Any]]]:
    """The live weights by content; equal ones share an entry."""
    by_facts: dict[tuple[tuple[int, ...], str, str], list[dict[str, Any]]] = {}
    for weight in true_weights(name):
        by_facts.setdefault(content(weight), []).append(weight)
    return by_facts


def names_in_file(name: str, row: Row) -> set[str]:
    """The chains of layer names under which a row may stand in the truth: legacy files name the outermost only."""
    known = NAMES_NOT_STORED.get(name, ({}, ""))[0]
    whole = f"{row.layer}/{row.weight.part}" if row.weight.part else row.layer
    return {known.get(row.layer, row.layer), whole}


@for_each(OPENED)
def test_weights(name: str) -> None:
    """The file holds the live weights: each with its shape, dtype and content, none more and none less."""
    assert Counter(stored for _, stored in rows_of(name)) == Counter(map(content, true_weights(name)))


@pytest.mark.parametrize("name", sorted(STORED_TWICE))
def test_stored_twice(name: str) -> None:
    """A weight that is stored at a second place has the content of the first."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        second, first, _ = STORED_TWICE[name]
        assert checkpoint[second].read().tobytes() == checkpoint[first].read().tobytes()


@for_each(OPENED)
def test_layer_names(name: str) -> None:
    """Each weight is listed under the layer that owns it in the live model."""
    truth = by_content(name)
    for row, stored in rows_of(name):
        owners = {weight["layer"] for weight in truth[stored]}
        outermost = {owner.split("/")[0] for owner in owners}
        path_layout = row.weight.name is None
        assert names_in_file(name, row) & (owners if path_layout and row.weight.layer else owners | outermost)
        if path_layout and row.inferred and name not in NAMES_NOT_STORED:
            assert any(owner == row.layer or owner.startswith(f"{row.layer}/") for owner in owners)


@for_each(OPENED)
def test_order_within_layers(name: str) -> None:
    """Within one layer the weights stand in the live order, except where a reason is known; and there they do not."""
    truth = by_content(name)
    stored: dict[str, list[str]] = {}
    for _, facts in rows_of(name):
        if len(truth[facts]) == 1:  # equal ones cannot be told apart
            stored.setdefault(truth[facts][0]["layer"], []).append(truth[facts][0]["name"])
    differing = set()
    for layer, names in stored.items():
        expected = [
            weight["name"] for weight in true_weights(name) if weight["layer"] == layer and weight["name"] in names
        ]
        if names != expected:
            differing.add(layer)
    assert differing == OTHER_ORDER.get(name, (set(), ""))[0]


@for_each(OPENED)
def test_trainable(name: str) -> None:
    """Each weight is reported as trained or not as it was in the live model, where a config is stored."""
    truth, unknown = by_content(name), set()
    with ckpttool.open(FIXTURES / name) as checkpoint:
        has_config = checkpoint.config is not None
    for row, stored in rows_of(name):
        if row.trainable is None:
            unknown.add(row.layer)
        else:
            assert row.trainable in {weight["trainable"] for weight in truth[stored]}, row.weight.path
    assert unknown <= OWN_CLASSES.get(name, set()) or not has_config


def test_every_reason_is_needed() -> None:
    """The tables name fixtures that exist."""
    tables = (
        NOT_OPENED,
        STORED_TWICE,
        OTHER_ORDER,
        NAMES_NOT_STORED,
        OWN_CLASSES,
        OPTIMIZERS,
        NO_OPTIMIZER,
        MODEL_NAMES,
    )
    for table in tables:
        assert set(table) <= set(TRUE_FILES)


@pytest.mark.parametrize("name", sorted(NOT_OPENED))
def test_not_opened(name: str) -> None:
    """Files whose weights are pickles alone are refused."""
    with pytest.raises(UnsafeFileError, match="pickled"):
        ckpttool.open(FIXTURES / name)


@for_each(OPENED)
def test_version(name: str) -> None:
    """The version of Keras is the one that wrote the file, or None where the layout has no place for it."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        version = checkpoint.producer.keras_version
        unsaid = checkpoint.kind in _NO_VERSION or (checkpoint.kind == "legacy-weights" and name.startswith("keras1"))
        assert version == (None if unsaid else live(name)["keras_version"])


@for_each(OPENED)
def test_optimizer(name: str) -> None:
    """Class, iteration, learning rate and number of variables are those of the live optimizer."""
    expected = live(name)["optimizer"]
    with ckpttool.open(FIXTURES / name) as checkpoint:
        optimizer = describe(checkpoint).optimizer
    if expected is None or name in NO_OPTIMIZER or name.startswith("keras0"):
        assert optimizer is None
        return
    assert optimizer is not None
    expected = expected | OPTIMIZERS.get(name, ({}, ""))[0]
    assert optimizer.class_name == expected["class"]
    assert optimizer.iteration == expected["iterations"]
    assert optimizer.learning_rate == (expected["learning_rate"] and pytest.approx(expected["learning_rate"], rel=1e-6))
    assert optimizer.weights == expected["variables"]


def shapes(shape: Any) -> list[tuple[int | None, ...]]:
    """The shapes of one input, a list or a dict of them, in no order of their own."""
    if isinstance(shape, dict):
        return [tuple(axes) for axes in shape.values()]
    return [tuple(axes) for axes in shape] if isinstance(shape[0], list) else [tuple(shape)]


@for_each(OPENED)
def test_architecture(name: str) -> None:
    """Model class, name, and the shapes of inputs and outputs are those of the live model, where a config is stored."""
    truth = live(name)
    with ckpttool.open(FIXTURES / name) as checkpoint:
        described = describe(checkpoint)
        if checkpoint.config is None:
            assert (described.model_class, described.inputs, described.outputs) == (None, (), ())
            return
    assert described.model_class == truth["class"]
    assert described.model_name == MODEL_NAMES.get(name, (truth["name"],))[0]
    assert Counter(shape for _, shape in described.inputs) == Counter(shapes(truth["input_shape"]))
    unknown = [None] if name in OWN_CLASSES else shapes(truth["output_shape"])
    assert Counter(shape for _, shape in described.outputs) == Counter(unknown)
