"""Dense layers, embeddings, inputs, Lambda (keras/src/layers/core, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import at_least, main, shapes, sole, switched
from ckpttool.model.layers.outputs.rule import Infer, Outputs
from ckpttool.model.sizes import Shape, read_shape


def input_layer(args: Args, call: Call, infer: Infer) -> Outputs:
    """InputLayer: the shape it declares, with the batch or beside it."""
    for key in ("batch_shape", "batch_input_shape"):
        if key in args:
            return (args.shape(key),)
    for key in ("shape", "input_shape"):
        if key in args:
            return ((args.integer("batch_size"), *args.shape(key)),)
    return shapes(main(call)) or (None,)


def declared_lambda(args: Args, call: Call, infer: Infer) -> Outputs:
    """Lambda: the `output_shape` that its config states, behind the batch of its first input; else unknown."""
    stated = read_shape(args.config.get("output_shape"))
    given = shapes(main(call))
    if stated is None or not given:
        return ()
    return ((given[0][0] if given[0] else None, *stated),)


def dense(args: Args, call: Call, infer: Infer) -> Outputs:
    """Dense: `units` on the last axis."""
    units, shape = args.size("units"), at_least(args, sole(args, call), 2)
    return (None,) if shape is None else ((*shape[:-1], units),)


def embedding(args: Args, call: Call, infer: Infer) -> Outputs:
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


def reversible_embedding(args: Args, call: Call, infer: Infer) -> Outputs:
    """ReversibleEmbedding: as Embedding, and called with `reverse` the other way."""
    vocabulary, width, shape = args.size("input_dim"), args.size("output_dim"), sole(args, call)
    if not switched(args, call, 1, "reverse"):
        return (None,) if shape is None else ((*shape, width),)
    shape = at_least(args, shape, 1)
    return (None,) if shape is None else ((*shape[:-1], vocabulary),)
