"""Pages of HTML on a run or a sweep, each one file that needs no network."""
