"""Stage `generate`: Monte Carlo events to ROOT files."""
