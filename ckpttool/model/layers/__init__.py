"""The rows of the table of layers, one module a family; each row gives a layer's weights from its arguments."""
