"""The weights of a converted model: placed slot by slot, and changed where they have to be."""
