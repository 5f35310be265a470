"""Integrated Gradients (IG): baselines, quadrature, and averages over events and baselines."""
