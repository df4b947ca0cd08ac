"""Which stored weight fills which slot of a model, and what to call it."""
