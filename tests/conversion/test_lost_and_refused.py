"""Refusals and losses of a conversion: each reason is reached by a file or a config that has it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.checkpoint import Section, Weight
from ckpttool.conversion import Options, convert, plan
from ckpttool.conversion.compile import trained_weights
from ckpttool.conversion.compile.optimizer_scalars import product
from ckpttool.conversion.config.changed_semantics import Site, with_old_meaning
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.origin import Origin
from ckpttool.conversion.targets import differs
from ckpttool.conversion.weights.placement import _Columns, changed
from ckpttool.errors import ConversionError, FileAccessError
from ckpttool.formats.hdf5.values import InMemory
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from tests.cli.test_convert import lambda_model
from tests.conversion.test_anchors import dense, legacy, recurrent
from tests.conversion.test_old_layers import check
from tests.live import keras
from tests.samples import FIXTURES

OLD_LAYERS = FIXTURES / "old_layers"
RESUME = FIXTURES / "resume"


def edited(source: Path, target: Path, edit: Callable[[Any], object]) -> Path:
    """A copy of a legacy file in a folder of its writer's, its config changed in place."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config).encode()
    return target


def layer(config: Any, class_name: str) -> dict[str, Any]:
    """The arguments of the first layer of a class."""
    layers = config["config"] if isinstance(config["config"], list) else config["config"]["layers"]
    new_config: dict[str, Any] = next(layer["config"] for layer in layers if layer["class_name"] == class_name)
    return new_config


def reasons(source: Path, target: Path, **options: Any) -> list[str]:
    """The reasons against a conversion."""
    return [remark.what for remark in plan(source, target, options=Options(**options)).refusals]


def test_dropout_of_an_embedding(tmp_path: Path) -> None:
    """Keras 1 dropped whole words in training, and predicted as Keras 3 does."""
    source = OLD_LAYERS / "keras1.2" / "embedding.h5"
    copy = edited(source, tmp_path / "old.h5", lambda config: layer(config, "Embedding").update(dropout=0.3))
    result = convert(copy, tmp_path / "new.keras")
    assert [loss.what for loss in result.losses if "Embedding" in loss.what] == [
        "dropout 0.3 of an Embedding, which has a part in training alone"
    ]
    check(source, tmp_path / "new.keras")
    assert not any("Embedding" in loss.what for loss in convert(source, tmp_path / "plain.keras").losses)


@pytest.mark.parametrize("ordering", ["channels_first", "channels_last"])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 4])
def test_the_output_of_a_deconvolution(window: int, stride: int, padding: str, ordering: str) -> None:
    """Keras 1 was told its size: it is refused where Keras 3 gives another, on either axis."""
    first = ordering == "channels_first"
    config = {
        "name": "layer", "filters": 3, "kernel_size": [window, 1], "strides": [stride, 1], "padding": padding,
        "data_format": ordering,
    }  # fmt: skip
    shape = (None, 2, 5, 4) if first else (None, 5, 4, 2)
    live = keras().layers.Conv2DTranspose(**config).compute_output_shape(shape)
    height, width = live[2:] if first else live[1:3]
    for more, wider in ((0, 0), (1, 0), (-1, 0), (0, 1)):
        sizes = [height + more, width + wider]
        sizes_with_batch = [None, 3, *sizes] if first else [None, *sizes, 3]
        journal, old = Journal(), Args("Deconvolution2D", {"name": "layer", "output_shape": sizes_with_batch})
        with_old_meaning(Args("Conv2DTranspose", config), Site("layer", old, shape, Origin("1.2.2", True)), journal)
        wanted = [] if more == wider == 0 else [f"an output of {height + more if more else width + wider} values"]
        assert [refusal.what.partition(", where that of Keras 3 has")[0] for refusal in journal.refusals] == wanted
    journal, old = Journal(), Args("Deconvolution2D", {"name": "layer", "output_shape": [None, 5, 5, 3]})
    with_old_meaning(Args("Conv2DTranspose", config), Site("layer", old, None, Origin("1.2.2", True)), journal)
    assert all(refusal.what.endswith("has others") for refusal in journal.refusals)
    assert journal.refusals


def test_an_argument_that_keras_3_has_not(tmp_path: Path) -> None:
    """It is named, with its value, of every layer that has one."""
    layers = (dense(2, 3, surprise=1), dense(2, 2, name="l1", other={"a": "b" * 90}))
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3))
    first, second = reasons(source, tmp_path / "new.keras")
    assert first == "Dense of Keras 3 has no argument surprise, which is 1"
    assert second.startswith("Dense of Keras 3 has no argument other, which is {'a': 'bbb")
    assert second.endswith("...")


def test_a_model_of_an_own_class(tmp_path: Path) -> None:
    """One that lists its layers is written as the model that these make, and that its code is lost is said."""
    source = legacy(tmp_path / "old.h5", dense(2, 3), dense(2, 2), shape=(None, 3))
    convert(source, tmp_path / "plain.keras")
    copy = edited(source, tmp_path / "own.h5", lambda config: config.update(class_name="Mine"))
    result = convert(copy, tmp_path / "new.keras")
    assert [loss.what for loss in result.losses] == ["what the class Mine adds to a Sequential model"]
    assert "plain-model" in {applied.edit.name for applied in result.edits}
    outputs = [keras().models.load_model(tmp_path / f"{name}.keras").predict(np.eye(3), verbose=0) for name in
             ("plain", "new")]  # fmt: skip
    np.testing.assert_array_equal(*outputs)


def old_hard_sigmoid(x: Any) -> Any:
    """That of Keras 0 to 2."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(x: Any, kernel: Any, recurrent_kernel: Any, bias: Any, activation: Callable[[Any], Any]) -> Any:
    """The last output of an LSTM, by its definition."""
    state = output = np.zeros((len(x), recurrent_kernel.shape[0]))
    for step in x.transpose(1, 0, 2):
        gates = np.split(step @ kernel + output @ recurrent_kernel + bias, 4, axis=1)
        enter, forget, leave = (1 / (1 + np.exp(-gates[at])) for at in (0, 1, 3))
        state = forget * state + enter * activation(gates[2])
        output = leave * activation(state)
    return output


def test_hard_sigmoid_of_a_state(tmp_path: Path) -> None:
    """An LSTM applies its activation to its state too, where no weight takes the factor: refused but for
    --keep-weights, with which it computes what it did."""
    import ckpttool.old_activations  # noqa: F401  registers it

    source = legacy(tmp_path / "old.h5", recurrent("LSTM", 2, activation="hard_sigmoid"), shape=(None, 5, 2))
    [reason] = reasons(source, tmp_path / "new.keras")
    assert reason.startswith("LSTM with hard_sigmoid as activation, whose slope differs in Keras 3; --keep-weights")
    result = convert(source, tmp_path / "new.keras", options=Options(keep_weights=True))
    assert not any(transform.changes for transform in result.transforms)
    x = np.random.default_rng(1).normal(size=(3, 5, 2)).astype("float32")
    with h5py.File(source) as file:
        arrays = [
            file[f"model_weights/l0/l0/lstm_cell/{name}:0"][()] for name in ("kernel", "recurrent_kernel", "bias")
        ]
    outputs = keras().models.load_model(tmp_path / "new.keras").predict(x, verbose=0)
    np.testing.assert_allclose(outputs, lstm(x, *arrays, old_hard_sigmoid), rtol=1e-5, atol=1e-6)


def test_a_need_of_two_layers_is_listed_once(tmp_path: Path) -> None:
    """One import serves all."""
    layers = [dense(3, 3, activation="hard_sigmoid") for _ in range(2)]
    source = legacy(tmp_path / "old.h5", *layers, shape=(None, 3))
    result = plan(source, tmp_path / "new.keras", options=Options(keep_weights=True))
    assert [need.what for need in result.needs] == ["import ckpttool.old_activations"]


def test_hard_sigmoid_of_a_highway(tmp_path: Path) -> None:
    """Of a layer in whose place others stand it is refused."""
    source = OLD_LAYERS / "keras1.2" / "highway.h5"
    copy = edited(
        source, tmp_path / "old.h5", lambda config: layer(config, "Highway").update(activation="hard_sigmoid")
    )
    assert reasons(copy, tmp_path / "new.keras") == ["Highway with hard_sigmoid, whose slope differs in Keras 3"]


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    """Each is named, and that one of a hard_sigmoid cannot take the factor either."""
    plain = ("Dense", {"units": 2, "activation": "hard_sigmoid"}, {})
    source = legacy(tmp_path / "old.h5", plain, shape=(None, 3))
    assert reasons(source, tmp_path / "new.keras") == [
        "hard_sigmoid, whose slope differs in Keras 3, without weights that could be multiplied",
        "the source has no weight for kernel (3, 2), bias (2,)",
    ]


def optimizer(file: h5py.File) -> tuple[h5py.Group, list[str]]:
    """The group of the optimizer of a legacy file, and the names of its weights."""
    group = file["optimizer_weights"]
    return group, [name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]]


def without(source: Path, target: Path, at: int) -> Path:
    """A copy of a legacy file whose optimizer lacks a weight."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        group, names = optimizer(file)
        group.attrs["weight_names"] = [name.encode() for name in names if name != names[at]]
        del group[names[at]]
    return target


@pytest.mark.parametrize("writer", ["keras1.2", "keras2.2", "keras2.15"])
@pytest.mark.parametrize("name", ["adam", "adadelta", "momentum"])
def test_a_state_that_is_not_whole(name: str, writer: str, tmp_path: Path) -> None:
    """It is lost as a whole, which is said; the model is compiled with an optimizer that has not begun."""
    source = without(RESUME / writer / f"{name}.h5", tmp_path / "old.h5", -1)
    result = convert(source, tmp_path / "new.keras")
    [loss] = result.losses
    assert loss.where == "optimizer"
    assert "arrays for" in loss.what
    model = keras().models.load_model(tmp_path / "new.keras")
    assert model.compiled
    assert not any(np.any(variable) for variable in model.optimizer.variables if variable.ndim)


def test_steps_that_are_not_stored(tmp_path: Path) -> None:
    """Adam's rule asks for them: they begin at 0, which is said; the moments stay."""
    source = without(RESUME / "keras2.2" / "adam.h5", tmp_path / "old.h5", 0)
    result = convert(source, tmp_path / "new.keras")
    assert [loss.what for loss in result.losses] == ["the number of steps is not stored, and is counted from 0"]
    live = keras().models.load_model(tmp_path / "new.keras").optimizer
    whole = convert(RESUME / "keras2.2" / "adam.h5", tmp_path / "whole.keras")
    assert whole.losses == ()
    for variable, wanted in zip(
        live.variables, keras().models.load_model(tmp_path / "whole.keras").optimizer.variables, strict=True
    ):
        assert (int(variable) if variable.path.endswith("iteration") else np.allclose(variable, wanted)) in (0, True)


def test_an_array_that_was_not_stored(tmp_path: Path) -> None:
    """Keras 2 had a number in its place where Adam was not to keep the largest: one that does now has none."""
    shutil.copy(RESUME / "keras2.2" / "adam.h5", tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        settings = json.loads(file.attrs["training_config"])
        settings["optimizer_config"]["config"]["amsgrad"] = True
        file.attrs["training_config"] = json.dumps(settings).encode()
    [loss] = convert(tmp_path / "old.h5", tmp_path / "new.keras").losses
    assert loss.what.startswith("its state: nothing stored is")


@pytest.mark.parametrize("writer", ["keras1.2", "keras2.2", "keras2.15"])
def test_the_product_of_nadam(writer: str, tmp_path: Path) -> None:
    """It is worked out where it is not stored; the learning rate, which may stand in its place, is not it."""
    convert(RESUME / writer / "nadam.h5", tmp_path / "new.keras")
    live = keras().models.load_model(tmp_path / "new.keras").optimizer
    decay = 1.0 if writer == "keras2.15" else 0.004
    wanted = product(int(live.iterations), live.beta_1, decay)
    assert int(live.iterations) > 0
    assert float(live._u_product) == pytest.approx(wanted, rel=1e-5)


def test_a_learning_rate_is_no_product_of_nadam(tmp_path: Path) -> None:
    """Some versions of Keras 2 stored it behind the iteration."""
    shutil.copy(RESUME / "keras2.15" / "nadam.h5", tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        group, names = optimizer(file)
        group["learning_rate:0"] = np.float32(0.25)
        group.attrs["weight_names"] = [name.encode() for name in [names[0], "learning_rate:0", *names[1:]]]
    convert(tmp_path / "old.h5", tmp_path / "new.keras")
    live = keras().models.load_model(tmp_path / "new.keras").optimizer
    assert float(live._u_product) == pytest.approx(product(int(live.iterations), live.beta_1, 1.0), rel=1e-5)


@pytest.mark.parametrize("limit", [4, 20, 44, 1000])
@pytest.mark.parametrize("factors", [(1.2,), (1.2, 1.0), (1.2, 1.0, 1.2)])
def test_gates_are_multiplied_block_by_block(factors: tuple[float, ...], limit: int) -> None:
    """Wherever in a row a block begins."""
    value = np.random.default_rng(0).normal(size=(7, 6)).astype("<f4")
    weight = Weight("w", value.shape, "float32", value.nbytes, Section.MODEL, values=InMemory(value.tobytes()))
    row = np.repeat(np.asarray(factors, "<f4"), 6 // len(factors))
    raw = b"".join(bytes(block) for block in changed(weight, _Columns(factors)).stored_blocks(limit))
    assert raw == (value * row).tobytes()


@pytest.mark.parametrize(("version", "left"), [("2.2.4-tf", 2), ("2.2.2", 1), ("2.1.6-tf", 2), (None, 2)])
def test_the_dilation_of_tf_keras(version: str | None, left: int) -> None:
    """It looked at it from the start, unlike Keras of many backends."""
    args = Args("Conv2DTranspose", {"name": "layer", "dilation_rate": 2, "kernel_size": 3, "strides": 1})
    config = with_old_meaning(args, Site("layer", args, None, Origin(version, False)), Journal())
    assert config["dilation_rate"] == left


def test_numbers_that_no_optimizer_has(tmp_path: Path) -> None:
    """In front of its arrays stand two at most."""
    shutil.copy(RESUME / "keras2.2" / "sgd.h5", tmp_path / "old.h5")
    lost = list[bool]()
    for more in range(3):
        with h5py.File(tmp_path / "old.h5", "r+") as file:
            group, names = optimizer(file)
            if more:
                group[f"more_{more}"] = np.float32(more)
                names.insert(1, f"more_{more}")
            group.attrs["weight_names"] = [name.encode() for name in names]
        lost.append(bool(plan(tmp_path / "old.h5", tmp_path / "new.keras").losses))
    assert lost == [False, False, True]


@pytest.mark.parametrize(
    ("version", "generation", "sorts"),
    [
        ("1.2.2", Generation.KERAS_1, True),
        (None, Generation.KERAS_1, True),
        ("1.0.0", Generation.KERAS_0, False),
        (None, Generation.KERAS_2, False),
        ("2.0.0", Generation.KERAS_2, True),
        ("2.0.5", Generation.KERAS_2, True),
        ("2.0.6", Generation.KERAS_2, False),
        ("2.10.0", Generation.KERAS_2, False),
        ("2.2.4", Generation.KERAS_2, False),
    ],
)
def test_who_sorted_trained_weights(version: str | None, generation: Generation, sorts: bool) -> None:
    """Keras had them in the order of their names from 1.1 to 2.0.5."""
    checkpoint: Any = SimpleNamespace(producer=SimpleNamespace(keras_version=version))
    alignment: Any = SimpleNamespace(generation=generation)
    assert trained_weights._sorts(checkpoint, alignment) == sorts


def test_a_function_of_a_lambda(tmp_path: Path) -> None:
    """A Lambda of Keras 3 without code in the file, but with the name of a function, is refused as well."""
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    source = lambda_model(tmp_path / "old.keras", function)
    [reason] = reasons(source, tmp_path / "new.keras")
    assert "a Lambda layer, which holds code" in reason


def test_a_state_of_weights_that_change(tmp_path: Path) -> None:
    """The state for a weight that is multiplied is lost, as it would not give the old step."""
    settings = {"loss": "mse", "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5, "momentum": 0.9}}}
    source = legacy(
        tmp_path / "old.h5",
        dense(2, 3, activation="hard_sigmoid"),
        shape=(None, 3),
        training_config=json.dumps(settings),
    )
    with h5py.File(source, "r+") as file:
        group = file.create_group("optimizer_weights")
        arrays = {"SGD/iter:0": np.int64(3), "SGD/k/momentum:0": np.ones((3, 2), "float32")}
        arrays |= {"SGD/b/momentum:0": np.ones(2, "float32")}
        for name, value in arrays.items():
            group[name] = value
        group.attrs["weight_names"] = [name.encode() for name in arrays]
    messages = [loss.what for loss in convert(source, tmp_path / "new.keras").losses]
    assert messages[0] == "its state: weights that it belongs to are multiplied"
    assert [message.partition(":")[0] for message in messages[1:]] == ["further training of l0 is not the same"]
    result = convert(source, tmp_path / "kept.keras", options=Options(keep_weights=True))
    assert result.losses == ()
    with h5py.File(source, "r+") as file:
        del file["optimizer_weights"]
    without_state = convert(source, tmp_path / "none.keras").losses  # nothing is stored that could be lost
    assert [loss.what for loss in without_state] == messages[1:]


def test_a_state_of_keras_3_that_is_not_whole(tmp_path: Path) -> None:
    """A legacy file of Keras 3 has its variables in the order of today, or they are lost."""
    from ckpttool import open as open_checkpoint

    with open_checkpoint(FIXTURES / "keras3" / "mlp.h5") as whole:
        assert whole.section(Section.OPTIMIZER)
    assert convert(FIXTURES / "keras3" / "mlp.h5", tmp_path / "whole.keras").losses == ()
    source = without(FIXTURES / "keras3" / "mlp.h5", tmp_path / "old.h5", -1)
    [loss] = convert(source, tmp_path / "new.keras").losses
    assert "variables are stored, the optimizer has" in loss.what
    shutil.copy(FIXTURES / "keras3" / "mlp.h5", tmp_path / "other.h5")
    with h5py.File(tmp_path / "other.h5", "r+") as file:
        group, names = optimizer(file)
        group.attrs["weight_names"] = [name.encode() for name in [*names[:2], *reversed(names[2:])]]
    [loss] = convert(tmp_path / "other.h5", tmp_path / "other.keras").losses
    assert "a stored variable is not" in loss.what


@pytest.mark.parametrize(
    ("shape", "dtype", "value", "difference"),
    [
        ((2,), "float32", [1.0, 2.0], ""),
        ((2,), "float32", [1.0, 3.0], "other values"),
        ((1, 2), "float32", [1.0, 2.0], "(1, 2) float32 where (2,) float32 was written"),
        ((2,), "int32", [1.0, 2.0], "(2,) int32 where (2,) float32 was written"),
    ],
)
def test_a_weight_read_back(shape: tuple[int, ...], dtype: str, value: list[float], difference: str) -> None:
    """Is the same in shape, dtype and every byte; progress is told of each of these."""
    done = list[int]()

    def weight(shape: tuple[int, ...], dtype: str, value: list[float]) -> Weight:
        raw = np.asarray(value, "<f4").tobytes()
        return Weight("w", shape, dtype, len(raw), Section.MODEL, values=InMemory(raw))

    answer = differs(weight(shape, dtype, value), weight((2,), "float32", [1.0, 2.0]), done.append)
    assert (difference in answer, bool(answer)) == (True, bool(difference))
    assert sum(done) == (0 if difference else 8)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """Is told before anything is read."""
    with pytest.raises(FileAccessError, match="is in a directory that does not exist"):
        convert(tmp_path / "nothing.h5", tmp_path / "nowhere" / "new.keras")


def test_all_at_once(tmp_path: Path) -> None:
    """One error tells of every layer, in the order of the model."""
    layers = (dense(2, 3, surprise=1), dense(2, 2, surprise=2), dense(2, 2, surprise=3))
    with pytest.raises(ConversionError) as caught:
        convert(legacy(tmp_path / "old.h5", *layers, shape=(None, 3)), tmp_path / "new.keras")
    assert [remark.where for remark in caught.value.refusals] == ["l0", "l1", "l2"]
    lines = str(caught.value).splitlines()[-3:]
    assert lines == [f"  l{at}: Dense of Keras 3 has no argument surprise, which is {at + 1}" for at in range(3)]


def test_the_factor_of_losses_is_not_in_a_legacy_file(tmp_path: Path) -> None:
    """A `.h5` of TensorFlow has the state of the optimizer inside one that scales losses, and not the scale."""
    source = tmp_path / "scaled.h5"
    shutil.copy(FIXTURES / "keras2.15/mlp.h5", source)
    with h5py.File(source, "r+") as file:
        settings = json.loads(file.attrs["training_config"])
        config = {"inner_optimizer": settings["optimizer_config"], "dynamic": True, "initial_scale": 8.0}
        settings["optimizer_config"] = {"class_name": "LossScaleOptimizerV3", "config": config}
        file.attrs["training_config"] = json.dumps(settings)
    result = convert(source, tmp_path / "new.keras")
    assert [loss.what for loss in result.losses] == ["the factor of losses is not stored, and begins with 8"]
