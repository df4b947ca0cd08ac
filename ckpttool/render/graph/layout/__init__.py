"""The places of a graph's layers in a picture: rows from top to bottom, few crossings, straight arrows."""
