"""All kinds of edits that a conversion makes."""

from ckpttool.conversion import (
    activations,
    addons,
    calls,
    compiling,
    cudnn,
    deviations,
    equivalents,
    functions,
    inputs,
    lambdas,
    living,
    lookups,
    operations,
    outside,
    padding,
    preprocessing,
    pruning,
    rewriting,
    settling,
    state,
    towers,
    words,
)
from ckpttool.conversion.journal import Edit

EDITS: tuple[Edit, ...] = tuple(
    edit
    for module in (
        words,
        settling,
        activations,
        functions,
        addons,
        padding,
        preprocessing,
        lookups,
        deviations,
        equivalents,
        calls,
        rewriting,
        lambdas,
        inputs,
        towers,
        pruning,
        operations,
        outside,
        compiling,
        cudnn,
        state,
        living,
    )
    for edit in module.EDITS
)
"""The kinds of edits, each with what it does and when it is exact."""
