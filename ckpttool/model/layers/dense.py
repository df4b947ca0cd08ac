"""Dense and the embeddings (keras/src/layers/core/dense.py, embedding.py and reversible_embedding.py, 3.15)."""

from ckpttool.model.arguments import Args, first
from ckpttool.model.dtype_policies import Policy
from ckpttool.model.layers import quantized
from ckpttool.model.layers.quantized import fixed
from ckpttool.model.sizes import Inputs, Size, divided
from ckpttool.model.slots import Part, Slot

_EMBEDDING_ORDER = (
    "embeddings",
    "embeddings_scale",
    "embeddings_zero",
    "g_idx",
    "reverse_embeddings",
    "reverse_embeddings_scale",
    "reverse_embeddings_zero",
)


def dense(args: Args, inputs: Inputs) -> Part:
    """Dense: kernel (last axis of the input, units), bias (units)."""
    units, policy = args.size("units"), args.policy
    rows = args.axis_of(first(inputs), -1)
    slots = _kernel(policy, rows, units)
    if args.flag("use_bias", True):
        slots.append(Slot("bias", (units,), policy.variable_dtype))
    slots = quantized.lora(args, slots, "kernel", (rows, units))
    return args.part(*slots, write_order=quantized.WRITE_ORDER[policy.mode])


def _kernel(policy: Policy, rows: Size, units: int) -> list[Slot]:
    """The kernel of Dense with what its quantization keeps beside it, in order of creation."""
    if policy.mode == "int8":
        scale = fixed("kernel_scale", (units,), policy.variable_dtype)
        return [fixed("kernel", (rows, units), "int8"), scale]
    if policy.mode in quantized.NO_KERNEL:
        return quantized.packed(policy, rows, units)
    before = quantized.float8(policy) if policy.mode else []
    return [*before, Slot("kernel", (rows, units), policy.variable_dtype)]


def embedding(args: Args, inputs: Inputs) -> Part:
    """Embedding: embeddings (input_dim, output_dim), whatever the input."""
    return args.part(*_embeddings(args), write_order=_EMBEDDING_ORDER)


def reversible_embedding(args: Args, inputs: Inputs) -> Part:
    """ReversibleEmbedding: an Embedding, with a second one for the way back where the two are not tied."""
    slots = _embeddings(args)
    if not args.flag("tie_weights", True):
        slots.extend(_reverse(args.policy, args.size("input_dim"), args.size("output_dim")))
    return args.part(*slots, write_order=_EMBEDDING_ORDER)


def _embeddings(args: Args) -> list[Slot]:
    rows, columns, policy = args.size("input_dim"), args.size("output_dim"), args.policy
    if policy.mode not in (None, "int8", "int4"):
        raise args.error("dtype", "a policy without quantization, or with int8 or int4")
    return quantized.lora(args, _table(policy, rows, columns), "embeddings", (rows, columns))


def _table(policy: Policy, rows: int, columns: int) -> list[Slot]:
    if policy.mode is None:
        return [Slot("embeddings", (rows, columns), policy.variable_dtype)]
    if policy.mode == "int8":
        return [
            fixed("embeddings", (rows, columns), "int8"),
            fixed("embeddings_scale", (rows,), policy.variable_dtype),
        ]
    return _int4_table(policy, rows, columns)


def _int4_table(policy: Policy, rows: int, columns: int) -> list[Slot]:
    """Two values in a byte; with groups, scales and zero points for each group of a row."""
    table = fixed("embeddings", (rows, divided(columns, 2)), "int8")
    if policy.group is None:
        return [table, fixed("embeddings_scale", (rows,), policy.variable_dtype)]
    groups = (rows, divided(columns, policy.group))
    return [
        table,
        fixed("embeddings_scale", groups, policy.variable_dtype),
        fixed("embeddings_zero", groups, "int8"),
        fixed("g_idx", (columns,), "float32"),
    ]


def _reverse(policy: Policy, rows: int, columns: int) -> list[Slot]:
    """The embeddings for the way back, transposed. Their int4 zero points have the dtype of variables, not int8."""
    if policy.mode is None:
        return [Slot("reverse_embeddings", (columns, rows), policy.variable_dtype)]
    height = columns if policy.mode == "int8" else divided(columns, 2)
    grouped = policy.mode == "int4" and policy.group is not None
    scale = (divided(columns, policy.group), rows) if grouped and policy.group else (rows,)
    return [
        fixed("reverse_embeddings", (height, rows), "int8"),
        fixed("reverse_embeddings_scale", scale, policy.variable_dtype),
        *([fixed("reverse_embeddings_zero", scale, policy.variable_dtype)] if grouped else []),
    ]
