"""The changes between the configs of two checkpoints, whatever generations of Keras wrote them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from ckpttool.checkpoint import Producer
from ckpttool.comparison.arguments import Sides, differences, is_automatic, shown
from ckpttool.comparison.change import ADDED, ARGUMENT, NAME, REMOVED, VERSION, ConfigChange
from ckpttool.comparison.compile_settings import Compiled, compile_changes
from ckpttool.comparison.layer_changes import Known, in_arguments, model_changes, paired_chains
from ckpttool.comparison.models import Model, Node, model_of
from ckpttool.model.checkpoint_architecture import Configured


class Configs(Configured, Protocol):
    """The compared parts of a checkpoint: its configs, and the Keras that wrote it."""

    @property
    def training_config(self) -> Any:
        """The settings that the model was compiled with, as stored."""


_NONE_RENAMED: Mapping[str, str] = MappingProxyType({})


def config_changes(a: Configs, b: Configs, renamed: Mapping[str, str] = _NONE_RENAMED) -> tuple[ConfigChange, ...]:
    """The changes from the configs of one checkpoint to those of another.

    First those of the model's own settings, then of its layers in the order of the first, of its compile settings, and
    of the version of Keras. Configs of different generations of Keras are compared by their meaning; an argument that
    is not set has its default. `renamed` are chains of names in the first to those in the second, known from weights;
    the new name of such a layer is no change here. Where one side has no config, there are no changes of the model.
    """
    one, other = model_of(a), model_of(b)
    if one is not None and other is not None:
        changes = (*_of_layers(one, other, renamed), *compile_changes(_compiled(a, one), _compiled(b, other)))
    else:
        changes = tuple(_as_written(a, b))
    return (*changes, *version_changes(a.producer, b.producer))


def layer_pairs(a: Configs, b: Configs, renamed: Mapping[str, str] = _NONE_RENAMED) -> Mapping[str, str]:
    """The layers of one checkpoint to the same layers of another by their configs, as chains of names.

    Layers of one side alone are left out. Empty where one side has no config.
    """
    one, other = model_of(a), model_of(b)
    return {} if one is None or other is None else dict(paired_chains(one, other, Known(renamed)))


def _compiled(configs: Configs, model: Model) -> Compiled:
    return Compiled(configs.training_config, model.output_names, model.obj.old)


def _as_written(a: Configs, b: Configs) -> Iterator[ConfigChange]:
    """The changes between two configs that are not both of models; none where one side has no config."""
    if a.config is not None and b.config is not None:
        for key, old, new in differences("config", "", a.config, b.config, Sides()):
            yield ConfigChange("", key, shown(old), shown(new), ARGUMENT)


def _of_layers(a: Model, b: Model, renamed: Mapping[str, str]) -> Iterator[ConfigChange]:
    # `model_1` and `model_4` may be the same model: Keras numbers names anew in every session.
    numbered = all(is_automatic(side.obj, side.name) for side in (a, b))
    if a.name != b.name and _is_named(a) and _is_named(b) and not numbered:
        yield ConfigChange("", "name", a.name, b.name, NAME)
    layers = {node.chain: node for node in _nodes(a)}, {node.chain: node for node in _nodes(b)}
    known = Known(_with_models(renamed, *layers))
    yield from _with_moved(model_changes(a, b, known), known, *layers)


def _is_named(model: Model) -> bool:
    """Whether a config names its model; the configs of Sequential models up to Keras 2.2.2 do not."""
    return bool(model.name) and not (model.obj.old and model.name == "sequential")


def _nodes(model: Model) -> Iterator[Node]:
    """The layers of a model, each before the layers inside it."""
    for node in model.nodes:
        yield node
        if node.inner is not None:
            yield from _nodes(node.inner)


Nodes = Mapping[str, Node]


def _with_models(renamed: Mapping[str, str], a: Nodes, b: Nodes) -> Mapping[str, str]:
    """The known renamed layers, and the models around them that were renamed, too.

    The renamed layers vote for the new name of the model around them, where that model is on one side alone.
    """
    votes: Counter[tuple[str, str]] = Counter()
    for old, new in renamed.items():
        above = old.rpartition("/")[0], new.rpartition("/")[0]
        while all(above) and above[0] != above[1]:
            votes[above] += 1
            above = above[0].rpartition("/")[0], above[1].rpartition("/")[0]
    around: dict[str, str] = {}
    taken = set[str]()
    for (old, new), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if old in a and new in b and old not in b and new not in a and old not in around and new not in taken:
            around[old] = new
            taken.add(new)
    return {**renamed, **around}


def _with_moved(changes: list[ConfigChange], known: Known, a: Nodes, b: Nodes) -> Iterator[ConfigChange]:
    """The changes in which layers that moved to another model are not removed and added, but compared."""
    moved = {old: new for old, new in known.renamed.items() if old in a and new in b and _is_moved(old, new, known)}
    arrived = set(moved.values())
    for change in changes:
        if change.layer not in {REMOVED: moved.keys(), ADDED: arrived}.get(change.kind, ()):
            yield change
    for old, new in moved.items():
        if a[old].kind == b[new].kind:
            yield from in_arguments(a[old], b[new], known)


def _is_moved(old: str, new: str, known: Known) -> bool:
    """Whether a layer is in another model than before."""
    before, after = old.rpartition("/")[0], new.rpartition("/")[0]
    return known.renamed.get(before, before) != after


def version_changes(a: Producer, b: Producer) -> Iterator[ConfigChange]:
    """The changes of the Keras version and of the backend, as far as both files state them."""
    for key in ("keras_version", "backend"):
        old, new = getattr(a, key), getattr(b, key)
        if old is not None and new is not None and old != new:
            yield ConfigChange("", key, old, new, VERSION)
