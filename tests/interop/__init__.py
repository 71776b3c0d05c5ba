"""Real programs of other languages that share data with ours."""
