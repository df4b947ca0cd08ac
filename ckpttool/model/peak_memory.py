"""The memory of the outputs that are needed at once while a model runs in inference, one call after another.

Calls run in the order of Keras: those that are farthest from the outputs first, by the number of calls on the longest
way there, and among equals in the order of the config (`map_graph`, keras/src/ops/function.py, 3.15). An output is
needed from the call that makes it to the last one that takes it; the inputs and outputs of the model always are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, read_references
from ckpttool.model.output_rule import Outputs
from ckpttool.model.shape_inference import Step, first_nodes, is_model, name_in_graph, steps_of
from ckpttool.model.sizes import Inputs, Shape

Sizes = Callable[[Args, Shape | None], int | None]
"""The bytes of an output of a layer; None where they are not known."""

_Key = tuple[str, int]  # the name of a layer in its graph, and the number of its call


@dataclass(frozen=True, slots=True)
class Peak:
    """The most bytes that are needed at once, and the layer that then runs, empty where there are but inputs.

    Outputs of unknown size count nothing.
    """

    nbytes: int
    layer: str


@dataclass(frozen=True, slots=True)
class _Run:
    """One call of a layer: the tensors that it takes and those that it makes, by their numbers."""

    layer: str
    takes: tuple[int, ...]
    makes: tuple[int, ...]


@dataclass(slots=True)
class _Schedule:
    """The calls in the order in which they run, the bytes of all tensors, which are numbered, and the inputs."""

    size_of: Sizes
    inputs: list[int] = field(default_factory=list)
    runs: list[_Run] = field(default_factory=list)
    nbytes: list[int] = field(default_factory=list)

    def add(self, path: str, step: Step, takes: Sequence[int], outputs: Outputs) -> list[int]:
        """Add one call of a layer, or an input of the model; the result are the numbers of its outputs."""
        makes = list(range(len(self.nbytes), len(self.nbytes) + len(outputs)))
        self.nbytes += [self.size_of(step.args, shape) or 0 for shape in outputs]
        if step.calls:
            self.runs.append(_Run(path, tuple(takes), tuple(makes)))
        else:
            self.inputs += makes
        return makes

    def add_model(self, model: Args, inputs: Inputs, entries: Sequence[int], prefix: str) -> list[int]:
        """Add all calls in a model that takes these tensors; the result are the numbers of its outputs."""
        steps = steps_of(model, inputs)
        if model.class_name == "Sequential":
            return self._add_chain(steps, list(entries), prefix)
        return _Graph(self, model, steps, entries, prefix).add()

    def add_call(self, path: str, step: Step, at: int, takes: Sequence[int]) -> list[int]:
        """Add one call of a layer or model of a graph."""
        call = step.calls[at] if step.calls else Call()
        if is_model(step.args):
            return self.add_model(step.args, call.inputs, takes, f"{path}/")
        return self.add(path, step, takes, step.outputs[at] if at < len(step.outputs) else ())

    def _add_chain(self, steps: Sequence[Step], entries: list[int], prefix: str) -> list[int]:
        tensors = entries
        for step in steps:
            path = f"{prefix}{step.args.name}"
            if step.calls or not entries:  # a model inside another one begins with what it is given
                tensors = self.add_call(path, step, 0, tensors)
        return tensors


class _Graph:
    """The calls of a Functional model, in the order in which they run."""

    def __init__(
        self, schedule: _Schedule, model: Args, steps: Sequence[Step], entries: Sequence[int], prefix: str
    ) -> None:
        self.schedule, self.model, self.prefix = schedule, model, prefix
        listed = zip(model.config["layers"], steps, strict=True)
        self.steps = {name_in_graph(entry, step.args): step for entry, step in listed}
        layers = {name: step.args for name, step in self.steps.items()}
        calls = [(name, call) for name, step in self.steps.items() for call in step.calls]
        self.first = first_nodes(layers, [(name, tensor) for name, call in calls for tensor in call.tensors])
        names = [tensor.layer for tensor in read_references(model.config.get("input_layers"))]
        self.tensors: dict[_Key, list[int]] = {(name, 0): [n] for name, n in zip(names, entries, strict=False)}

    def add(self) -> list[int]:
        """Add all calls; the result are the numbers of the model's outputs."""
        for name, at in self._order():
            if (name, at) not in self.tensors:
                takes = [self._number(key, output) for key, output in self._taken(name, at)]
                known = [number for number in takes if number is not None]
                path = f"{self.prefix}{self.steps[name].args.name}"
                self.tensors[name, at] = self.schedule.add_call(path, self.steps[name], at, known)
        references = read_references(self.model.config.get("output_layers"))
        ends = [self._number(self._key(tensor.layer, tensor.node), tensor.output) for tensor in references]
        return [number for number in ends if number is not None]

    def _key(self, layer: str, node: int) -> _Key:
        return layer, max(0, node - self.first.get(layer, 0))

    def _number(self, key: _Key, output: int) -> int | None:
        tensors = self.tensors.get(key, ())
        return tensors[output] if 0 <= output < len(tensors) else None

    def _taken(self, name: str, at: int) -> Iterator[tuple[_Key, int]]:
        calls = self.steps[name].calls
        for tensor in calls[at].tensors if calls else ():
            yield self._key(tensor.layer, tensor.node), tensor.output

    def _order(self) -> Iterator[_Key]:
        """The calls, farthest from the outputs first, each after those that it needs."""
        keys = [(name, at) for name, step in self.steps.items() for at in range(max(1, len(step.calls)))]
        place = {key: number for number, key in enumerate(keys)}
        sources = {key: {source for source, _ in self._taken(*key)} & place.keys() for key in keys}
        depths = _depths(sources)
        targets: Mapping[_Key, list[_Key]] = {key: [] for key in keys}
        for key, taken in sources.items():
            for source in taken:
                targets[source].append(key)
        waiting = {key: len(taken) for key, taken in sources.items()}
        ready = [(-depths[key], place[key]) for key in keys if not waiting[key]]
        heapq.heapify(ready)
        while ready:
            key = keys[heapq.heappop(ready)[1]]
            yield key
            for target in targets[key]:
                waiting[target] -= 1
                if not waiting[target]:
                    heapq.heappush(ready, (-depths[target], place[target]))


def _depths(sources: Mapping[_Key, set[_Key]]) -> dict[_Key, int]:
    """The number of calls on the longest way from each call to one that nothing takes."""
    left = dict.fromkeys(sources, 0)
    for taken in sources.values():
        for source in taken:
            left[source] += 1
    depths = dict.fromkeys(sources, 0)
    ready = [key for key, count in left.items() if not count]
    for key in ready:
        for source in sources[key]:
            depths[source] = max(depths[source], depths[key] + 1)
            left[source] -= 1
            if not left[source]:
                ready.append(source)
    return depths


def peak_of(model: Args, inputs: Inputs, size_of: Sizes) -> Peak:
    """The peak of a model for inputs of these shapes. Raises ConfigError."""
    schedule = _Schedule(size_of)
    outputs = schedule.add_model(model, inputs, (), "")
    last = {number: at for at, run in enumerate(schedule.runs) for number in (*run.takes, *run.makes)}
    ends: dict[int, list[int]] = {}
    for number in last.keys() - {*outputs, *schedule.inputs}:
        ends.setdefault(last[number], []).append(number)
    needed = sum(schedule.nbytes[number] for number in schedule.inputs)
    peak = Peak(needed, "")
    for at, run in enumerate(schedule.runs):
        needed += sum(schedule.nbytes[number] for number in run.makes)
        if needed > peak.nbytes:
            peak = Peak(needed, run.layer)
        needed -= sum(schedule.nbytes[number] for number in ends.get(at, ()))
    return peak
