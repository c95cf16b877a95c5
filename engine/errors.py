"""What this machine cannot give."""

from __future__ import annotations


class NotPossible(Exception):  # noqa: N818 - it says what is the matter
    """This machine lacks something; the message says what to do."""
