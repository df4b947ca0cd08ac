"""Attention layers (keras/src/layers/attention, 3.15)."""

import string

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import argument, at_least, differ, listed, misfit, ranked, shapes, switched
from ckpttool.model.layers.einsum import einsum_dense_part
from ckpttool.model.layers.layer_type import Build, LayerType, MaskUse, Weights
from ckpttool.model.layers.work import SOFTMAX, Run, Work, added, counted, elements
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import Inputs, Shape, Size, times
from ckpttool.model.slots import Part, Slot

_LETTERS = string.ascii_lowercase
_MAX_RANK = 16
_MAX_OUTPUTS = len(_LETTERS) - _MAX_RANK - 1

_SCORES = "return_attention_scores"
_SCORES_PLACE = 7
"""Where `call` of the layers with heads takes `return_attention_scores`."""


def attention_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Attention: one scale, one weight for the scores of `concat`; both scalars."""
    scale = Slot("scale", (), args.variable_dtype) if args.flag("use_scale", False) else None
    concat = args.choice("score_mode", "dot", "concat") == "concat"
    return args.part(scale, Slot("concat_score_weight", (), args.variable_dtype) if concat else None)


def additive_attention_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """AdditiveAttention: a scale for each feature of the query."""
    shape = (args.axis_of(first_shape(inputs), -1),)
    return args.part(Slot("scale", shape, args.variable_dtype) if args.flag("use_scale", True) else None)


def attention_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Attention and AdditiveAttention, called on a list of query, value and perhaps key: the query with the last axis
    of the value; scores for each of its rows and those of the key."""
    inputs = [at_least(args, shape, 2) for shape in listed(args, call, 2, 3)]
    query, value, key = inputs[0], inputs[1], inputs[-1]
    output = None if query is None else (*query[:-1], value[-1] if value else None)
    scores = None if query is None else (*query[:-1], key[-2] if key else None)
    return (output, scores) if switched(args, call, 3, _SCORES) else (output,)


def multi_head_attention_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """MultiHeadAttention: projections of query, key, value and output, and of a gate; inputs: query, value, key.

    All but the gate have a public name, which `.weights.h5` uses.
    """
    query, value, key = _built_for(args, inputs)
    heads, key_size = args.size("num_heads"), args.size("key_dim")
    value_size = args.rank("value_dim") or key_size
    output = args.shape("output_shape") if args.config.get("output_shape") else (_last(args, query),)
    inner = None if query is None else (*query[:-1], heads, value_size)
    parts = [
        ("query_dense", _projection(args, "query", query, 1, (heads, key_size))),
        ("key_dense", _projection(args, "key", key, 1, (heads, key_size))),
        ("_gate_dense", _projection(args, "gate", query, 1, (heads, value_size))),
        ("value_dense", _projection(args, "value", value, 1, (heads, value_size))),
        ("output_dense", _projection(args, "attention_output", inner, 2, output)),
    ]
    return args.part(children=_with_gate(args, parts))


def multi_head_attention_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """MultiHeadAttention: the query, its last axis replaced by `output_shape` if there is one.

    Keras gives the scores the query's length on both axes, and builds what comes behind for that.
    """
    query, value, key = (at_least(args, shape, 2) for shape in _query_value_key(call))
    _check_lengths(args, value, key)
    heads = args.size("num_heads")
    output_shape = args.shape("output_shape") if args.config.get("output_shape") else None
    scored = switched(args, call, _SCORES_PLACE, _SCORES)
    if query is None:
        return (None, None) if scored else (None,)
    output = query if output_shape is None else (*query[:-1], *output_shape)
    return (output, (query[0], heads, query[1], query[1])) if scored else (output,)


def grouped_query_attention_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """GroupedQueryAttention (public name GroupQueryAttention): as MultiHeadAttention, with fewer heads for key and
    value. Its projections have private names only."""
    query, value, key = _built_for(args, inputs)
    size, heads, shared = args.size("head_dim"), args.size("num_query_heads"), args.size("num_key_value_heads")
    for shape in (query, value, key):
        if shape is not None and len(shape) != 3:
            raise args.error("name", "inputs with three axes")
    inner = (None, None, heads, size)
    parts = [
        ("_query_dense", _projection(args, "query", query, 1, (heads, size))),
        ("_key_dense", _projection(args, "key", key, 1, (shared, size))),
        ("_gate_dense", _projection(args, "gate", query, 1, (heads, size))),
        ("_value_dense", _projection(args, "value", value, 1, (shared, size))),
        ("_output_dense", _projection(args, "attention_output", inner, 2, (_last(args, query),))),
    ]
    return args.part(children=_with_gate(args, parts))


def grouped_query_attention_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """GroupedQueryAttention (public name GroupQueryAttention): the query; scores of each head for each key."""
    query, value, key = (ranked(args, shape, 3) for shape in _query_value_key(call))
    heads, shared = args.size("num_query_heads"), args.size("num_key_value_heads")
    if heads % shared:
        raise args.error("num_query_heads", f"a multiple of {shared}")
    if query and value and differ(query[-1], value[-1]):
        raise misfit(args, "query and value with the same last axis", query, value)
    _check_lengths(args, value, key)
    scored = switched(args, call, _SCORES_PLACE, _SCORES)
    scores = None if query is None else (query[0], heads, query[1], key[1] if key else None)
    return (query, scores) if scored else (query,)


def _with_gate(args: Args, parts: list[tuple[str, Part]]) -> list[tuple[str, Part]]:
    gated = args.flag("use_gate", False)
    return [(path, part) for path, part in parts if gated or path != "_gate_dense"]


def _built_for(args: Args, inputs: Inputs) -> tuple[Shape | None, Shape | None, Shape | None]:
    """The shapes of query, value and key, in the order of `build`; the key is the value where it is not given."""
    query, value, key = (*inputs, None, None, None)[:3]
    if any(shape is not None and not 2 <= len(shape) <= _MAX_RANK for shape in (query, value, key)):
        raise args.error("name", f"inputs with 2 to {_MAX_RANK} axes")
    return query, value, value if key is None else key


def _last(args: Args, shape: Shape | None) -> Size:
    return args.axis_of(shape, -1)


def _projection(args: Args, name: str, shape: Shape | None, summed: int, outputs: Shape) -> Part:
    """An EinsumDense that sums over the last `summed` axes of its input and makes new ones.

    `_build_proj_equation`, keras/src/layers/attention/multi_head_attention.py. Dots stand for the axes that stay where
    the input is not known; they let the same shapes come out, but for those that depend on the rank.
    """
    if len(outputs) > _MAX_OUTPUTS:
        raise args.error("output_shape", f"at most {_MAX_OUTPUTS} axes")
    stay = 0 if shape is None else len(shape) - summed
    free = _LETTERS[:stay] or "..."
    contracted, new = _LETTERS[stay : stay + summed], _LETTERS[stay + summed :][: len(outputs)]
    inner = args.child(
        "EinsumDense",
        name,
        equation=f"{free}{contracted},{contracted}{new}->{free}{new}",
        output_shape=[None] * (stay - 1) + list(outputs),
        bias_axes=new if args.flag("use_bias", True) else None,
    )
    return einsum_dense_part(inner, shape)


def _check_lengths(args: Args, value: Shape | None, key: Shape | None) -> None:
    """Refuse a key and a value that differ in more than batch and last axis."""
    if value is None or key is None:
        return
    if len(value) != len(key) or any(map(differ, value[1:-1], key[1:-1])):
        raise misfit(args, "value and key with the same axes but the last", value, key)


def _query_value_key(call: Call) -> tuple[Shape | None, Shape | None, Shape | None]:
    """The shapes of query, value and key, given by place or by name; the key is the value where it is not given."""
    query, value, key = (
        next(iter(shapes(argument(call, place, name))), None) for place, name in enumerate(("query", "value", "key"))
    )
    return query, value, key if argument(call, 2, "key") is not None else value


def attention_work(run: Run) -> Work | None:
    """Attention and AdditiveAttention: the scores of all pairs of rows, a softmax, scores by value."""
    inputs = listed(run.args, run.call, 2, 3)
    query, value, key = inputs[0], inputs[1], inputs[-1]
    if query is None or value is None or key is None:
        return None
    scores = times(*query[:-1], key[-2])
    macs, other = _each_score(run.args, query[-1])
    return added(
        counted(times(scores, macs), times(scores, other)), counted(times(scores, value[-1]), times(scores, SOFTMAX))
    )


def _each_score(args: Args, size: Size) -> tuple[Size, Size]:
    """The multiply-adds and the other operations for one score of two rows of this size.

    Two rows are multiplied, and with `use_scale` the score is, too. Where rows are added, each value goes through tanh
    and is summed up: with a scale for each value in AdditiveAttention, and with `concat` with a scale for each sum and
    a weight for each score (`_calculate_scores`, keras/src/layers/attention, 3.15).
    """
    if args.class_name == "AdditiveAttention":
        return (size, times(size, 2)) if args.flag("use_scale", True) else (0, times(size, 3))
    scaled = args.flag("use_scale", False)
    if args.choice("score_mode", "dot", "concat") == "dot":
        return size, 1 if scaled else 0
    values = times(size, 4 if scaled else 3)
    return 0, None if values is None else values + 1


def heads_work(run: Run) -> Work | None:
    """Attention with heads: projections with their biases, query by key, a scale, a softmax, scores by value; with a
    gate its sigmoid, and a product with what comes out of each head."""
    query, value, key = _query_value_key(run.call)
    if query is None or value is None or key is None:
        return None
    part = run.part(query, value, key)
    rows = dict.fromkeys(("query", "gate", "attention_output"), times(*query[:-1]))
    rows |= {"key": times(*key[:-1]), "value": times(*value[:-1])}
    kernels = {child.name: slot.shape for _, child in part.children for slot in child.slots if slot.name == "kernel"}
    projected = [
        counted(size, 0) if slot.name == "kernel" else counted(0, size)
        for _, child in part.children
        for slot in child.slots
        for size in [times(rows[child.name], elements(slot.shape))]
    ]
    heads, width = (kernels["query"] or (None, None))[-2:]
    *_, value_width = kernels["value"] or (None,)
    scores = _scores(run.args, query, key, heads)
    products = [counted(times(scores, width)), counted(times(scores, value_width))]
    gated = times(*query[:-1], heads, value_width, 2) if "gate" in kernels else 0
    return added(*projected, *products, counted(other=times(scores, SOFTMAX + 1)), counted(other=gated))


def _scores(args: Args, query: Shape, key: Shape, heads: Size) -> Size:
    """The number of scores: for each row of the query and each head the places of the key along the axes of attention.

    These are all axes between the first and the last where the config names none. A negative one is counted from the
    end of the input (`_build_attention`, keras/src/layers/attention/multi_head_attention.py, 3.15).
    """
    if args.config.get("attention_axes") is None:
        return times(*query[:-1], heads, *key[1:-1])
    axes = {axis if axis >= 0 else len(key) + axis for axis in args.axes("attention_axes")}
    projected = (*key[:-1], heads)
    return times(*query[:-1], heads, *(args.axis_of(projected, axis, "attention_axes") for axis in axes))


_PARAMETERS = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")


def _row(weights: Weights) -> LayerType:
    """The row of a layer that takes query, value and key as one list."""
    parameters = ("inputs", "mask", "training")
    return LayerType(
        weights,
        attention_outputs,
        "attention",
        MaskUse.USED | MaskUse.PASSED,
        parameters,
        takes_training=True,
        work=attention_work,
    )


ROWS = {
    "AdditiveAttention": _row(additive_attention_weights),
    "Attention": _row(attention_weights),
    "GroupedQueryAttention": LayerType(
        grouped_query_attention_weights,
        grouped_query_attention_outputs,
        masks=MaskUse.PASSED_NOW,
        parameters=_PARAMETERS,
        work=heads_work,
    ),
    "MultiHeadAttention": LayerType(
        multi_head_attention_weights,
        multi_head_attention_outputs,
        masks=MaskUse.USED | MaskUse.PASSED,
        parameters=_PARAMETERS,
        takes_training=True,
        work=heads_work,
    ),
}
