"""What attributions say: rankings, profiles, maps, spread over trainings, ablations."""
