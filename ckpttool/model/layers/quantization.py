"""The weights of quantized kernels and of LoRA (keras/src/layers/core/dense.py, einsum_dense.py, embedding.py, 3.15).

`quantized_build` runs before the bias is made, and makes its weights not trainable; so in memory the bias comes first,
while `save_own_variables` writes by name, in the order of `variable_serialization_spec`.
"""

from dataclasses import replace

from ckpttool.model.arguments import Args
from ckpttool.model.dtype_policies import Policy
from ckpttool.model.sizes import Shape, Size, divided
from ckpttool.model.slots import Slot

NO_KERNEL = frozenset({"int8", "int4", "gptq", "awq"})
"""The modes that put something else in the place of the kernel."""

WRITE_ORDER: dict[str | None, tuple[str, ...]] = {
    None: ("kernel", "bias"),
    "int8": ("kernel", "bias", "kernel_scale"),
    "int4": ("kernel", "bias", "kernel_scale", "kernel_zero", "g_idx"),
    "float8": (
        "kernel",
        "bias",
        "inputs_scale",
        "inputs_amax_history",
        "kernel_scale",
        "kernel_amax_history",
        "outputs_grad_scale",
        "outputs_grad_amax_history",
    ),
    "gptq": ("bias", "kernel", "kernel_scale", "kernel_zero", "zero_point", "g_idx"),
    "awq": ("bias", "kernel", "kernel_scale", "kernel_zero", "zero_point", "awq_scales", "g_idx"),
}
"""How Dense and EinsumDense write their weights, by the names of the variables."""


def fixed(name: str, shape: Shape | None, dtype: str, stored: bool = True) -> Slot:
    """A slot that is never trained."""
    return Slot(name, shape, dtype, trainable=False, stored=stored)


def float8(policy: Policy) -> list[Slot]:
    """The scales and histories of maxima that float8 keeps beside the kernel; trainable, as gradients update them."""
    shapes: tuple[tuple[str, Shape], ...] = (("scale", ()), ("amax_history", (policy.history,)))
    return [Slot(f"{of}_{suffix}", shape) for of in ("inputs", "kernel", "outputs_grad") for suffix, shape in shapes]


def packed(policy: Policy, rows: Size, columns: Size, zero: str = "kernel_zero") -> list[Slot]:
    """The slots of a matrix in the modes that pack values into bytes: int4, gptq, awq. `zero` names its zero points.

    Keras 3.15.1 does not write those of gptq and awq: `save_own_variables` skips `kernel_zero` where LoRA gives none.
    """
    if policy.mode == "int4":
        return _int4(policy, rows, columns)
    half = divided(columns, 2) if policy.mode == "awq" or policy.bits == 4 else columns
    groups = 1 if policy.group is None else divided(rows, policy.group)
    scales = fixed("awq_scales", (rows,), policy.variable_dtype)
    return [
        fixed("kernel", (half, rows), "uint8"),
        fixed("kernel_scale", (columns, groups), policy.variable_dtype),
        fixed(zero, (columns, groups), "uint8", stored=False),
        *([scales] if policy.mode == "awq" else []),
        fixed("g_idx", (rows,), "float32"),
    ]


def _int4(policy: Policy, rows: Size, columns: Size) -> list[Slot]:
    kernel = fixed("kernel", (rows, divided(columns, 2)), "int8")
    if policy.group is None:
        return [kernel, fixed("kernel_scale", (columns,), policy.variable_dtype)]
    scale = (divided(rows, policy.group), columns)
    return [
        kernel,
        fixed("kernel_scale", scale, policy.variable_dtype),
        fixed("kernel_zero", scale, "int8"),
        fixed("g_idx", (rows,), "float32"),
    ]


def lora(args: Args, slots: list[Slot], base: str, shape: Shape | None) -> list[Slot]:
    """The slots with LoRA's two factors behind them and the weight `base` of that shape frozen, where the layer has a
    `lora_rank`.

    The factors are never stored: they are merged into `base` as it is written, which without quantization leaves it in
    the dtype of computation (`kernel` of Dense, `_get_kernel_with_merged_lora`).
    """
    rank = args.rank("lora_rank")
    if rank is None:
        return slots
    left: Shape | None = None if shape is None else (*shape[:-1], rank)
    right: Shape = (rank, None if shape is None else shape[-1])
    return [
        *(_merged(args.policy, slot) if slot.name == base and slot.trainable else slot for slot in slots),
        Slot(f"lora_{base}_a", left, stored=False),
        Slot(f"lora_{base}_b", right, stored=False),
    ]


def _merged(policy: Policy, slot: Slot) -> Slot:
    stored = policy.compute_dtype if policy.mode is None and policy.compute_dtype != slot.dtype else ""
    return replace(slot, trainable=False, frozen=True, stored_dtype=stored)
