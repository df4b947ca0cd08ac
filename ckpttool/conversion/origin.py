"""The origin of a model: the version of Keras that wrote it and its backend, on which the results of layers depend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.alignment.assembly import is_reversed
from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.io import scalars
from ckpttool.model.generations.generation import Generation

_LAST_OF_MANY_BACKENDS = (2, 4)  # since 2.4, Keras only calls tf.keras


@dataclass(frozen=True, slots=True)
class Origin:
    """The version of Keras that wrote a model, None where it is not known, and whether its backend was Theano.
    `summaries` are the summaries of data in adapted Discretizations, by label."""

    version: str | None = None
    theano: bool = False
    summaries: Mapping[str, Weight] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Checkpoint, config: Any, generation: Generation, around: str | None = None) -> "Origin":
        """The origin by the config, by the version in the file `around` it, or else by the checkpoint."""
        config_version = config.get("keras_version") if isinstance(config, Mapping) else None
        version = config_version if isinstance(config_version, str) else around or checkpoint.producer.keras_version
        return cls(version, generation is not Generation.KERAS_3 and is_reversed(checkpoint, generation))

    @property
    def of_many_backends(self) -> bool:
        """Whether the writer was Keras 1 or 2 with many backends, and not tf.keras."""
        return self.theano or ("-tf" not in (self.version or "-tf") and self.before(*_LAST_OF_MANY_BACKENDS))

    def before(self, *version: int) -> bool:
        """Whether the version is known and older than this one."""
        numbers = scalars.version_numbers(self.version, 3)
        return bool(numbers) and numbers < version
