"""Locustfiles. Importing one imports Locust, which patches the process that does it: only Locust may."""

FILE = "BENCHMARK_WINDOW"  # names the file that `window` writes
