"""Collision events: from particles to leptons, jets, missing momentum and their features."""
