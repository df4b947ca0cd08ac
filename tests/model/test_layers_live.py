"""The table of layers against live layers of Keras: the same weights, under the same names, in the same places.

Everything is asked of Keras itself: `layer.weights`, a saved `.weights.h5`, the weights of a saved legacy `.h5`.
"""

import inspect
import json
import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ckpttool.model.arguments import Args
from ckpttool.model.layers.table import ALIASES, LAYERS, WEIGHTLESS
from ckpttool.model.parts import part_of
from ckpttool.model.sizes import Shape
from ckpttool.model.slots import Part, Slot, in_legacy_order, in_path_layout, in_weights_order
from tests.model.layer_cases import Case, Spec, all_cases

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras: Any = pytest.importorskip("keras", minversion="3.15", reason="the oracle of the table is Keras 3.15 itself")
h5py: Any = pytest.importorskip("h5py")

CASES = all_cases(tuple(sorted(WEIGHTLESS)))

# Public names of keras.layers that have no row, with the reason.
WITHOUT_ROW = {
    "FlaxLayer": "its weights are those of a Flax module, which no config describes",
    "InputSpec": "no layer",
    "JaxLayer": "its weights are those of a JAX function, which no config describes",
    "TFSMLayer": "its weights are in a SavedModel beside it",
    "TorchModuleWrapper": "its weights are those of a PyTorch module, which its config holds pickled",
}

# Names in the table that keras.layers does not have: classes of models, and one class known by another public name.
NOT_IN_LAYERS = {"Functional", "GroupedQueryAttention", "Model", "Sequential"}

# Unquantized dtypes that h5py cannot write into a legacy file.
NOT_IN_LEGACY = "bfloat16"


@dataclass
class Seen:
    """What Keras said of one layer."""

    entry: dict[str, Any]
    weights: list[tuple[str, Shape, str, bool]]
    paths: dict[str, tuple[Shape, str]] = field(default_factory=dict)
    legacy: list[tuple[str, Shape]] | None = None


class Own(keras.layers.Layer):
    """A layer that the table does not know."""

    def build(self, input_shape: Any) -> None:
        """Makes one weight."""
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 2))


class OwnCell(keras.layers.Layer):
    """A recurrent cell that the table does not know."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape: Any) -> None:
        """Makes one weight."""
        self.mix = self.add_weight(name="mix", shape=(input_shape[-1], self.units))

    def call(self, inputs: Any, states: Any) -> Any:
        """Mixes the input into the state."""
        return states[0], states

    def get_config(self) -> dict[str, Any]:
        """The units and the rest."""
        return {**super().get_config(), "units": self.units}


OWN_CLASSES = {"Own": Own, "OwnCell": OwnCell}


def made(value: Any, **more: Any) -> Any:
    """The live layer of a spec; lists and other values alike."""
    if isinstance(value, list):
        return [made(entry) for entry in value]
    if not isinstance(value, Spec):
        return value
    kwargs = {key: made(argument) for key, argument in value.kwargs.items()} | more
    if value.class_name == "Sequential":
        return keras.Sequential(**kwargs)
    return (OWN_CLASSES.get(value.class_name) or getattr(keras.layers, value.class_name))(**kwargs)


def built(case: Case, index: int) -> Any:
    """The live layer of a case, built for its shapes."""
    layer = made(case.spec, name=f"case_{index}")
    if not layer.built:
        layer.build(list(case.shapes)) if case.listed else layer.build(*case.shapes)
    return layer


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What Keras says of all cases: each layer is built once, and all are saved together."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = {str(case): built(case, index) for index, case in enumerate(CASES)}
        found = {case: _told(layer) for case, layer in layers.items()}
        folder = tmp_path_factory.mktemp("live")
        by_name = {layer.name: found[case] for case, layer in layers.items()}
        _add_paths(folder / "all.weights.h5", list(layers.values()), by_name)
        _add_legacy(folder / "all.h5", list(layers.values()), by_name)
    return found


def _told(layer: Any) -> Seen:
    entry = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    return Seen(entry, [(w.path, tuple(w.shape), w.dtype, w.trainable) for w in layer.weights])


def _holder(layers: list[Any]) -> Any:
    class Holder(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="holder")
            self.cases = layers

    holder = Holder()
    holder.built = True
    return holder


def _add_paths(path: Path, layers: list[Any], by_name: dict[str, Seen]) -> None:
    """What a `.weights.h5` holds of each layer, by the path inside the layer."""
    _holder(layers).save_weights(path)
    with h5py.File(path) as file:
        members = file["cases"]
        for group in members.values():
            found: dict[str, tuple[Shape, str]] = {}
            group.visititems(lambda at, item, found=found: found.update(_dataset(at, item)))
            by_name[group["vars"].attrs["name"]].paths = found


def _dataset(path: str, item: Any) -> dict[str, tuple[Shape, str]]:
    return {path: (item.shape, item.attrs.get("dtype", item.dtype.name))} if isinstance(item, h5py.Dataset) else {}


def _add_legacy(path: Path, layers: list[Any], by_name: dict[str, Seen]) -> None:
    """What a legacy `.h5` holds of each layer, in its order."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    fitting = [layer for layer in layers if all(w.dtype != NOT_IN_LEGACY for w in layer.weights)]
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, _holder(fitting))
        for layer in fitting:
            group = file[layer.name]
            names = list(group.attrs["weight_names"]) if layer.weights else []
            by_name[layer.name].legacy = [(name, group[name].shape) for name in names]


def parts(case: Case, seen: dict[str, Seen]) -> Part:
    """What the table makes of a case."""
    args = Args.of(seen[str(case)].entry)
    return part_of(args.class_name, args, case.shapes)


def own_weights(case: Case) -> bool:
    """Whether a case holds a class of the tests' own, whose weights the table cannot know."""
    return "Own" in str(case)


def holds_layers(case: Case) -> bool:
    """Whether a case is of a layer that holds others, or of one of the tests' own."""
    values = [entry for value in case.spec.kwargs.values() for entry in (value if isinstance(value, list) else [value])]
    return own_weights(case) or any(isinstance(value, Spec) for value in values)


def described(chain: tuple[str, ...], slot: Slot) -> tuple[str, Shape | None, str, bool]:
    """A slot as Keras describes a weight."""
    return "/".join((*chain, slot.name)), slot.shape, slot.dtype, slot.trainable


def fits(shape: Shape | None, live: Shape) -> bool:
    """Whether a shape, where it is known, is that of a live weight."""
    if shape is None:
        return True
    return len(shape) == len(live) and all(size in (None, true) for size, true in zip(shape, live, strict=True))


def known(live: list[Any], part: Part) -> list[Any]:
    """The weights of a live layer without those that belong to objects of unknown classes."""
    unknown = _unknown((part.name,), part)
    return [weight for weight in live if not any(weight[0].startswith(f"{chain}/") for chain in unknown)]


def _unknown(chain: tuple[str, ...], part: Part) -> list[str]:
    if not part.known:
        return ["/".join(chain)]
    return [found for _, child in part.children for found in _unknown((*chain, child.name), child)]


each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_known_case = pytest.mark.parametrize("case", [case for case in CASES if not own_weights(case)], ids=str)


def test_enough_cases() -> None:
    """There are at least 400 cases with weights, and one for every class in the table."""
    assert len(CASES) - len(WEIGHTLESS) >= 400
    missing = set(LAYERS) - set(ALIASES) - set(re.findall(r"\w+(?=\()", str(CASES)))
    assert missing == {"Functional", "GroupedQueryAttention", "Lambda"}


def test_every_public_class() -> None:
    """Every public class of keras.layers has a row or a reason."""
    public = {name for name, value in vars(keras.layers).items() if inspect.isclass(value)}
    assert public - set(LAYERS) == set(WITHOUT_ROW)
    assert set(LAYERS) - public == NOT_IN_LAYERS


def test_aliases() -> None:
    """An alias is another public name of the class it stands for."""
    for alias, name in ALIASES.items():
        if alias != "Model":
            assert getattr(keras.layers, alias).__name__ == name


@each_known_case
def test_weights(case: Case, seen: dict[str, Seen]) -> None:
    """The table knows the names, shapes, dtypes and trainable flags of `layer.weights`, and their order."""
    found = [described(chain, slot) for chain, slot in in_weights_order(parts(case, seen))]
    assert found == seen[str(case)].weights


@pytest.mark.parametrize("case", [case for case in CASES if not holds_layers(case)], ids=str)
def test_defaults(case: Case, seen: dict[str, Seen]) -> None:
    """Arguments that a config leaves out have the defaults of Keras."""
    config = {"name": seen[str(case)].entry["config"]["name"], **case.spec.kwargs}
    part = part_of(case.spec.class_name, Args(case.spec.class_name, config), case.shapes)
    assert [described(chain, slot) for chain, slot in in_weights_order(part)] == seen[str(case)].weights


@each_known_case
def test_path_layout(case: Case, seen: dict[str, Seen]) -> None:
    """The table knows the paths, shapes and dtypes in a `.weights.h5`."""
    found = {path: (slot.shape, slot.written_dtype) for path, _, slot in in_path_layout(parts(case, seen))}
    assert found == seen[str(case)].paths


@each_known_case
def test_legacy_order(case: Case, seen: dict[str, Seen]) -> None:
    """The table knows the names, shapes and order in a legacy `.h5`."""
    live = seen[str(case)].legacy
    if live is None:
        assert NOT_IN_LEGACY in str(seen[str(case)].weights)
        return
    found = [("/".join((*chain, slot.name)), slot.shape) for chain, slot in in_legacy_order(parts(case, seen))]
    assert found == live


@each_case
def test_unknown_input(case: Case, seen: dict[str, Seen]) -> None:
    """Without input shapes all but the shapes is known, and no shape is wrong."""
    entry = _without_build(seen[str(case)].entry)
    part = part_of(entry["class_name"], Args.of(entry), (None,))
    found = [described(chain, slot) for chain, slot in in_weights_order(part)]
    live = known(seen[str(case)].weights, part)
    assert [(name, *rest) for name, _, *rest in found] == [(name, *rest) for name, _, *rest in live]
    assert all(fits(weight[1], true[1]) for weight, true in zip(found, live, strict=True))


def _without_build(value: Any) -> Any:
    """A config without the input shapes that Keras 3 states in it."""
    if isinstance(value, dict):
        return {key: _without_build(inner) for key, inner in value.items() if key != "build_config"}
    return [_without_build(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", [case for case in CASES if own_weights(case)], ids=str)
def test_unknown_class(case: Case, seen: dict[str, Seen]) -> None:
    """A class of the user's own is unknown, and what is around it is known all the same."""
    part = parts(case, seen)
    assert _unknown((part.name,), part)
    found = [described(chain, slot) for chain, slot in in_weights_order(part)]
    assert all(
        fits(shape, true[1]) for (_, shape, *_), true in zip(found, known(seen[str(case)].weights, part), strict=True)
    )
    assert {path for path, *_ in in_path_layout(part)} <= seen[str(case)].paths.keys()


def test_unknown_rank(seen: dict[str, Seen]) -> None:
    """Without input shapes even the number of axes is known, but for a few weights that follow the input's."""
    rankless = set()
    for case in CASES:
        part = part_of(case.spec.class_name, Args.of(_without_build(seen[str(case)].entry)))
        rankless |= {(case.spec.class_name, slot.name) for _, slot in in_weights_order(part) if slot.shape is None}
    assert rankless == {
        ("EinsumDense", "bias"),
        ("GroupQueryAttention", "kernel_scale"),
        ("MultiHeadAttention", "kernel_scale"),
        ("PReLU", "alpha"),
        ("TimeDistributed", "alpha"),
    }
