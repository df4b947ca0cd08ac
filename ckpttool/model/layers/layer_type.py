"""A class of layers as one row describes it: its weights, the shapes of its outputs, its use of calls and masks."""

from collections.abc import Callable
from enum import Flag, auto
from typing import Literal, NamedTuple

from ckpttool.model.arguments import Args
from ckpttool.model.layers.call_inputs import unknown
from ckpttool.model.layers.work import WorkRule, unknown_work
from ckpttool.model.output_rule import Rule
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part

Build = Callable[[Args, Inputs], Part]
"""What gives the weights of any layer, for layers that hold others."""

Weights = Callable[[Args, Inputs, Build], Part]
"""The weights of one class for inputs of these shapes. Raises ConfigError where arguments make no sense."""

Kind = Literal["", "attention", "cell", "elementwise merge", "function", "lookup", "model", "recurrent"]
"""What several rooms ask of a class; empty for classes of which none does."""


class MaskUse(Flag):
    """The use that a class makes of its input's mask (`supports_masking` and `compute_mask`, keras/src/layers, 3.15;
    keras/src/layers, 2.15). For a class that Keras 3 does not have, its replacement counts."""

    NONE = 0
    USED = auto()  # computes with it, in Keras 1 and 2
    TAKEN = auto()  # Keras 3 gives it to `call`, which has a parameter of that name
    PASSED_BEFORE = auto()  # hands it on in Keras 1 and 2
    PASSED_NOW = auto()  # hands it on in Keras 3
    PASSED = PASSED_BEFORE | PASSED_NOW


class Trait(Flag):
    """The peculiarities of single classes that other rooms ask about."""

    NONE = 0
    INPUT = auto()  # declares an input of its model
    CHAIN = auto()  # a model whose layers follow one another
    LISTS = auto()  # lists layers, and is no model
    STEPWISE = auto()  # calls its layer without the axis of time
    TWO_WAYS = auto()  # makes a second layer of its layer, unless its config has one
    HASHES = auto()  # gives int64, but only as numbers
    SIGNED = auto()  # takes a factor f for all from -f to f
    DRAWS_A_SEED = auto()  # makes a seed where its config has none
    AUGMENTS = auto()  # is called with training=True by default
    PASSES_DTYPE = auto()  # gives the dtype of its inputs in Keras 1 and 2, whole numbers too
    CODE = auto()  # has a function of the user's own
    INNER_LOOKUP = auto()  # holds a lookup with a copy of its vocabulary


def no_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """The part of a layer without weights; the state of a random generator, which many have, no layout stores."""
    return args.part()


class LayerType(NamedTuple):
    """One class of layers. `parameters` are those of its `call` where it takes more than its inputs (3.15);
    `takes_training` says that a recorded call of Keras 1 or 2 may pass `training` on to Keras 3. `work` counts the
    operations of a call."""

    weights: Weights = no_weights
    outputs: Rule = unknown
    kind: Kind = ""
    masks: MaskUse = MaskUse.NONE
    parameters: tuple[str, ...] = ()
    takes_training: bool = False
    work: WorkRule = unknown_work
    traits: Trait = Trait.NONE


def each(names: str, row: LayerType) -> dict[str, LayerType]:
    """The rows of classes that do not differ in any of this, given by their names with spaces between."""
    return dict.fromkeys(names.split(), row)
