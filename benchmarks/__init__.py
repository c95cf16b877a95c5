"""Figures of the project itself; see README.md."""
