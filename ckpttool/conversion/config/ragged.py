"""Ragged inputs, which TensorFlow's Keras 2 took in more layers than Keras 3 does.

What was tried, Keras 2.15 against 3.15 on TensorFlow: Dense, TimeDistributed and recurrent layers raise; layers that
work on each value, Embedding and merges hand ragged tensors on, and predict the same; pooling over all steps, Flatten
and layers that count give dense ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ckpttool.conversion.config.graphs import Connections
from ckpttool.conversion.config.layer_order import in_order
from ckpttool.conversion.journal import Journal
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Tensor, flat
from ckpttool.model.layers.table import of_kind
from ckpttool.model.shape_inference import is_model, name_in_graph, steps_of
from ckpttool.paths import join_path

_RAISING = of_kind("recurrent") | {"Dense", "TimeDistributed"}
_PASSING = frozenset(
    {
        *(
            "Activation",
            "Add",
            "Average",
            "Concatenate",
            "Discretization",
            "Dropout",
            "Embedding",
            "Hashing",
            "Identity",
        ),
        *("InputLayer", "IntegerLookup", "LayerNormalization", "Maximum", "Minimum", "Multiply", "Rescaling"),
        *("StringLookup", "Subtract"),
    }
)
_ENDING = frozenset({"CategoryEncoding", "Flatten", "GlobalAveragePooling1D", "GlobalMaxPooling1D"})
_RAISES = (
    "takes no ragged tensors in Keras 3, and one reaches it from {input}; write the weights alone (.weights.h5) for a "
    "model that takes padded ones"
)
_UNTRIED = "gets a ragged tensor from {input}, which it takes in Keras 3 as it did"

_Key = tuple[str, int]


def check(model: Args, journal: Journal) -> None:
    """Refuses the layers of a whole model which ragged tensors reach and that Keras 3 lets take none. `model` is in the
    words of Keras 3."""
    if is_model(model):
        _Walk(journal).model(model, "", ())


@dataclass(slots=True)
class _Walk:
    """A walk along the connections of a model, with the name of the ragged input that a tensor comes from, empty for
    dense ones."""

    journal: Journal
    noted: set[str] = field(default_factory=set)

    def model(self, args: Args, label: str, given: Sequence[str]) -> Sequence[str]:
        """What comes out of a model, for what goes in."""
        if args.class_name != "Sequential":
            return self.graph(args, label, given)
        found = given[:1] or ("",)
        for step in steps_of(args):
            found = self.layer(step.args, join_path(label, step.args.name), found)
        return found

    def graph(self, args: Args, label: str, given: Sequence[str]) -> Sequence[str]:
        """What comes out of a Functional model."""
        entries = zip(args.config["layers"], args.layers("layers"), strict=True)
        layers = {name_in_graph(entry, layer): layer for entry, layer in entries}
        connections = Connections.of(args, layers, Generation.KERAS_3)
        inputs = [tensor.layer for tensor in flat(connections.inputs)]
        given = given or [self.layer(layers[name], join_path(label, name), ())[0] for name in inputs]
        found: dict[_Key, Sequence[str]] = {(name, 0): (one,) for name, one in zip(inputs, given, strict=False)}
        calls = {(name, at): call for name, of in connections.calls.items() for at, call in enumerate(of)}
        for key in in_order(calls, lambda key: [(tensor.layer, tensor.node) for tensor in calls[key].tensors]):
            if key not in found:
                taken = _of(calls[key].tensors, found)
                found[key] = self.layer(layers[key[0]], join_path(label, key[0]), taken)
        return _of(flat(connections.outputs), found)

    def layer(self, args: Args, label: str, taken: Sequence[str]) -> Sequence[str]:
        """What comes out of a layer."""
        if is_model(args):
            return self.model(args, label, taken)
        if args.class_name == "InputLayer" and args.config.get("ragged") is True:
            return (label,)
        source = next(filter(None, taken), "")
        if not source or args.class_name in _ENDING or args.config.get("output_mode", "int") != "int":
            return ("",)
        if args.class_name in _RAISING:
            self.note(label, self.journal.refuse, _RAISES, source)
            return ("",)
        if args.class_name not in _PASSING:
            self.note(label, self.journal.guess, _UNTRIED, source)
        return (source,)

    def note(self, label: str, how: Callable[[str, str], None], what: str, source: str) -> None:
        """Notes a layer once, whatever the number of its calls."""
        if label not in self.noted:
            self.noted.add(label)
            how(label, what.format(input=source))


def _of(tensors: Iterable[Tensor], found: Mapping[_Key, Sequence[str]]) -> list[str]:
    """The ragged inputs that tensors come from."""
    outputs = [(found.get((tensor.layer, tensor.node), ()), tensor.output) for tensor in tensors]
    return [of[at] if 0 <= at < len(of) else next(iter(of), "") for of, at in outputs]
