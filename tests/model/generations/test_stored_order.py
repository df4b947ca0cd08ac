"""The weights of a layer in a legacy .h5, against those that genuine Keras 1.2, 2.2 and 2.15 stored."""

from typing import Any

import numpy as np

from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.generations.stored_order import StoredSlot, stored_order
from ckpttool.model.parts import part_of
from ckpttool.model.slots import Part
from tests.loops import for_each
from tests.model.generations.cases import ALL, Case
from tests.model.legacy_order import in_legacy_order


def part_and_entry(case: Case) -> tuple[Part, Any]:
    """The part of a case's normalized entry by the table, and that entry."""
    entry = normalized(case.entry, case.generation)
    args = Args.of(entry)
    return part_of(args.class_name, args, case.inputs), entry


def stored(case: Case) -> list[StoredSlot]:
    """The arrays that a legacy file holds of a case's layer."""
    part, entry = part_and_entry(case)
    return stored_order(part, case.generation, entry)


def of(class_name: str, generation: Generation, inputs: Any = (), **config: Any) -> list[StoredSlot]:
    """The arrays that a legacy file holds of a layer with these arguments."""
    entry = normalized({"class_name": class_name, "config": config}, generation)
    args = Args.of(entry)
    return stored_order(part_of(args.class_name, args, inputs), generation, entry)


def says_whether_frozen(case: Case) -> bool:
    """Whether the config tells that a layer is frozen: a Sequential that is itself frozen writes nothing of it."""
    return case.class_name != "Sequential" or any(trainable for _, _, trainable in case.weights)


def says_its_shapes(case: Case) -> bool:
    """Whether the layer's config tells the whole shapes: `get_config` of 1.2.2 forgets `shared_axes`, and statistics of
    several axes have as many as the input."""
    shared = case.generation is Generation.KERAS_1 and case.classes & {"PReLU", "ParametricSoftplus", "SReLU"}
    several = case.class_name == "BatchNormalization" and len(case.weights[0][1]) > 1
    return not (shared or several)


def test_there_are_cases() -> None:
    """There are many settings of each version."""
    count = {version: sum(case.version == version for case in ALL) for version in ("keras1.2", "keras2.2", "keras2.15")}
    assert count["keras1.2"] >= 60
    assert count["keras2.2"] >= 80
    assert count["keras2.15"] >= 150


@for_each(ALL)
def test_names_and_order(case: Case) -> None:
    """Names, order and trainable flags are those that Keras wrote, and each shape is one that is expected."""
    slots = stored(case)
    assert [slot.name for slot in slots] == [name for name, _, _ in case.weights]
    if says_whether_frozen(case):
        assert [slot.trainable for slot in slots] == [trainable for _, _, trainable in case.weights]
    for slot, (_, shape, _) in zip(slots, case.weights, strict=True):
        assert slot.form_of(shape) is not None


@for_each([case for case in ALL if says_its_shapes(case)])
def test_shapes(case: Case) -> None:
    """Shapes are those that Keras wrote, whatever the data format and the implementation."""
    assert [slot.shape for slot in stored(case)] == [shape for _, shape, _ in case.weights]


@for_each(ALL)
def test_every_slot_is_stored(case: Case) -> None:
    """The stored weights make up all slots of the layer of Keras 3, each gate of each once."""
    part, _ = part_and_entry(case)
    slots = stored(case)
    assert {(stored_slot.chain, stored_slot.slot.name) for stored_slot in slots} == {
        (chain, slot.name) for chain, slot in in_legacy_order(part)
    }
    for slot in slots:
        gates = {other.gate for other in slots if (other.owner, other.slot) == (slot.owner, slot.slot)}
        assert gates == set(range(slot.gates))


@for_each(ALL)
def test_forms_lead_to_the_slot(case: Case) -> None:
    """An array in any of its forms, its axes taken as told, has as many values as its part of the slot, and their
    order of axes where there are as many; but for the bias of the counterpart for cuDNN."""
    for slot in stored(case):
        whole = slot.slot.shape
        for form in slot.forms:
            if whole is None or form.counterpart or form.shape is None or None in (*whole, *form.shape):
                continue
            piece = (*whole[:-1], whole[-1] // slot.gates) if whole else ()
            turned = np.zeros(form.shape).transpose(form.axes or range(len(form.shape)))
            assert tuple(size for size in turned.shape if size != 1) == tuple(size for size in piece if size != 1)


def test_gates_of_keras_1() -> None:
    """Keras 1 keeps the gates of an LSTM apart and in another order: input, candidate, forget, output."""
    slots = of("LSTM", Generation.KERAS_1, ((None, 3, 4),), name="mine", output_dim=5, consume_less="cpu")
    assert [(stored_slot.name, stored_slot.slot.name, stored_slot.gate) for stored_slot in slots[:6]] == [
        ("mine_W_i", "kernel", 0),
        ("mine_U_i", "recurrent_kernel", 0),
        ("mine_b_i", "bias", 0),
        ("mine_W_c", "kernel", 2),
        ("mine_U_c", "recurrent_kernel", 2),
        ("mine_b_c", "bias", 2),
    ]
    assert [slot.gate for slot in slots[6::3]] == [1, 3]
    assert {slot.owner for slot in slots} == {"cell"}


def test_one_array_for_all_gates() -> None:
    """With `consume_less="gpu"` the gates of Keras 1 are in one array each, in the order of today."""
    slots = of("LSTM", Generation.KERAS_1, ((None, 3, 4),), name="mine", output_dim=5, consume_less="gpu")
    assert [(slot.name, slot.shape, slot.gates) for slot in slots] == [
        ("mine_W", (4, 20), 1),
        ("mine_U", (5, 20), 1),
        ("mine_b", (20,), 1),
    ]


def test_channels_first_in_keras_1() -> None:
    """A kernel with `dim_ordering="th"` is (filters, channels, rows, columns), and its axes lead to those of today."""
    sizes = {"nb_filter": 5, "nb_row": 3, "nb_col": 2, "dim_ordering": "th"}
    kernel = of("Convolution2D", Generation.KERAS_1, ((None, 4, 8, 8),), name="c", **sizes)[0]
    (form,) = kernel.forms
    array = np.arange(5 * 4 * 3 * 2).reshape(5, 4, 3, 2)
    assert form.shape == array.shape
    assert np.array_equal(array.transpose(form.axes)[2, 1, 3, 4], array[4, 3, 2, 1])


def test_forms_of_one_dimension() -> None:
    """Convolution1D of Keras 1 has four axes, in 1.2 others than before; Keras 0 names arrays by number only."""
    sizes = {"nb_filter": 5, "filter_length": 3}
    inputs = ((None, 8, 4),)
    kernel = of("Convolution1D", Generation.KERAS_1, inputs, name="c", **sizes)[0]
    assert [form.shape for form in kernel.forms] == [(3, 1, 4, 5), (5, 4, 3, 1)]
    older, newer = np.arange(60).reshape(5, 4, 3, 1), np.arange(60).reshape(3, 1, 4, 5)
    first, second = kernel.form_of(newer.shape), kernel.form_of(older.shape)
    assert first is not None
    assert second is not None
    assert first.axes == ()
    assert older.transpose(second.axes).reshape(3, 4, 5)[2, 3, 4] == older[4, 3, 2, 0]
    oldest = of("Convolution1D", Generation.KERAS_0, inputs, name="c", **sizes)
    assert [(slot.name, slot.shape) for slot in oldest] == [("param_0", (5, 4, 3, 1)), ("param_1", (5,))]


def test_partly_frozen_model() -> None:
    """In a model with a frozen layer the weights of the others come first, whatever the order of the layers."""
    layers = [
        {"class_name": "Dense", "config": {"name": "first", "units": 2, "trainable": False}},
        {"class_name": "Dense", "config": {"name": "second", "units": 3}},
    ]
    slots = of("Sequential", Generation.KERAS_2, ((None, 4),), name="block", layers=layers)
    assert [slot.chain for slot in slots[::2]] == [("block", "second"), ("block", "first")]
    assert [slot.owner for slot in slots[::2]] == ["layers/dense_1", "layers/dense"]


def test_frozen_model() -> None:
    """A model that is itself frozen has nothing to train, but what is inside it keeps its order."""
    layers = [{"class_name": "BatchNormalization", "config": {"name": "n"}}, {"class_name": "PReLU", "config": {}}]
    slots = of("Sequential", Generation.KERAS_2, ((None, 4),), name="block", trainable=False, layers=layers)
    assert [slot.name for slot in slots] == ["gamma", "beta", "alpha", "moving_mean", "moving_variance"]
    assert not any(slot.trainable for slot in slots)


def test_bias_of_places_in_keras_1() -> None:
    """The bias of LocallyConnected2D is (rows, columns, filters), with `dim_ordering="th"` too."""
    sizes = {"nb_filter": 2, "nb_row": 3, "nb_col": 2, "dim_ordering": "th"}
    bias = of("LocallyConnected2D", Generation.KERAS_1, ((None, 4, 8, 6),), name="l", **sizes)[1]
    assert (bias.shape, bias.slot.shape) == ((6, 5, 2), (6, 5, 2))


def test_keras_3() -> None:
    """For Keras 3 the order is that of its own legacy files."""
    entry = {"class_name": "BatchNormalization", "config": {"name": "norm"}}
    part = part_of("BatchNormalization", Args.of(entry), ((None, 4),))
    slots = [(stored_slot.chain, stored_slot.slot) for stored_slot in stored_order(part, Generation.KERAS_3)]
    assert slots == in_legacy_order(part)


def test_without_entry() -> None:
    """Without the entry of a layer channels come last and gates are apart, and no generation fails."""
    for case in ALL:
        part, _ = part_and_entry(case)
        for generation in Generation:
            assert len(stored_order(part, generation)) >= len(in_legacy_order(part))
