"""The outputs of the operations of `keras.ops`, which stand in the config of a Functional model beside its layers."""
