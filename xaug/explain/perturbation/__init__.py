"""Methods that replace groups of inputs by those of baselines: occlusion, permutation, Shapley values."""
