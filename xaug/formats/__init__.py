"""File formats of the input: one module for each format."""
