"""Jets: cluster, select and describe them by images, particle lists and expert variables."""
