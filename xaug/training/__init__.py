"""Stage `train`: from a dataset to trained networks, and everything that trains networks."""
