"""Spectrograms (keras/src/layers/preprocessing/stft_spectrogram.py and mel_spectrogram.py, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import at_least, fitting, ranked, sole
from ckpttool.model.layers.layer_type import Build, LayerType
from ckpttool.model.layers.spatial import Image
from ckpttool.model.layers.work import Run, Work, counted, elements, transform
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.shape_arithmetic import convolved
from ckpttool.model.sizes import Inputs, times
from ckpttool.model.slots import Part, Slot


def mel_spectrogram_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
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


def stft_spectrogram_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """STFTSpectrogram: the windows of its transform, real_kernel and imag_kernel, as `mode` needs them."""
    length = args.size("frame_length", 256)
    bins = args.size("fft_length", 1 << (length - 1).bit_length()) // 2 + 1
    mode = args.choice("mode", "log", "magnitude", "psd", "real", "imag", "angle", "stft")
    names = (("real_kernel", "imag"), ("imag_kernel", "real"))
    slots = [Slot(name, (length, 1, bins), args.variable_dtype) for name, without in names if mode != without]
    return args.part(*slots)


def stft_spectrogram_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
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


def mel_spectrogram_work(run: Run) -> Work | None:
    """MelSpectrogram: for each step a window and a transform; five operations for each frequency, whose magnitude is
    raised to a power; a product with the matrix of the mel scale; six for each value where it is in decibels."""
    bins, length = run.args.size("num_mel_bins", 128), run.args.size("fft_length", 2048)
    frequencies, count = length // 2 + 1, elements(run.output)
    steps = None if count is None else count // bins
    scale = 6 * bins if run.args.flag("power_to_db", True) else 0
    of_step = length + (transform(length, half=True) or 0) + 5 * frequencies + scale
    return counted(times(count, frequencies), times(steps, of_step))


def stft_spectrogram_work(run: Run) -> Work | None:
    """STFTSpectrogram: one or two kernels at each step; operations for each frequency as its `mode` needs them."""
    mode = run.args.choice("mode", "log", "magnitude", "psd", "real", "imag", "angle", "stft")
    count = elements(run.output)
    kernels = 1 if mode in ("real", "imag", "stft") else 2  # the output of "stft" has the values of both
    return counted(times(count, kernels, run.args.size("frame_length", 256)), times(count, _OF_MODE[mode]))


_OF_MODE = {"log": 7, "magnitude": 5, "psd": 4, "angle": 1, "real": 0, "imag": 0, "stft": 0}
"""The operations for each frequency after the transform: two squares, a sum, a bound, a root, a bound, a logarithm."""

ROWS = {
    "MelSpectrogram": LayerType(outputs=mel_spectrogram_outputs, work=mel_spectrogram_work),
    "STFTSpectrogram": LayerType(stft_spectrogram_weights, stft_spectrogram_outputs, work=stft_spectrogram_work),
}
