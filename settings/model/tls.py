"""TLS: where the certificates of Redis and of its clients come from, and how long they last."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from settings.describe import Apply, Section, setting
from settings.types import BindAddress, PathOrEmpty, Positive, Text, Word

DECISION = "docs/decisions/010-certificates-stay-with-the-operator.md"


class Tls(Section):
    """Certificates. TLS itself is switched on by `redis_tls_port`."""

    prefix: ClassVar[str] = "tls_"

    source: Annotated[Literal["host", "controller", "generated"], Word] = setting(
        "host",
        "Where certificates come from. host: they are on the hosts already, under the names of `redis_tls_…_file` and "
        "`celery_tls_…_file`. controller: your own, copied from `tls_directory`. generated: `make certificates` writes "
        "an authority and all certificates there, and each deploy renews what is due.",
        apply=Apply.LIVE,
        source=DECISION,
    )
    directory: Text = setting(
        "",
        "Directory on the controller: ca.crt, servers/<host>.crt and .key, clients/<host>.crt and .key, and "
        "clients/operator.crt and .key for verify. Empty takes `tls` beside the inventory.",
        apply=Apply.DEPLOY,
    )
    extra_names: list[BindAddress] = setting(
        list, "Further names and addresses that a generated server certificate holds.", apply=Apply.LIVE
    )
    authority_days: Positive = setting(
        3650, "Life of a generated authority.", unit="days", apply=Apply.DEPLOY, le=36_500
    )
    days: Positive = setting(365, "Life of a generated certificate.", unit="days", apply=Apply.LIVE, le=3650)
    renew_days: Positive = setting(
        60, "A deploy renews a generated certificate that ends within this.", unit="days", apply=Apply.LIVE, le=3650
    )
    least_days: Positive = setting(
        21, "Validate and verify fail where a certificate ends within this.", unit="days", apply=Apply.DEPLOY, le=3650
    )
    operator_ca_file: PathOrEmpty = setting(
        "",
        "Authority on the machine that runs verify; empty takes the one of `tls_directory`, or of source host "
        "`redis_tls_ca_cert_file`.",
        apply=Apply.DEPLOY,
    )
    operator_cert_file: PathOrEmpty = setting(
        "", "Certificate that verify shows; empty takes clients/operator.crt of `tls_directory`.", apply=Apply.DEPLOY
    )
    operator_key_file: PathOrEmpty = setting(
        "", "Its private key; empty takes clients/operator.key of `tls_directory`.", apply=Apply.DEPLOY
    )


__all__ = ["Tls"]
