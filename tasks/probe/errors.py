"""The failure that a probe was asked for, told from one that nobody wanted by its type."""


class ProbeError(Exception):
    """A failure that was asked for."""
