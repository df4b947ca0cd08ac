"""The options of a conversion, which the user chooses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ckpttool.escape import brief


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a conversion.

    `keep_weights` uses the old hard_sigmoid, a registered function, instead of multiplying weights. `functions` replace
    the code of Lambda layers: `package.module:function` by the name of the layer. `builtins` are names of the author's
    functions that are to be replaced by those of Keras 3. `compiled` carries the settings of `compile`, `optimizer` the
    state of the optimizer. `part` is the name of one model of several that `tf.train.Checkpoint` saved together, empty
    for all of them.
    """

    keep_weights: bool = False
    functions: Mapping[str, str] = field(default_factory=dict)
    compiled: bool = True
    optimizer: bool = True
    builtins: frozenset[str] = frozenset()
    part: str = ""

    __repr__ = brief


PLAIN = Options()
