"""Operations for normalization, attention, losses and codes of classes (keras/src/ops/nn.py and math.py, 3.15)."""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import axis_of, number
from ckpttool.model.operations.binding_rules import several, single
from ckpttool.model.operations.elementwise import same
from ckpttool.model.operations.manipulation import without
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import merged, same_size
from ckpttool.model.sizes import Shape, Size


def _gated(args: Args, x: Shape) -> Shape:
    """The output of Glu: half of the values along an axis gate the other half."""
    axis = axis_of(args, len(x), default=-1)
    size = x[axis]
    if size is not None and size % 2:
        raise ValueError(f"an even axis, not {size}")
    return (*x[:axis], None if size is None else size // 2, *x[axis + 1 :])


def _with_classes(args: Args, x: Shape, classes: int) -> Shape:
    """The shape with an axis of classes, behind the others or before one of them."""
    axis = number(args, "axis", -1)
    if axis != -1 and not 0 <= axis < len(x):
        raise args.error("axis", f"-1 or the number of an axis below {len(x)}")
    at = len(x) if axis == -1 else axis
    return (*x[:at], classes, *x[at:])


def _one_hot(args: Args, x: Shape) -> Shape:
    return _with_classes(args, x, number(args, "num_classes"))


def _multi_hot(args: Args, x: Shape) -> Shape:
    """The maximum of one-hot codes along the second axis, or along the first of two."""
    classes = number(args, "num_classes" if "num_classes" in args else "num_tokens")
    coded = _with_classes(args, x, classes)
    return coded[1:] if len(coded) == 2 else (coded[0], *coded[2:])


def _of_both(args: Args, target: Shape, output: Shape) -> Shape:
    merged(target, output)
    return output


def _categorical(args: Args, target: Shape, output: Shape) -> Shape:
    """Categorical cross-entropy; Keras drops the last axis whatever `axis` is."""
    if not output:
        raise ValueError("inputs with an axis at least")
    return _of_both(args, target, output)[:-1]


def _sparse_categorical(args: Args, target: Shape, output: Shape) -> Shape:
    """Sparse categorical cross-entropy; the target lacks the axis of classes, or has a last one of size 1."""
    left = without(output, [axis_of(args, len(output), default=-1)])
    if len(target) == len(output) and target[-1] in (1, None):
        target = target[:-1]
    merged(target, left)
    return left


def _batch_norm(args: Args, x: Shape, mean: Shape, variance: Shape) -> Shape:
    length = (x[axis_of(args, len(x))],)
    merged(length, merged(mean, variance))
    return x


def _alignment_loss(args: Args, target: Shape, output: Shape, target_length: Shape, output_length: Shape) -> Shape:
    """CTC: one number for each of the batch."""
    batch: Size = None
    for shape in (target, output, target_length, output_length):
        if not shape:
            raise ValueError("inputs with a batch axis")
        batch = same_size(batch, shape[0])
    return (target[0],)


def _decoded(args: Args, inputs: Shape, lengths: Shape) -> Outputs:
    """CTC: the sequences of each path, and the score of each."""
    if len(inputs) != 3:
        raise ValueError("inputs with 3 axes")
    paths = 1 if args.text("strategy", "greedy") == "greedy" else args.size("top_paths", 1)
    return ((paths, *inputs[:2]), (inputs[0], paths))


def _signal_to_noise(args: Args, x1: Shape, x2: Shape) -> Shape:
    if len(x1) != len(x2):
        raise ValueError("inputs with equal numbers of axes")
    return ()


NEURAL: Mapping[str, Rule] = MappingProxyType(
    {
        "BatchNorm": single(_batch_norm, "x", "mean", "variance", more=("offset", "scale")),
        "BinaryCrossentropy": single(_of_both, "target", "output"),
        "CTCDecode": several(2, _decoded, "inputs", "sequence_lengths"),
        "CTCLoss": single(_alignment_loss, "target", "output", "target_length", "output_length"),
        "CategoricalCrossentropy": single(_categorical, "target", "output"),
        "DotProductAttention": single(same, "query", more=("key", "value", "bias", "mask", "scale")),
        "Glu": single(_gated, "x"),
        "InTopK": single(same, "targets", more=("predictions",)),
        "LayerNorm": single(same, "x", more=("gamma", "beta")),
        "MultiHot": single(_multi_hot, "inputs"),
        "OneHot": single(_one_hot, "x"),
        "PSNR": single(_signal_to_noise, "x1", "x2"),
        "RMSNorm": single(same, "x", more=("scale",)),
        "SparseCategoricalCrossentropy": single(_sparse_categorical, "target", "output"),
    }
)
"""Rules by class name."""
