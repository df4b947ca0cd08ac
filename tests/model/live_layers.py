"""The answers of live Keras for the layers of `layer_cases`: the weights of each, and where they are stored.

Everything is asked of Keras itself: `layer.weights`, a saved `.weights.h5`, the weights of a saved legacy `.h5`.
"""

import inspect
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import Any

import h5py

from ckpttool.model.class_names import ALIASES
from ckpttool.model.layers.table import WEIGHTLESS
from tests.live import keras as live_keras
from tests.model.layer_cases import Case, Spec, all_cases
from tests.recorded import begin_anew
from tests.speeds import is_full, one_of_each

keras: Any = live_keras()
CASES = all_cases(tuple(sorted(WEIGHTLESS)))
NOT_IN_LEGACY = "bfloat16"  # which h5py cannot write into a legacy file


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


def kinds(case: Case) -> list[tuple[str, ...]]:
    """The kinds of a case: each value of an argument of its class, and the shapes of its inputs."""
    name = case.spec.class_name
    values = [(name, key, repr(value)) for key, value in case.spec.kwargs.items()]
    return [*values, (name, repr(case.shapes), str(case.listed))]


def answers() -> dict[str, Any]:
    """The answers of Keras for all cases, in a full run of the tests for some of each kind, and its exported names.
    Each layer is built once, and all are saved together."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        layers = {str(case): _built(case) for case in (one_of_each(CASES, kinds) if is_full() else CASES)}
        answers = {case: _weights(layer) for case, layer in layers.items()}
        by_name = {layer.name: answers[case] for case, layer in layers.items()}
        assert len(by_name) == len(answers)
        _add_paths(Path(folder) / "all.weights.h5", list(layers.values()), by_name)
        _add_legacy(Path(folder) / "all.h5", list(layers.values()), by_name)
    public = sorted(name for name, value in vars(keras.layers).items() if inspect.isclass(value))
    aliases = {alias: getattr(keras.layers, alias).__name__ for alias in ALIASES if alias != "Model"}
    return {**answers, "public classes": public, "aliases": aliases}


def live_layer(value: Any, **more: Any) -> Any:
    """The live layer of a spec; lists and other values alike."""
    if isinstance(value, list):
        return [live_layer(entry) for entry in value]
    if not isinstance(value, Spec):
        return value
    kwargs = {key: live_layer(argument) for key, argument in value.kwargs.items()} | more
    if value.class_name == "Sequential":
        return keras.Sequential(**kwargs)
    return (OWN_CLASSES.get(value.class_name) or getattr(keras.layers, value.class_name))(**kwargs)


def _built(case: Case) -> Any:
    """The live layer of a case, built for its shapes; its name and those that it gives follow from the case alone."""
    begin_anew()
    layer = live_layer(case.spec, name=f"case_{zlib.crc32(str(case).encode()):08x}")
    if not layer.built:
        layer.build(list(case.shapes)) if case.listed else layer.build(*case.shapes)
    return layer


def _weights(layer: Any) -> dict[str, Any]:
    entry = keras.saving.serialize_keras_object(layer)
    return {
        "entry": entry,
        "weights": [(w.path, tuple(w.shape), w.dtype, w.trainable) for w in layer.weights],
        "legacy": None,
    }


def _holder(layers: list[Any]) -> Any:
    class Holder(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="holder")
            self.cases = layers

    holder = Holder()
    holder.built = True
    return holder


def _add_paths(path: Path, layers: list[Any], by_name: dict[str, Any]) -> None:
    """The arrays of each layer in a `.weights.h5`, by the path inside the layer."""
    _holder(layers).save_weights(path)
    with h5py.File(path) as file:
        for group in file["cases"].values():
            paths: dict[str, Any] = {}
            group.visititems(lambda at, item, paths=paths: paths.update(_dataset(at, item)))
            by_name[group["vars"].attrs["name"]]["paths"] = paths


def _dataset(path: str, item: Any) -> dict[str, Any]:
    return {path: (item.shape, item.attrs.get("dtype", item.dtype.name))} if isinstance(item, h5py.Dataset) else {}


def _add_legacy(path: Path, layers: list[Any], by_name: dict[str, Any]) -> None:
    """The arrays of each layer in a legacy `.h5`, in its order."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    fitting = [layer for layer in layers if all(w.dtype != NOT_IN_LEGACY for w in layer.weights)]
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, _holder(fitting))
        for layer in fitting:
            group = file[layer.name]
            names = list(group.attrs["weight_names"]) if layer.weights else []
            by_name[layer.name]["legacy"] = [(name, group[name].shape) for name in names]
