"""Where `COPY_ON_WRITE` was: it stands in `memory.py` now."""

from settings.rules.memory import COPY_ON_WRITE

__all__ = ["COPY_ON_WRITE"]
