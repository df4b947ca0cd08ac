"""Who wrote a model: which version of Keras, on which backend, where that decides what its layers compute."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.alignment.assembly import is_reversed
from ckpttool.checkpoint import Checkpoint, Weight
from ckpttool.io import scalars
from ckpttool.model.generations.generation import Generation

_LAST_OF_MANY_BACKENDS = (2, 4)  # 2.4 hands everything on to tf.keras


@dataclass(frozen=True, slots=True)
class Origin:
    """The version of Keras that wrote a model, None where nothing tells it, and whether its backend was Theano.
    `summaries` are what its Discretizations keep of the data that they were adapted to, by label."""

    version: str | None = None
    theano: bool = False
    summaries: Mapping[str, Weight] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Checkpoint, config: Any, generation: Generation) -> "Origin":
        """What the config says, or the checkpoint beside it."""
        stated = config.get("keras_version") if isinstance(config, Mapping) else None
        version = stated if isinstance(stated, str) else checkpoint.producer.keras_version
        return cls(version, generation is not Generation.KERAS_3 and is_reversed(checkpoint, generation))

    @property
    def of_many_backends(self) -> bool:
        """Whether it was Keras 1 or 2 of its own, before tf.keras took its place."""
        return self.theano or ("-tf" not in (self.version or "-tf") and self.before(*_LAST_OF_MANY_BACKENDS))

    def before(self, *version: int) -> bool:
        """Whether the version is known and older than this one."""
        numbers = scalars.version_numbers(self.version, 3)
        return bool(numbers) and numbers < version
