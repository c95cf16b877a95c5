"""The typed model: one module per role, one class per prefix."""

from __future__ import annotations

from settings.describe import Section
from settings.model.backup import Backup
from settings.model.celery import Celery
from settings.model.firewall import Firewall
from settings.model.host import Host
from settings.model.load import Load
from settings.model.redis import Redis
from settings.model.sentinel import Sentinel
from settings.model.stack import Stack
from settings.model.tls import Tls

# The order is that of docs/settings.md.
SECTIONS: tuple[type[Section], ...] = (Stack, Host, Firewall, Redis, Tls, Sentinel, Celery, Backup, Load)

__all__ = ["SECTIONS", "Backup", "Celery", "Firewall", "Host", "Load", "Redis", "Sentinel", "Stack", "Tls"]
