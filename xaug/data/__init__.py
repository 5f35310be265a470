"""Datasets: their variables, their parts on disk, splits, scaling and event weights."""
