"""The papers' studies, on top of the library: sample, runs, figures and claims of each."""
