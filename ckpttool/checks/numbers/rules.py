"""The rules of numbers."""

from functools import partial

from ckpttool.checks.rule import Rule, Severity

_error, _warning, _info = (partial(Rule, family="numbers", severity=severity) for severity in reversed(Severity))

NAN = _error(
    code="N101",
    name="nan",
    finds="Weights, or variables of the optimizer, that hold NaN.",
    why="Whatever is computed with them is NaN: training has diverged, or the file was damaged.",
    remedy="Go back to the last checkpoint without, and lower the learning rate or clip gradients.",
)

INFINITE = _error(
    code="N102",
    name="infinite",
    finds="Weights, or variables of the optimizer, that hold an infinity.",
    why="Outputs become infinite or NaN: training has diverged, or a narrower dtype could not hold the values.",
    remedy="Go back to the last checkpoint without, or save in a dtype that holds the values.",
)

ZERO_KERNEL = _warning(
    code="N103",
    name="zero-kernel",
    finds="A kernel or a table of embeddings that is all zeros, though its initializer makes none.",
    why="The layer passes nothing on: its weights were lost, pruned away or never loaded.",
    remedy="Compare with an earlier checkpoint: `ckpttool diff`.",
)

CONSTANT_KERNEL = _warning(
    code="N104",
    name="constant-kernel",
    finds="A kernel or a table of embeddings whose values are all the same, though its initializer makes no such.",
    why="All units of the layer compute the same: it was filled by hand, or never trained.",
    remedy="Compare with an earlier checkpoint: `ckpttool diff`.",
)

NEGATIVE_VARIANCE = _error(
    code="N105",
    name="negative-variance",
    finds="A moving variance of a BatchNormalization that is below zero.",
    why="No variance is; its square root is NaN as soon as it is below the epsilon of the layer.",
    remedy="Find out what wrote it: averaging of checkpoints and narrow dtypes can.",
)

DEAD_VARIANCE = _warning(
    code="N106",
    name="dead-variance",
    finds="Channels of a BatchNormalization whose moving variance is zero, or hardly more.",
    why="The channel was constant in training, and whatever else comes in is multiplied by the root of 1/epsilon.",
    remedy="Look at the layers before it for units that are dead, or remove the channels.",
)

EXPLODING = _warning(
    code="N107",
    name="exploding",
    finds="Weights of absurd magnitude.",
    why="They overflow in half precision, and drown what other weights add: training is diverging.",
    remedy="Lower the learning rate or clip gradients; where the values are meant, raise the threshold `huge`.",
)

DUPLICATE = _warning(
    code="N108",
    name="duplicate-weights",
    finds="Two weights of two or more axes in one model that are the same, value for value.",
    why="One was copied over the other, or a seed was used twice, so that the layers learned nothing of their own.",
    remedy="Compare the layers; where they are meant to share weights, share the layer.",
)

DENORMAL = _info(
    code="N109",
    name="denormals",
    finds="Weights many of whose values are denormal: smaller than the smallest normal number of their dtype.",
    why="They compute up to a hundred times slower on some processors, and are flushed to zero on others.",
    remedy="Set them to zero before the model is shipped.",
)

DTYPE_MIX = _info(
    code="N110",
    name="dtype-mix",
    finds="Weights of several floating dtypes in one model whose config does not ask for that.",
    why="Keras converts them as it loads, and precision that was paid for is lost, or feigned.",
    remedy="Save the model with one dtype policy.",
)

RULES = (
    *(NAN, INFINITE, ZERO_KERNEL, CONSTANT_KERNEL, NEGATIVE_VARIANCE, DEAD_VARIANCE, EXPLODING, DUPLICATE),
    *(DENORMAL, DTYPE_MIX),
)
