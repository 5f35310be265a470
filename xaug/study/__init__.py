"""A paper's study as one configuration: all stages, from generation to the report, in one directory."""
