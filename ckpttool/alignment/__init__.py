"""The match of stored weights with the slots of a model, and the names to show them under."""
