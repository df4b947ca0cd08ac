"""Values of weights, of any size in bounded memory: statistics of one, comparison of two."""
