"""Collision events: measure their leptons, jets and missing momentum, select them, and compute their features."""
