"""The format `tensorflow-checkpoint`: an index and its shards, as `save_weights` of tf.keras, `tf.train.Checkpoint` and
`tf.train.Saver` write them."""

from pathlib import Path

from ckpttool.checkpoint import Checkpoint, Refusal
from ckpttool.errors import CheckpointError
from ckpttool.formats.builder import Parts
from ckpttool.formats.tensorflow import places, trackables
from ckpttool.formats.tensorflow.bundle import Bundle, read_bundle
from ckpttool.formats.tensorflow.keras_metadata import add_whole_config, name_of_model
from ckpttool.formats.tensorflow.roles import roles, table_names
from ckpttool.formats.tensorflow.weights import Shards, add_weights, open_shards, text_of
from ckpttool.io.sources import FileSource
from ckpttool.object_graph import CONFIG, ObjectGraph

_LISTED = 10  # stray files of each kind that are refused by name


def read(source: FileSource) -> Checkpoint:
    """The checkpoint whose index `source` is."""
    index = Path(source.path)
    prefix = places.prefix_of_index(index.name)
    with Parts(source.budget, files=[index.name], closers=[source.close]) as parts:
        shards, _, _ = add_bundle(parts, source)
        size = source.size + shards.nbytes
        meta = index.with_name(prefix + places.META)
        if meta.is_file():
            parts.files.append(meta.name)
            size += meta.lstat().st_size
    return parts.checkpoint(index, "tensorflow-checkpoint", size)


def add_bundle(parts: Parts, source: FileSource) -> tuple[Shards, Bundle, ObjectGraph | None]:
    """Add the weights of a bundle, and its object graph where it has one."""
    bundle = read_bundle(source)
    shards = open_shards(parts, Path(source.path), bundle)
    graph = parts.object_graph = _graph(parts, bundle, shards)
    if graph is not None and parts.config is None:
        _add_config(parts, bundle, shards, graph)
    weight_roles = roles(bundle, graph, name_of_model(parts.config))
    add_weights(parts, bundle, shards, weight_roles, _no_weights(bundle, shards, graph))
    if graph is not None:
        _refuse_absent(parts, bundle, graph)
    index = Path(source.path)
    _refuse_strays(parts, index.parent, places.prefix_of_index(index.name), shards)
    return shards, bundle, graph


def _graph(parts: Parts, bundle: Bundle, shards: Shards) -> ObjectGraph | None:
    """The object graph; without it, and where it cannot be read, names are all that is known."""
    entry = bundle.tensors.get(trackables.KEY)
    if entry is None or not isinstance(
        shards.by_number.get(entry.shard), FileSource
    ):  # whose shard was refused, if any
        return None
    try:
        return trackables.read_graph(memoryview(text_of(bundle, shards, trackables.KEY)), parts.budget)
    except CheckpointError as error:
        if entry.shard not in shards.cut_off:
            parts.refusals.append(Refusal.from_error(error, trackables.KEY))
        return None


def _add_config(parts: Parts, bundle: Bundle, shards: Shards, graph: ObjectGraph) -> None:
    """Add the config of what was saved, where a checkpoint has it among its tensors, as TensorFlow 1.13 to 2.0 wrote
    it.
    """
    key = graph.nodes[0].key(CONFIG) if graph.nodes else ""
    if key in bundle.tensors and isinstance(shards.by_number.get(bundle.tensors[key].shard), FileSource):
        try:
            add_whole_config(parts, text_of(bundle, shards, key), key)
        except CheckpointError as error:
            parts.refusals.append(Refusal.from_error(error, key))


def _no_weights(bundle: Bundle, shards: Shards, graph: ObjectGraph | None) -> set[str]:
    """The tensors that are no weights: the object graph itself, unless it is damaged, and the configs of layers."""
    configs = {key for key, (_, attribute) in graph.owners.items() if attribute.name == CONFIG} if graph else set()
    entry = bundle.tensors.get(trackables.KEY)
    damaged = graph is None and entry is not None and isinstance(shards.by_number.get(entry.shard), FileSource)
    return configs if damaged else {trackables.KEY, *configs}


def _refuse_absent(parts: Parts, bundle: Bundle, graph: ObjectGraph) -> None:
    """Refuse what the object graph names and the index does not have."""
    for key in graph.owners:
        if not any(name in bundle.tensors or name in bundle.problems for name in (key, *table_names(key))):
            parts.refuse("missing", key, "named in the object graph but not stored")


def _refuse_strays(parts: Parts, directory: Path, prefix: str, shards: Shards) -> None:
    """Refuse files beside a checkpoint that have its name and are of another save, or of one that was killed."""
    named, beside = set(shards.names.values()), places.shards_beside(directory, prefix)
    cut_off = {name for name in beside if any(whole.startswith(name) for whole in named - {name})}
    stale = [name for name in beside if name not in named | cut_off]
    for name in stale[:_LISTED]:
        parts.refuse("extra", name, "a shard of an earlier save under the same name: nothing reads it")
    for name in list(places.leftovers(directory, prefix))[:_LISTED]:
        parts.refuse("extra", name, places.KILLED)
