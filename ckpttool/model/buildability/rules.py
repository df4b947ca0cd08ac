"""Rules for the arguments of constructors, by name, as `constructors.json` names them.

A rule gives what a value stands for, or raises why Keras 3.15 does not take it. That they are Keras's is for the tests
to show, which replay what live Keras took and refused.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from ckpttool.model.buildability import predicates as are
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.deserialization import deserialize, deserialize_named
from ckpttool.model.buildability.feature_spaces import crosses_of, features_of
from ckpttool.model.buildability.references import GET, is_callable, is_kind, policy
from ckpttool.model.buildability.values import Layer, Object, Own

Refuse = Callable[[str], Refused]
Rule = Callable[[Any, Refuse, Context], Any]


def _plain(expected: str, accepts: Callable[[Any], bool]) -> Rule:
    """The rule of an argument that stays as it is."""

    def rule(value: Any, refuse: Refuse, context: Context) -> Any:
        if not accepts(value):
            raise refuse(f"it is {shown(value)}; Keras takes {expected}")
        return value

    return rule


def _choice(*names: Any) -> Rule:
    """The rule of an argument that is one of some strings, or null."""
    listed = ", ".join("null" if name is None else str(name) for name in names)
    return _plain(f"one of {listed}", lambda value: isinstance(value, str | None) and value in names)


def _choice_or_any(*names: str) -> Rule:
    """The rule of an argument that is one of some strings, or anything but a string."""
    return _plain(f"one of {', '.join(names)}", lambda value: not isinstance(value, str) or value in names)


def _referring(kind: str) -> Rule:
    """The rule of an argument that is an object of a kind, by name or entry."""

    def rule(value: Any, refuse: Refuse, context: Context) -> Any:
        return GET[kind](value, refuse, context)

    return rule


def _layer(value: Any, refuse: Refuse, context: Context) -> Any:
    layer = deserialize(value, context)
    if not isinstance(layer, Layer | Own):
        raise refuse(f"it is {shown(value)}; Keras takes a layer")
    return layer


def _layer_or_null(value: Any, refuse: Refuse, context: Context) -> Any:
    return None if value is None else _layer(value, refuse, context)


def _layers(value: Any, refuse: Refuse, context: Context) -> Any:
    if not isinstance(value, list | tuple):
        raise refuse(f"it is {shown(value)}; Keras takes a list of layers")
    return [_layer(item, refuse, context) for item in value]


def _seed(value: Any, refuse: Refuse, context: Context) -> Any:
    """A seed of an initializer (keras/src/initializers/random_initializers.py)."""
    if isinstance(value, dict):
        value = deserialize(value, context)
    if isinstance(value, Object) and value.class_name == "SeedGenerator":
        return value
    if value is not None and not isinstance(value, int):
        raise refuse(f"it is {shown(value)}; Keras takes a whole number, null or a seed generator")
    return value


def _callable(value: Any, refuse: Refuse, context: Context) -> Any:
    """A function or an object that can be called (`Lambda`)."""
    if isinstance(value, dict) and value.get("class_name") == "__lambda__":
        raise refuse("it is Python code of a lambda, which Keras does not run in safe mode")
    return GET["callable"](value, refuse, context)


def _deserialized_or_lambda(value: Any, refuse: Refuse, context: Context) -> Any:
    if isinstance(value, dict) and value.get("class_name") == "__lambda__":
        raise refuse("it is Python code of a lambda, which Keras does not run in safe mode")
    return deserialize(value, context)


def _optimizer(value: Any, refuse: Refuse, context: Context) -> Any:
    optimizer = deserialize(value, context)
    if not isinstance(optimizer, Own) and not is_kind(optimizer, "optimizer"):
        raise refuse(f"it is {shown(value)}; Keras takes an optimizer")
    return optimizer


def _learning_rate(value: Any, refuse: Refuse, context: Context) -> Any:
    rate = deserialize(value, context) if isinstance(value, dict) else value
    if isinstance(rate, float) or is_callable(rate):
        return rate
    raise refuse(f"it is {shown(value)}; Keras takes a number with a point, a schedule or a function")


def _own_dtype(value: Any, refuse: Refuse, context: Context) -> Any:
    """The dtype of a class that hands it on without looking at entries (`Wrapper.from_config` and others)."""
    if isinstance(value, dict):
        return deserialize_named("dtype_policies", value, context)
    return policy(value, refuse, context)


def _cell(value: Any, refuse: Refuse, context: Context) -> Any:
    """The cell of an RNN, or a list of them."""
    cell = deserialize(value, context)
    if not all(isinstance(layer, Layer | Own) for layer in (cell if isinstance(cell, list) else [cell])):
        raise refuse(f"it is {shown(value)}; Keras takes a cell")
    return cell


def _operation_dtype(value: Any, refuse: Refuse, context: Context) -> Any:
    """The dtype of an operation: an entry has to be that of a dtype policy."""
    return policy(value, refuse, context) if isinstance(value, dict) else value


def _input_dtype(value: Any, refuse: Refuse, context: Context) -> Any:
    """The dtype of an input, which is that of a plain policy."""
    dtype = policy(value, refuse, context)
    name = dtype.arguments.get("name") if is_kind(dtype, "policy") else dtype
    if not are.dtype_name(name):
        raise refuse(f"it is {shown(name)}; Keras takes the name of a dtype")
    return name


def _standardize(value: Any, refuse: Refuse, context: Context) -> Any:
    """The `standardize` or `split` of TextVectorization: a name or a function."""
    if value is None or value in _TEXT_NAMES:
        return value
    function = deserialize(value, context)
    if not is_callable(function):
        raise refuse(f"it is {shown(value)}; Keras takes one of {', '.join(_TEXT_NAMES)}, null or a function")
    return function


_TEXT_NAMES = ("lower_and_strip_punctuation", "lower", "strip_punctuation", "whitespace", "character")


def _dtype_or_nothing(value: Any, refuse: Refuse, context: Context) -> Any:
    return policy(value, refuse, context) if value else None


_OBJECTS: Mapping[str, Rule] = {
    "activation": _referring("activations"),
    "callable": _callable,
    "cell": _cell,
    "crosses": crosses_of,
    "features by name": features_of,
    "constraint": _referring("constraints"),
    "deserialized": lambda value, _refuse, context: deserialize(value, context),
    "deserialized, no lambda": _deserialized_or_lambda,
    "dtype": lambda value, refuse, context: policy(value, refuse, context),
    "dtype as it is": _own_dtype,
    "dtype or nothing": _dtype_or_nothing,
    "input dtype": _input_dtype,
    "initializer": _referring("initializers"),
    "layer": _layer,
    "layer or null": _layer_or_null,
    "layers": _layers,
    "learning rate": _learning_rate,
    "operation dtype": _operation_dtype,
    "quantizer": _referring("quantizers"),
    "regularizer": _referring("regularizers"),
    "seed": _seed,
    "optimizer": _optimizer,
    "text function": _standardize,
}

_NUMBERS: Mapping[str, Rule] = {
    "number": _plain("a number", are.number),
    "null or number": _plain("a number or null", lambda v: v is None or are.number(v)),
    "positive": _plain("a positive number", are.positive),
    "positive integer": _plain("a positive whole number", lambda v: are.integer(v) and v > 0),
    "strict positive integer": _plain("a positive whole number", lambda v: are.strict_integer(v) and v > 0),
    "null or positive integer": _plain(
        "a positive whole number or null", lambda v: v is None or (are.integer(v) and v > 0)
    ),
    "null or positive": _plain("a positive number or null", lambda v: v is None or are.positive(v)),
    "filters": _plain("a positive whole number", lambda v: v is None or (are.positive(v) and v % 1 == 0)),
    "not negative": _plain("a number of 0 at least", lambda v: are.number(v) and v >= 0),
    "null or not negative": _plain(
        "a number of 0 at least, or null", lambda v: v is None or (are.number(v) and v >= 0)
    ),
    "part": _plain("a number from 0 to 1", lambda v: are.number(v) and 0 <= v <= 1),
    "integer": _plain("a whole number", are.integer),
    "thresholds": _plain("numbers from 0 to 1", are.thresholds),
    "count of thresholds": _plain(
        "a positive whole number", lambda v: are.number(v) and (v == 1 or are.integer(v)) and v > 0
    ),
    "several": _plain("a whole number of 2 at least", lambda v: are.strict_integer(v) and v > 1),
    "null or strict integer": _plain("a whole number or null", lambda v: v is None or are.strict_integer(v)),
    "null or integer": _plain("a whole number or null", lambda v: v is None or are.integer(v)),
    "null or several": _plain("a number of 2 at least, or null", lambda v: v is None or (are.number(v) and v > 1)),
    "at least 1": _plain("a number of 1 at least", lambda v: are.number(v) and v >= 1),
    "count": _plain("a whole number of 0 at least", lambda v: are.integer(v) and v >= 0),
    "salt": _plain("a whole number, two of them or null", lambda v: v is None or are.integer(v) or are.listed(v, 2)),
    "open part": _plain("a number between 0 and 1", lambda v: are.number(v) and 0 < v < 1),
    "null or threshold": _plain(
        "a positive number with a point, or null", lambda v: v is None or (isinstance(v, float) and v > 0)
    ),
    "momentum": _plain("a number with a point from 0 to 1", lambda v: isinstance(v, float) and 0 <= v <= 1),
    "null or float part": _plain(
        "a number with a point up to 1, or null", lambda v: v is None or (isinstance(v, float) and 0 < v <= 1)
    ),
    "positive float": _plain("a positive number with a point", lambda v: isinstance(v, float) and v > 0),
    "positive part": _plain("a number above 0 up to 1", lambda v: are.number(v) and 0 < v <= 1),
    "not positive": _plain("a number of 0 at most", lambda v: are.number(v) and v <= 0),
    "not null": _plain("a number", lambda v: v is not None),
    "weight bits": _plain("2, 3, 4 or 8", lambda v: are.number(v) and v in (2, 3, 4, 8)),
    "group size": _plain("a positive whole number, or -1", lambda v: are.number(v) and (v > 0 or v == -1)),
    "null or group size": _plain(
        "a positive whole number, -1 or null", lambda v: v is None or (are.number(v) and (v > 0 or v == -1))
    ),
    "groups": _plain("a positive whole number or -1", lambda v: are.integer(v) and (v > 0 or v == -1)),
}

_TUPLES: Mapping[str, Rule] = {
    **{
        f"window {rank}": _plain(f"a positive whole number, or {rank}", partial(are.window, rank=rank))
        for rank in (1, 2, 3)
    },
    **{
        f"null or window {rank}": _plain(
            f"null, a whole number of 0 at least, or {rank}", partial(are.null_or_window, rank=rank)
        )
        for rank in (1, 2, 3)
    },
    **{
        f"sizes {rank}": _plain(f"a whole number, or a list of {rank}", partial(are.sizes, rank=rank))
        for rank in (1, 2, 3)
    },
    **{
        f"borders {rank}": _plain(f"a whole number, or {rank} pairs", partial(are.borders, rank=rank))
        for rank in (2, 3)
    },
    **{
        f"crops {rank}": _plain(
            f"a whole number of 0 at least, or {rank} pairs",
            partial(are.crops, rank=rank),
        )
        for rank in (2, 3)
    },
    "border": _plain("a whole number of 0 at least, or two", lambda v: are.window(v, 2, 0)),
    "dims": _plain("the numbers of all axes behind the batch, from 1 on", are.permutation),
    "noise shape": _plain("a list of positive whole numbers and nulls, or null", are.noise_shape),
    "target shape": _plain("a list of whole numbers with one -1 at most", are.target_shape),
    "bands": _plain("a whole number or a list", lambda v: not v or not isinstance(v, float)),
    "axes or nothing": _plain("a list of axes or null", lambda v: not v or isinstance(v, int | list | tuple)),
    "numbers or null": _plain("a list of numbers, or null", are.numbers_or_null),
    "output shape": _plain("a whole number or a list", lambda v: v is not None and not isinstance(v, float)),
    "strings": _plain("a list", lambda v: isinstance(v, list | tuple | str | dict)),
    "axis": _plain("a whole number or a list", lambda v: are.integer(v) or isinstance(v, list | tuple)),
    "axes": _plain("a whole number or a list of two", are.two_axes),
    "list": _plain("a list", lambda v: isinstance(v, list | tuple)),
    "null or list": _plain("a list or null", lambda v: v is None or isinstance(v, list | tuple)),
}

_IMAGES: Mapping[str, Rule] = {
    **{
        f"factor {low} {high}": _plain(
            f"a number from {low} to {high}, or two", partial(are.factor, low=low, high=high)
        )
        for low, high in ((-1, 1), (0, 1), (1, 8))
    },
    **{
        f"null or factor {low} 1": _plain(
            f"a number from {low} to 1, two or null", partial(are.null_or_factor, low=low, high=1)
        )
        for low in (-1, 0)
    },
    "factor or nothing": _plain("a number from -1 to 1, or two", lambda v: not v or are.factor(v, -1, 1)),
    "within 0 1": _plain("a number from 0 to 1, or two", partial(are.within, low=0, high=1)),
    "zoom": _plain("a number above -1 and up to 1, or two", are.zoom),
    "null or zoom": _plain("a number above -1 and up to 1, two or null", lambda v: v is None or are.zoom(v)),
    "growth": _plain("a number from 0 to 1, or two in their order", are.growth),
    "odd": _plain("an odd number, or two", are.odd),
    "value range": _plain("a list of two numbers", are.value_range),
}

_CHOICES: Mapping[str, Rule] = {
    "any": lambda value, refuse, context: value,
    "truth": _plain("true or false", lambda v: isinstance(v, bool)),
    "falsy": _plain("false or null", lambda v: not v),
    "text": _plain("a string", lambda v: isinstance(v, str)),
    "null or text": _plain("a string or null", lambda v: isinstance(v, str | None)),
    "name": _plain("a string without /, or null", lambda v: v is None or (isinstance(v, str) and "/" not in v)),
    "name or nothing": _plain("a string", lambda v: not v or isinstance(v, str)),
    "no": _plain("false", lambda v: isinstance(v, int | float) and v == 0),
    "sequence or nothing": _plain("a list", lambda v: not v or isinstance(v, str | list | tuple)),
    "ngrams": _plain("a whole number, a list of them or null", are.ngrams),
    "window": _choice_or_any("hann", "hamming"),
    "norm": _choice_or_any("fro", "nuc"),
    "null": _plain("null", lambda v: v is None),
    "data format": _choice(None, "channels_last", "channels_first"),
    "data format or nothing": _plain(
        "channels_last or channels_first", lambda v: not v or v in ("channels_last", "channels_first")
    ),
    "padding": _plain("valid or same", lambda v: are.padding(v, "valid", "same")),
    "causal padding": _plain("valid, same or causal", lambda v: are.padding(v, "valid", "same", "causal")),
    "reduction": _choice(None, "none", "sum", "mean", "sum_over_batch_size", "mean_with_sample_weight"),
    "score": _choice("dot", "concat"),
    "features": _choice("concat", "dict"),
    "merge": _choice(None, "sum", "mul", "ave", "concat"),
    "quantization mode": _plain("a mode of quantization", are.mode),
    **{
        f"mode {kind}": _plain(f"{kind} with its settings", partial(are.mode_of, kind=kind))
        for kind in ("int4", "gptq", "awq")
    },
    "cudnn": _plain("true, false or auto", lambda v: v == "auto" or (isinstance(v, int | float) and v in (0, 1))),
    "encoding": _choice("int", "one_hot", "multi_hot", "count", "binary"),
    "categories": _choice("one_hot", "multi_hot", "count", "binary"),
    "plain modes": _choice("int", "one_hot", "multi_hot", "count"),
    "lookup mode": _choice("int", "one_hot", "multi_hot", "count", "tf_idf", "binary", "tf-idf"),
    "crossing mode": _choice("int", "one_hot"),
    "feature mode": _choice("int", "one_hot", "float"),
    "oov": _choice("floormod", "farmhash"),
    "fan": _choice("fan_in", "fan_out", "fan_avg"),
    "distribution": _choice("normal", "truncated_normal", "untruncated_normal", "uniform"),
    "shape": _plain("a list of whole numbers and nulls", are.shape),
    "null or shape": _plain("a list of whole numbers and nulls, or null", lambda v: v is None or are.shape(v)),
    "dtype name": _plain("the name of a dtype", are.dtype_name),
    "policy name": _plain("the name of a dtype policy", are.policy_name),
}


@cache
def rule_of(name: str) -> Rule:
    """The rule of a name; `one of valid same` is the rule of an argument that is one of these strings."""
    if not name.startswith(_ONE_OF):
        return RULES[name]
    choices = name.removeprefix(_ONE_OF).split()
    return _choice(*(None if word == "null" else word.strip('"') for word in choices))


_ONE_OF = "one of "
RULES: Mapping[str, Rule] = {**_OBJECTS, **_NUMBERS, **_TUPLES, **_IMAGES, **_CHOICES}
