"""Attention (keras/src/layers/attention, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import (
    argument,
    at_least,
    differ,
    listed,
    misfit,
    ranked,
    shapes,
    switched,
)
from ckpttool.model.layers.outputs.rule import Infer, Outputs
from ckpttool.model.sizes import Shape

_SCORES = "return_attention_scores"
_SCORES_PLACE = 7
"""Where `call` of the layers with heads takes `return_attention_scores`."""


def attention(args: Args, call: Call, infer: Infer) -> Outputs:
    """Attention and AdditiveAttention, called on a list of query, value and perhaps key: the query with the last axis
    of the value; scores for each of its rows and those of the key."""
    given = [at_least(args, shape, 2) for shape in listed(args, call, 2, 3)]
    query, value, key = given[0], given[1], given[-1]
    output = None if query is None else (*query[:-1], value[-1] if value else None)
    scores = None if query is None else (*query[:-1], key[-2] if key else None)
    return (output, scores) if switched(args, call, 3, _SCORES) else (output,)


def multi_head_attention(args: Args, call: Call, infer: Infer) -> Outputs:
    """MultiHeadAttention: the query, its last axis replaced by `output_shape` if there is one.

    Keras gives the scores the query's length on both axes, and builds what comes behind for that.
    """
    query, value, key = (at_least(args, shape, 2) for shape in _query_value_key(call))
    _check_lengths(args, value, key)
    heads = args.size("num_heads")
    stated = args.shape("output_shape") if args.config.get("output_shape") else None
    scored = switched(args, call, _SCORES_PLACE, _SCORES)
    if query is None:
        return (None, None) if scored else (None,)
    output = query if stated is None else (*query[:-1], *stated)
    return (output, (query[0], heads, query[1], query[1])) if scored else (output,)


def grouped_query_attention(args: Args, call: Call, infer: Infer) -> Outputs:
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


def _check_lengths(args: Args, value: Shape | None, key: Shape | None) -> None:
    """Refuses a key and a value that differ in more than batch and last axis."""
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
