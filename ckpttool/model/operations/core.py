"""Scattering, and operations that call functions (keras/src/ops/core.py and linalg.py, 3.15).

The output shape of a function is not known without running it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.operations.binding_rules import Bound, custom, single
from ckpttool.model.operations.elementwise import same
from ckpttool.model.output_rule import Outputs, Rule


def _unknown(bound: Bound) -> Outputs:
    return ()


def _scattered(bound: Bound) -> Outputs:
    return (bound.args.shape("shape"),)


CORE: Mapping[str, Rule] = MappingProxyType(
    {
        "AssociativeScan": custom(_unknown, "f", "elems"),
        "Cond": custom(_unknown, "pred", "true_fn", "false_fn"),
        "JVP": custom(_unknown, "fun", "primals", "tangents"),
        "Map": custom(_unknown, "f", "xs"),
        "Scan": custom(_unknown, "f", "init", more=("xs",)),
        "Scatter": custom(_scattered, "indices", "values"),
        "ScatterUpdate": single(same, "inputs", more=("indices", "updates")),
        "SliceUpdate": single(same, "inputs", more=("start_indices", "updates")),
        "Switch": custom(_unknown, "index", "branches", rest=True),
        "VectorizedMap": custom(_unknown, "elements"),
    }
)
"""Rules by class name."""
