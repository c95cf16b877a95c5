"""Which addresses lead where: loopback, every interface, or one."""

from __future__ import annotations

import ipaddress


def bare(address: str) -> str:
    """Return an address without redis.conf's minus ("may be missing") and without a zone."""
    return address.removeprefix("-").split("%")[0].lower()


def number(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address as a number; None for a name."""
    try:
        return ipaddress.ip_address(bare(address))
    except ValueError:
        return None


def is_loopback(address: str) -> bool:
    """Whether only this host reaches an address."""
    known = number(address)
    return known.is_loopback if known else bare(address) in ("localhost", "localhost.localdomain")


def is_every_interface(address: str) -> bool:
    """Whether a server that binds this address listens everywhere."""
    known = number(address)
    return known.is_unspecified if known else bare(address) in ("*", "::*")
