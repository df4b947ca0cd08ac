"""Whether a checkpoint can do harm: code, callables, links, archives, bombs, names."""
