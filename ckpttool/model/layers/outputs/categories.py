"""Encoding of categories and text, spectrograms (keras/src/layers/preprocessing, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import at_least, differ, fitting, listed, misfit, ranked, sole
from ckpttool.model.layers.outputs.rule import Infer, Outputs
from ckpttool.model.layers.outputs.spatial import Image
from ckpttool.model.shape_arithmetic import convolved
from ckpttool.model.sizes import Shape, Size, items, times

_LOOKUPS = ("int", "one_hot", "multi_hot", "count", "tf_idf", "binary", "tf-idf")


def category_encoding(args: Args, call: Call, infer: Infer) -> Outputs:
    """CategoryEncoding: `num_tokens` in place of the last axis, or behind it for one-hot vectors of more than one."""
    mode = args.choice("output_mode", "multi_hot", "count", "one_hot", "binary")
    depth, shape = args.size("num_tokens"), sole(args, call)
    return (None,) if shape is None else (_encoded(shape, depth, mode),)


def _encoded(shape: Shape, depth: Size, mode: str) -> Shape:
    """A shape whose last axis is encoded, in the way of CategoryEncoding and the lookups."""
    if mode == "one_hot" and (len(shape) < 2 or shape[-1] != 1):
        return (*shape, depth)
    return (*shape[:-1], depth)


def hashing(args: Args, call: Call, infer: Infer) -> Outputs:
    """Hashing: the same for numbers, else `num_bins` in place of the last axis."""
    mode = args.choice("output_mode", "int", "one_hot", "multi_hot", "count")
    depth, shape = args.size("num_bins"), sole(args, call)
    return (shape if shape is None or mode == "int" else (*shape[:-1], depth),)


def hashed_crossing(args: Args, call: Call, infer: Infer) -> Outputs:
    """HashedCrossing of two inputs: the shape of the first, or `num_bins` for one-hot vectors."""
    mode, depth = args.choice("output_mode", "int", "one_hot"), args.size("num_bins")
    one, other = (at_least(args, shape, 1) for shape in listed(args, call, 2))
    if one and other and differ(one[-1], other[-1]):
        raise misfit(args, "two inputs of the same shape", one, other)
    if one is None or mode == "int":
        return (one,)
    return ((*(one[:-1] if one[-1] == 1 else one), depth),)


def discretization(args: Args, call: Call, infer: Infer) -> Outputs:
    """Discretization: the same for numbers, else one more than `bin_boundaries`, or `num_bins`.

    Keras states for sets and counts that the second axis goes, whichever is encoded.
    """
    mode = args.choice("output_mode", "int", "one_hot", "multi_hot", "count")
    depth, shape = _bins(args), sole(args, call)
    if shape is None or mode == "int":
        return (shape,)
    if mode == "one_hot":
        return (_encoded(shape, depth, mode),)
    return ((shape[0], *shape[2:], depth) if len(shape) > 1 else (depth,),)


def _bins(args: Args) -> int:
    boundaries = items(args.config.get("bin_boundaries"))
    if boundaries is None:
        return args.size("num_bins")
    if not isinstance(boundaries, list):
        raise args.error("bin_boundaries", "a list of numbers")
    return len(boundaries) + 1


def lookup(args: Args, call: Call, infer: Infer) -> Outputs:
    """StringLookup and IntegerLookup: the same for numbers, else as many as there are words."""
    mode, shape = args.choice("output_mode", *_LOOKUPS), sole(args, call)
    depth = _words(args)
    return (shape if shape is None or mode == "int" else _encoded(shape, depth, mode),)


def _words(args: Args) -> Size:
    """The size of a vocabulary: `max_tokens` where it is filled up, else what the config counted, None before that."""
    if args.flag("pad_to_max_tokens", False):
        return args.size("max_tokens")
    return args.rank("vocabulary_size")


def text_vectorization(args: Args, call: Call, infer: Infer) -> Outputs:
    """TextVectorization: `output_sequence_length` numbers, else as StringLookup does of the words of each text."""
    mode, shape = args.choice("output_mode", *_LOOKUPS), sole(args, call)
    length, depth = args.rank("output_sequence_length"), _words(args)
    if shape is None:
        return (None,)
    if mode == "int":
        return ((at_least(args, shape, 1)[0], length),)  # type: ignore[index]
    split = args.config.get("split", "whitespace") is not None
    return (_encoded((*shape, None) if split else shape if len(shape) > 1 else (*shape, 1), depth, mode),)


def mel_spectrogram(args: Args, call: Call, infer: Infer) -> Outputs:
    """MelSpectrogram: `num_mel_bins` for each step of a signal, or of a batch of them."""
    bins, stride = args.size("num_mel_bins", 128), args.size("sequence_stride", 512)
    if args.size("fft_length", 2048) < (args.rank("sequence_length") or 1):
        raise args.error("fft_length", "at least sequence_length")
    shape = sole(args, call)
    if shape is None:
        return (None,)
    at_least(args, shape, 1)
    signal = shape[:2]  # Keras does not look at further axes
    steps = None if signal[-1] is None else (signal[-1] + stride + 1) // stride
    return ((*signal[:-1], bins, steps),)


def stft_spectrogram(args: Args, call: Call, infer: Infer) -> Outputs:
    """STFTSpectrogram: a convolution over time, with frequencies for each channel, on an axis of their own if asked."""
    length, shape = args.size("frame_length", 256), ranked(args, sole(args, call), 3)
    step = args.size("frame_step", length // 2)
    padding, frequencies = args.choice("padding", "valid", "same"), _frequencies(args, length)
    if step > length:
        raise args.error("frame_step", f"at most {length}")
    if shape is None:
        return (None,)
    image = Image.of(args, shape)
    with fitting(args, shape):
        time = convolved(image.space[0], length, step, padding)
    if not args.flag("expand_dims", False):
        return (image.with_space(time).with_channels(times(image.channels, frequencies)).shape,)
    return (image.with_space(time, frequencies).shape,)


def _frequencies(args: Args, length: int) -> int:
    """The number of frequencies: of a transform that is as long as the next power of two, if none is given."""
    mode = args.choice("mode", "log", "magnitude", "psd", "real", "imag", "angle", "stft")
    transform = args.size("fft_length", 1 << (length - 1).bit_length())
    if transform < length:
        raise args.error("fft_length", f"at least {length}")
    return (transform // 2 + 1) * (2 if mode == "stft" else 1)
