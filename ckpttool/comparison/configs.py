"""What changed between the configs of two checkpoints, whatever generations of Keras wrote them."""

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
from ckpttool.model.stored import Configured


class Configs(Configured, Protocol):
    """What is compared of a checkpoint: its configs, and who wrote it."""

    @property
    def training_config(self) -> Any:
        """What the model was compiled with."""


_NOTHING: Mapping[str, str] = MappingProxyType({})


def config_changes(a: Configs, b: Configs, renamed: Mapping[str, str] = _NOTHING) -> tuple[ConfigChange, ...]:
    """What changed from the configs of one checkpoint to those of another: the model's own settings, its layers in the
    order of the first, what it is compiled with, and who wrote it.

    Configs of different generations of Keras are compared by what they mean, with defaults as given. `renamed` are
    chains of names in the first with those in the second, known from weights; the new name of such a layer is no change
    here. Nothing is told of the model where one side has no config.
    """
    one, other = model_of(a), model_of(b)
    if one is not None and other is not None:
        told = (*_of_layers(one, other, renamed), *compile_changes(_compiled(a, one), _compiled(b, other)))
    else:
        told = tuple(_as_written(a, b))
    return (*told, *version_changes(a.producer, b.producer))


def layer_pairs(a: Configs, b: Configs, renamed: Mapping[str, str] = _NOTHING) -> Mapping[str, str]:
    """The layers of one checkpoint with those of another that they are by their configs: chains of names. Layers that
    are only on one side are left out; so is everything where one side has no config."""
    one, other = model_of(a), model_of(b)
    return {} if one is None or other is None else dict(paired_chains(one, other, Known(renamed)))


def _compiled(one: Configs, model: Model) -> Compiled:
    return Compiled(one.training_config, model.output_names, model.thing.old)


def _as_written(a: Configs, b: Configs) -> Iterator[ConfigChange]:
    """What changed between configs that are not both of models; nothing where one side has none."""
    if a.config is not None and b.config is not None:
        for key, old, new in differences("config", "", a.config, b.config, Sides()):
            yield ConfigChange("", key, shown(old), shown(new), ARGUMENT)


def _of_layers(a: Model, b: Model, renamed: Mapping[str, str]) -> Iterator[ConfigChange]:
    if a.name != b.name and all(map(_is_named, (a, b))) and not all(map(_is_numbered, (a, b))):
        yield ConfigChange("", "name", a.name, b.name, NAME)
    layers = {node.chain: node for node in _nodes(a)}, {node.chain: node for node in _nodes(b)}
    known = Known(_with_models(renamed, *layers))
    yield from _with_moved(model_changes(a, b, known), known, *layers)


def _is_named(model: Model) -> bool:
    """Whether a config names its model; those of Sequential ones up to Keras 2.2.2 do not."""
    return bool(model.name) and not (model.thing.old and model.name == "sequential")


def _is_numbered(model: Model) -> bool:
    return is_automatic(model.thing, model.name)


def _nodes(model: Model) -> Iterator[Node]:
    """The layers of a model with all that are in them."""
    for node in model.nodes:
        yield node
        if node.inner is not None:
            yield from _nodes(node.inner)


Nodes = Mapping[str, Node]


def _with_models(renamed: Mapping[str, str], a: Nodes, b: Nodes) -> Mapping[str, str]:
    """The known chains of names with those of the models around them, as far as only one side has these."""
    votes: Counter[tuple[str, str]] = Counter()
    for old, new in renamed.items():
        above = old.rpartition("/")[0], new.rpartition("/")[0]
        while all(above) and above[0] != above[1]:
            votes[above] += 1
            above = above[0].rpartition("/")[0], above[1].rpartition("/")[0]
    found: dict[str, str] = {}
    taken = set[str]()
    for (old, new), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if old in a and new in b and old not in b and new not in a and old not in found and new not in taken:
            found[old] = new
            taken.add(new)
    return {**renamed, **found}


def _with_moved(changes: list[ConfigChange], known: Known, a: Nodes, b: Nodes) -> Iterator[ConfigChange]:
    """The changes without those layers that are not gone but in another model, and with what changed in these."""
    moved = {old: new for old, new in known.renamed.items() if old in a and new in b and _is_moved(old, new, known)}
    arrived = set(moved.values())
    for change in changes:
        if change.layer not in {REMOVED: moved.keys(), ADDED: arrived}.get(change.kind, ()):
            yield change
    for old, new in moved.items():
        if a[old].kind == b[new].kind:
            yield from in_arguments(a[old], b[new], known)


def _is_moved(old: str, new: str, known: Known) -> bool:
    """Whether a layer is in another model than it was."""
    before, after = old.rpartition("/")[0], new.rpartition("/")[0]
    return known.renamed.get(before, before) != after


def version_changes(a: Producer, b: Producer) -> Iterator[ConfigChange]:
    """What changed in who wrote the files, as far as both say so."""
    for key in ("keras_version", "backend"):
        old, new = getattr(a, key), getattr(b, key)
        if old is not None and new is not None and old != new:
            yield ConfigChange("", key, old, new, VERSION)
