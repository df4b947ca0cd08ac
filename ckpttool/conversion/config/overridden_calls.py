"""Calls of layers that state `training`, which graphs of Keras 3 override.

In Keras 2 what a call states counts, also in `fit` and `predict`. A Functional model of Keras 3 hands its own
`training` to every layer in its place (`operation_fn`, keras/src/models/functional.py, 3.15): False in `predict` and
`evaluate`, True in `fit`.
"""

from ckpttool.conversion.config.bytecode import StoredFunction
from ckpttool.conversion.journal import Journal
from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.table import classes, row_of
from ckpttool.model.shape_inference import is_model

_TRAINED = classes(lambda row: row.takes_training)  # beside those that are named after random transformations
_RATES = ("rate", "stddev", "dropout", "recurrent_dropout")
_WRAPPERS = ("TimeDistributed", "Bidirectional")


def is_own(args: Args) -> bool:
    """Whether a layer is of a class that Keras has not."""
    return args.foreign or (row_of(args) is None and not is_model(args))


def takes_training(args: Args) -> bool:
    """Whether the call of a layer may do otherwise where it is told that it is in training."""
    return is_own(args) or args.class_name in _TRAINED or args.class_name.startswith("Random")


def differs_in_training(args: Args) -> bool:
    """Whether a layer with these arguments computes something else in training. Raises ConfigError."""
    if is_own(args) or args.class_name.startswith("Random"):
        return True
    if is_model(args):
        return any(map(differs_in_training, args.layers("layers")))
    if args.class_name in _WRAPPERS:
        return differs_in_training(args.layer("layer"))
    if args.class_name == "Lambda":
        return StoredFunction(args.config.get("function")).may_take("training")
    if args.class_name == "BatchNormalization":
        return args.config.get("trainable") is not False
    return args.class_name in _TRAINED and any(args.config.get(key) for key in _RATES)


def check(args: Args, call: Call, where: str, journal: Journal) -> None:
    """Refuse a call that is always in training, and say of one that never is that `fit` changes it. Raises
    ConfigError."""
    training = call.kwargs.get("training")
    if not isinstance(training, bool | int) or not takes_training(args) or not differs_in_training(args):
        return
    if training:
        journal.refuse(
            where,
            "is called with training=True, which predict and evaluate of Keras 3 override, so that it gives others",
        )
        return
    journal.lose(
        where,
        "training=False in its call, which fit of Keras 3 overrides: further training is not the same, predictions are",
    )
