"""Analyses of attributions: rankings, profiles, maps, spread over trainings, ablations."""
