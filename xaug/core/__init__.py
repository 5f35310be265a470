"""Tools that every stage uses: errors, whole-or-nothing files, provenance, worker processes, the command line."""
