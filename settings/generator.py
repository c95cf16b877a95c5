"""What a generator of load is made of: the part of this checkout that Locust's workers import on another host."""

from __future__ import annotations

import hashlib
from pathlib import Path

from settings.model import Celery

CHECKOUT = Path(__file__).resolve().parents[1]
REQUIREMENTS = "requirements/locust.txt"
USER = "locust"
UNIT = "locust-generator"  # a transient unit: it exists for the time of a run
# unit_tests/loadtests/test_generator_parts.py imports the locustfile from these alone.
PARTS = (
    *("loadtests/*.py", "loadtests/generator/*.py", "loadtests/run/__init__.py", "loadtests/run/launcher.py"),
    *("settings/*.py", "settings/model/*.py"),
    *("verify/__init__.py", "verify/clients.py", "verify/keys.py", "verify/redirect.py"),
    "tasks/**/*.py",  # what celery_imports names by default: their options are in the messages
)


def files() -> list[str]:
    """Return the paths in the checkout, sorted."""
    return sorted({str(path.relative_to(CHECKOUT)) for part in PARTS for path in CHECKOUT.glob(part)})


def generator_id(celery: Celery) -> str:
    """Return 12 hex digits that change with the code, the requirements or the interpreter of the generator."""
    digest = hashlib.sha256(f"{celery.python}\0".encode())
    for name in (REQUIREMENTS, *files()):
        digest.update(f"{name}\0".encode())
        digest.update((CHECKOUT / name).read_bytes())
    return digest.hexdigest()[:12]


def python(root: str, release: str) -> str:
    """Return the interpreter of a generator on its host."""
    return f"{root}/opt/locust/releases/{release}/venv/bin/python"
