"""Attention layers (keras/src/layers/attention, 3.15)."""

import string

from ckpttool.model.arguments import Args, first
from ckpttool.model.layers.einsum import einsum_dense
from ckpttool.model.sizes import Inputs, Shape, Size
from ckpttool.model.slots import Part, Slot

_LETTERS = string.ascii_lowercase
_MAX_RANK = 16
_MAX_OUTPUTS = len(_LETTERS) - _MAX_RANK - 1


def attention(args: Args, inputs: Inputs) -> Part:
    """Attention: one scale, one weight for the scores of `concat`; both scalars."""
    scale = Slot("scale", (), args.variable_dtype) if args.flag("use_scale", False) else None
    concat = args.choice("score_mode", "dot", "concat") == "concat"
    return args.part(scale, Slot("concat_score_weight", (), args.variable_dtype) if concat else None)


def additive_attention(args: Args, inputs: Inputs) -> Part:
    """AdditiveAttention: a scale for each feature of the query."""
    shape = (args.axis_of(first(inputs), -1),)
    return args.part(Slot("scale", shape, args.variable_dtype) if args.flag("use_scale", True) else None)


def multi_head_attention(args: Args, inputs: Inputs) -> Part:
    """MultiHeadAttention: projections of query, key, value and output, and of a gate; inputs: query, value, key.

    All but the gate have a public name, which `.weights.h5` uses.
    """
    query, value, key = _query_value_key(args, inputs)
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


def grouped_query_attention(args: Args, inputs: Inputs) -> Part:
    """GroupedQueryAttention (public name GroupQueryAttention): as MultiHeadAttention, with fewer heads for key and
    value. Its projections have private names only."""
    query, value, key = _query_value_key(args, inputs)
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


def _with_gate(args: Args, parts: list[tuple[str, Part]]) -> list[tuple[str, Part]]:
    gated = args.flag("use_gate", False)
    return [(path, part) for path, part in parts if gated or path != "_gate_dense"]


def _query_value_key(args: Args, inputs: Inputs) -> tuple[Shape | None, Shape | None, Shape | None]:
    """The shapes of query, value and key, in the order of `build`; the key is the value where it is not given."""
    query, value, key = (*inputs, None, None, None)[:3]
    if any(shape is not None and not 2 <= len(shape) <= _MAX_RANK for shape in (query, value, key)):
        raise args.error("name", f"inputs with 2 to {_MAX_RANK} axes")
    return query, value, value if key is None else key


def _last(args: Args, shape: Shape | None) -> Size:
    return args.axis_of(shape, -1)


def _projection(args: Args, name: str, shape: Shape | None, summed: int, made: Shape) -> Part:
    """An EinsumDense that sums over the last `summed` axes of its input and makes new ones.

    `_build_proj_equation`, keras/src/layers/attention/multi_head_attention.py. Dots stand for the axes that stay where
    the input is not known; they let the same shapes come out, but for those that depend on the rank.
    """
    if len(made) > _MAX_OUTPUTS:
        raise args.error("output_shape", f"at most {_MAX_OUTPUTS} axes")
    stay = 0 if shape is None else len(shape) - summed
    kept = _LETTERS[:stay] or "..."
    gone, new = _LETTERS[stay : stay + summed], _LETTERS[stay + summed :][: len(made)]
    inner = args.made(
        "EinsumDense",
        name,
        equation=f"{kept}{gone},{gone}{new}->{kept}{new}",
        output_shape=[None] * (stay - 1) + list(made),
        bias_axes=new if args.flag("use_bias", True) else None,
    )
    return einsum_dense(inner, (shape,))
