"""Output shapes: what comes out of a layer or an operation of `keras.ops`, without running it."""
