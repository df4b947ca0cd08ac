"""Ragged inputs, which Keras 2 on TensorFlow accepts in more layers than Keras 3 does.

Tried with Keras 2.15 and 3.15 on TensorFlow: in Keras 3, Dense, TimeDistributed and recurrent layers raise; layers that
work on each value, Embedding and merges output ragged tensors with the same values; pooling over all steps, Flatten and
layers that count output dense ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ckpttool.conversion.config.graphs import Connections, layers_by_name
from ckpttool.conversion.journal import Journal
from ckpttool.model.arguments import Args
from ckpttool.model.generations.generation import Generation
from ckpttool.model.graph import Tensor, flat
from ckpttool.model.layers.table import of_kind
from ckpttool.model.shape_inference import is_model, steps_of
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
    """Refuse the layers of a whole model that a ragged tensor reaches and that accept none in Keras 3. `model` is in
    the form of Keras 3."""
    if is_model(model):
        _Walk(journal).model(model, "", ())


@dataclass(slots=True)
class _Walk:
    """A walk along the connections of a model. For each tensor it has the label of the ragged input from which it is
    computed, empty for dense tensors."""

    journal: Journal
    noted: set[str] = field(default_factory=set)

    def model(self, args: Args, label: str, sources: Sequence[str]) -> Sequence[str]:
        """The ragged sources of the outputs of a model, for those of its inputs."""
        if args.class_name != "Sequential":
            return self.graph(args, label, sources)
        outputs = sources[:1] or ("",)
        for step in steps_of(args):
            outputs = self.layer(step.args, join_path(label, step.args.name), outputs)
        return outputs

    def graph(self, args: Args, label: str, sources: Sequence[str]) -> Sequence[str]:
        """The ragged sources of the outputs of a Functional model."""
        layers = layers_by_name(args)
        connections = Connections.of(args, layers, Generation.KERAS_3)
        inputs = [tensor.layer for tensor in flat(connections.inputs)]
        sources = sources or [self.layer(layers[name], join_path(label, name), ())[0] for name in inputs]
        sources_by_call: dict[_Key, Sequence[str]] = {
            (name, 0): (source,) for name, source in zip(inputs, sources, strict=False)
        }
        for name, at, call in connections.in_order():
            if (name, at) not in sources_by_call:
                taken = _of(call.tensors, sources_by_call)
                sources_by_call[name, at] = self.layer(layers[name], join_path(label, name), taken)
        return _of(flat(connections.outputs), sources_by_call)

    def layer(self, args: Args, label: str, taken: Sequence[str]) -> Sequence[str]:
        """The ragged sources of the outputs of a layer."""
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

    def note(self, label: str, how: Callable[[str, str], None], message: str, source: str) -> None:
        """Note a layer, only once for several calls."""
        if label not in self.noted:
            self.noted.add(label)
            how(label, message.format(input=source))


def _of(tensors: Iterable[Tensor], sources_by_call: Mapping[_Key, Sequence[str]]) -> list[str]:
    """The ragged inputs that tensors come from."""
    outputs = [(sources_by_call.get((tensor.layer, tensor.node), ()), tensor.output) for tensor in tensors]
    return [sources[at] if 0 <= at < len(sources) else next(iter(sources), "") for sources, at in outputs]
