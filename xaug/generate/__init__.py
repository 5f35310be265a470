"""Stage `generate`: Monte Carlo events as ROOT files, and toy jets as a dataset."""
