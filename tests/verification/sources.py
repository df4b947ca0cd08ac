"""Small models of all kinds, and what is done to each to make a model that its checkpoints fit no more, or still do."""

from dataclasses import dataclass

from tests.verification.stored import LEGACY, PATHS
from tests.verification.trees import (
    Edit,
    Tree,
    add,
    all_layers,
    all_renamed,
    become,
    both,
    conv,
    dense,
    drop,
    flatten,
    layer,
    lstm,
    model,
    put,
    random_edits,
    random_tree,
    rename,
    swap,
    top,
    turn,
    unnamed,
    wrap,
)

Shape = tuple[int | None, ...]
RANDOM = range(12)


@dataclass(frozen=True)
class Source:
    """A model and the edits that make targets of it. `forms` are the formats that can hold it."""

    tree: Tree
    shape: Shape
    edits: dict[str, Edit]
    forms: tuple[str, ...] = (*PATHS, *LEGACY)


def one_dense(name: str) -> dict[str, Edit]:
    """The edits of a Dense layer of width 4 among others."""
    return {
        f"drop-{name}": drop(name),
        f"add-after-{name}": add(name, dense("new")),
        f"add-weightless-after-{name}": add(name, layer("Activation", "relu", activation="relu")),
        f"rename-{name}": rename(name, "renamed"),
        f"units-{name}": put(name, units=5),
        f"unbias-{name}": put(name, use_bias=False),
        f"freeze-{name}": put(name, trainable=False),
        f"wrap-{name}": wrap(name),
        f"other-class-{name}": become(name, "EinsumDense", equation="ab,bc->ac", output_shape=4, bias_axes="c"),
        f"lora-{name}": put(name, lora_rank=2),
        f"float64-{name}": put(name, dtype="float64"),
        f"int8-{name}": put(name, dtype="int8_from_float32"),
    }


MLP = model("Sequential", "top", dense("a"), dense("b"), dense("c"), dense("out", 2))
NEST = model("Chain", "inner", dense("b"), layer("BatchNormalization", "norm"), dense("c"))
DEEP = model("Sequential", "middle", dense("p"), NEST, dense("q"))
SEQUENCE: Shape = (6, 4)
IMAGE: Shape = (6, 6, 3)


SOURCES: dict[str, Source] = {
    "mlp": Source(
        MLP,
        (4,),
        {
            **one_dense("b"),
            "swap-a-b": swap("a", "b"),
            "turn": lambda tree: Tree(tree.kind, tree.name, tree.args, (*tree.parts[2::-1], tree.parts[3])),
            "swap-rename": both(swap("a", "b"), rename("b", "other")),
            "all-renamed": all_renamed("x_"),
            "unnamed": unnamed,
            "functional": lambda tree: Tree("Chain", tree.name, tree.args, tree.parts),
            "all-frozen": top(trainable=False),
            "bare": top(bare=True),
            "other-name": lambda tree: Tree(tree.kind, "other", tree.args, tree.parts),
            "float16": all_layers(dtype="float16"),
            "mixed": all_layers(dtype="mixed_float16"),
            "bfloat16": all_layers(dtype="bfloat16"),
            "drop-out": drop("out"),
            "out-3": put("out", units=3),
            "compiled": top(optimizer="adam"),
        },
    ),
    "nested": Source(
        model("Sequential", "top", dense("a"), NEST, dense("d")),
        (4,),
        {
            **one_dense("b"),
            "swap-b-c": swap("b", "c"),
            "swap-a-d": swap("a", "d"),
            "swap-a-b": swap("a", "b"),
            "freeze-inner": put("inner", trainable=False),
            "freeze-norm": put("norm", trainable=False),
            "freeze-c": put("c", trainable=False),
            "flat": flatten("inner"),
            "sequential": become("inner", "Sequential"),
            "rename-inner": rename("inner", "core"),
            "drop-inner": drop("inner"),
            "turn-inner": turn("inner"),
            "unscaled": put("norm", scale=False),
            "freeze-swap": both(put("b", trainable=False), swap("b", "c")),
        },
    ),
    "deep": Source(
        model("Chain", "top", dense("a"), DEEP, layer("PReLU", "slope"), dense("d")),
        (4,),
        {
            "freeze-b": put("b", trainable=False),
            "freeze-p": put("p", trainable=False),
            "freeze-inner": put("inner", trainable=False),
            "freeze-middle": put("middle", trainable=False),
            "swap-p-q": swap("p", "q"),
            "swap-b-q": swap("b", "q"),
            "swap-inner-q": swap("inner", "q"),
            "flat-middle": flatten("middle"),
            "flat-inner": flatten("inner"),
            "drop-c": drop("c"),
            "unbias-c": put("c", use_bias=False),
            "rename-b": rename("b", "z"),
            "drop-slope": drop("slope"),
        },
    ),
    "partly-frozen": Source(
        model("Sequential", "top", model("Sequential", "inner", dense("a", trainable=False), dense("b")), dense("c")),
        (4,),
        {
            "thawed": put("a", trainable=True),
            "other-frozen": both(put("a", trainable=True), put("b", trainable=False)),
            "all-frozen": top(trainable=False),
            "inner-frozen": put("inner", trainable=False),
            "swap-a-b": swap("a", "b"),
            "flat": flatten("inner"),
        },
    ),
    "fork": Source(
        model("Fork", "top", dense("a"), dense("b"), dense("c")),
        (4,),
        {
            "swap-a-b": swap("a", "b"),
            "turn": lambda tree: Tree(tree.kind, tree.name, tree.args, tree.parts[::-1]),
            "drop-b": drop("b"),
            "rename-c": rename("c", "z"),
            "chain": lambda tree: Tree("Chain", tree.name, tree.args, tree.parts),
        },
    ),
    "twin": Source(
        model("Twin", "top", model("Sequential", "shared", dense("a"), dense("b")), dense("c")),
        (4,),
        {
            "swap-a-b": swap("a", "b"),
            "alone": lambda tree: Tree("Chain", tree.name, tree.args, tree.parts),
            "flat": flatten("shared"),
            "freeze-a": put("a", trainable=False),
            "units": put("c", units=7),
        },
    ),
    "bidirectional": Source(
        model(
            "Sequential",
            "top",
            layer("Bidirectional", "bi", layer=lstm("l", units=3)),
            layer("TimeDistributed", "every", layer=dense("step")),
            lstm("gru", "GRU"),
            lstm("gru2", "GRU"),
            dense("out"),
        ),
        SEQUENCE,
        {
            "freeze-bi": put("bi", trainable=False),
            "freeze-lstm": put("bi", layer=lstm("l", units=3, trainable=False)),
            "gru": put("bi", layer=lstm("l", "GRU", 3)),
            "units": put("bi", layer=lstm("l", units=2)),
            "unbias": put("bi", layer=lstm("l", units=3, use_bias=False)),
            "sum": put("bi", merge_mode="sum"),
            "swap-grus": swap("gru", "gru2"),
            "reset-before": put("gru", reset_after=False),
            "lstm": become("gru", "LSTM"),
            "untimed": become("every", "Dense", units=4),
            "rename-bi": rename("bi", "both_ways"),
            "drop-every": drop("every"),
            "seeded": put("gru", dropout=0.5, recurrent_dropout=0.5),
        },
    ),
    "cells": Source(
        model(
            "Sequential",
            "top",
            layer("RNN", "rnn", cell=[layer("LSTMCell", "c1", units=4), layer("LSTMCell", "c2", units=4)]),
            dense("out"),
        ),
        SEQUENCE,
        {
            "swap-cells": put("rnn", cell=[layer("LSTMCell", "c2", units=4), layer("LSTMCell", "c1", units=4)]),
            "one-cell": put("rnn", cell=[layer("LSTMCell", "c1", units=4)]),
            "gru-cell": put("rnn", cell=[layer("LSTMCell", "c1", units=4), layer("GRUCell", "c2", units=4)]),
            "renamed": put("rnn", cell=[layer("LSTMCell", "d1", units=4), layer("LSTMCell", "d2", units=4)]),
            "lstm": become("rnn", "LSTM", units=4),
        },
    ),
    "attention": Source(
        model(
            "Sequential",
            "top",
            model(
                "Chain",
                "block",
                layer("MultiHeadAttention", "one", num_heads=2, key_dim=2),
                layer("LayerNormalization", "norm"),
                layer("MultiHeadAttention", "two", num_heads=2, key_dim=2),
            ),
            dense("out"),
        ),
        SEQUENCE,
        {
            "swap": swap("one", "two"),
            "heads": put("one", num_heads=4, key_dim=1),
            "value-dim": put("two", value_dim=3),
            "unbias": put("two", use_bias=False),
            "freeze-one": put("one", trainable=False),
            "flash": put("one", dropout=0.3),
            "drop-norm": drop("norm"),
            "rms": become("norm", "RMSNormalization"),
        },
    ),
    "conv": Source(
        model(
            "Sequential",
            "top",
            conv("a"),
            conv("b"),
            layer("BatchNormalization", "norm"),
            conv("apart", "SeparableConv2D"),
            layer("DepthwiseConv2D", "deep", kernel_size=3),
            conv("up", "Conv2DTranspose"),
            layer("GlobalAveragePooling2D", "pool"),
            dense("out"),
        ),
        IMAGE,
        {
            "swap-a-b": swap("a", "b"),
            "swap-b-up": swap("b", "up"),
            "kernel": put("a", kernel_size=5),
            "strides": put("a", strides=2),
            "unbias": put("b", use_bias=False),
            "unscaled": put("norm", scale=False, center=False),
            "multiplied": put("apart", depth_multiplier=2),
            "freeze-norm": put("norm", trainable=False),
            "lora": put("a", lora_rank=2),
            "flatten": become("pool", "Flatten"),
            "plain": become("apart", "Conv2D"),
        },
    ),
    "norms": Source(
        model(
            "Sequential",
            "top",
            layer("BatchNormalization", "n1"),
            layer("BatchNormalization", "n2", scale=False),
            layer("LayerNormalization", "n3"),
            layer("GroupNormalization", "n4", groups=2),
            layer("Normalization", "n5", mean=None),
            layer("PReLU", "slope"),
            layer("UnitNormalization", "unit"),
            layer("SpectralNormalization", "spectral", layer=dense("held")),
            dense("out", 3),
        ),
        (4,),
        {
            "swap-n1-n2": swap("n1", "n2"),
            "swap-n3-n4": swap("n3", "n4"),
            "centre": put("n2", scale=True, center=False),
            "all-of-n2": put("n2", scale=True),
            "freeze-n1": put("n1", trainable=False),
            "fixed": put("n5", mean=0.5, variance=2.0),
            "plain": become("spectral", "Dense", units=4),
            "axis": put("n4", groups=4),
            "layer-for-group": become("n4", "LayerNormalization", axis=-1),
            "drop-unit": drop("unit"),
            "drop-slope": drop("slope"),
            "rms": put("n3", center=False),
        },
    ),
    "embedding": Source(
        model(
            "Sequential",
            "top",
            layer("Embedding", "words", input_dim=9, output_dim=4),
            layer("Dropout", "drop", rate=0.5),
            layer("Conv1D", "conv", filters=4, kernel_size=2),
            lstm("rnn", "SimpleRNN"),
            layer("EinsumDense", "mix", equation="abc,cd->abd", output_shape=(None, 4), bias_axes="d"),
        ),
        (6,),
        {
            "more-words": put("words", input_dim=10),
            "masked": put("words", mask_zero=True),
            "lora": put("words", lora_rank=2),
            "undropped": drop("drop"),
            "noise": become("drop", "GaussianNoise", stddev=0.5),
            "plain": become("mix", "Dense", units=4),
            "unbias": put("mix", bias_axes=None),
            "freeze": put("words", trainable=False),
            "dilated": put("conv", dilation_rate=2),
        },
    ),
    "quantized": Source(
        model("Sequential", "top", dense("a", dtype="int8_from_float32"), dense("b"), dense("out", 2)),
        (4,),
        {
            "float": put("a", dtype="float32"),
            "both": put("b", dtype="int8_from_float32"),
            "swap-a-b": swap("a", "b"),
            "unbias": put("a", use_bias=False),
            "frozen": put("a", trainable=False),
            "drop-a": drop("a"),
        },
    ),
    "lora": Source(
        model("Sequential", "top", dense("a", lora_rank=2), dense("b"), dense("out", 2)),
        (4,),
        {
            "merged": put("a", lora_rank=None),
            "rank-3": put("a", lora_rank=3),
            "both": put("b", lora_rank=2),
            "swap-a-b": swap("a", "b"),
            "unbias": put("a", use_bias=False),
            "frozen": put("a", trainable=False),
        },
    ),
    "bfloat16": Source(
        model("Sequential", "top", dense("a", dtype="bfloat16"), dense("b", dtype="mixed_bfloat16")),
        (4,),
        {
            "float32": all_layers(dtype="float32"),
            "float16": all_layers(dtype="float16"),
            "swap": swap("a", "b"),
            "unbias": put("a", use_bias=False),
        },
        PATHS,
    ),
    "compiled": Source(
        model("Sequential", "top", dense("a"), dense("b"), layer("Dropout", "drop", rate=0.5), optimizer="adam"),
        (4,),
        {
            "sgd": top(optimizer="sgd"),
            "nadam": top(optimizer="nadam"),
            "adamax": top(optimizer="adamax"),
            "swap-a-b": swap("a", "b"),
            "freeze-a": put("a", trainable=False),
            "drop-b": drop("b"),
            "add": add("b", dense("c")),
        },
    ),
    "half-trained": Source(
        model("Sequential", "top", dense("a", trainable=False), dense("out", 2), optimizer="adam"),
        (4,),
        {"other-half": both(put("a", trainable=True), put("out", trainable=False)), "plain": top(optimizer="sgd")},
    ),
    "many": Source(
        model("Sequential", "top", *(dense(f"d{number}") for number in range(13))),
        (4,),
        {
            "swap-2-10": swap("d2", "d10"),
            "drop-5": drop("d5"),
            "turn": lambda tree: Tree(tree.kind, tree.name, tree.args, tree.parts[::-1]),
            "move": both(drop("d0"), add("d12", dense("d0"))),
            "all-renamed": all_renamed("x"),
        },
    ),
    "odd-names": Source(
        model("Sequential", "top", dense("vars"), dense("layers"), dense("a b.c"), dense("großes ß"), dense("0")),
        (4,),
        {"swap": swap("vars", "layers"), "drop": drop("layers"), "rename": rename("0", "1")},
    ),
    "unnamed": Source(
        model("Sequential", None, dense(None), model("Chain", None, dense(None), dense(None)), dense(None)),
        (4,),
        {"named": lambda tree: Tree(tree.kind, "top", tree.args, (dense("z"), *tree.parts[1:]))},
    ),
    "weightless": Source(
        model("Sequential", "top", layer("Flatten", "flat"), layer("Dropout", "drop", rate=0.5)),
        (4,),
        {"dense": add("flat", dense("a")), "undropped": drop("drop")},
    ),
    **{f"random-{seed}": Source(tree := random_tree(seed), (4,), random_edits(seed, tree, 8)) for seed in RANDOM},
}
