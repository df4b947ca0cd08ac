"""The metrics of a model of Keras 1 or 2 as Keras 3 writes them, by its outputs.

Sources: those of `settings`.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.conversion.compile import measures
from ckpttool.conversion.compile.measure_entries import FUNCTIONS, function_name, note_need, object_entry
from ckpttool.conversion.compile.optimizers import WHERE, UnknownObject, Writer, refuse_own
from ckpttool.conversion.journal import Journal
from ckpttool.model.class_names import snake_case
from ckpttool.model.compile_names import OLD_MEASURES, RESOLVED_METRICS
from ckpttool.model.defaults import class_called
from ckpttool.model.entries import entry_of

Outputs = Sequence[tuple[str, str]]
"""The old and the new names of the outputs of a model."""

_METRICS = MappingProxyType({**OLD_MEASURES, **dict.fromkeys(("log_cosh", "logcosh"), "LogCoshError")})
_CROSSENTROPY = MappingProxyType(
    {
        **dict.fromkeys(("categorical_crossentropy", "CategoricalCrossentropy"), "CategoricalCrossentropy"),
        **dict.fromkeys(
            ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"), "SparseCategoricalCrossentropy"
        ),
    }
)


class Metrics(NamedTuple):
    """Converts the metrics of a model, or its weighted metrics (`key`). Metrics that Keras 3 does not find are left out
    and noted."""

    key: str
    writer: Writer
    loss: Any
    outputs: Outputs
    journal: Journal
    layers: Sequence[str] = ()

    def of(self, value: Any) -> Any:
        """The metrics for Keras 3: a list for a single output; for several, a list of each or a dict by their names."""
        if value is None:
            return None
        if isinstance(value, Mapping) and not isinstance(value.get("class_name"), str):
            new_names = dict(self.outputs)
            return {new_names.get(key, key): self.of_output(key).listed(item) for key, item in value.items()}
        value, names = value if isinstance(value, list) else [value], [old for old, _ in self.outputs]
        if len(names) < 2:
            return self.of_output(*names).listed(value)
        if any(item is None or isinstance(item, list) for item in value):
            return [self.of_output(name).listed(item) for name, item in zip_longest(names, value)][: len(value)]
        return [self.of_output(name).listed(value) for name in names]

    def of_output(self, name: Any = None) -> "Metrics":
        """The same for an output, with its loss."""
        names = [old for old, _ in self.outputs]
        loss = self.loss
        if isinstance(loss, Mapping) and not isinstance(loss.get("class_name"), str):
            loss = loss.get(name)
        elif isinstance(loss, list):
            loss = loss[names.index(name)] if name in names and len(loss) == len(names) else None
        return self._replace(loss=loss)

    def listed(self, value: Any) -> list[Any]:
        """The metrics of one output, from lists of any depth."""
        metrics, stack = [], [value]
        while stack:
            item = stack.pop()
            if isinstance(item, list):
                stack.extend(reversed(item))
            elif item is not None:
                metrics += self.known(item)
        return metrics

    def known(self, value: Any) -> list[Any]:
        """A metric in a list, which is empty where Keras 3 does not find it."""
        try:
            name = function_name(value, self.journal)
            if name is not None:
                return [self.named(name)]
            metric = object_entry(value, "metrics", _METRICS, self.writer)
            measures.note_difference(metric, self.loss_of_classes(), self.journal)
            return [self.unprefixed(metric)]
        except UnknownObject as error:
            self.journal.lose(WHERE, f"{self.key}: {error}")
            note_need("metric", error, self.journal)
            return []

    def named(self, name: str) -> Any:
        """A metric given by the name of a function or class, with the same name in logs as before."""
        resolved = RESOLVED_METRICS.get(name.lower())
        if resolved == "accuracy":
            return name
        refuse_own("metrics", name, self.writer)
        new_name = self.crossentropy(name) if resolved else _METRICS.get(name, name)
        class_name = class_called("metrics", new_name)
        if class_name is None:
            raise UnknownObject(f"{name[:60]}, which is not built into Keras 3", None if name in FUNCTIONS else name)
        if class_name == "CosineSimilarity" and self.writer.multi_backend:
            raise UnknownObject(f"{name}, which had the opposite sign")
        if new_name == name != class_name:
            return name
        return entry_of("keras.metrics", class_name, {"name": snake_case(name)})

    def crossentropy(self, name: str) -> str:
        """The metric for "crossentropy", which depends on the loss. Raises UnknownObject for other losses."""
        metric = self.loss_of_classes()
        if metric is None:
            raise UnknownObject(f"{name}, which Keras 3 does not choose by the outputs")
        return metric

    def loss_of_classes(self) -> str | None:
        """The class name of the loss of an output, if that is a crossentropy of classes."""
        loss = self.loss.get("class_name") if isinstance(self.loss, Mapping) else self.loss
        return _CROSSENTROPY.get(loss) if isinstance(loss, str) else None

    def unprefixed(self, metric: dict[str, Any]) -> dict[str, Any]:
        """A metric whose name does not begin with that of an output, which Keras 2 adds if there are several."""
        name = metric["config"].get("name")
        names = self.layers or [old for old, _ in self.outputs]
        fronts = [f"{old}_" for old in names if isinstance(name, str) and name.startswith(f"{old}_")]
        if len(self.outputs) < 2 or not fronts:
            return metric
        return {**metric, "config": {**metric["config"], "name": name.removeprefix(max(fronts, key=len))}}
