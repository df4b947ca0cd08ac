"""Models as trees of plain values, edits of such trees, and the live models that they describe.

A tree is data: it can be edited by name at any depth, and only `built` needs Keras.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

MODELS = {"Sequential", "Chain", "Fork", "Twin"}


@dataclass(frozen=True)
class Tree:
    """A layer, or a model with its `parts`. `args` are the layer's arguments and may hold trees themselves.

    `Chain` is a functional model of one part behind the other, `Fork` one that adds up what its parts make of the same
    input, `Twin` one that calls its first part on two inputs and goes on with their sum. A `bare` Sequential has no
    input.
    """

    kind: str
    name: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    parts: tuple["Tree", ...] = ()


Edit = Callable[[Tree], Tree]


def layer(kind: str, name: str | None = None, **args: Any) -> Tree:
    """A layer by its class."""
    return Tree(kind, name, args)


def model(kind: str, name: str | None, *parts: Tree, **args: Any) -> Tree:
    """A model of parts."""
    return Tree(kind, name, args, parts)


def dense(name: str | None, units: int = 4, **args: Any) -> Tree:
    """A Dense layer."""
    return layer("Dense", name, units=units, **args)


def lstm(name: str | None = None, kind: str = "LSTM", units: int = 4, **args: Any) -> Tree:
    """A recurrent layer from sequences to sequences."""
    return layer(kind, name, units=units, return_sequences=True, **args)


def conv(name: str, kind: str = "Conv2D", **args: Any) -> Tree:
    """A convolution that keeps three channels and the size."""
    return layer(kind, name, **{"filters": 3, "kernel_size": 3, "padding": "same"} | args)


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and all that it holds as parts."""
    yield tree
    for part in tree.parts:
        yield from walk(part)


def at(name: str, change: Callable[[Tree], tuple[Tree, ...]]) -> Edit:
    """An edit that puts other trees in the place of the one of this name."""

    def edit(tree: Tree) -> Tree:
        parts = (change(part) if part.name == name else (edit(part),) for part in tree.parts)
        return replace(tree, parts=tuple(part for group in parts for part in group))

    return edit


def drop(name: str) -> Edit:
    """Leaves one out."""
    return at(name, lambda tree: ())


def add(name: str, new: Tree) -> Edit:
    """Puts a new one behind one."""
    return at(name, lambda tree: (tree, new))


def rename(name: str, new: str | None) -> Edit:
    """Gives one another name."""
    return at(name, lambda tree: (replace(tree, name=new),))


def become(name: str, kind: str, **args: Any) -> Edit:
    """Makes one another class with the same name and parts, and the same arguments where none are given."""
    return at(name, lambda tree: (replace(tree, kind=kind, args=args or tree.args),))


def put(name: str, **args: Any) -> Edit:
    """Changes arguments of one."""
    return at(name, lambda tree: (replace(tree, args=tree.args | args),))


def wrap(name: str, kind: str = "Sequential") -> Edit:
    """Puts one alone into a model."""
    return at(name, lambda tree: (model(kind, f"around_{name}", tree),))


def flatten(name: str) -> Edit:
    """Puts the parts of a model in its place."""
    return at(name, lambda tree: tree.parts)


def turn(name: str) -> Edit:
    """Turns the order of the parts of one."""
    return at(name, lambda tree: (replace(tree, parts=tree.parts[::-1]),))


def swap(one: str, other: str) -> Edit:
    """Lets two change places."""

    def edit(tree: Tree) -> Tree:
        parts = {part.name: part for part in walk(tree)}
        by_place = {one: parts[other], other: parts[one]}
        return _everywhere(tree, lambda part: by_place.get(part.name or "", part))

    return edit


def top(**args: Any) -> Edit:
    """Changes arguments of the model itself."""
    return lambda tree: replace(tree, args=tree.args | args)


def all_layers(**args: Any) -> Edit:
    """Changes arguments of all layers."""
    return lambda tree: _everywhere(
        tree, lambda part: part if part.kind in MODELS else replace(part, args=part.args | args)
    )


def all_renamed(prefix: str) -> Edit:
    """Gives all parts other names."""
    return lambda tree: _everywhere(tree, lambda part: replace(part, name=part.name and prefix + part.name))


def unnamed(tree: Tree) -> Tree:
    """The tree with names that Keras gives."""
    return _everywhere(tree, lambda part: replace(part, name=None))


def both(*edits: Edit) -> Edit:
    """One edit after the other."""

    def edit(tree: Tree) -> Tree:
        for edit in edits:
            tree = edit(tree)
        return tree

    return edit


def _everywhere(tree: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """The tree with each part changed once, inner ones first."""
    return replace(tree, parts=tuple(change(_everywhere(part, change)) for part in tree.parts))


def random_tree(seed: int, depth: int = 2) -> Tree:
    """A model of vectors of width 4, all of whose parts keep that width."""
    chance = random.Random(seed)
    count = iter(range(1000))

    def part(depth: int) -> Tree:
        if depth and chance.random() < 0.35:
            return nest(depth - 1)
        kind = chance.choice(
            ["Dense", "Dense", "Dense", "BatchNormalization", "LayerNormalization", "PReLU", "Dropout"]
        )
        known: dict[str, dict[str, Any]] = {"Dense": {"units": 4}, "Dropout": {"rate": 0.5}}
        return layer(kind, f"{kind[0].lower()}{next(count)}", **known.get(kind, {}), trainable=chance.random() < 0.8)

    def nest(depth: int) -> Tree:
        kind = chance.choice(["Sequential", "Chain", "Fork"])
        return model(kind, f"m{next(count)}", *(part(depth) for _ in range(chance.randint(2, 4))))

    return model("Sequential", "top", *(part(depth) for _ in range(4)), dense("last"))


def random_edits(seed: int, tree: Tree, number: int) -> dict[str, Edit]:
    """Edits of a random tree, by what they do."""
    chance = random.Random(seed + 1000)
    names = [part.name for part in walk(tree) if part.name and part.name != "top"]
    own = [part.name for part in walk(tree) if part.kind == "Dense" and part.name]
    edits: dict[str, Edit] = {}
    while len(edits) < number:
        first, second = chance.choice(names), chance.choice(own)
        layers = [
            (f"drop-{first}", drop(first)),
            (f"freeze-{first}", put(first, trainable=False)),
            (f"rename-{first}", rename(first, "renamed")),
            (f"add-after-{first}", add(first, dense("added"))),
            (f"unbias-{second}", put(second, use_bias=False)),
            (f"wrap-{second}", wrap(second)),
            (f"swap-{second}-{own[-1]}", swap(second, own[-1])),
            (f"swap-{second}-{own[0]}", swap(second, own[0])),
        ]
        edits.update([chance.choice(layers)])
    return edits


def built(keras: Any, tree: Tree, shape: tuple[int | None, ...]) -> Any:
    """The live layer or model of a tree, for inputs of this shape."""
    if tree.kind not in MODELS:
        args = {key: _argument(keras, value) for key, value in tree.args.items()}
        return getattr(keras.layers, tree.kind)(name=tree.name, **args)
    args = dict(tree.args)
    model = _model(keras, tree, shape, bare=args.pop("bare", False))
    if not args.pop("trainable", True):
        model.trainable = False
    if args:
        model.compile(**args, loss="mse")
        model.optimizer.build(model.trainable_variables)
    return model


def _argument(keras: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_argument(keras, entry) for entry in value]
    return built(keras, value, ()) if isinstance(value, Tree) else value


def _model(keras: Any, tree: Tree, shape: tuple[int | None, ...], bare: bool) -> Any:
    if bare:
        return keras.Sequential([built(keras, part, shape) for part in tree.parts], name=tree.name)
    inputs = [keras.Input(shape) for _ in range(2 if tree.kind == "Twin" else 1)]
    outputs = [inputs[0]]
    layers: list[Any] = []
    for part in tree.parts:
        start = inputs if tree.kind == "Twin" and not layers else [inputs[0]] if tree.kind == "Fork" else outputs[-1:]
        inner = built(keras, part, tuple(start[0].shape[1:]))
        ends = [_called(tree_part=part, live=inner, tensor=tensor) for tensor in start]
        outputs.append(keras.layers.Add(name=None)(ends) if len(ends) > 1 else ends[0])
        layers.append(inner)
    if tree.kind == "Sequential":
        return keras.Sequential([inputs[0], *layers], name=tree.name)
    end = keras.layers.Add()(outputs[1:]) if tree.kind == "Fork" and len(outputs) > 2 else outputs[-1]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], end, name=tree.name)


def _called(tree_part: Tree, live: Any, tensor: Any) -> Any:
    return live(tensor, tensor) if tree_part.kind == "MultiHeadAttention" else live(tensor)
