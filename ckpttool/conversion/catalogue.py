"""All kinds of edits that a conversion makes."""

from ckpttool.conversion import tensorflow_ops
from ckpttool.conversion.compile import frozen_models, optimizer_state, settings
from ckpttool.conversion.config import (
    adapted_layers,
    addons,
    argument_edits,
    call_arguments,
    changed_semantics,
    functions,
    graph_vocabularies,
    hard_sigmoid,
    inputs,
    lambdas,
    lookup_counts,
    misadded_biases,
    multi_gpu,
    open_axes,
    other_packages,
    plain_models,
    rewriter,
    theano_padding,
    toolkit_wrappers,
    whole_numbers,
)
from ckpttool.conversion.journal import Edit
from ckpttool.conversion.live import target
from ckpttool.conversion.removed_layers import table
from ckpttool.conversion.weights import cudnn, deviations

EDITS: tuple[Edit, ...] = tuple(
    edit
    for module in (
        argument_edits,
        changed_semantics,
        hard_sigmoid,
        functions,
        addons,
        theano_padding,
        misadded_biases,
        adapted_layers,
        lookup_counts,
        whole_numbers,
        deviations,
        table,
        call_arguments,
        rewriter,
        plain_models,
        lambdas,
        inputs,
        multi_gpu,
        open_axes,
        graph_vocabularies,
        toolkit_wrappers,
        tensorflow_ops,
        other_packages,
        settings,
        cudnn,
        optimizer_state,
        frozen_models,
        target,
    )
    for edit in module.EDITS
)
"""The kinds of edits, each with what it does and when it is exact."""
