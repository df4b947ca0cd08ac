"""The table of optimizers against live ones: the same variables, in the same order, with the same shapes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import Section
from ckpttool.model import read_architecture
from ckpttool.model.optimizers import OPTIMIZERS, OUTER_OPTIMIZERS, Trained, optimizer_state
from ckpttool.model.spec import Spec, spec_of
from ckpttool.verification import Allowed
from tests.live import keras as live_keras
from tests.speeds import one_of_each

keras: Any = live_keras()

pytestmark = pytest.mark.filterwarnings("ignore")

Dense = keras.layers.Dense
Make = Callable[[], Any]


def sequence() -> Any:
    """A model whose trainable weights are not in the order of its file."""
    layers = [keras.Input((3, 4)), keras.layers.Bidirectional(keras.layers.LSTM(2)), keras.layers.BatchNormalization()]
    return keras.Sequential([*layers, Dense(2, name="out")])


def embedding() -> Any:
    """A model with an embedding, and weights of one to four axes."""
    tokens = keras.Input((4,), dtype="int32")
    embedded = keras.layers.Embedding(7, 6, name="tokens")(tokens)
    embedded = keras.layers.Conv2D(2, 2)(keras.layers.Reshape((4, 6, 1))(embedded))
    embedded = keras.layers.MultiHeadAttention(2, 3)(*[keras.layers.Reshape((-1, 2))(embedded)] * 2)
    return keras.Model(tokens, Dense(1, name="head")(keras.layers.Flatten()(embedded)))


def nested() -> Any:
    """A model in a model, partly frozen."""
    inputs = keras.Input((3,))
    frozen, inner = Dense(4, name="frozen", trainable=False), keras.Input((3,))
    encoder = keras.Model(inner, Dense(2, name="code")(frozen(inner)), name="encoder")
    decoder = keras.Sequential([Dense(5, name="wide"), keras.layers.LayerNormalization()], name="decoder")
    return keras.Model(inputs, Dense(2, name="out")(decoder(encoder(inputs))))


def quantized() -> Any:
    """A model trained in float8, whose scales are overwritten by their gradients; made from a config, since a model
    that is quantized when it is built already has its variables in another order."""
    model = keras.Sequential([keras.Input((16,)), Dense(16, name="a"), Dense(3, name="out")])
    model.quantize("float8")
    return keras.models.model_from_json(model.to_json())


def adapted() -> Any:
    """A model with LoRA's factors."""
    model = keras.Sequential([keras.Input((6,)), Dense(5, name="a"), Dense(3, name="out")])
    model.layers[0].enable_lora(2)
    return model


def frozen() -> Any:
    """A model with nothing to train."""
    model = keras.Sequential([keras.Input((6,)), Dense(5)])
    model.trainable = False
    return model


MODELS: list[Make] = [sequence, embedding, nested, quantized, adapted, frozen]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "Adam": [{"amsgrad": True}],
    "Muon": [{"exclude_layers": ["out"]}, {"exclude_layers": ["forward_.*kernel", "nowhere"]}],
    "RMSprop": [{"momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True}],
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
}
COMMON: list[dict[str, Any]] = [{"use_ema": True}, {"gradient_accumulation_steps": 2}, {"weight_decay": 0.1}]
MIXED = {"use_ema": True, "gradient_accumulation_steps": 3}
BY_SHAPE = ("Adafactor", "Adam", "Muon")
"""Optimizers whose state depends on the shapes of weights, and one of those in which it does not."""


def _kinds(case: tuple[Make, str, dict[str, Any]]) -> list[tuple[str, str]]:
    """The kinds of a case: its optimizer, and its model with the way in which the state follows from that."""
    make, name, _ = case
    return [("", name), (make.__name__, name if name in BY_SHAPE else "")]


def _settings(case: tuple[Make, str, dict[str, Any]]) -> list[str]:
    """The kind of a case: what all optimizers take alike."""
    return [repr(case[2])]


SINGLE = [
    *((sequence, name, args) for name in OPTIMIZERS for args in ({}, MIXED, *SETTINGS.get(name, []))),
    *one_of_each(((sequence, name, args) for args in COMMON for name in OPTIMIZERS), _settings),
    *one_of_each(((make, name, MIXED) for make in MODELS[1:] for name in OPTIMIZERS), _kinds),
    (embedding, "Muon", {"exclude_embeddings": False, "exclude_layers": ["head"]}),
    (nested, "Muon", {"exclude_layers": ["wide/kernel", "frozen"]}),
]


def _scaled(name: str, **args: Any) -> Any:
    return keras.optimizers.LossScaleOptimizer(getattr(keras.optimizers, name)(**args), initial_scale=64.0)


def _mapped(default: Any, **optimizers: Any) -> Any:
    mapped = keras.optimizers.OptimizerMap(default)
    for layer, optimizer in optimizers.items():
        mapped[f".*{layer}/.*"] = optimizer
    return keras.optimizers.MultiOptimizer(mapped)


def _adam(**args: Any) -> Any:
    return keras.optimizers.Adam(**args)


HOLDING: dict[str, Make] = {
    "scaled adam": lambda: _scaled("Adam", amsgrad=True),
    "scaled adafactor": lambda: _scaled("Adafactor", use_ema=True),
    "scaled nadam": lambda: _scaled("Nadam", gradient_accumulation_steps=2),
    "one default": lambda: _mapped(_adam()),
    "one of its own": lambda: _mapped(keras.optimizers.SGD(momentum=0.9), out=_adam()),
    "two of a class": lambda: _mapped(_adam(), out=_adam(use_ema=True), a=keras.optimizers.Muon()),
    "nothing for some": lambda: _mapped(keras.optimizers.Nadam(), nowhere=keras.optimizers.Nadam(use_ema=True)),
    "scaled map": lambda: keras.optimizers.LossScaleOptimizer(_mapped(keras.optimizers.Lion(), out=_adam())),
}


def compiled(make: Make, optimizer: Any) -> Any:
    """A model compiled with an optimizer that is built."""
    model = make()
    model.compile(optimizer=optimizer, loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def spec_by_config(model: Any) -> Spec:
    """The spec that follows from the model's config."""
    return spec_of(read_architecture(json.loads(model.to_json())))  # type: ignore[arg-type]


def check(model: Any, path: Path) -> None:
    """The variables that the spec of a compiled model expects are those in its file, and those of the model that its
    config makes."""
    model.save_weights(path)
    spec = spec_by_config(model)
    with ckpttool.open(path) as checkpoint:
        stored = {weight.path: weight.shape for weight in checkpoint.section(Section.OPTIMIZER)}
    assert {slot.path: slot.shape for slot in spec.optimizer} == stored
    own = [slot for slot in spec.optimizer if slot.path.startswith("optimizer/vars/")]
    variables = keras.models.model_from_json(model.to_json()).optimizer.variables
    assert [slot.shape for slot in own] == [tuple(variable.shape) for variable in variables]
    assert [slot.dtype or variable.dtype for slot, variable in zip(own, variables, strict=True)] == [
        v.dtype for v in variables
    ]
    assert [slot.path for slot in own] == [f"optimizer/vars/{at}" for at in range(len(own))]
    assert all(_says(slot.name, variable.name) for slot, variable in zip(own, variables, strict=True))
    assert ckpttool.verify(path, spec, allowed=Allowed(optimizer=True)).findings == ()


def _says(ours: str, theirs: str) -> bool:
    """Whether a name says what Keras's name of a variable does; the factors of Adafactor and the product of Nadam have
    none."""
    *weight, kind = ours.split("/")
    if kind in ("r", "c", "u_product"):
        return True
    weights = weight[1:] if weight[:1] == ["inner_optimizer"] else weight
    weights = weights[2:] if weights[:1] == ["optimizers"] else weights
    return theirs.endswith("_".join((*weights[-1:], kind)))


def _name(value: Any) -> str:
    return value.__name__ if callable(value) else str(value)


@pytest.mark.parametrize(("make", "name", "args"), SINGLE, ids=_name)
def test_variables(make: Make, name: str, args: dict[str, Any], tmp_path: Path) -> None:
    """Every optimizer in many settings, for models of all kinds."""
    check(compiled(make, getattr(keras.optimizers, name)(**args)), tmp_path / "model.weights.h5")


@pytest.mark.parametrize("make", [sequence, quantized, adapted], ids=_name)
@pytest.mark.parametrize("name", HOLDING)
def test_optimizers_that_hold_others(make: Make, name: str, tmp_path: Path) -> None:
    """The variables of optimizers inside others are listed behind their own, and stored a second time."""
    check(compiled(make, HOLDING[name]()), tmp_path / "model.weights.h5")


def test_there_is_a_row_for_each() -> None:
    """Every optimizer that Keras has is in the table, and nothing else."""
    live = {
        name
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    }
    assert live - {"Optimizer"} == {*OPTIMIZERS, *OUTER_OPTIMIZERS}


def test_a_schedule_takes_the_place_of_the_learning_rate() -> None:
    """With a schedule there is no variable for the learning rate."""
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model = compiled(sequence, keras.optimizers.SGD(learning_rate=schedule))
    assert [slot.name for slot in spec_by_config(model).optimizer] == [v.name for v in model.optimizer.variables]


@pytest.mark.parametrize("name", ["adam", "SGD", "rmsprop", "muon", "LION"])
def test_a_name_alone(name: str) -> None:
    """An optimizer given by its name, however it is written, is the one that Keras makes of it."""
    optimizer = keras.optimizers.get(name)
    weights = [keras.Variable([[1.0]], name="kernel"), keras.Variable([1.0], name="bias")]
    optimizer.build(weights)
    state = optimizer_state(name, [Trained(w.path, tuple(w.shape), w.dtype, w.path) for w in weights])
    assert [variable.shape for variable in state[""]] == [tuple(variable.shape) for variable in optimizer.variables]


def test_without_a_name_it_is_that_of_compile(tmp_path: Path) -> None:
    """Saving as .h5 takes the optimizer out of a model's config; Keras then compiles with RMSprop."""
    model = compiled(sequence, keras.optimizers.Adam())
    model.save(tmp_path / "model.h5")
    optimizer = keras.models.model_from_json(model.to_json()).optimizer
    assert type(optimizer).__name__ == "RMSprop"
    assert [slot.shape for slot in spec_by_config(model).optimizer] == [tuple(v.shape) for v in optimizer.variables]


def test_mixed_precision_wraps_the_optimizer(tmp_path: Path) -> None:
    """Under mixed_float16 Keras puts a LossScaleOptimizer around the one of the config, and takes no state of it into
    a model that is made under another policy; that is told."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(sequence, "adam")
        model.save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert type(loaded).__name__ == "Adam"
    result = ckpttool.verify(tmp_path / "model.keras", tmp_path / "model.keras", allowed=Allowed(optimizer=True))
    assert result.keras == "loads wrongly"
    assert any("LossScaleOptimizer" in finding.why for finding in result.findings)
