"""Slots by the object graph of a TensorFlow checkpoint. The names that variables have themselves, which the walk does
not ask, say whether it came to the right ones."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckpttool
from ckpttool.alignment.alignment import Alignment, Evidence, align
from ckpttool.alignment.object_graphs import in_object_graph
from ckpttool.alignment.object_parts import checkpoint_of, part_names
from ckpttool.checkpoint import Section
from ckpttool.conversion import convert
from ckpttool.model import read_architecture
from ckpttool.model.config import with_part
from ckpttool.model.slots import Part, Slot
from tests import live
from tests.corpus import CORPUS, SHARED
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.test_checkpoint import TENSORFLOW


def aligned(path: Path, config: Any = None) -> Alignment:
    """The alignment of a checkpoint with an architecture, its own where none is given."""
    with ckpttool.open(path) as checkpoint:
        architecture = read_architecture(config or checkpoint.config, checkpoint.producer.keras_version)
        assert architecture is not None
        return align(checkpoint, architecture)


def whole(alignment: Alignment) -> bool:
    """Whether every slot has one weight, and every weight its slot."""
    return (
        not alignment.missing and not alignment.left and all(len(aligned.stored) == 1 for aligned in alignment.aligned)
    )


def names(alignment: Alignment) -> dict[str, str]:
    """The variables' own names by the labels of the slots."""
    return {aligned.place.label: aligned.stored[0].weight.name or "" for aligned in alignment.aligned}


_WHOLE = {
    "a SavedModel": (TENSORFLOW / "2.15/sequential", None, ""),
    "Keras 3": (TENSORFLOW / "2.21/keras3", TENSORFLOW / "2.21/keras3.json", "mlp/"),
    "a functional model": (TENSORFLOW / "2.15/slots", TENSORFLOW / "2.15/slots.json", ""),
}


@pytest.mark.parametrize("case", _WHOLE)
def test_every_slot_has_its_weight(case: str) -> None:
    """Every slot is filled by the graph alone, with the variable of its own name; of a nested model by that of its
    layer.
    """
    path, config, model = _WHOLE[case]
    alignment = aligned(path, json.loads(config.read_text()) if config else None)
    assert whole(alignment)
    assert {aligned.evidence for aligned in alignment.aligned} == {Evidence.PATH}
    assert all(name == model + label.removeprefix("inner/") for label, name in names(alignment).items())
    assert len(alignment.aligned) == (18 if "functional" in case else 8)


def test_names_where_there_is_no_graph_of_layers() -> None:
    """An export by Keras 3 holds no layers; its variables' names tell the slots, and each is taken once."""
    alignment = aligned(TENSORFLOW / "2.21/export", json.loads((TENSORFLOW / "2.21/keras3.json").read_text()))
    assert whole(alignment)
    assert {aligned.evidence for aligned in alignment.aligned} == {Evidence.NAME}


def _dense(name: str) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": 1, "use_bias": False}}


def _input() -> dict[str, Any]:
    return {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 1], "dtype": "float32"}}


def test_names_of_a_model_in_the_model(tmp_path: Path) -> None:
    """Layers of a Functional model in the model were named before it: without its name they are found, unless two
    layers have the same."""
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [_dense("only"), _dense("last")]}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [_input(), inner, _dense("last")]}}
    value = struct.pack("<f", 1)
    keys = ["last/kernel", "only/kernel"]
    stored = [(key.encode(), writer.entry(1, [1, 1], 4 * n, 4, writer.masked(value))) for n, key in enumerate(keys)]
    alignment = aligned(writer.write(tmp_path, stored, value * 2), {**config, "keras_version": "2.10.0"})
    assert names(alignment) == {"inner/only/kernel": "only/kernel", "last/kernel": "last/kernel"}
    assert [place.label for place in alignment.missing] == ["inner/last/kernel"]


def _checkpoint(folder: Path, *models: str, with_input: bool = False) -> Path:
    """A checkpoint of models of one Dense each, under these names, or of one that is the root."""
    objects: list[writer.Object] = [([], [], [])]
    keys = []
    for model in models:
        key = f"{model}/k"
        keys.append(key)
        base = len(objects)
        first = [("layer-0", base + 3), ("layer-1", base + 1)] if with_input else [("layer-0", base + 1)]
        kernel = [("VARIABLE_VALUE", key, key)]
        objects += [(first, [], []), ([("kernel", base + 2)], [], []), ([], kernel, []), ([], [], [])]
        objects[0] = ([*objects[0][0], (model, base)], [], [])
    data, pairs = b"", []
    for number, key in enumerate(sorted(keys)):
        value = struct.pack("<f", number)
        pairs.append((key.encode(), writer.entry(1, [1, 1], len(data), 4, writer.masked(value))))
        data += value
    stored, crc = writer.texts([writer.graph(objects)])
    pairs.append((writer.OBJECT_GRAPH.encode(), writer.entry(7, [], len(data), len(stored), crc)))
    return writer.write(folder, sorted(pairs), data + stored)


_CONFIG = {
    "class_name": "Sequential",
    "config": {"name": "s", "layers": [_input(), _dense("only")]},
    "keras_version": "2.1.0",
}


@pytest.mark.parametrize("with_input", [False, True])
def test_an_input_layer_may_be_counted(with_input: bool, tmp_path: Path) -> None:
    """TensorFlow up to 2.1 numbered the InputLayer of a Sequential, later ones do not."""
    alignment = aligned(_checkpoint(tmp_path, "net", with_input=with_input), _CONFIG)
    assert whole(alignment)
    assert len(alignment.aligned) == 1


@pytest.mark.parametrize(("code", "beside"), [(9, True), (1, False)])
def test_the_counter_of_a_loop_is_no_weight(code: int, beside: bool, tmp_path: Path) -> None:
    """A whole number at the root, as in `tf.train.Checkpoint(step=tf.Variable(1), net=net)`, is none of the model's;
    any other variable there may be."""
    value = struct.pack("<f", 1) + struct.pack("<q", 3)
    objects: list[writer.Object] = [
        ([("net", 1), ("step", 4)], [], []),
        ([("layer-0", 2)], [], []),
        ([("kernel", 3)], [], []),
        ([], [("VARIABLE_VALUE", "only/kernel", "k")], []),
        ([], [("VARIABLE_VALUE", "Variable", "step")], []),
    ]
    stored, crc = writer.texts([writer.graph(objects)])
    size = {9: 8, 1: 4}[code]
    pairs = [
        (writer.OBJECT_GRAPH.encode(), writer.entry(7, [], 12, len(stored), crc)),
        (b"k", writer.entry(1, [1, 1], 0, 4, writer.masked(value[:4]))),
        (b"step", writer.entry(code, [], 4, size, writer.masked(value[4 : 4 + size]))),
    ]
    path = writer.write(tmp_path, pairs, value + stored)
    alignment = aligned(path, _CONFIG)
    assert [weight.path for weight in alignment.left] == ([] if beside else ["step"])
    architecture = tmp_path / "arch.json"
    architecture.write_text(json.dumps(_CONFIG))
    assert ckpttool.verify(path, architecture).ok == beside


def test_attributes_of_a_model_of_an_own_class(tmp_path: Path) -> None:
    """Layers in a dict, in a list and alone are found as attributes, whatever names their variables have."""

    def layer(name: str) -> Part:
        return Part("Dense", name, (Slot("kernel", ()),))

    places = {"by/dense": "d", "by/dense_1": "d_1", "blocks/dense": "d_2", "head": "d_3"}
    model = Part("Net", "net", children=tuple((at, layer(name)) for at, name in places.items()), is_model=True)
    objects: list[writer.Object] = [
        ([("by", 1), ("blocks", 2), ("head", 6)], [], []),
        ([("a", 3), ("b", 4)], [], []),
        ([("0", 5)], [], []),
        *(([("kernel", number + 4)], [], []) for number in (3, 4, 5, 6)),
        *(
            ([], [("VARIABLE_VALUE", f"d_{number}/kernel", key)], [])
            for number, key in zip((3, 2, 1, 9), "abch", strict=True)
        ),
    ]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(objects), list("abch"))) as checkpoint:
        pairs = {key[0]: weight.path for key, weight in in_object_graph(model, checkpoint)}
    assert pairs == {"d": "a", "d_1": "b", "d_2": "c", "d_3": "h"}


def own_model(**attributes: str) -> Part:
    """A model of a user's own class, whose layers Keras 3 lists, and finds under the names of attributes, too."""
    layers = [
        (f"layers/{name}", Part("Dense", name, (Slot("kernel", ()),), aliases=(attribute,)))
        for attribute, name in attributes.items()
    ]
    return Part("Net", "net", children=tuple(layers), is_model=True)


CROSSED: list[writer.Object] = [
    ([("y", 1), ("z", 2), ("layers", 5)], [], []),
    ([("kernel", 3)], [], []),
    ([("kernel", 4)], [], []),
    ([], [("VARIABLE_VALUE", "net/dense/kernel", "a")], []),
    ([], [("VARIABLE_VALUE", "net/dense_1/kernel", "b")], []),
    ([("0", 2), ("1", 1)], [], []),
]
"""A model whose attribute `y` was made first, and whose list of layers has another order."""


def test_attributes_that_keras_3_finds_in_its_list(tmp_path: Path) -> None:
    """Layers go by the attribute, not by the place in a list, nor by names, which Keras numbered in another order."""
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(CROSSED), list("ab"))) as checkpoint:
        pairs = {key[0]: weight.path for key, weight in in_object_graph(own_model(z="dense", y="dense_1"), checkpoint)}
        assert pairs == {"dense": "b", "dense_1": "a"}


def _with_ways(*ways: tuple[tuple[str, ...], ...]) -> Part:
    """A model of a user's own class with a layer for each of these ways, all of which Keras 3 finds in its list."""
    layers = [
        (f"layers/dense_{number}", Part("Dense", f"d{number}", (Slot("kernel", ()),), attributes=layer))
        for number, layer in enumerate(ways)
    ]
    return Part("Net", "net", children=tuple(layers), is_model=True)


_CONTAINERS: list[writer.Object] = [
    ([("net", 1), ("odd", 2), ("zz", 5)], [], []),
    ([("0", 3), ("1", 4)], [], []),
    ([("b", 4), ("key one", 3)], [], []),
    ([("kernel", 7)], [], []),
    ([("kernel", 8)], [], []),
    ([("0", 6)], [], []),
    ([("1", 4), ("0", 9)], [], []),
    ([], [("VARIABLE_VALUE", "dense_9/kernel", "a")], []),
    ([], [("VARIABLE_VALUE", "dense_1/kernel", "b")], []),
    ([("kernel", 10)], [], []),
    ([], [("VARIABLE_VALUE", "dense/kernel", "c")], []),
]
"""A list, a dict, and a list in a list, with names behind that of the list in which Keras 3 finds layers first."""

_WAYS: dict[str, tuple[tuple[tuple[tuple[str, ...], ...], ...], dict[str, str]]] = {
    "a list": (((("net", "1"),), (("net", "0"),)), {"d0": "b", "d1": "a"}),
    "a dict": (((("odd", "key one"),), (("odd", "b"),)), {"d0": "a", "d1": "b"}),
    "a list in a list": (((("zz", "0", "0"),),), {"d0": "c"}),
    "two ways to one layer": (((("net", "0"), ("odd", "key one")),), {"d0": "a"}),
    "ways to two layers": (((("net", "0"), ("odd", "b")), (("zz", "0", "0"),)), {"d1": "c"}),
    "a way that the file lacks": (((("net", "2"), ("net", "1")), (("gone",),)), {"d0": "b"}),
}


@pytest.mark.parametrize("case", _WAYS)
def test_members_of_lists_and_dicts(case: str, tmp_path: Path) -> None:
    """Layers go by their numbers and keys in lists and dicts, never by names; where two may be meant there is none."""
    ways, expected = _WAYS[case]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(_CONTAINERS), list("abc"))) as checkpoint:
        model = _with_ways(*ways)
        assert {key[0]: weight.path for key, weight in in_object_graph(model, checkpoint)} == expected
        assert {entry.place.group for entry in align(checkpoint, with_part({}, model)).aligned} == set(expected)


def test_attributes_of_other_names(tmp_path: Path) -> None:
    """Variables are not taken by their names where no attribute of a model is in the file."""
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(CROSSED), list("ab"))) as checkpoint:
        model = with_part({}, own_model(first="dense", second="dense_1"))
        assert align(checkpoint, model).aligned == ()


@pytest.mark.parametrize(("root", "parts"), [([], ["y", "z", "layers"]), ([("root", 0)], [])])
def test_parts_of_saved_weights(root: list[tuple[str, int]], parts: list[str], tmp_path: Path) -> None:
    """The layers of a model that `save_weights` saved, which calls the model its root, are no models to choose from."""
    children, *rest = CROSSED[0]
    objects = [([*children, *root], *rest), *CROSSED[1:]]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(objects), list("ab"))) as checkpoint:
        assert part_names(checkpoint) == parts


_NESTED: list[writer.Object] = [
    ([("train", 1), ("x", 2), ("save_counter", 9)], [], []),
    ([("a", 2), ("inner", 3), ("bare", 8)], [], []),
    ([("layer-0", 4)], [], []),
    ([("b", 5), ("up", 1)], [], []),
    ([("kernel", 6)], [], []),
    ([("layer-0", 7)], [], []),
    ([], [("VARIABLE_VALUE", "dense/kernel", "a")], []),
    ([("kernel", 10)], [], []),
    ([], [], []),
    ([], [("VARIABLE_VALUE", "save_counter", "save_counter")], []),
    ([], [("VARIABLE_VALUE", "dense_1/kernel", "b")], []),
]
"""Models in objects of a checkpoint that hold one another, one of them under two names."""


def test_models_inside_a_part_are_parts(tmp_path: Path) -> None:
    """An object that has models is named together with them, so that one of the names is that of a model."""
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(_NESTED), ["a", "b", "save_counter"])) as checkpoint:
        assert part_names(checkpoint) == ["train", "train/a", "train/inner/b", "x"]
        part = checkpoint_of(checkpoint, "train/inner/b")
        assert [weight.path for weight in part.section(Section.MODEL)] == ["b"]


def test_models_of_a_checkpoint_that_is_called_root(tmp_path: Path) -> None:
    """`tf.train.Checkpoint(root=tf.train.Checkpoint(...))` holds models, which a model of Keras never does alone."""
    objects: list[writer.Object] = [([("root", 0), ("x", 2), ("y", 5)], [], []), *_NESTED[1:]]
    with ckpttool.open(writer.with_graph(tmp_path, writer.graph(objects), ["a", "b"])) as checkpoint:
        assert part_names(checkpoint) == ["x", "y"]


def _counted(folder: Path, *more: tuple[str, int], code: int = 9, sizes: tuple[int, ...] = ()) -> dict[str, Section]:
    """The sections of the weights where `tf.train.Checkpoint(step=..., net=...)` saved a whole number."""
    objects: list[writer.Object] = [
        ([("net", 1), ("step", 4), ("save_counter", 5), *more], [], []),
        ([("layer-0", 2)], [], []),
        ([("kernel", 3)], [], []),
        ([], [("VARIABLE_VALUE", "only/kernel", "k")], []),
        ([], [("VARIABLE_VALUE", "Variable", "step")], []),
        ([], [("VARIABLE_VALUE", "save_counter", "count")], []),
    ]
    value = struct.pack("<f", 1) + struct.pack("<q", 3) + struct.pack("<q", 1)
    stored, crc = writer.texts([writer.graph(objects)])
    size = {9: 8, 1: 4}[code]
    pairs = [
        (writer.OBJECT_GRAPH.encode(), writer.entry(7, [], 20, len(stored), crc)),
        (b"count", writer.entry(9, [], 12, 8, writer.masked(value[12:]))),
        (b"k", writer.entry(1, [1, 1], 0, 4, writer.masked(value[:4]))),
        (b"step", writer.entry(code, sizes, 4, size, writer.masked(value[4 : 4 + size]))),
    ]
    with ckpttool.open(writer.write(folder, pairs, value + stored)) as checkpoint:
        return {weight.path: weight.section for weight in checkpoint.values()}


def test_the_counter_of_a_loop_is_in_the_section_of_others(tmp_path: Path) -> None:
    """The step of `tf.train.Checkpoint(step=tf.Variable(1), net=net)` stands beside the model, as its save counter."""
    sections = _counted(tmp_path)
    assert (sections["k"], sections["step"], sections["count"]) == (Section.MODEL, Section.OTHER, Section.OTHER)


_NO_COUNTERS: dict[str, tuple[tuple[tuple[str, int], ...], int, tuple[int, ...]]] = {
    "of a model that is the root": ((("root", 0),), 9, ()),
    "of a root that is a model": ((("layer-0", 2),), 9, ()),
    "of floating point": ((), 1, ()),
    "of one axis": ((), 9, (1,)),
}


@pytest.mark.parametrize("case", _NO_COUNTERS)
def test_what_may_be_a_weight_is_no_counter(case: str, tmp_path: Path) -> None:
    """A number that the model itself may have is a weight of the model."""
    more, code, sizes = _NO_COUNTERS[case]
    assert _counted(tmp_path, *more, code=code, sizes=sizes)["step"] == Section.MODEL


def test_one_of_several_models_is_not_guessed(tmp_path: Path) -> None:
    """No model of a checkpoint is taken where two fit equally well."""
    alignment = aligned(_checkpoint(tmp_path, "generator", "discriminator"), _CONFIG)
    assert alignment.aligned == ()
    assert len(alignment.left) == 2


TF = SHARED / "corpus_tensorflow/files"
_REAL = ("annchurn__dense_k215.savedmodel", "heartcare__dense_k28.savedmodel", "tfkeras__lso_k23.savedmodel")
_REAL += ("lstmmd__object_config.ckpt", "tftut__cp0000_object_config.ckpt")
_OTHERS = ("coffee__saved_model.savedmodel", "mltiny__kws_ref_model.savedmodel", "tfx__keras_serving.savedmodel")


@pytest.mark.skipif(not TF.is_dir(), reason="the corpus of TensorFlow's artefacts is not beside this checkout")
@pytest.mark.parametrize("name", [*_REAL, *_OTHERS])
def test_real_ones(name: str) -> None:
    """Real SavedModels and checkpoints with the config in them align whole, each slot with the variable of its name."""
    path = (CORPUS / "files" if name in _OTHERS else TF) / name
    alignment = aligned(path)
    assert not alignment.missing
    assert not alignment.left
    for slot_weight in alignment.aligned:
        variable, slot = slot_weight.stored[0].weight.name, slot_weight.place.slot
        if variable is not None:  # of which old files have none
            assert variable.rpartition("/")[2] in (slot.name, slot.tracked)
            assert "/" not in variable or slot_weight.place.layer.rpartition("/")[2] in variable
    with ckpttool.open(path) as checkpoint:
        assert len(alignment.aligned) == len(checkpoint.section(Section.MODEL)) > 0


def test_weights_that_the_optimizer_alone_lists(tmp_path: Path) -> None:
    """Keras 3 tracks no cells in a list: their weights are below the optimizer that trains them, under their names."""
    objects: list[writer.Object] = [
        ([("_operations", 1), ("optimizer", 2)], [], []),
        ([("0", 3), ("1", 4)], [], []),
        ([("_iterations", 5), ("_trainable_variables", 6)], [], []),
        ([], [], []),
        ([("kernel", 7)], [], []),
        ([], [("VARIABLE_VALUE", "iteration", "i")], []),
        ([("0", 7), ("1", 8)], [], []),
        ([], [("VARIABLE_VALUE", "other/kernel", "a/kernel")], []),
        ([], [("VARIABLE_VALUE", "rnn/cells/kernel", "optimizer/_trainable_variables/1")], []),
    ]
    path = writer.with_graph(tmp_path, writer.graph(objects), ["i", "a/kernel", "optimizer/_trainable_variables/1"])
    with ckpttool.open(path) as checkpoint:
        weights = {weight.path: (weight.section.value, weight.layer, weight.name) for weight in checkpoint.values()}
    assert weights["optimizer/_trainable_variables/1"] == ("model", "rnn/cells", "rnn/cells/kernel")
    assert weights["i"][0] == "optimizer"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("root", [False, True])
def test_cells_of_keras_3(root: bool, tmp_path: Path) -> None:
    """The weights of StackedRNNCells in a checkpoint of Keras 3 fill the slots of their cells."""
    keras = live.keras()
    tensorflow = pytest.importorskip("tensorflow")
    inputs = keras.Input((5, 4))
    cells = keras.layers.StackedRNNCells([keras.layers.LSTMCell(3), keras.layers.GRUCell(2)])
    model = keras.Model(inputs, keras.layers.RNN(cells)(inputs))
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 5, 4)), np.ones((2, 2)))
    model.save(tmp_path / "model.keras")
    saved = tensorflow.train.Checkpoint(model) if root else tensorflow.train.Checkpoint(model=model)
    saved.write(str(tmp_path / "ckpt"))
    convert(tmp_path / "ckpt", tmp_path / "new.keras", arch=tmp_path / "model.keras", prove=False)
    loaded = keras.models.load_model(tmp_path / "new.keras")
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
