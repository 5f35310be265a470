"""The layers that LRP knows: each module of this package registers its own (`xaug.explain.propagation.layers.base`)."""
