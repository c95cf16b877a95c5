"""Runs a workload against a deployment and watches it."""
