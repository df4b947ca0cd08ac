"""The table of layers: one row for each built-in class of Keras 3.15, and for each that only older Keras had.

Nothing here knows Keras itself; that the rows are true is for the tests to show, against live layers. Models have rows,
too, but what they give out and their weights follow from the layers in them (`shape_inference`, `parts`).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.graph import Call
from ckpttool.model.layers import (
    attention,
    categories,
    convolutional,
    core,
    dense,
    einsum,
    elementwise,
    images,
    lookups,
    merge,
    normalization,
    pooling,
    recurrent,
    removed_layers,
    reshape,
    spectrograms,
    wrappers,
)
from ckpttool.model.layers.call_inputs import misfit
from ckpttool.model.layers.internal_layers import internal_layer
from ckpttool.model.layers.layer_type import Kind, LayerType, Trait, no_weights
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Shape

_FAMILIES: Mapping[str, Mapping[str, LayerType]] = {
    "attention": attention.ROWS,
    "categories": categories.ROWS,
    "convolution": convolutional.ROWS,
    "core": core.ROWS,
    "dense": {**dense.ROWS, **einsum.ROWS},
    "elementwise": elementwise.ROWS,
    "image": images.ROWS,
    "lookup": lookups.ROWS,
    "merge": merge.ROWS,
    "normalization": normalization.ROWS,
    "pooling": pooling.ROWS,
    "recurrent": recurrent.ROWS,
    "reshape": reshape.ROWS,
    "spectrogram": spectrograms.ROWS,
}

_HOLDING_NONE: dict[str, LayerType] = {name: row for rows in _FAMILIES.values() for name, row in rows.items()}

WEIGHTLESS = frozenset(name for name, row in _HOLDING_NONE.items() if row.weights is no_weights)
"""The names of the classes that never have weights of their own and hold no layer that could, aliases left out."""

_CLASSES = {**_HOLDING_NONE, **wrappers.rows(WEIGHTLESS)}

LAYERS: Mapping[str, LayerType] = MappingProxyType(
    {**_CLASSES, **{alias: _CLASSES[class_name] for alias, class_name in ALIASES.items()}}
)
"""The row of every built-in class, aliases included."""

OLD_LAYERS: Mapping[str, LayerType] = MappingProxyType(removed_layers.ROWS)
"""The rows of the classes of older Keras that Keras 3 does not have."""


def classes(passes: Callable[[LayerType], bool]) -> frozenset[str]:
    """The names of the classes whose row passes a test, those that Keras 3 does not have too, aliases left out."""
    return frozenset(name for name, row in (*_CLASSES.items(), *OLD_LAYERS.items()) if passes(row))


def of_kind(kind: Kind) -> frozenset[str]:
    """The names of the classes of a kind, aliases left out."""
    return classes(lambda row: row.kind == kind)


def with_trait(trait: Trait) -> frozenset[str]:
    """The names of the classes with a peculiarity, aliases left out."""
    return classes(lambda row: trait in row.traits)


INPUTS, CHAINS = with_trait(Trait.INPUT), with_trait(Trait.CHAIN)
"""The names of the classes that declare inputs, and of the models whose layers follow one another."""

FAMILIES = ("input", *_FAMILIES, "wrapper", "model", "operation", "removed", "own")
"""The families of layers, as `family_of` names them."""

_FAMILY_OF = {name: family for family, rows in _FAMILIES.items() for name in rows} | {"InputLayer": "input"}

MODELS = of_kind("model") | {"Model"}
"""The names of the classes whose config lists their layers, `Model` as older Keras calls Functional too."""

FUNCTIONS = of_kind("function")
"""The names of the classes that call a function of TensorFlow in a graph of Keras 2."""


def row_of(args: Args) -> LayerType | None:
    """The row of a layer, None where its class is not built in, or where its config places it outside Keras."""
    if args.foreign:
        return None
    row = LAYERS.get(args.class_name) or OLD_LAYERS.get(args.class_name)
    other = None if row else internal_layer(args)
    return other.row if other else row


def family_of(args: Args) -> str:
    """The family of a layer, one of FAMILIES: "own" for a class that is not built in, "removed" for one of older Keras
    alone."""
    if args.operation:
        return "operation"
    if row_of(args) is None:
        return "own"
    class_name = ALIASES.get(args.class_name, args.class_name)
    if class_name in MODELS:
        return "model"
    rest = "removed" if class_name in OLD_LAYERS else "wrapper" if class_name in _CLASSES else "own"
    return _FAMILY_OF.get(class_name, rest)


def output_shapes(args: Args, call: Call, infer: Infer) -> Outputs:
    """The shapes of what comes out of a layer or an operation for one call; none for a class that is not built in.

    Raises ConfigError where the inputs do not fit, or where what would come out is larger than any array.
    """
    rule = _operation(args) if args.operation else _layer(args)
    shapes = rule(args, call, infer) if rule else ()
    if not all(map(_is_possible, shapes)):
        raise misfit(args, f"inputs that make no axis larger than {MAX_SIZE} and no more than {MAX_RANK} axes")
    return shapes


def _layer(args: Args) -> Rule | None:
    row = row_of(args)
    return row.outputs if row else None


def _operation(args: Args) -> Rule | None:
    """The rule of an operation; models without one, which are most, do not need their modules."""
    from ckpttool.model.operations.table import OPERATIONS

    return None if args.foreign else OPERATIONS.get(args.class_name)


def _is_possible(shape: Shape | None) -> bool:
    """Whether an array can have such a shape, which also keeps sizes from growing from layer to layer."""
    return shape is None or (len(shape) <= MAX_RANK and all(size is None or 0 <= size <= MAX_SIZE for size in shape))
