"""Figures: data and axes in, artists out. Only `xaug.plots.figures` makes figures and writes files."""
