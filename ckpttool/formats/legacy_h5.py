"""The legacy layout: `.h5` and `.hdf5` of Keras 1, 2, tf.keras and Keras 3, whole models and weights only.

`layer_names` lists the groups of the layers, each group's `weight_names` its weights, both possibly cut into numbered
pieces (`save_attributes_to_hdf5_group`, keras/src/legacy/saving/legacy_h5_format.py, 3.15). A whole model keeps them
below `model_weights`, its configs as attributes of the root and the optimizer's state below `optimizer_weights`.
"""

from collections import Counter
from collections.abc import Iterable

from ckpttool.checkpoint import Producer, Section, Weight
from ckpttool.errors import CorruptFileError
from ckpttool.formats.hdf5.tree import Tree
from ckpttool.formats.hdf5_input import Hdf5Input

MAX_LAYERS = 10_000
_TOP_LEVEL = "top_level_model_weights"
_UNFINISHED = "a save that never finished leaves this: save again, or take the save before"


def is_model(tree: Tree) -> bool:
    """Whether the file is a whole model."""
    return "model_weights" in tree.groups or "model_config" in tree.groups[""].names()


def is_weights(tree: Tree) -> bool:
    """Whether the file holds weights only, at its root."""
    names = tree.groups[""].names()
    return "layer_names" in names or "layer_names0" in names


def read_model(source: Hdf5Input) -> None:
    """Add the weights of a whole model, its configs and its optimizer's state."""
    tree, parts = source.tree, source.parts
    parts.config = parts.json(tree.text("", "model_config"), "model_config")
    parts.training_config = parts.json(tree.text("", "training_config"), "training_config")
    source = _with_untagged(source)
    _read_layers(source, "model_weights")
    if "optimizer_weights" in tree.groups:
        _read_group(source, "optimizer_weights", Section.OPTIMIZER, None)
    _finish(source)


def read_weights(source: Hdf5Input) -> None:
    """Add the weights of a weights-only file."""
    source = _with_untagged(source)
    _read_layers(source, "")
    _finish(source)


def _with_untagged(source: Hdf5Input) -> Hdf5Input:
    """Take two opaque bytes for bfloat16 in files of Keras 3, which writes it here without the attribute that tells it
    elsewhere (`save_subset_weights_to_hdf5_group`, keras/src/legacy/saving/legacy_h5_format.py, 3.15); a note says so.
    """
    if not (source.tree.text("", "keras_version") or "").startswith("3."):
        return source
    if any(dataset.dtype.kind == "opaque" and dataset.dtype.size == 2 for dataset in source.tree.datasets.values()):
        source.parts.notes.append("two opaque bytes are taken for bfloat16, the only such values that Keras writes")
    return source._replace(untagged="bfloat16")


def _read_layers(source: Hdf5Input, base: str) -> None:
    tree = source.tree
    if base and base not in tree.groups:
        source.parts.refuse("missing", base, f"the config of a model without its group of weights; {_UNFINISHED}")
        return
    layers = names(tree, base, "layer_names")
    if layers is None:
        source.parts.refuse("corrupt", base or "/", "no layer_names: layers are taken in the order of their names")
        layers = [path.rpartition("/")[2] for path in tree.groups if path and path.rpartition("/")[0] == base]
    source.parts.layer_names.extend(layers)
    absent = [layer for layer in dict.fromkeys(layers) if _place(base, layer) not in tree.groups]
    if absent:
        source.parts.refuse("missing", _absent_at(base, absent), f"listed in layer_names but not stored; {_UNFINISHED}")
    for layer in dict.fromkeys(layers):
        if _place(base, layer) in tree.groups:
            _read_group(source, _place(base, layer), Section.MODEL, layer)
    if len(layers) > MAX_LAYERS:
        source.parts.refuse("bomb", base or "/", f"layer_names lists {len(layers):,} layers")
    if len(set(layers)) < len(layers):
        source.parts.refuse("bomb", base or "/", f"layer_names repeats names: {len(layers):,} for {len(set(layers)):,}")
    top = _place(base, _TOP_LEVEL)
    if top in tree.groups:
        _read_group(source, top, Section.MODEL, None)


def _absent_at(base: str, layers: list[str]) -> str:
    """The place of layers that are not stored: the group of one, the first of several and how many there are."""
    first = _place(base, layers[0])
    return first if len(layers) == 1 else f"{first} and {len(layers) - 1:,} more groups of layers"


def _read_group(source: Hdf5Input, group: str, section: Section, layer: str | None) -> None:
    """Add the weights that one group lists, in the order it lists them."""
    tree, parts = source.tree, source.parts
    listed = names(tree, group, "weight_names")
    if listed is None:
        parts.budget.spend(len(tree.datasets) >> 3)  # all are looked through for every such group
        listed = [path[len(group) + 1 :] for path in tree.datasets if path.startswith(group + "/")]
        if listed:
            parts.refuse("corrupt", group, "no weight_names: weights are taken in the order of their names")
        else:  # which Keras takes for a layer without weights
            parts.refuse("unfinished", group, f"neither weight_names nor weights; {_UNFINISHED}")
    repeated = [name for name, count in Counter(listed).items() if count > 1]
    if repeated:  # h5py raises for the second, and Keras stops there
        detail = f"weight_names lists it more than once, and HDF5 stores a name once; {_UNFINISHED}"
        parts.refuse("missing", _place(group, repeated[0]), detail)
    for name in dict.fromkeys(listed):
        path = _place(group, name)
        if path in parts.weights:
            parts.refuse("ambiguous", path, "listed by more than one layer")
        elif path in tree.datasets:
            source.add(path, section, layer, name)
        else:
            parts.refuse("missing", path, "listed in weight_names but not stored")


def _finish(source: Hdf5Input) -> None:
    """Add datasets that no layer lists, and who wrote the file."""
    tree, parts = source.tree, source.parts
    source.add_rest("stored, but no layer lists it")
    base = "model_weights" if "model_weights" in tree.groups else ""
    version = tree.text("", "keras_version") or tree.text(base, "keras_version")
    backend = tree.text("", "backend") or tree.text(base, "backend")
    inferred_backend = _backend_by_names(parts.weights.values()) if backend is None else None
    generation = "Keras 1.x" if backend is None and parts.weights else ""
    parts.producer = Producer(version, backend, inferred_backend=inferred_backend, generation=generation)


def _backend_by_names(weights: Iterable[Weight]) -> str | None:
    """The backend that Keras 1's weight names give away: TensorFlow's end in `:0`, Theano's do not."""
    stored = [weight.name for weight in weights if weight.name and weight.section is Section.MODEL]
    if not stored:
        return None
    return "tensorflow" if all(name.endswith(":0") for name in stored) else "theano"


def _place(group: str, name: str) -> str:
    """The path of what Keras stored as `name` in a group. HDF5 takes a name that begins with a slash from the root of
    the file, such as the `/iterations` of Keras 2.0.4 and 2.0.5 on Theano, and overlooks doubled slashes and dots."""
    whole = name if name.startswith("/") else f"{group}/{name}"
    return "/".join(part for part in whole.split("/") if part not in ("", "."))


def names(tree: Tree, path: str, attribute: str) -> list[str] | None:
    """The texts of a names attribute, its numbered pieces joined; None where there is none.

    A layer without weights has an empty array of float64 there.
    """
    whole = tree.attribute(path, attribute)
    if whole is None:
        whole = _pieces(tree, path, attribute)
    if whole is None or whole == []:
        return whole  # type: ignore[return-value]
    texts = whole if isinstance(whole, list) else [whole]
    if all(isinstance(text, str) for text in texts):
        return texts  # type: ignore[return-value]
    tree.refuse(f"{path or '/'} attribute {attribute}", CorruptFileError("no list of texts"))
    return None


def _pieces(tree: Tree, path: str, attribute: str) -> list[str] | None:
    """The numbered pieces of an attribute that was too long for one: `layer_names0`, `layer_names1` ..."""
    texts: list[str] | None = None
    for number in range(10_000):
        piece = tree.attribute(path, f"{attribute}{number}")
        if not isinstance(piece, list):
            break
        texts = [*(texts or []), *map(str, piece)]
    return texts
