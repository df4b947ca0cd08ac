"""The rules of policy."""

from functools import partial

from ckpttool.checks.rule import Rule, Severity

_rule = partial(Rule, family="policy", severity=Severity.ERROR)

DTYPE = _rule(
    code="R101",
    name="dtype-not-allowed",
    finds="Weights of a dtype that `dtypes` does not list; counters and seeds do not count.",
    why="The project deploys models of these dtypes alone.",
    remedy="Save the model with another dtype policy, or allow the dtype.",
)

TOO_LARGE = _rule(
    code="R102",
    name="too-large",
    finds="A checkpoint of more bytes than `max-size`.",
    why="The project has no room for it where it is deployed.",
    remedy="Leave out the optimizer, or use a smaller model or dtype.",
)

TOO_MANY_PARAMETERS = _rule(
    code="R103",
    name="too-many-parameters",
    finds="A model of more parameters than `max-parameters`.",
    why="The project deploys no model of that size.",
    remedy="Use a smaller model, or raise the limit.",
)

KERAS_VERSION = _rule(
    code="R104",
    name="keras-version",
    finds="A checkpoint whose writer is not in the range of versions in `keras`.",
    why="The project supports models of these versions alone.",
    remedy="Save the model again with such a version, or bring it into Keras 3 with `ckpttool convert`.",
)

LAYER_MISSING = _rule(
    code="R105",
    name="required-layer",
    finds="A model without a class of `required-layers`.",
    why="The project takes it for granted, such as a layer that normalizes inputs.",
    remedy="Add the layer to the model.",
)

LAYER_FORBIDDEN = _rule(
    code="R106",
    name="forbidden-layer",
    finds="A model with a class of `forbidden-layers`.",
    why="The project does not deploy it.",
    remedy="Replace the layer.",
)

CUSTOM_OBJECT = _rule(
    code="R107",
    name="custom-object-not-allowed",
    finds="A class or function that is not of Keras, and not in `custom-objects`.",
    why="The project ships the code of these alone.",
    remedy="Replace it by what Keras has, or review its code and allow it.",
)

OPTIMIZER = _rule(
    code="R108",
    name="optimizer-state",
    finds="State of an optimizer, where `no-optimizer` is set.",
    why="It doubles or triples the size of a release, and nobody needs it to predict.",
    remedy="Save with include_optimizer=False, or convert with --no-optimizer.",
)

NO_FIT = _rule(
    code="R109",
    name="does-not-fit",
    finds="Weights that do not load into `architecture`.",
    why="The code that is deployed builds this model, and Keras raises, or loads it wrongly. An architecture that "
    "Keras 3 does not build is judged by the loaders of the Keras that wrote it.",
    remedy="See `ckpttool verify`, which shows for each weight whether it fits.",
)

FROZEN_CHANGED = _rule(
    code="R110",
    name="frozen-changed",
    finds="Weights that match `frozen` and are not those of `baseline`.",
    why="A part that was to stay as it is was trained, or replaced.",
    remedy="See `ckpttool diff`, and look at what was frozen in training.",
)

CHANGED_TOO_MUCH = _rule(
    code="R111",
    name="changed-too-much",
    finds="Weights that differ from those of `baseline` by more than `largest-change`, or have another shape.",
    why="Fine-tuning moves weights a little; these were trained anew, or are of another model.",
    remedy="See `ckpttool diff`, and whether the right checkpoint is being shipped.",
)

RULES = (
    *(DTYPE, TOO_LARGE, TOO_MANY_PARAMETERS, KERAS_VERSION, LAYER_MISSING, LAYER_FORBIDDEN, CUSTOM_OBJECT),
    *(OPTIMIZER, NO_FIT, FROZEN_CHANGED, CHANGED_TOO_MUCH),
)
