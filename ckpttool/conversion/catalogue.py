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
    plain_models,
    preprocessing,
    pruning,
    rewriting,
    settling,
    state,
    towers,
    whole_numbers,
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
        whole_numbers,
        deviations,
        equivalents,
        calls,
        rewriting,
        plain_models,
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
