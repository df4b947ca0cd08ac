"""Output shapes of the operations of `keras.ops`, which a Functional model's config lists beside its layers."""
