"""The changes between the layers of two models: arguments, connections, names, and the layers themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

from ckpttool.comparison.arguments import Difference, argument_differences, identical, is_automatic, shown
from ckpttool.comparison.change import (
    ABSENT,
    ADDED,
    ARGUMENT,
    CLASS,
    CONNECTION,
    DTYPE,
    NAME,
    REMOVED,
    TRAINABLE,
    ConfigChange,
)
from ckpttool.comparison.graphs import Feeds, as_json, labelled
from ckpttool.comparison.layer_pairs import Pairs, pairings
from ckpttool.comparison.models import Model, Node, wrapped_model
from ckpttool.comparison.objects import ConfigObject, equal
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import with_trait
from ckpttool.model.sizes import is_integer, items

_STEPWISE = with_trait(Trait.STEPWISE)
_KINDS = MappingProxyType(
    {"class": CLASS, "dtype": DTYPE, "inputs": CONNECTION, "name": NAME, "outputs": CONNECTION, "trainable": TRAINABLE}
)

MAX_DEPTH = 64
LEVELS_OF_WRAPPED_MODEL = 4
"""The levels of `MAX_DEPTH` that a model inside a wrapper layer counts for."""


@dataclass(frozen=True)
class Known:
    """The known facts while models are compared.

    `renamed` are chains of names in the first model to those in the second. `depth` is the number of models around.
    `memo` has the changes of the models that are compared already.
    """

    renamed: Mapping[str, str]
    depth: int = 0
    memo: dict[tuple[int, int, tuple[str, str]], tuple[Model, Model, list[ConfigChange]]] = field(
        default_factory=dict, repr=False
    )

    @property
    def deeper(self) -> "Known":
        """The same facts inside one more model."""
        return replace(self, depth=self.depth + 1)


@dataclass(frozen=True)
class Paired:
    """Two models with the pairs of their layers, by position."""

    a: Model
    b: Model
    pairs: Pairs

    @cached_property
    def labels(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Labels for the names of layers in both models: exactly the paired layers have equal ones."""
        first = {at: f"pair {to}" for at, to in self.pairs.items()}
        second = {to: f"pair {to}" for to in self.pairs.values()}
        return (
            {node.name: first.get(at, f"only in a: {node.name}") for at, node in _from_last(self.a)},
            {node.name: second.get(at, f"only in b: {node.name}") for at, node in _from_last(self.b)},
        )

    def are_alike(self, old: Any, new: Any) -> bool:
        """Whether two arguments of calls, nested or not, are the same where paired layers count as the same."""
        old, new = (labelled(value, labels) for value, labels in zip((old, new), self.labels, strict=True))
        return _are_same(old, new)

    @cached_property
    def are_named_alike(self) -> bool:
        """Whether equal names mean paired layers, so that connections that are written alike are the same."""
        if self.a.is_chain or self.b.is_chain or self.a.obj.old is not self.b.obj.old:
            return False
        counts = {*map(len, self.labels), len(self.a.nodes), len(self.b.nodes), len(self.pairs)}
        if len(counts) > 1:  # a layer is in no pair, or two of a model share a name
            return False
        return all(self.a.nodes[at].name == self.b.nodes[to].name for at, to in self.pairs.items())

    @property
    def are_chains(self) -> bool:
        """Whether both models are Sequential."""
        return self.a.is_chain and self.b.is_chain

    def nodes(self) -> Iterator[tuple[Node | None, Node | None]]:
        """The pairs of layers in the order of the first model, then the layers that are new in the second."""
        for place, node in enumerate(self.a.nodes):
            yield node, self.b.nodes[self.pairs[place]] if place in self.pairs else None
        paired = set(self.pairs.values())
        yield from ((None, node) for place, node in enumerate(self.b.nodes) if place not in paired)


def _from_last(model: Model) -> Iterator[tuple[int, Node]]:
    """The layers with their positions, the last one first, so that in a dict the first of several equal names wins."""
    yield from reversed(list(enumerate(model.nodes)))


def model_changes(a: Model, b: Model, known: Known, at: tuple[str, str] = ("", "")) -> list[ConfigChange]:
    """The changes of a model and of everything inside it; `at` are its chains of names, empty for the outermost.

    Of several possible pairings of the layers, the one with the fewest changes counts.
    """
    key = id(a.config), id(b.config), at
    if key not in known.memo:  # an inner model is asked for again with every pairing of the models around it
        known.memo[key] = a, b, _model_changes(a, b, known, at)
    return known.memo[key][2]


def _model_changes(a: Model, b: Model, known: Known, at: tuple[str, str]) -> list[ConfigChange]:
    if a.obj.old is not b.obj.old:
        a, b = a.without_masks(), b.without_masks()
    if a.obj.title != b.obj.title:
        own = [ConfigChange(at[0], "class", a.obj.title, b.obj.title, CLASS, at[1])]
    else:
        own = [_argument_change(at, *difference) for difference in argument_differences(a.obj, b.obj)]
    return own + _best(a, b, known, at)[1]


def paired_chains(a: Model, b: Model, known: Known) -> Iterator[tuple[str, str]]:
    """The chains of names of the paired layers; those of the layers in a nested model come after the model."""
    for one, other in _best(a, b, known, ("", ""))[0].nodes():
        if one is not None and other is not None:
            yield one.chain, other.chain
            if one.inner is not None and other.inner is not None:
                yield from paired_chains(one.inner, other.inner, known.deeper)


def _best(a: Model, b: Model, known: Known, at: tuple[str, str]) -> tuple[Paired, list[ConfigChange]]:
    """The pairing of the layers with the fewest changes, and these changes."""
    ways = (Paired(a, b, pairs) for pairs in pairings(a, b, known.renamed))
    return min(((way, list(_in_layers(way, known, at))) for way in ways), key=lambda pair: _cost(pair[1]))


def _cost(changes: list[ConfigChange]) -> tuple[int, int]:
    names = sum(change.kind == NAME for change in changes)
    return len(changes) - names, names


def _in_layers(both: Paired, known: Known, at: tuple[str, str]) -> Iterator[ConfigChange]:
    """The changes of the layers; layers that are new in the second model come last."""
    yield from _ends(both, at)
    for one, other in both.nodes():
        if one is not None and other is not None:
            yield from _in_pair(both, one, other, known)
        elif one is not None:
            yield ConfigChange(one.chain, "", one.kind, ABSENT, REMOVED, one.chain)
        elif other is not None:
            yield ConfigChange(other.chain, "", ABSENT, other.kind, ADDED, other.chain)


def _ends(both: Paired, at: tuple[str, str]) -> Iterator[ConfigChange]:
    """The changes of the inputs and outputs of a model."""
    for key, label in (("input_layers", "inputs"), ("output_layers", "outputs")):
        old, new = both.a.ends(key), both.b.ends(key)
        if not both.are_alike(old, new):
            yield ConfigChange(at[0], label, as_json(old), as_json(new), CONNECTION, at[1])


def _in_pair(both: Paired, one: Node, other: Node, known: Known) -> Iterator[ConfigChange]:
    """The changes of one paired layer."""
    at = one.chain, other.chain
    if one.name != other.name and one.chain not in known.renamed and not _are_unnamed(both, one, other):
        yield ConfigChange(one.chain, "name", one.name, other.name, NAME, other.chain)
    yield from _connections(both, one, other)
    if one.inner is not None and other.inner is not None:
        yield from model_changes(one.inner, other.inner, known.deeper, at)
    elif one.kind != other.kind:
        yield ConfigChange(one.chain, "class", one.kind, other.kind, CLASS, other.chain)
    else:
        yield from in_arguments(one, other, known, both)


def in_arguments(one: Node, other: Node, known: Known, both: Paired | None = None) -> Iterator[ConfigChange]:
    """The changes of a layer's arguments; `both` are the paired models around it, None where it moved to another."""
    inside = partial(_in_wrapped_models, known) if known.depth < MAX_DEPTH else None
    for key, old, new in argument_differences(one.obj, other.obj, inside=inside):
        if both is None or not _are_one_axis(both, one, other, key, old, new):
            yield _argument_change((one.chain, other.chain), key, old, new)


def _in_wrapped_models(known: Known, a: ConfigObject, b: ConfigObject) -> Iterator[Difference]:
    """The differences between two models that are arguments of layers, such as TimeDistributed."""
    deeper = Known({}, known.depth + LEVELS_OF_WRAPPED_MODEL, known.memo)
    for change in model_changes(wrapped_model(a, deeper.depth), wrapped_model(b, deeper.depth), deeper):
        yield ".".join(filter(None, (*change.layer.split("/"), change.key))), change.old, change.new


def _are_unnamed(both: Paired, one: Node, other: Node) -> bool:
    """Whether the names of two layers say nothing, since Keras numbered them.

    Of two inputs of Sequential models, it is enough that Keras named one.
    """
    unnamed = [is_automatic(node.obj, node.name) for node in (one, other)]
    if both.are_chains and one.obj.is_input and other.obj.is_input:
        return any(unnamed) or one.name.endswith("_input") or other.name.endswith("_input")
    return all(unnamed)


def _argument_change(at: tuple[str, str], key: str, old: Any, new: Any) -> ConfigChange:
    parts = key.split(".")
    kind = CONNECTION if "inbound" in parts else _KINDS.get(parts[-1], ARGUMENT)
    return ConfigChange(at[0], key, shown(old), shown(new), kind, at[1])


def _are_one_axis(both: Paired, one: Node, other: Node, key: str, old: Any, new: Any) -> bool:
    """Whether two axes are the same: Keras 2 writes those of built layers from the front, others from the back."""
    owner, _, last = key.rpartition(".")
    if last != "axis" or owner not in ("", "layer"):
        return False
    before, after = (value if isinstance(value, list) else [value] for value in (items(old), items(new)))
    if len(before) != len(after) or not all(map(is_integer, (*before, *after))):
        return False
    less = owner == "layer" and one.obj.class_name in _STEPWISE  # its layer gets inputs without the time axis
    ranks = both.a.rank(one), both.b.rank(other)
    return _from_the_back(before, ranks[0] or ranks[1], less) == _from_the_back(after, ranks[1] or ranks[0], less)


def _from_the_back(axes: list[int], rank: int | None, less: bool) -> list[int]:
    """Axes as negative numbers, for inputs of rank `rank`, or of one axis less."""
    count = 0 if rank is None else rank - less
    return [axis - count if 0 <= axis < count else axis for axis in axes]


def _connections(both: Paired, one: Node, other: Node) -> Iterator[ConfigChange]:
    """The changes of a layer's inputs: of each argument of its one call, or of its calls by number."""
    written = one.entry.get("inbound_nodes"), other.entry.get("inbound_nodes")
    if both.are_named_alike and identical(*written):
        return
    old, new = both.a.feeds[one.name], both.b.feeds[other.name]
    if old is None or new is None:
        if not (old is new and _are_same(*written)):
            yield ConfigChange(one.chain, "inbound", *written, CONNECTION, other.chain)
    elif len(old) != len(new):
        yield ConfigChange(one.chain, "inbound", _calls(old), _calls(new), CONNECTION, other.chain)
    else:
        for number, (feeds, others) in enumerate(zip(old, new, strict=True), 1):
            label = f"inbound.call {number}" if len(old) > 1 else "inbound"
            for key in dict.fromkeys((*feeds, *others)):
                before, after = feeds.get(key, ABSENT), others.get(key, ABSENT)
                if not both.are_alike(before, after):
                    full = f"{label}.{key}" if key else label
                    yield ConfigChange(one.chain, full, as_json(before), as_json(after), CONNECTION, other.chain)


def _calls(calls: tuple[Feeds, ...]) -> Any:
    """Calls as JSON has them: the inputs of each, with the names of arguments where there is more than one."""
    inputs = [as_json(feeds[""] if list(feeds) == [""] else dict(feeds)) for feeds in calls]
    return inputs[0] if len(inputs) == 1 else inputs


def _are_same(a: Any, b: Any) -> bool:
    """Whether two arguments of calls, nested or not, are the same."""
    return identical(a, b) or (a is not ABSENT and b is not ABSENT and equal(a, b))
