"""Fourier transforms and complex numbers (keras/src/ops/math.py, 3.15).

A complex tensor is a pair of real ones, the second with the imaginary parts.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.operations.arguments import number
from ckpttool.model.operations.binding_rules import Bound, custom, several, single
from ckpttool.model.output_rule import Outputs, Rule
from ckpttool.model.shape_arithmetic import merged
from ckpttool.model.sizes import Shape, Size


def _of_pair(count: int, least: int, compute: Callable[[Args, Shape], Shape]) -> Rule:
    """The rule of an operation on a complex tensor with `least` axes, whose `count` outputs have one shape."""

    def shapes(bound: Bound) -> Outputs:
        pair = bound.shapes("x")
        if len(pair) != 2:
            raise ValueError("a pair of tensors, real and imaginary")
        whole = merged(*pair)
        if whole is not None and len(whole) < least:
            raise ValueError(f"inputs with {least} axes at least")
        return (None if whole is None else compute(bound.args, whole),) * count

    return custom(shapes, "x")


def _unchanged(args: Args, shape: Shape) -> Shape:
    return shape


def _real(args: Args, x: Shape) -> Outputs:
    """The first half of the frequencies of real values, and the middle one."""
    if not x:
        raise ValueError("an input with an axis at least")
    length = number(args, "fft_length") if "fft_length" in args else x[-1]
    return ((*x[:-1], None if length is None else length // 2 + 1),) * 2


def _back_to_real(args: Args, shape: Shape) -> Shape:
    if "fft_length" in args:
        return (*shape[:-1], number(args, "fft_length"))
    return (*shape[:-1], None if shape[-1] is None else 2 * (shape[-1] - 1))


def _centered(args: Args, length: int) -> int:
    """The number of values added around a signal to center frames."""
    return length // 2 * 2 if args.flag("center", True) else 0


def _frames(args: Args, x: Shape) -> Outputs:
    """The frequencies of each frame of a signal."""
    if not x:
        raise ValueError("an input with an axis at least")
    length, stride = args.size("fft_length"), args.size("sequence_stride")
    count = None if x[-1] is None else 1 + (x[-1] + _centered(args, length) - length) // stride
    return ((*x[:-1], count, length // 2 + 1),) * 2


def _from_frames(args: Args, shape: Shape) -> Shape:
    return (*shape[:-2], number(args, "length") if "length" in args else _overlapped(args, shape[-2]))


def _overlapped(args: Args, frames: Size) -> Size:
    length, stride = args.size("fft_length"), args.size("sequence_stride")
    return None if frames is None else (frames - 1) * stride + length - _centered(args, length)


def _as_complex(args: Args, x: Shape) -> Shape:
    if not x:
        raise ValueError("an input with an axis at least")
    return x[:-1]


def _as_real(args: Args, x: Shape) -> Shape:
    return (*x, 2)


SIGNALS: Mapping[str, Rule] = MappingProxyType(
    {
        "FFT": _of_pair(2, 1, _unchanged),
        "FFT2": _of_pair(2, 2, _unchanged),
        "IFFT2": _of_pair(2, 2, _unchanged),
        "IRFFT": _of_pair(1, 1, _back_to_real),
        "ISTFT": _of_pair(1, 2, _from_frames),
        "RFFT": several(2, _real, "x"),
        "STFT": several(2, _frames, "x"),
        "ViewAsComplex": single(_as_complex, "x"),
        "ViewAsReal": single(_as_real, "x"),
    }
)
"""Rules by class name."""
