"""Output shapes of the built-in layers, one module a family."""
