"""Input files: one module for each file format."""
