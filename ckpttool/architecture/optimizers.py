"""What an optimizer keeps for a model: its variables in the order in which Keras makes them.

`Optimizer.__init__` and `build` (keras/src/optimizers/base_optimizer.py and the modules of the optimizers, 3.15): the
iteration, the learning rate unless a schedule gives it, averages and accumulated gradients where they are asked for,
then, for each trainable weight, what the rule of the optimizer needs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ckpttool.architecture.args import Args, ConfigError
from ckpttool.architecture.slots import Slot

Kept = tuple[str, ...]
"""What is kept for each weight, made together, weight after weight."""

_WITH_OWN_DTYPE = ""  # the dtype of the iteration differs between backends


def _adam(args: Args) -> list[Kept]:
    return [("momentum", "velocity"), *([("velocity_hat",)] if args.flag("amsgrad", False) else [])]


def _rmsprop(args: Args) -> list[Kept]:
    centered = [("average_gradient",)] if args.flag("centered", False) else []
    return [("velocity",), *([("momentum",)] if _number(args, "momentum") > 0 else []), *centered]


def _sgd(args: Args) -> list[Kept]:
    return [("momentum",)] if _number(args, "momentum") else []


def _always(*kept: str) -> Callable[[Args], list[Kept]]:
    return lambda args: [kept]


OPTIMIZERS: Mapping[str, Callable[[Args], list[Kept]]] = MappingProxyType(
    {
        "Adadelta": _always("accumulated_grad", "accumulated_delta_var"),
        "Adagrad": _always("accumulator"),
        "Adam": _adam,
        "AdamW": _adam,
        "Adamax": _always("momentum", "norm"),
        "Ftrl": _always("accumulator", "linear"),
        "Lamb": _always("momentum", "velocity"),
        "Lion": _always("momentum"),
        "Nadam": _always("momentum", "velocity"),
        "RMSprop": _rmsprop,
        "SGD": _sgd,
    }
)
"""The optimizers whose variables are known. Adafactor, Muon and LossScaleOptimizer are not among them."""


def optimizer_slots(compile_config: Any, trainable: Sequence[tuple[str, Slot]]) -> tuple[tuple[str, Slot], ...]:
    """The variables of the optimizer that a model is compiled with, with their names, for its trainable weights in the
    order of `model.trainable_variables`. Empty where there is no optimizer, or one that is not known."""
    optimizer = compile_config.get("optimizer") if isinstance(compile_config, Mapping) else None
    try:
        args = Args.of(optimizer)
        if args.foreign or args.class_name not in OPTIMIZERS:
            return ()
        return tuple(_slots(args, trainable))
    except ConfigError:
        return ()


def _slots(args: Args, trainable: Sequence[tuple[str, Slot]]) -> Iterator[tuple[str, Slot]]:
    yield "iteration", Slot("iteration", (), _WITH_OWN_DTYPE, False)
    if not isinstance(args.config.get("learning_rate"), Mapping):
        yield "learning_rate", Slot("learning_rate", (), "float32", False)
    kept = [("average",)] if args.flag("use_ema", False) else []
    kept += [("gradient_accumulator",)] if args.integer("gradient_accumulation_steps") else []
    for group in (*kept, *OPTIMIZERS[args.class_name](args)):
        for label, slot in trainable:
            for name in group:
                yield f"{label}/{name}", Slot(name, slot.shape, slot.dtype, False)
    if args.class_name == "Nadam":
        yield "u_product", Slot("u_product", (), _WITH_OWN_DTYPE, False)


def _number(args: Args, key: str) -> float:
    value = args.config.get(key) or 0
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise args.error(key, "a number")
    return value
