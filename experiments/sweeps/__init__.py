"""What `experiments.sweep` and `experiments.report` know of a sweep."""
