"""What the user chose for a conversion."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose: `keep_weights` registers the old hard_sigmoid; `functions` are those that take the place of
    Lambda layers, `package.module:function` by the name of the layer; `builtins` are names of the author's functions
    that stand for those of Keras 3. `compiled` and `optimizer` carry the settings of `compile` and the state of the
    optimizer. `part` is the name of the model to take of those that `tf.train.Checkpoint` saved together, empty for
    all there is."""

    keep_weights: bool = False
    functions: Mapping[str, str] = field(default_factory=dict)
    compiled: bool = True
    optimizer: bool = True
    builtins: frozenset[str] = frozenset()
    part: str = ""


PLAIN = Options()
