"""What is generated from the model and the rules: documentation, the roles' defaults and argument_specs.

Generated files are committed; `make lint` fails where one has drifted.
"""

from __future__ import annotations

from pathlib import Path

from settings.generate.argument_specs import argument_specs
from settings.generate.role_defaults import role_defaults
from settings.generate.rules_doc import rules_doc
from settings.generate.settings_doc import settings_doc
from settings.model import Backup, Celery, Firewall, Host, Load, Redis, Sentinel, Stack, Tls

ROOT = Path(__file__).resolve().parents[2]
# Whose settings stand in which role's defaults.
ROLES = {
    "host": (Stack, Host),
    "firewall": (Firewall,),
    "redis": (Redis,),
    "tls": (Tls,),
    "sentinel": (Sentinel,),
    "celery": (Celery,),
    "backup": (Backup,),
    "locust": (Load,),
}


def products() -> dict[str, str]:
    """Return path, relative to the repository → text of every generated file."""
    files = {"docs/settings.md": settings_doc(), "docs/rules.md": rules_doc()}
    for role, sections in ROLES.items():
        files[f"roles/{role}/defaults/main.yml"] = role_defaults(role, sections)
        files[f"roles/{role}/meta/argument_specs.yml"] = argument_specs(role, sections)
    return files


def drifted(root: Path = ROOT) -> list[Path]:
    """Return the files that are missing, or are not what would be generated."""
    return [
        root / name
        for name, text in products().items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]


def write_all(root: Path = ROOT) -> list[Path]:
    """Write every generated file that is not up to date; return those."""
    stale = drifted(root)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(products()[str(path.relative_to(root))], encoding="utf-8")
    return stale


__all__ = ["ROLES", "ROOT", "drifted", "products", "write_all"]
