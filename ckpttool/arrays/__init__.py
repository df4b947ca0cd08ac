"""Values of weights of any size, in bounded memory: statistics of one weight, comparison of two."""
