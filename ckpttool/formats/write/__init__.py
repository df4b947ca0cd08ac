"""Checkpoints written: every layout of Keras 3, from weights of any source, in bounded memory, wholly or not at all.

What a file will hold is laid out first, so that all sizes are known before the first byte is written; then values are
copied from their source to their place, block by block.
"""
