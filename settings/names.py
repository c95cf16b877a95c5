"""Which names are ours, and which known name a misspelt one is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache

from settings.describe import Section
from settings.model import SECTIONS

# Names that begin so are ours: an unknown one is a misspelling.
PREFIXES = (
    *("redis_", "celery_", "sentinel_", "tls_", "backup_", "firewall_", "host_", "stack_", "load_"),
    *("process_manager", "accepted_risks"),
)
# A name of ours that is no setting: where a run stages files.
RESERVED = ("stack_stage_root",)
# A name is near another from this share of common letters on.
NEAR, NEAR_PREFIX = 0.6, 0.75


def known_variables() -> dict[str, tuple[type[Section], str]]:
    """Map every flat variable to its section and field."""
    return {section.variable(name): (section, name) for section in SECTIONS for name in section.model_fields}


KNOWN = known_variables()


def nearest(name: str, candidates: Iterable[str], cutoff: float = NEAR) -> str:
    """Return the candidate that is most like a name, upper and lower case alike; empty if none is."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(name.lower()[:200], list(by_lower), n=1, cutoff=cutoff)
    return by_lower[near[0]] if near else ""


@lru_cache(maxsize=4096)
def meant(name: str) -> str:
    """Return the setting that a name of somebody else's seems to misspell: `redi_maxmemory`, `Redis-Port`."""
    plain = name.lower().replace("-", "_")
    if plain in KNOWN:
        return plain if plain != name else ""
    head, _, rest = plain.partition("_")
    for prefix in ("redis", "celery", "sentinel", "backup", "firewall", "host", "stack"):
        if head != prefix and difflib.SequenceMatcher(a=head, b=prefix).ratio() >= NEAR_PREFIX:
            candidate = nearest(f"{prefix}_{rest}", KNOWN, cutoff=0.9)
            if candidate:
                return candidate
    return nearest(plain, ("process_manager", "accepted_risks"), cutoff=0.85)


def is_ours(name: str) -> bool:
    """Whether a variable of an inventory is, or was meant to be, a setting."""
    return name.startswith(PREFIXES) or bool(meant(name))
