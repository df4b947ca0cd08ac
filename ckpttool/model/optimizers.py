"""The variables of an optimizer for a model, in the order in which Keras creates them.

`Optimizer.__init__` and `build` (keras/src/optimizers/base_optimizer.py and the modules of the optimizers, 3.15) create
the iteration, the learning rate unless there is a schedule, averages and accumulated gradients where these are enabled,
then, for each trainable weight, the variables that the rule of the optimizer needs. Optimizers with inner optimizers
list the variables of these behind their own, and are stored with them: those of the inner ones are in the file twice.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import snake_case
from ckpttool.model.sizes import Shape
from ckpttool.paths import join_path

MAX_DEPTH = 4
MAX_MATCHED = 50_000_000  # characters of paths times patterns

_BACKEND_INTEGER = ""  # the dtype of whole numbers differs between backends
_OVERWRITTEN = frozenset(
    f"{of}_{suffix}" for of in ("inputs", "kernel", "outputs_grad") for suffix in ("scale", "amax_history")
)
_LITERAL = re.compile(r"[\w/ -]*")


class Trained(NamedTuple):
    """A weight that is trained. Its path in a live model ends in `path`; how many names of the models around it,
    `models`, come in front depends on how these were built."""

    label: str
    shape: Shape | None
    dtype: str
    path: str
    models: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths that the weight may have in a live model."""
        return tuple("/".join((*self.models[at:], self.path)) for at in range(len(self.models) + 1))

    @property
    def is_overwritten(self) -> bool:
        """Whether training assigns the gradient to the weight and applies no rule: the scales of float8."""
        return self.path.rpartition("/")[2] in _OVERWRITTEN


class Variable(NamedTuple):
    """A variable of an optimizer. `assigned` says that Keras tracks it when it is assigned to an attribute, and not
    when it is created: LossScaleOptimizer builds its inner optimizer with such tracking turned off."""

    name: str
    shape: Shape | None
    dtype: str
    assigned: bool = False


State = dict[str, list[Variable]]
"""The variables of an optimizer by their place below it: all of them under "", and those of each inner optimizer once
more under its place."""

Variables = Iterator[Variable]
Row = Callable[[Args, Sequence[Trained]], Variables]


def _each(weights: Sequence[Trained], *names: str) -> Variables:
    """Variables of the shape of each weight, in turn for each weight."""
    for weight in weights:
        if not weight.is_overwritten:
            yield from (Variable(f"{weight.label}/{name}", weight.shape, weight.dtype) for name in names)


def _always(*names: str) -> Row:
    return lambda args, weights: _each(weights, *names)


def _adam(args: Args, weights: Sequence[Trained]) -> Variables:
    yield from _each(weights, "momentum", "velocity")
    if args.flag("amsgrad", False):
        yield from _each(weights, "velocity_hat")


def _rmsprop(args: Args, weights: Sequence[Trained]) -> Variables:
    yield from _each(weights, "velocity")
    if _number(args, "momentum") > 0:
        yield from _each(weights, "momentum")
    if args.flag("centered", False):
        yield from _each(weights, "average_gradient")


def _sgd(args: Args, weights: Sequence[Trained]) -> Variables:
    return _each(weights if _number(args, "momentum") else (), "momentum")


def _nadam(args: Args, weights: Sequence[Trained]) -> Variables:
    yield from _each(weights, "momentum", "velocity")
    yield Variable("u_product", (), weights[0].dtype if weights else "float32", assigned=True)


def _adafactor(args: Args, weights: Sequence[Trained]) -> Variables:
    """Adafactor: for each weight its two factors, which are unused numbers where there is nothing to factor, and the
    velocity."""
    for weight in weights:
        shape, dtype = weight.shape, weight.dtype
        if shape is not None and len(shape) < 2:
            yield from (Variable(f"{weight.label}/{factor}", (), "int32", assigned=True) for factor in ("r", "c"))
        else:
            yield Variable(f"{weight.label}/r", None if shape is None else shape[:-1], dtype)
            yield Variable(f"{weight.label}/c", None if shape is None else (*shape[:-2], shape[-1]), dtype)
        yield from _each([weight], "velocity")


def _muon(args: Args, weights: Sequence[Trained]) -> Variables:
    """Muon: a momentum for each weight, and a velocity for those that are left to AdamW."""
    globs = [f"*{_glob(args, pattern)}*" for pattern in _patterns(args, "exclude_layers", weights)]

    def is_left(path: str) -> bool:
        named = args.flag("exclude_embeddings", True) and "embedding" in path.lower()
        return named or any(fnmatch.fnmatchcase(path, glob) for glob in globs)

    for weight in weights:
        if weight.shape is None:
            raise args.error("exclude_layers", "weights whose number of axes is known")
        alone = len(weight.shape) == 2 and not _agreed(args, weight, is_left)
        yield from _each([weight], "momentum", *(() if alone else ("velocity",)))


OPTIMIZERS: Mapping[str, Row] = MappingProxyType(
    {
        "Adadelta": _always("accumulated_grad", "accumulated_delta_var"),
        "Adafactor": _adafactor,
        "Adagrad": _always("accumulator"),
        "Adam": _adam,
        "AdamW": _adam,
        "Adamax": _always("momentum", "norm"),
        "Ftrl": _always("accumulator", "linear"),
        "Lamb": _always("momentum", "velocity"),
        "Lion": _always("momentum"),
        "Muon": _muon,
        "Nadam": _nadam,
        "RMSprop": _rmsprop,
        "SGD": _sgd,
        "ScheduleFreeAdamW": _always("momentum", "velocity"),
    }
)
"""The variables that the rule of each optimizer needs for the weights."""


def optimizer_state(optimizer: Any, trainable: Sequence[Trained]) -> State:
    """The variables of an optimizer, as a config names it, for the trainable weights of a model in the order of
    `model.trainable_variables`. Empty where there is no optimizer, or one that is not known."""
    entry = {"class_name": optimizer, "config": {}} if isinstance(optimizer, str) else optimizer
    try:
        return _state(Args.of(entry), trainable)
    except ConfigError:
        return {}


def _state(args: Args, weights: Sequence[Trained]) -> State:
    class_name = _CLASSES.get(args.class_name.lower(), "")
    if args.foreign or not class_name or args.depth > MAX_DEPTH:
        raise ConfigError(f"an optimizer whose variables are not known: {args.class_name[:60]}")
    args = args.as_class(class_name)
    if class_name in OUTER_OPTIMIZERS:
        return OUTER_OPTIMIZERS[class_name](args, weights)
    return {"": [*_base(args, weights), *OPTIMIZERS[class_name](args, weights)]}


def _base(args: Args, weights: Sequence[Trained]) -> Variables:
    """The variables that every optimizer has, whatever its rule."""
    yield Variable("iteration", (), _BACKEND_INTEGER)
    if not isinstance(args.config.get("learning_rate"), Mapping):
        yield Variable("learning_rate", (), "float32")
    if args.flag("use_ema", False):
        yield from _each(weights, "average")
    if args.integer("gradient_accumulation_steps"):
        yield from (Variable(f"{weight.label}/gradient_accumulator", weight.shape, weight.dtype) for weight in weights)


def _loss_scale(args: Args, weights: Sequence[Trained]) -> State:
    """LossScaleOptimizer: the scale, the number of steps since it changed, then the variables of the inner
    optimizer."""
    state = _state(args.layer("inner_optimizer"), weights)
    inner = {place: [variable for variable in variables if not variable.assigned] for place, variables in state.items()}
    own = [
        Variable("iteration", (), _BACKEND_INTEGER),
        Variable("learning_rate", (), "float32"),
        Variable("step_counter", (), _BACKEND_INTEGER),
        Variable("dynamic_scale", (), "float32"),
    ]
    return {"": [*own, *_inside("inner_optimizer", inner[""])], **_below("inner_optimizer", inner)}


def _multiple(args: Args, weights: Sequence[Trained]) -> State:
    """MultiOptimizer: the variables of its optimizers, each for the weights whose paths match. One without weights is
    not built."""
    mapped = args.layer("optimizer_map")
    entries = mapped.config.get("optimizer_map")
    if mapped.class_name != "OptimizerMap" or not isinstance(entries, Mapping):
        raise args.error("optimizer_map", "an OptimizerMap")
    globs = {pattern: _glob(args, pattern) for pattern in _bounded(args, "optimizer_map", list(entries), weights)}
    optimizers = [Args.of(entry, args.depth + 2) for entry in entries.values()] + [mapped.layer("default_optimizer")]
    chosen = [_agreed(args, weight, lambda path: _turn(args, path, globs)) for weight in weights]
    state = State({"": [Variable("iteration", (), _BACKEND_INTEGER), Variable("learning_rate", (), "float32")]})
    used = Counter[str]()
    for turn, inner in enumerate(optimizers):
        variables = _single(inner, [weight for weight, choice in zip(weights, chosen, strict=True) if choice == turn])
        name = snake_case(_CLASSES[inner.class_name.lower()])
        place = f"optimizers/{name}_{used[name]}" if used[name] else f"optimizers/{name}"
        used[name] += 1
        state[""] += _inside(place, variables)
        state[place] = variables
    return state


def _single(args: Args, weights: Sequence[Trained]) -> list[Variable]:
    """The variables of one optimizer inside a MultiOptimizer."""
    state = _state(args, weights)
    if len(state) > 1:
        raise args.error("optimizer_map", "optimizers without inner ones")
    return state[""] if weights else list(_base(args, ()))


def _turn(args: Args, path: str, globs: Mapping[str, str]) -> int:
    """The position of the optimizer for a path: the one of that name, else the only one whose pattern it matches."""
    if path in globs:
        return list(globs).index(path)
    matches = [at for at, glob in enumerate(globs.values()) if fnmatch.fnmatchcase(path, glob)]
    if len(matches) > 1:
        raise args.error("optimizer_map", "patterns of which one at most matches a path")
    return matches[0] if matches else len(globs)


OUTER_OPTIMIZERS: Mapping[str, Callable[[Args, Sequence[Trained]], State]] = MappingProxyType(
    {"LossScaleOptimizer": _loss_scale, "MultiOptimizer": _multiple}
)
"""The optimizers with inner optimizers."""

_CLASSES = {name.lower(): name for name in (*OPTIMIZERS, *OUTER_OPTIMIZERS)}


def _inside(place: str, variables: Sequence[Variable]) -> list[Variable]:
    return [variable._replace(name=f"{place}/{variable.name}") for variable in variables]


def _below(place: str, state: State) -> State:
    return {join_path(place, under): variables for under, variables in state.items()}


def _patterns(args: Args, key: str, weights: Sequence[Trained]) -> list[Any]:
    patterns = args.config.get(key) or []
    if not isinstance(patterns, list):
        raise args.error(key, "a list of patterns")
    return _bounded(args, key, patterns, weights)


def _bounded(args: Args, key: str, patterns: list[Any], weights: Sequence[Trained]) -> list[Any]:
    """The patterns themselves. Raises ConfigError where matching all of them would take too long."""
    characters = sum((len(w.models) + 1) * (len(w.path) + sum(map(len, w.models))) for w in weights)
    if len(patterns) * characters > MAX_MATCHED:
        raise args.error(key, "fewer patterns")
    return patterns


def _glob(args: Args, pattern: Any) -> str:
    """The glob for a regular expression of text and `.*`. Raises ConfigError for any other, since matching one from a
    stranger may take for ever."""
    pieces = pattern.split(".*") if isinstance(pattern, str) else ["*"]
    if not all(map(_LITERAL.fullmatch, pieces)):
        raise ConfigError(f"{args.class_name}: a pattern that is more than text and .*", found=str(pattern)[:60])
    return "*".join(pieces)


def _agreed(args: Args, weight: Trained, test: Callable[[str], int]) -> int:
    """The result of a test of the path of a weight. Raises ConfigError where it differs between the possible paths."""
    results = {test(path) for path in weight.paths}
    if len(results) > 1:
        raise ConfigError(f"{args.class_name}: what it does with {weight.label} depends on how the models were built")
    return results.pop()


def _number(args: Args, key: str) -> float:
    value = args.config.get(key) or 0
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise args.error(key, "a number")
    return value
