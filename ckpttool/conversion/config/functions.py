"""Functions and objects in the arguments of layers: those of Keras by the names under which Keras 3 finds them, those
of the author's own in the form in which it looks them up in `custom_objects`.

A name that the Keras of the writer did not have is the author's, also where Keras 3 has one of that name. Keras 3 looks
up its own functions first where an activation, a regularizer or a constraint is a plain name; an object of class
"function" it looks up in `custom_objects` first, and where the module is null nowhere else
(`_retrieve_class_or_fn`, keras/src/saving/serialization_lib.py, 3.15).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ckpttool.conversion.config import addons
from ckpttool.conversion.config.hard_sigmoid import KEYS, KNOWN
from ckpttool.conversion.journal import Edit, Journal, NeedKind
from ckpttool.model import Architecture, with_keras_classes
from ckpttool.model.config import mappings_in
from ckpttool.model.defaults import class_called
from ckpttool.model.entries import function_entry, own_entry
from ckpttool.model.generations import own_classes
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.known_names import Had, KerasVersion
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.layers.table import LAYERS

_KINDS = {"initializer": "initializers", "regularizer": "regularizers", "constraint": "constraints"}

OWN_FUNCTION = Edit(
    "name-own-function",
    "writes a function or class of the author's own so that Keras 3 looks it up in custom_objects",
    "as that function is",
)
TAKE_BUILTIN = Edit(
    "take-builtin",
    "takes a function or class of the author's own for the one that Keras 3 has under its name (--builtin)",
    "where it computes the same",
)
EDITS = (OWN_FUNCTION, TAKE_BUILTIN)

# Names that stand for one function only, whoever wrote it.
_ONE_MEANING = frozenset(
    {
        *("elu", "exponential", "hard_tanh", "log_sigmoid", "log_softmax", "mish", "relu6", "selu", "silu"),
        *("softsign", "sparsemax", "tanh_shrink"),
    }
)
# Functions of tf.nn, which a model of tf.keras may name, that compute what Keras 3 does: leaky_relu has the slope 0.2
# in both (tensorflow/python/ops/nn_ops.py, 2.15; keras/src/activations/activations.py, 3.15).
_OF_TF_NN = frozenset({"leaky_relu", "swish"})
# Keras 3 writes any function of these names as its own (`serialize`, keras/src/activations/__init__.py, 3.15), and
# Bidirectional makes its layers of what Keras writes.
_WRITTEN_AS_OWN = KNOWN - {"hard_swish", "swish"}
_FUNCTIONS = frozenset({"function", "__function__", "builtin_function_or_method"})


class Place(NamedTuple):
    """A layer whose arguments are read: its label, the version of Keras that wrote it, and the names that the user says
    are those of Keras 3 (--builtin)."""

    label: str
    generation: Generation
    version: KerasVersion
    builtins: frozenset[str] = frozenset()


def with_builtins(architecture: Architecture | None, builtins: frozenset[str], journal: Journal) -> Architecture | None:
    """The architecture with the classes as those of Keras 3 that the user says are (--builtin); the same object where
    none of the author's own is called so."""
    if architecture is None or not builtins:
        return architecture
    changed = with_keras_classes(architecture, builtins)
    if changed is not architecture:
        journal.edit(TAKE_BUILTIN, architecture.name, ", ".join(sorted(builtins)))
    return changed


def need_layer(registered: str, class_name: str, config: Any, journal: Journal) -> None:
    """Note a class of layers of the author's own as needed."""
    own = _own("layers", class_name, config)
    own = f", the author's own{own}" if own else ""
    journal.need(registered, f"the class {class_name}{own}: import the module that registers it, or custom_objects")


def _own(kind: str, class_name: str, config: Any) -> str:
    """Why a class that is called as one of Keras is the author's own, and how to say that it is Keras's; empty where
    its config does not tell it from that of Keras."""
    why = own_classes.difference(kind, class_name, config)
    return f", as {why} (--builtin {class_name} takes that of Keras 3)" if why else ""


def resolved(config: Mapping[str, Any], place: Place, journal: Journal) -> dict[str, Any]:
    """The arguments of a layer with all functions and objects in the form in which Keras 3 finds them.

    Functions that the user has to provide are noted as needs; those without a name are refused.
    """
    return {key: _resolved(key, value, place, journal) for key, value in config.items()}


def of_own_class(config: Mapping[str, Any], place: Place, journal: Journal) -> dict[str, Any]:
    """The arguments of a class of the author's own. An activation of the author's own among them is written as Keras
    2.13 and later write it; that the class accepts this form is noted as a guess."""
    arguments = dict(config)
    for key in KEYS:
        name = config.get(key)
        if not isinstance(name, str):
            continue
        arguments[key] = _resolved(key, name, place, journal)
        if arguments[key] is not name and isinstance(arguments[key], Mapping):
            guess = f"{key} {name} of a class of your own is written as an object, which keras.activations.get reads"
            journal.guess(place.label, guess)
    return arguments


def _resolved(key: str, value: Any, place: Place, journal: Journal) -> Any:
    kind = "activations" if key in KEYS else _KINDS.get(key.rpartition("_")[2])
    if kind is None or value is None:
        return value
    argument = _Argument(key, kind, place, journal)
    if isinstance(value, str):
        return argument.named(value, value)
    if not isinstance(value, Mapping):
        return value
    is_function = str(value.get("class_name")) in _FUNCTIONS
    return argument.function(value) if is_function else argument.instance(value)


class _Argument(NamedTuple):
    """An argument of a layer that takes a function or an object of some kind."""

    key: str
    kind: str
    place: Place
    journal: Journal

    def function(self, value: Mapping[str, Any]) -> Any:
        """The value of an argument that has a function as an object."""
        name = value.get("config")
        if not isinstance(name, str):
            return value
        if self.place.version.version < (3,) and (self.kind == "activations" or not _is_name(name)):
            return self.named(name, value)
        if self.place.version.version < (3,):  # those of Keras of other kinds are objects of classes
            return self.own_function(name)
        if not self.is_built_in(name) or value.get("module") is None:  # as Keras 3 wrote it, which finds it so
            self.need_function(name)
        return value

    def named(self, name: str, value: Any) -> Any:
        """The value of an argument that has a function by its name: the name where the function is one of Keras."""
        addon = addons.activation(name) if self.kind == "activations" else None
        if addon is not None:
            self.journal.edit(addons.REPLACE_ADDON, self.place.label, name)
            return addon
        if not _is_name(name):
            why = f"{self.key} is {name!r}, a function without a name, whose code the file does not hold"
            self.journal.refuse(self.place.label, why)
            return value
        if self.is_built_in(name) and self.is_of_keras(name):
            return name
        return self.own_function(name)

    def own_function(self, name: str) -> dict[str, Any]:
        """The value of an argument for a function of the author's own, which is noted as needed."""
        self.need_function(name)
        self.journal.edit(OWN_FUNCTION, self.place.label, name)
        module = None if _anywhere(name) else "builtins"
        registered = name if ">" in name else "function"
        return function_entry(module, name, registered)

    def is_built_in(self, name: str) -> bool:
        """Whether Keras 3 has a function or class of this name and kind."""
        return name in KNOWN if self.kind == "activations" else class_called(self.kind, name) is not None

    def is_of_keras(self, name: str) -> bool:
        """Whether a name that Keras 3 has stands for the function of Keras 3, and not for one of the author's own.

        Where the writer's Keras did not have the name, that is a guess, which is noted.
        """
        version = self.place.version
        had = version.had(self.kind, name)
        if had is Had.YES:
            return True
        if name in self.place.builtins:
            self.journal.edit(TAKE_BUILTIN, self.place.label, name)
            return True
        if had is Had.PERHAPS or name in _ONE_MEANING or (version.is_tf and name in _OF_TF_NN):
            whether = "may not have had" if had is Had.PERHAPS else "did not have"
            self.journal.guess(self.place.label, f"{self.key} {name} is that of Keras 3: {version} {whether} this name")
            return True
        return False

    def need_function(self, name: str) -> None:
        """Note a function that the user has to provide."""
        subject = f"the function {name} as {self.key} of {self.place.label}"
        if ">" in name:
            how = f'import the module that registers it, or load_model(..., custom_objects={{"{name}": ...}})'
            self.journal.need(name, f"{subject}: {how}", NeedKind.FUNCTION)
            return
        had = self.place.version.had(self.kind, name)
        own = f", which {self.place.version} did not have (--builtin {name} takes that of Keras 3)"
        own = own if self.kind == "activations" and name in KNOWN and had is Had.NO else ""
        later = f"; rename {name} before you save the model again: Keras 3 takes the name for its own function"
        later = later if self.kind == "activations" and name in _WRITTEN_AS_OWN else ""
        how = f'load_model(..., custom_objects={{"{name}": {name}}}){later}'
        self.journal.need(name, f"{subject}{own}: {how}", NeedKind.FUNCTION)

    def instance(self, value: Mapping[str, Any]) -> Any:
        """The value of an argument that has an object of a class, with its own arguments."""
        class_name, config = value.get("class_name", value.get("name")), value.get("config")
        if not isinstance(class_name, str):
            return value
        if self.kind == "activations":
            return self.layer(class_name, value)
        if "class_name" not in value:  # as Keras 1 wrote it
            config = {key: item for key, item in value.items() if key != "name"}
        had = class_called(self.kind, class_name) is not None and self.place.version.had(self.kind, class_name)
        if had is Had.YES and value.get("module", "keras") is not None:
            return value
        return self.own_class(class_name, config, value)

    def layer(self, class_name: str, value: Mapping[str, Any]) -> Any:
        """The value of an argument that has a layer as an activation."""
        if class_name in LAYERS and value.get("module", "keras") is not None:
            return normalized(value, self.place.generation)
        return self.own_class(class_name, value.get("config"), value)

    def own_class(self, class_name: str, config: Any, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The value of an argument for an object of a class of the author's own, which is noted as needed."""
        registered_name = value.get("registered_name")
        registered = registered_name if isinstance(registered_name, str) else class_name
        short = class_name.rpartition(">")[2]
        subject = f"the class {short} as {self.key} of {self.place.label}"
        reason = _own("layers" if self.kind == "activations" else self.kind, short, config)
        if ">" not in registered and self.is_built_in(short):
            why = f"{subject} is the author's own{reason}, and Keras 3 has another of this name"
            self.journal.refuse(self.place.label, f"{why}; register it under a package")
        own = f", the author's own{reason}" if reason else ""
        self.journal.need(registered, f"{subject}{own}: {_provided(registered, short)}")
        self.journal.edit(OWN_FUNCTION, self.place.label, registered)
        return own_entry(None, short, config, registered)


def _provided(registered: str, short: str) -> str:
    """The ways to provide a class of the author's own for Keras 3. A registered one that is not imported needs both
    names: that of the config, and its own, under which Keras 3 writes it when it copies a layer in a Bidirectional, and
    when it saves the model again (`get_registered_name`, keras/src/saving/object_registration.py, 3.15)."""
    if ">" not in registered:
        return f'load_model(..., custom_objects={{"{registered}": {short}}})'
    names = f'{{"{registered}": {short}, "{short}": {short}}}'
    return f"import the module that registers it, or load_model(..., custom_objects={names})"


def check_copied(layer: Any, label: str, journal: Journal) -> None:
    """Refuse a function of the author's own in a layer that a Bidirectional copies, if Keras 3 takes it for its own.

    Keras 3 makes the copy from the config that it would save, in which it writes certain names as its own functions.
    """
    for entry in mappings_in(layer):
        name = entry.get("config")
        if not isinstance(name, str) or entry.get("class_name") != "function" or entry.get("module") is not None:
            continue
        if name in _WRITTEN_AS_OWN:
            why = f"the author's own function {name}, which Keras 3 replaces by its own in a Bidirectional"
            journal.refuse(label, f"{why}; --builtin {name} accepts that")


def _is_name(name: str) -> bool:
    """Whether a function can be looked up by this name: its own, or a registered one with its package."""
    package, registered, last = name.rpartition(">")
    return bool(package and last and "<" not in name) if registered else name.isidentifier()


def _anywhere(name: str) -> bool:
    """Whether Keras 3 finds a function of its own under a name where the module is "builtins"."""
    kinds = ("constraints", "initializers", "losses", "metrics", "regularizers")
    return name in KNOWN or any(class_called(kind, name) is not None for kind in kinds)
