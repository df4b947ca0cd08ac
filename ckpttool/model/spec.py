"""Specs: the list of weights that a model expects, as a value and as a small file for review and CI."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ckpttool.errors import ConfigError
from ckpttool.escape import brief
from ckpttool.model.architecture_parts import model_args, part_in
from ckpttool.model.config import Architecture
from ckpttool.model.layouts import Place, aliases_in, empty_in, lookups_in, opaque_in, optimizers_in, places_of
from ckpttool.model.shape_inference import is_built
from ckpttool.model.sizes import Shape, is_integer, read_shape
from ckpttool.model.slots import Part
from ckpttool.notebook import Displayed
from ckpttool.paths import join_path

if TYPE_CHECKING:
    from ckpttool.model.optimizers import Trained

SCHEMA = "ckpttool.spec/1"
MAX_SLOTS = 1_000_000


@dataclass(frozen=True, slots=True)
class SpecSlot:
    """One weight that a model expects.

    `layer` joins the names down to its layer, `name` is the weight inside it. `dtype` is that of the stored array.
    `path` is its place in `.weights.h5`, empty where it is not in there. `group` and `index` are the top layer and the
    position in its list of weights in a legacy `.h5`, empty and None where it has none of its own there. A weight of
    the model itself has no group but a position.
    """

    layer: str
    name: str
    shape: Shape | None
    dtype: str
    trainable: bool
    path: str
    group: str
    index: int | None

    __repr__ = brief

    @property
    def label(self) -> str:
        """The name of the weight for people: `encoder/dense/kernel`."""
        return join_path(self.layer, self.name)


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object whose weights are not known: its class is not built into Keras and no config describes them, or it is
    an object of a live model that loads them in a way of its own."""

    layer: str
    class_name: str
    path: str

    __repr__ = brief

    @property
    def group(self) -> str:
        """The top layer that the object is or is part of."""
        return self.layer.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Spec(Displayed):
    """The weights that a model expects, in the order of its layers.

    `layers` are its top layers, all of them. `empty` are the paths in `.weights.h5` of its objects without weights of
    their own. `built` is False where no input shape is known, so that Keras creates no weights yet. `optimizer` are the
    variables of the optimizer that the model is compiled with, empty where that is not known, and of further optimizers
    of the model. `aliases` are pairs of an object's path in `.weights.h5` and another one where Keras looks when
    nothing is stored there, None where only a live model has them. `vocabularies` are the layers that look values up
    and that have no vocabulary in their config, each with the path of its folder among the assets of a `.keras`.
    """

    model: str
    slots: tuple[SpecSlot, ...]
    layers: tuple[str, ...] = ()
    opaque: tuple[Opaque, ...] = ()
    empty: tuple[str, ...] = ()
    built: bool = True
    optimizer: tuple[SpecSlot, ...] = ()
    aliases: tuple[tuple[str, str], ...] | None = None
    vocabularies: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"<Spec {self.model!r}: {len(self.slots):,} weights in {len(self.layers):,} layers>"


def spec_of(architecture: Architecture) -> Spec:
    """The spec of an architecture. Raises ConfigError where its layers or connections make no sense."""
    return architecture.facts.once("spec", _spec, architecture)


def _spec(architecture: Architecture) -> Spec:
    part = part_in(architecture)
    layers = tuple(child.name for _, child in part.tracks)
    spec = Spec(
        architecture.name or part.class_name,
        tuple(map(_slot, places_of(part))),
        layers,
        tuple(Opaque(chain, owner.class_name, path) for chain, owner, path in opaque_in(part)),
        tuple(empty_in(part)),
        architecture.part is not None or is_built(model_args(architecture)),
    )
    spec = replace(spec, vocabularies=tuple(_vocabularies(part)))
    spec = with_optimizer(spec, compiled_with(architecture.config))
    if architecture.part is None:
        return spec
    return replace(spec, optimizer=tuple(_optimizers(spec, part)), aliases=tuple(aliases_in(part)))


def _vocabularies(model: Part) -> Iterator[tuple[str, str]]:
    for layer, place, part in lookups_in(model):
        if part.assets and not (part.vocabulary and part.vocabulary.file):
            yield layer, place


def _optimizers(spec: Spec, model: Part) -> Iterator[SpecSlot]:
    """The variables of all optimizers of a live model; for the one that it is compiled with, as long as that is not
    built, those that Keras will create."""
    optimizers = dict(optimizers_in(model))
    if "optimizer" not in optimizers or not optimizers["optimizer"].known:
        yield from spec.optimizer
        optimizers = {path: part for path, part in optimizers.items() if not f"{path}/".startswith("optimizer/")}
    for path, part in optimizers.items():
        for at, slot in enumerate(part.slots):
            yield SpecSlot(path, slot.name, slot.shape, slot.dtype, False, f"{path}/vars/{at}", "", None)


def compiled_with(model: Any) -> Any:
    """The optimizer in the `compile_config` of a model's config, or the default of `compile` where that has none.

    Saving a model as `.h5` takes the optimizer out of its config (`model_metadata`,
    keras/src/legacy/saving/saving_utils.py, 3.15)."""
    config = model.get("compile_config") if isinstance(model, Mapping) else None
    return config.get("optimizer", "rmsprop") if config and isinstance(config, Mapping) else None


def with_optimizer(spec: Spec, optimizer: Any) -> Spec:
    """The spec of the same model compiled with this optimizer, as a config names it."""
    if not optimizer:
        return replace(spec, optimizer=())
    from ckpttool.model.optimizers import optimizer_state  # few models are compiled

    state = optimizer_state(optimizer, _trainable(spec))
    return replace(
        spec,
        optimizer=tuple(
            SpecSlot(place, variable.name, variable.shape, variable.dtype, False, f"{place}/vars/{at}", "", None)
            for below, variables in state.items()
            for place in [f"optimizer/{below}".rstrip("/")]
            for at, variable in enumerate(variables)
        ),
    )


def _trainable(spec: Spec) -> "list[Trained]":
    """The weights that are trained, in the order of `model.trainable_variables`: layer after layer, in each in the
    order of its legacy list."""
    position = {name: at for at, name in enumerate(spec.layers)}
    slots = [(position.get(slot.group, -1), slot.index, slot) for slot in spec.slots if slot.index is not None]
    slots.sort(key=lambda entry: entry[:2])
    return [_trained(spec.model, slot) for _, _, slot in slots if slot.trainable]


def _trained(model: str, slot: SpecSlot) -> "Trained":
    from ckpttool.model.optimizers import Trained

    *models, layer = (model, *slot.layer.split("/"))
    return Trained(slot.label, slot.shape, slot.dtype, f"{layer}/{slot.name}", tuple(models))


def _slot(place: Place) -> SpecSlot:
    slot = place.slot
    return SpecSlot(
        place.layer, place.name, slot.shape, slot.written_dtype, slot.trainable, place.path, place.group, place.index
    )


def to_json(spec: Spec) -> str:
    """The spec as JSON text: one line a slot, so that a changed layer is a changed line in review."""
    head = {"schema": SCHEMA, "model": spec.model, "built": spec.built}
    head |= {"layers": list(spec.layers), "empty": list(spec.empty)}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, items in (("opaque", spec.opaque), ("slots", spec.slots), ("optimizer", spec.optimizer)):
        body = ",\n".join(f"  {json.dumps(asdict(item))}" for item in items)
        lines.append(f'"{key}": [\n{body}\n]' if body else f'"{key}": []')
    if spec.vocabularies:
        lines.append(f'"vocabularies": {json.dumps(spec.vocabularies)}')
    if spec.aliases is not None:
        lines.append(f'"aliases": {json.dumps(spec.aliases)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def is_spec(value: Any) -> bool:
    """Whether a JSON value has the schema of a spec."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("schema"), str)
        and value["schema"].startswith("ckpttool.spec/")
    )


def from_json(value: Mapping[str, Any]) -> Spec:
    """The spec in a JSON object. Raises ConfigError."""
    if value["schema"] != SCHEMA:
        raise ConfigError("this spec has another version", expected=SCHEMA, found=str(value["schema"])[:60])
    keys = ("slots", "layers", "opaque", "empty", "optimizer")
    slots, layers, opaque, empty, optimizer = (_list_at(value, key) for key in keys)
    if not all(isinstance(name, str) for name in (*layers, *empty)):
        raise ConfigError("cannot be read as a spec", where="layers, empty", expected="lists of names")
    return Spec(
        _text_at(value, "model", "spec"),
        tuple(_read_slot(slot, f"slots[{at}]") for at, slot in enumerate(slots)),
        tuple(layers),
        tuple(
            Opaque(*_texts_at(entry, ("layer", "class_name", "path"), f"opaque[{at}]"))
            for at, entry in enumerate(opaque)
        ),
        tuple(empty),
        value.get("built") is not False,
        tuple(_read_slot(slot, f"optimizer[{at}]") for at, slot in enumerate(optimizer)),
        None if value.get("aliases") is None else _read_pairs(value, "aliases"),
        _read_pairs(value, "vocabularies"),
    )


def _read_pairs(value: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    pairs = _list_at(value, key)
    if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair) for pair in pairs):
        raise ConfigError("cannot be read as a spec", where=key, expected="pairs of paths")
    return tuple((path, other) for path, other in pairs)


def _list_at(value: Mapping[str, Any], key: str) -> list[Any]:
    items = value.get(key, [])
    if not isinstance(items, list) or len(items) > MAX_SLOTS:
        raise ConfigError("cannot be read as a spec", where=key, expected="a list")
    return items


def _text_at(value: Any, key: str, where: str) -> str:
    text = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(text, str):
        raise ConfigError("cannot be read as a spec", where=f"{where}.{key}", expected="a text")
    return text


def _texts_at(value: Any, keys: tuple[str, ...], where: str) -> list[str]:
    return [_text_at(value, key, where) for key in keys]


def _read_slot(value: Any, where: str) -> SpecSlot:
    layer, name, dtype, path, group = _texts_at(value, ("layer", "name", "dtype", "path", "group"), where)
    dims, index, trainable = value.get("shape"), value.get("index"), value.get("trainable")
    shape = read_shape(dims)
    if (dims is not None and shape is None) or not isinstance(trainable, bool):
        raise ConfigError("cannot be read as a spec", where=where, expected="a shape, and true or false for trainable")
    if index is not None and not (is_integer(index) and index >= 0):
        raise ConfigError("cannot be read as a spec", where=f"{where}.index", expected="a position or null")
    return SpecSlot(layer, name, shape, dtype, trainable, path, group, index)
