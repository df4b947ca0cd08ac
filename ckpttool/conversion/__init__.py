"""Old models in the words of Keras 3: configs rewritten by named edits, weights placed by slot, the result proved.

No code from a file runs here, nor any of Keras: a plan is made of values, written, read back and compared.
"""
