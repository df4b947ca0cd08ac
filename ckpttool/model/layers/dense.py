"""Dense and the embeddings (keras/src/layers/core/dense.py, embedding.py and reversible_embedding.py, 3.15)."""

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.dtype_policies import Policy
from ckpttool.model.graph import Call
from ckpttool.model.layers import quantization
from ckpttool.model.layers.call_inputs import at_least, sole, switched
from ckpttool.model.layers.layer_type import Build, LayerType, MaskUse
from ckpttool.model.layers.quantization import fixed
from ckpttool.model.layers.work import Run, Work, counted, elements, has_bias, no_work, with_bias_and_activation
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import Inputs, Shape, Size, divided, times
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


def dense_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Dense: kernel (last axis of the input, units), bias (units)."""
    units, policy = args.size("units"), args.policy
    rows = args.axis_of(first_shape(inputs), -1)
    slots = _kernel(policy, rows, units)
    if args.flag("use_bias", True):
        slots.append(Slot("bias", (units,), policy.variable_dtype))
    slots = quantization.lora(args, slots, "kernel", (rows, units))
    return args.part(*slots, write_order=quantization.WRITE_ORDER[policy.mode])


def dense_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Dense: `units` on the last axis."""
    units, shape = args.size("units"), at_least(args, sole(args, call), 2)
    return (None,) if shape is None else ((*shape[:-1], units),)


def dense_work(run: Run) -> Work | None:
    """Dense: the kernel for each row of the input."""
    macs = None if run.input is None else times(elements(run.input[:-1]), run.kernels("kernel"))
    return with_bias_and_activation(run, macs, has_bias(run.args))


def _kernel(policy: Policy, rows: Size, units: int) -> list[Slot]:
    """The kernel of Dense with what its quantization keeps beside it, in order of creation."""
    if policy.mode == "int8":
        scale = fixed("kernel_scale", (units,), policy.variable_dtype)
        return [fixed("kernel", (rows, units), "int8"), scale]
    if policy.mode in quantization.NO_KERNEL:
        return quantization.packed(policy, rows, units)
    before = quantization.float8(policy) if policy.mode else []
    return [*before, Slot("kernel", (rows, units), policy.variable_dtype)]


def embedding_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Embedding: embeddings (input_dim, output_dim), whatever the input."""
    return args.part(*_embeddings(args), write_order=_EMBEDDING_ORDER)


def embedding_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Embedding: a vector for each number.

    `input_length` is of Keras 2, which takes it for the axes behind the batch where the input leaves them open; where
    it does not, Keras 1 and 3 do not look at it.
    """
    width, shape = args.size("output_dim"), sole(args, call)
    return (None,) if shape is None else ((*_lengthened(args, shape), width),)


def _lengthened(args: Args, shape: Shape) -> Shape:
    lengths = args.shape("input_length") if "input_length" in args else ()
    if len(lengths) != len(shape) - 1:
        return shape
    return (*shape[:1], *(length if size is None else size for length, size in zip(lengths, shape[1:], strict=True)))


def reversible_embedding_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """ReversibleEmbedding: an Embedding, with a second one for the way back where the two are not tied."""
    slots = _embeddings(args)
    if not args.flag("tie_weights", True):
        slots.extend(_reverse(args.policy, args.size("input_dim"), args.size("output_dim")))
    return args.part(*slots, write_order=_EMBEDDING_ORDER)


def reversible_embedding_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """ReversibleEmbedding: as Embedding; called with `reverse`, from vectors to scores of the vocabulary."""
    vocabulary, width, shape = args.size("input_dim"), args.size("output_dim"), sole(args, call)
    if not switched(args, call, 1, "reverse"):
        return (None,) if shape is None else ((*shape, width),)
    shape = at_least(args, shape, 1)
    return (None,) if shape is None else ((*shape[:-1], vocabulary),)


def _embeddings(args: Args) -> list[Slot]:
    rows, columns, policy = args.size("input_dim"), args.size("output_dim"), args.policy
    if policy.mode not in (None, "int8", "int4"):
        raise args.error("dtype", "a policy without quantization, or with int8 or int4")
    return quantization.lora(args, _table(policy, rows, columns), "embeddings", (rows, columns))


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


def reversible_embedding_work(run: Run) -> Work | None:
    """ReversibleEmbedding: no work to look vectors up; with `reverse`, a product with all vectors."""
    if not switched(run.args, run.call, 1, "reverse"):
        return Work()
    return counted(times(elements(run.output), run.args.size("output_dim")))


ROWS = {
    "Dense": LayerType(dense_weights, dense_outputs, masks=MaskUse.PASSED, work=dense_work),
    "Embedding": LayerType(embedding_weights, embedding_outputs, work=no_work),
    "ReversibleEmbedding": LayerType(
        reversible_embedding_weights,
        reversible_embedding_outputs,
        parameters=("inputs", "reverse"),
        work=reversible_embedding_work,
    ),
}
