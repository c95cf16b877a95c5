"""Who may reach the ports of Redis, Sentinel and Flower."""

from __future__ import annotations

from typing import ClassVar

from settings.describe import Apply, Section, setting
from settings.types import Flag, Network

NFT = "nft(8)"


class Firewall(Section):
    """A table of nftables of our own. It guards our ports and no others; ssh and all other tables stay as they are."""

    prefix: ClassVar[str] = "firewall_"

    enabled: Flag = setting(
        False,
        "Let only hosts of the inventory that need them, and those below, reach our ports; all others meet a closed "
        "port.",
        apply=Apply.LIVE,
        source=NFT,
    )
    addresses: list[Network] = setting(
        list,
        "Addresses from which this host connects to the others; empty takes `ansible_host`, where that is a number.",
        apply=Apply.LIVE,
        source=NFT,
    )
    allow: list[Network] = setting(
        list,
        "Further clients of Redis and Sentinel on this host: producers, exporters. `make verify` goes through SSH.",
        apply=Apply.LIVE,
        source=NFT,
    )
    allow_flower: list[Network] = setting(
        list, "Who may open Flower's page on this host.", apply=Apply.LIVE, source=NFT
    )
