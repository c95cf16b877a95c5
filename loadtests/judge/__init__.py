"""Whether a run kept its objectives, and whether it is worse than the ones before: pure functions over records."""
