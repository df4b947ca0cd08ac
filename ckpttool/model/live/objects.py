"""Live Keras models as parts: their objects, the weights of each, and where Keras's saving keeps them. The one module
that imports Keras, and only where a model is at hand.

Keras saves a model by walking over its attributes, each object at the first path that leads to it, and looks at the
other paths too where loading failed there (`_walk_saveable`, `_save_state`, `_load_state`,
keras/src/saving/saving_lib.py, 3.15). `Layer.weights` and the legacy order go by what each layer tracks
(keras/src/layers/layer.py; `_legacy_weights`, keras/src/legacy/saving/legacy_h5_format.py, 3.15).
"""

import itertools
import json
import os
import posixpath
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckpttool.errors import ModelError
from ckpttool.model.class_names import snake_case
from ckpttool.model.entries import is_keras
from ckpttool.model.slots import Part, Slot
from ckpttool.paths import join_path

INSTALL = 'pip install "ckpttool[tensorflow]"'
_DEEPEST = 20  # lists in one another
_LISTS_IN_LISTS = "/container"  # Keras passes over these where a file lacks them


def described(model: Any) -> tuple[Any, Part, str]:
    """The config of a live model, as it would be stored, its objects with their weights, and why its config cannot be
    written down, empty where it can. Raises ModelError where it is no model of Keras 3 or not built."""
    if not isinstance(model, _keras().Model):
        kind = type(model)
        actual = f"{kind.__module__}.{kind.__qualname__}"
        raise ModelError("no model of Keras 3", expected="a keras.Model", found=actual)
    _check_that_it_is_built(model)
    config, unwritten = _config(model)
    return config, _Tree(model).part(), unwritten


def _check_that_it_is_built(model: Any) -> None:
    """Raises ModelError for a model that has no weights yet; one whose build makes none for its layers has none
    either."""
    if not model.built or not (model.weights or all(layer.built for layer in model._flatten_layers())):
        raise ModelError(
            "a model that is not built, so that it has no weights yet",
            where=f"{type(model).__name__} {model.name}",
            hint="call it once on data of the right shape before it is returned",
        )


def _keras() -> Any:
    try:
        import keras
        from keras.src.saving.saving_lib import _walk_saveable  # noqa: F401 - what Keras before 3.3 does not have
    except ImportError as error:
        actual = f"keras {keras.__version__}" if "keras" in locals() else f"no {error.name}"
        raise ModelError("Keras 3 is not installed", expected="keras 3.15", found=actual, hint=INSTALL) from error
    return keras


def _config(model: Any) -> tuple[Any, str]:
    """The config of a model as Keras saves it (`_serialize_model_as_json`, keras/src/saving/saving_lib.py, 3.15). Where
    it cannot be written down, no more than class and name, and why."""
    from keras.src.saving.serialization_lib import ObjectSharingScope, serialize_keras_object

    try:
        with ObjectSharingScope():
            return json.loads(json.dumps(serialize_keras_object(model))), ""
    except Exception as error:  # whatever a get_config of the user's own raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return {"class_name": type(model).__name__, "config": {"name": model.name}}, reason


@dataclass(slots=True)
class _SavedObject:
    """An object of a model: its first path, the layer that this leads through last, and all other paths."""

    object: Any
    path: str
    holder: "_SavedObject | None"
    aliases: list[str] = field(default_factory=list)


def _walked(model: Any) -> list[_SavedObject]:
    """The objects that Keras saves with a model, the model itself first."""
    saved: dict[int, _SavedObject] = {}
    _visit(saved, model, "", None)
    return list(saved.values())


def _visit(saved: dict[int, _SavedObject], saveable: Any, path: str, holder: _SavedObject | None) -> None:
    """Note an object and all that is behind it, or one more path to an object that was there before."""
    seen = saved.get(id(saveable))
    if seen is None:  # noted before its children are visited, which may lead back to it
        seen = saved[id(saveable)] = _SavedObject(saveable, path, holder)
        for at, child in _children_of(saveable):
            _visit(saved, child, join_path(path, at), seen if _has_state(saveable) else holder)
    elif path not in (seen.path, *seen.aliases) and _LISTS_IN_LISTS not in path:
        seen.aliases.append(path)


def _has_state(saveable: Any) -> bool:
    """Whether an object is a layer or an optimizer."""
    return hasattr(saveable, "load_own_variables")


def _children_of(saveable: Any) -> Iterator[tuple[str, Any]]:
    """The objects in the attributes of one, with their paths from there, in the order of saving."""
    from keras.src.saving.saving_lib import _walk_saveable

    for attribute, value in _walk_saveable(saveable):
        yield from _saveables(attribute, value, set())


def _saveables(path: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The objects in a value: itself, or the members of a list, tuple or dict, lists in lists included."""
    from keras.src.saving.keras_saveable import KerasSaveable

    if isinstance(value, KerasSaveable):
        yield path, value
    elif isinstance(value, list | dict | tuple) and id(value) not in seen:
        seen.add(id(value))
        # Keras numbers the members of a container class by class: `dense`, `dense_1`, `dropout`.
        used = Counter[str]()
        for member in list(value.values()) if isinstance(value, dict) else value:
            name = snake_case(type(member).__name__) if isinstance(member, KerasSaveable) else "container"
            if name != "container" or isinstance(member, KerasSaveable | list | dict | tuple):
                yield from _saveables(f"{path}/{name}_{used[name]}" if used[name] else f"{path}/{name}", member, seen)
                used[name] += 1


def _ways_to_members(saveable: Any) -> dict[int, list[tuple[str, ...]]]:
    """The ways from an object to those in its attributes, by their identity: the attribute, then the numbers and keys
    of members of lists, tuples and dicts. A model's own list of its layers is none."""
    from keras.src.saving.keras_saveable import KerasSaveable
    from keras.src.saving.saving_lib import _walk_saveable

    ways: dict[int, list[tuple[str, ...]]] = {}
    is_model = isinstance(saveable, _keras().Model)
    waiting: list[tuple[tuple[str, ...], Any]] = [
        ((name,), value) for name, value in _walk_saveable(saveable) if not (is_model and name == "layers")
    ]
    seen = set[int]()
    while waiting:
        way, value = waiting.pop()
        if isinstance(value, KerasSaveable):
            ways.setdefault(id(value), []).append(way)
        elif (
            isinstance(value, list | dict | tuple) and len(way) < _DEEPEST and (len(way) == 1 or id(value) not in seen)
        ):
            seen.add(id(value))
            members = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend(((*way, str(key)), member) for key, member in members if isinstance(key, int | str))
    return ways


@dataclass(frozen=True, slots=True)
class _Node:
    """An object at one place among those that track others; one that several track has several."""

    object: Any
    at: str
    placed: bool
    tracked: bool
    children: tuple["_Node", ...]
    listed: bool = True
    attributes: tuple[tuple[str, ...], ...] = ()

    def walk(self, path: str = "") -> Iterator[tuple[str, "_Node"]]:
        """The node and all below it, with their paths."""
        yield path, self
        for child in self.children:
            yield from child.walk(join_path(path, child.at))


_Owners = dict[int, tuple[str, str]]
"""The path below a top layer of the object that owns a variable, and the variable's name, by its identity."""


class _Tree:
    """The objects of a model by what tracks them, and what else their attributes hold."""

    def __init__(self, model: Any) -> None:
        saved = _walked(model)
        self._model = model
        self._saved = {id(owner.object): owner for owner in saved}
        self._owned: dict[int, list[_SavedObject]] = {}
        for owner in saved:
            if owner.holder is not None and _has_state(owner.object):
                self._owned.setdefault(id(owner.holder.object), []).append(owner)

    def part(self) -> Part:
        """The model as a part; its layers in their order, then what else it holds."""
        # Reversed, so that a layer that is listed twice has the number of its first place.
        listed = {id(layer): at for at, layer in reversed(list(enumerate(self._model.layers)))}
        tops = sorted(self._children(self._model, True), key=lambda top: listed.get(id(top.object), len(listed)))
        names = _distinct_names([top.object.name for top in tops])
        children = [
            (top.at, self._part(replace(top, tracked=id(top.object) in listed), "", _owners(top), name))
            for top, name in zip(tops, names, strict=True)
        ]
        root = _Node(self._model, "", True, True, ())
        return replace(self._part(root, "", _owners(root), self._model.name), children=tuple(children))

    def _part(self, node: _Node, path: str, owners: _Owners, name: str) -> Part:
        """An object with all below it, `path` being where it is below its top layer."""
        saveable, saved = node.object, self._saved.get(id(node.object))
        written = _written(saveable, _variables(saveable))
        slots = tuple(_slots(saveable, path, owners, written or {}))
        return Part(
            class_name=type(saveable).__name__,
            name=name,
            slots=slots,
            children=tuple(
                (child.at, self._part(child, join_path(path, child.at), owners, _name(child.object)))
                for child in node.children
            ),
            known=written is not None,
            trainable=bool(getattr(saveable, "trainable", True)),
            write_order=_write_order(slots, [owners[key][1] for key in written or ()]),
            is_model=isinstance(saveable, _keras().Model),
            placed=node.placed,
            tracked=node.tracked,
            aliases=tuple(saved.aliases) if saved and node.placed else (),
            attributes=node.attributes,
            listed=node.listed,
            is_optimizer=_is_optimizer(saveable),
            assets=_keeps_files(saveable),
        )

    def _children(self, saveable: Any, placed: bool) -> Iterator[_Node]:
        """The objects that an object tracks, then those that Keras saves with it without tracking them. What is not
        `placed` itself has no path for them."""
        owned = {id(owner.object): owner for owner in self._owned.get(id(saveable), ())} if placed else {}
        ways = _ways_to_members(saveable)
        for number, layer in enumerate(getattr(saveable, "_layers", ())):
            at = owned.pop(id(layer), None)
            # A layer that is saved at another place has a number in brackets here, which is the path of nothing.
            node = self._node(layer, f"({number})" if at is None else self._path(at), at is not None, True)
            listed = not _is_input_of_sequential(layer, saveable)
            yield replace(node, listed=listed, attributes=tuple(ways.get(id(layer), ())))
        for owner in owned.values():
            node = self._node(owner.object, self._path(owner), True, False)
            yield replace(node, attributes=tuple(ways.get(id(owner.object), ())))

    def _node(self, saveable: Any, at: str, placed: bool, tracked: bool) -> _Node:
        return _Node(saveable, at, placed, tracked, tuple(self._children(saveable, placed)))

    def _path(self, saved: _SavedObject) -> str:
        """The path of an object from the one that holds it."""
        return saved.path.removeprefix(f"{saved.holder.path}/") if saved.holder and saved.holder.path else saved.path


def _is_input_of_sequential(layer: Any, owner: Any) -> bool:
    """Whether a layer is the input of a Sequential, which does not list it among its layers."""
    return isinstance(owner, _keras().Sequential) and isinstance(layer, _keras().layers.InputLayer)


def _name(saveable: Any) -> str:
    name = getattr(saveable, "name", None)
    return name if isinstance(name, str) else snake_case(type(saveable).__name__)


def _distinct_names(names: Sequence[str]) -> list[str]:
    """The names, with a number behind each that was there before."""
    unique: list[str] = []
    for name in names:
        numbered = (f"{name} ({number})" for number in range(2, len(names) + 2))
        unique.append(
            name
            if name not in unique
            else next(candidate for candidate in numbered if candidate not in (*unique, *names))
        )
    return unique


def _is_optimizer(saveable: Any) -> bool:
    return isinstance(saveable, _keras().optimizers.Optimizer)


def _keeps_files(saveable: Any) -> bool:
    """Whether an object writes files beside its weights: a vocabulary does where it is not in the config."""
    if not hasattr(saveable, "save_assets"):
        return False
    with tempfile.TemporaryDirectory(prefix="ckpttool-") as folder:
        try:
            saveable.save_assets(folder)
        except Exception:  # such as a vocabulary that is not there yet
            return False
        return bool(os.listdir(folder))


def _variables(saveable: Any) -> list[Any]:
    """The variables that an object tracks itself, in the order in which it writes and lists them."""
    if _is_optimizer(saveable):
        return list(saveable.variables)
    return [*getattr(saveable, "_trainable_variables", ()), *getattr(saveable, "_non_trainable_variables", ())]


def _owners(top: _Node) -> _Owners:
    """The owner of each variable of a top layer: of the objects that list it the last with a place in
    `.weights.h5`, else the first."""
    owners = _Owners()
    for path, node in top.walk():
        variables = _variables(node.object)
        for variable, name in zip(variables, _distinct_names([variable.name for variable in variables]), strict=True):
            if node.placed or id(variable) not in owners:
                owners[id(variable)] = path, name
    return owners


def _slots(saveable: Any, path: str, owners: _Owners, written: Mapping[int, str]) -> Iterator[Slot]:
    """The slots of an object at a path below its top layer."""
    created_trainable = {id(variable) for variable in getattr(saveable, "_trainable_variables", ())}
    for variable in _variables(saveable):
        owner, name = owners[id(variable)]
        stored = written.get(id(variable), "")
        yield Slot(
            name=name,
            shape=tuple(variable.shape),
            dtype=variable.dtype,
            trainable=bool(variable.trainable),
            stored=bool(stored),
            frozen=id(variable) in created_trainable and not variable.trainable,
            borrowed="" if owner == path else posixpath.relpath(f"/{owner}", f"/{path}"),
            stored_dtype=stored if stored != variable.dtype else "",
        )


def _write_order(slots: Sequence[Slot], written: Sequence[str]) -> tuple[str, ...]:
    """The names in the order in which they are written, empty where that is the usual one."""
    usual = sorted((slot for slot in slots if slot.stored), key=lambda slot: not (slot.trainable or slot.frozen))
    return () if [slot.name for slot in usual] == list(written) else tuple(written)


def _written(saveable: Any, variables: Sequence[Any]) -> dict[int, str] | None:
    """The variables that an object loads from its group in `.weights.h5`, in order, by identity with the dtypes in
    which they are stored. None where that is not known: its class loads in a way of its own, or does not read what it
    writes."""
    if _is_optimizer(saveable):
        return {id(variable): variable.dtype for variable in variables} if saveable.built else None
    load = type(saveable).load_own_variables
    if load is _keras().Layer.load_own_variables:
        return {id(variable): variable.dtype for variable in variables}
    if not is_keras(load.__module__):
        return None
    # A layer of Keras that loads in a way of its own, such as Dense, is asked for what it saves. An own class
    # that saves other variables than it lists, but loads as Keras does, would not read its file.
    dtypes = _as_saved(saveable, variables)
    is_of_keras = is_keras(type(saveable).__module__)
    return dtypes if is_of_keras or list(dtypes or ()) == [id(variable) for variable in variables] else None


def _as_saved(saveable: Any, variables: Sequence[Any]) -> dict[int, str] | None:
    """The dtypes of the variables that a layer saves in Keras's own way, by `id`; None where it saves other values."""
    stored: dict[str, Any] = {}
    try:
        saveable.save_own_variables(stored)
    except Exception:  # such as a vocabulary that is not there yet
        return None
    dtypes: dict[int, str] = {}
    for number, (key, value) in enumerate(stored.items()):
        variable = _source(value, [variable for variable in variables if id(variable) not in dtypes])
        if variable is None or key != str(number):
            return None
        dtypes[id(variable)] = _keras().backend.standardize_dtype(value.dtype)
    return dtypes


def _source(value: Any, variables: Sequence[Any]) -> Any:
    """The variable that was written: itself, or merged with others into a value of its shape."""
    same = (variable for variable in variables if variable is value)
    # A layer with LoRA saves the sum of its kernel and the product of its factors in the place of the kernel.
    merged = (variable for variable in variables if tuple(variable.shape) == tuple(value.shape))
    return next(itertools.chain(same, merged), None)
