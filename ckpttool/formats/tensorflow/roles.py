"""The role of each tensor of a checkpoint: its section, layer and name, by the object graph, else by its own name.

An object below the model is the model's even where it is below the optimizer, too: Keras 3 lists the weights that it
trains under `optimizer/_trainable_variables`, and that is the shortest of their names.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from ckpttool.checkpoint import Section
from ckpttool.formats.tensorflow.bundle import Bundle
from ckpttool.formats.tensorflow.messages import DTYPES, Entry
from ckpttool.formats.tensorflow.weights import Role
from ckpttool.io import scalars
from ckpttool.object_graph import EXPORTED, TRAINED, VALUE, Attribute, Node, ObjectGraph, Path

_STEPS = frozenset({"iter", "_iterations"})  # in which an optimizer counts its steps
_RATES = frozenset({"learning_rate", "_learning_rate"})
_OPTIMIZERS = frozenset({"optimizer", "_optimizer", "base_optimizer"})
_METRICS = frozenset({"keras_api", "metrics", "_metrics", "_compile_metrics", "_loss_tracker"})
_COUNTER, _ROOT = "save_counter", "root"
_WHOLE = frozenset({"int32", "int64"})
_WORD_COUNTS = frozenset({"num_documents", "num_elements"})  # of what a layer was adapted to
_GENERATOR_STATE = "_state_var"  # of a tf.random.Generator, which draws random numbers for a layer
_SEED = re.compile(r"(seed_generator(_[0-9]+)?/)?seed_generator_state")  # that of Keras 3, where no layer is named
_ATTRIBUTES, _SLOTS = "/.ATTRIBUTES/", ".OPTIMIZER_SLOT"  # within keys, behind the names of objects
_NAMELESS = re.compile(r"Variable(_[0-9]+)?")  # the name of a variable that was given none
_NUMBERED = re.compile(r"(layer|layer_with_weights)-[0-9]+")
_LISTS = frozenset({"_operations", "layers", "_layers"})

# What optimizers of TensorFlow 1 add to the name of a variable (tensorflow/python/training, 1.15: `_get_or_make_slot`).
# These patterns are compiled where names are all that is known.
_SLOT = r"(Adam|Adam_1|Momentum|RMSProp|RMSProp_1|RMSProp_2|Adagrad|Adadelta|Adadelta_1|Ftrl|Ftrl_1)(_[0-9]+)?"
_POWER = r"(.*/)?beta[12]_power(_[0-9]+)?"
_TRAINING = r"training(_[0-9]+)?/[A-Za-z]+(_[0-9]+)?/.+"  # the scope of tf.keras's optimizers
_SCOPES = 4  # before the name of a variable in that of its slot
_GLOBAL_STEP = "global_step"


def roles(bundle: Bundle, graph: ObjectGraph | None, model: str = "") -> dict[str, Role]:
    """The roles of the tensors by name. `model` is the name of the model by its config: it may stand before the names
    of variables, and is no name of a layer."""
    if graph is None:
        return {name: _by_name(name, bundle) for name in bundle.tensors}
    by_graph = _by_graph(graph)
    by_graph |= _counters(graph, bundle, by_graph)
    tables = (name for key in graph.owners for name in table_names(key))
    by_graph |= {name: Role(Section.OTHER) for name in tables if name in bundle.tensors}
    return {
        key: role._replace(layer=role.layer and role.layer.removeprefix(f"{model}/")) for key, role in by_graph.items()
    }


def _counters(graph: ObjectGraph, bundle: Bundle, by_graph: Mapping[str, Role]) -> dict[str, Role]:
    """The counters of a training loop, `tf.train.Checkpoint(step=tf.Variable(1), model=model)`: whole numbers at the
    root beside the model.

    A `tf.train.Checkpoint` counts its saves, and calls a model that is its root by that name.
    """
    root = graph.nodes[0] if graph.nodes else Node()
    if root.child(_COUNTER) is None or root.child(_ROOT) is not None or any(map(_is_numbered, root.children)):
        return {}
    elsewhere = {child for node in graph.nodes[1:] for _, child in node.children}
    names = {graph.nodes[child].key(): name for name, child in root.children if child not in elsewhere}
    of_model = {key for key, role in by_graph.items() if role.section is Section.MODEL}
    whole = {key for key in names.keys() & of_model if key in bundle.tensors and _is_whole_number(bundle.tensors[key])}
    return {key: Role(Section.OTHER, None, names[key]) for key in whole} if of_model - whole else {}


def _is_whole_number(entry: Entry) -> bool:
    return entry.shape == () and entry.dtype in DTYPES and DTYPES[entry.dtype][0] in _WHOLE


def _is_numbered(child: tuple[str, int]) -> bool:
    return _NUMBERED.fullmatch(child[0]) is not None


def table_names(key: str) -> tuple[str, str]:
    """The names of the tensors that hold the keys and the values of a lookup table whose key in the graph is given
    (`_MutableHashTableSaveable`, tensorflow/python/ops/lookup_ops.py, 2.15)."""
    return f"{key}-keys", f"{key}-values"


def _by_name(name: str, bundle: Bundle) -> Role:
    """The role of a tensor without an object graph: TensorFlow 1 stored it under the name of its variable. Where the
    graph cannot be read, the name is a key of the graph."""
    if _ATTRIBUTES in name:
        return _by_key(name)
    layer = name.rpartition("/")[0]
    if _is_slot(name, bundle) or re.fullmatch(_POWER, name) or re.fullmatch(_TRAINING, name):
        return Role(Section.OPTIMIZER, None, name)
    return Role(Section.OTHER, None, name) if name == _GLOBAL_STEP else Role(Section.MODEL, layer, name)


def _is_slot(name: str, bundle: Bundle) -> bool:
    """Whether a tensor is an optimizer's state for a variable that is stored, too, in the same shape. Its name begins
    with the scopes in which the optimizer was made, and goes on with that of the variable."""
    variable, _, last = name.rpartition("/")
    if re.fullmatch(_SLOT, last) is None:
        return False
    for _ in range(_SCOPES):
        owner = bundle.tensors.get(variable)
        if owner is not None and owner.shape == bundle.tensors[name].shape:
            return True
        variable = variable.partition("/")[2]
    return False


def _by_key(key: str) -> Role:
    path, _, attribute = key.partition(_ATTRIBUTES)
    names = path.split("/")
    if attribute != VALUE or names == [_COUNTER]:
        return Role(Section.OTHER)
    if _SLOTS in names or names[0] in _OPTIMIZERS:
        return Role(Section.OPTIMIZER)
    return Role(Section.MODEL if _METRICS.isdisjoint(names) else Section.METRICS)


def _by_graph(graph: ObjectGraph) -> dict[str, Role]:
    sections = _sections(graph)
    owned = {key: (attribute, *sections[number]) for key, (number, attribute) in graph.owners.items()}
    own_names = Counter(entry.full_name for entry, section, _ in owned.values() if section is Section.MODEL)
    counts = {child for node in graph.nodes for name, child in node.children if name in _WORD_COUNTS}
    by_section = {key: _role(*entry, own_names) for key, entry in owned.items()}
    return by_section | {key: Role(Section.OTHER) for key, (number, _) in graph.owners.items() if number in counts}


def _role(attribute: Attribute, section: Section, path: Path, own_names: Counter[str]) -> Role:
    """The role of a tensor whose object is of that section and has that path; `own_names` are those of the model's
    variables, of which several may have the same."""
    name = attribute.full_name
    if attribute.name != VALUE or _SEED.fullmatch(name) or path[-1:] in ((_COUNTER,), (_GENERATOR_STATE,)):
        return Role(Section.OTHER, None, name or None)
    if EXPORTED in path and not own_names[name]:
        section = Section.MODEL
    if section is not Section.MODEL:
        return Role(section, None, name or None)
    if own_names[name] > 1 or not name or _NAMELESS.fullmatch(name):
        return Role(section)
    return Role(section, _layer(name, path), name)


def _sections(graph: ObjectGraph) -> dict[int, tuple[Section, Path]]:
    """The section of every node and the path by which it is known to be of it."""
    optimizers = set(_optimizers(graph))
    model = graph.reached(0, passes=lambda number, name: not _leaves_model(graph, optimizers, number, name))
    sections = {number: (Section.MODEL, path) for number, path in model.items()}
    states = [slot.node for _, slot in graph.slot_variables()]
    for number, path in graph.reached(*sorted(optimizers), *states).items():
        section = Section.MODEL if TRAINED in path[:1] else Section.OPTIMIZER
        sections.setdefault(number, (section, path))
    for number, path in graph.paths.items():
        of_metrics = not _METRICS.isdisjoint(path)
        sections.setdefault(number, (Section.METRICS if of_metrics else Section.OTHER, path))
    return {number: sections.get(number, (Section.OTHER, ())) for number in range(len(graph.nodes))}


def _leaves_model(graph: ObjectGraph, optimizers: set[int], number: int, name: str) -> bool:
    """Whether the child of a node under a name is no longer a part of the model."""
    return name in _METRICS or name == EXPORTED or name in _OPTIMIZERS or graph.nodes[number].child(name) in optimizers


def _optimizers(graph: ObjectGraph) -> Iterator[int]:
    """The nodes that are optimizers: they have slot variables, count steps, or have the name of one."""
    for number, node in enumerate(graph.nodes):
        names = {name for name, _ in node.children}
        if node.slots or not (_STEPS.isdisjoint(names) or _RATES.isdisjoint(names)):
            yield number
        yield from (child for name, child in node.children if name in _OPTIMIZERS)


def _layer(full_name: str, path: Path) -> str | None:
    """The layer of a variable: its own name without as many names as lead to it inside its layer.

    The layer is the innermost member of a list of layers; in a model without such a list, the owner of the variable.
    """
    names = full_name.split("/")
    if not full_name:
        return None
    inside = path[_layer_end(path) :] or path[-1:]
    return "/".join(names[: -len(inside)]) or (names[0] if len(names) > 1 else "")


def _layer_end(path: Path) -> int:
    """The number of names of a path that make up the path of its layer."""
    ends = [at + 1 for at, name in enumerate(path) if _NUMBERED.fullmatch(name) or _is_member(path, at)]
    return ends[-1] if ends else max(0, len(path) - 1)


def _is_member(path: Path, at: int) -> bool:
    return at > 0 and path[at - 1] in _LISTS and scalars.digits(path[at]) is not None
