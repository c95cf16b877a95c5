"""Clients find Redis: by the address that it listens on, over TLS where it speaks it, as the user that they are."""

from __future__ import annotations

from typing import Any

import pytest

from settings.endpoints import broker_url, result_url
from unit_tests.settings.fleets import PASSWORDS, fleet_of

TLS = {
    "redis_tls_port": 6380,
    "redis_tls_ca_cert_file": "/etc/tls/ca.crt",
    "redis_tls_cert_file": "/etc/tls/redis.crt",
    "redis_tls_key_file": "/etc/tls/redis.key",
}
FAR = {"two": {"groups": ["celery"], "address": "10.0.0.2"}}


def url(case: dict[str, Any], client: str = "one") -> str:
    fleet, problems = fleet_of(case)
    assert fleet is not None, problems
    return broker_url(fleet, fleet.hosts[client], "worker").replace(PASSWORDS["worker"], "PASSWORD")


def on_two_hosts(**server: Any) -> dict[str, Any]:
    return {"hosts": {"one": {"groups": ["redis"], **server}, **FAR}}


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        (["127.0.0.1"], "127.0.0.1"),
        (["10.0.0.1", "127.0.0.1"], "127.0.0.1"),
        (["-::1"], "[::1]"),
        (["*"], "127.0.0.1"),
        (["-::*"], "127.0.0.1"),
        (["10.0.0.1"], "10.0.0.1"),
    ],
)
def test_a_worker_on_the_same_host_uses_an_address_that_is_bound(bind: list[str], expected: str) -> None:
    assert url({"redis_bind": bind}) == f"redis://worker:PASSWORD@{expected}:6379/0"


def test_a_worker_on_another_host_uses_the_address_of_the_inventory_or_the_advertised_one() -> None:
    assert "@10.0.0.1:6379/" in url(on_two_hosts(redis_bind=["*"]), "two")
    assert "@198.51.100.9:6379/" in url(on_two_hosts(redis_bind=["*"], redis_advertise_address="198.51.100.9"), "two")


def test_tls_is_used_where_it_is_spoken_with_the_name_that_the_certificate_has() -> None:
    case = {"redis_bind": ["10.0.0.1", "127.0.0.1"], **TLS}
    own = {"celery_tls_cert_file": "/etc/celery/tls/own.crt", "celery_tls_key_file": "/etc/celery/tls/own.key"}
    expected = (
        "rediss://worker:PASSWORD@10.0.0.1:6380/0?ssl_cert_reqs=required&ssl_ca_certs=/etc/tls/ca.crt"
        "&ssl_certfile=/etc/celery/tls/own.crt&ssl_keyfile=/etc/celery/tls/own.key"
    )
    assert url({**case, **own}) == expected
    assert "ssl_certfile" not in url({**case, **own, "redis_tls_auth_clients": "no"})


def test_certificates_that_the_deploy_brings_are_found_where_it_puts_them() -> None:
    case = {"redis_bind": ["10.0.0.1"], "redis_tls_port": 6380, "tls_source": "generated", "tls_directory": "there"}
    folder = "/etc/celery/tls"
    files = f"ssl_ca_certs={folder}/ca.crt&ssl_certfile={folder}/client.crt&ssl_keyfile={folder}/client.key"
    assert url(case) == f"rediss://worker:PASSWORD@10.0.0.1:6380/0?ssl_cert_reqs=required&{files}"
    fleet, _ = fleet_of(case)
    assert fleet is not None
    ours = broker_url(fleet, fleet.hosts["one"], "verifier", operator=True)
    assert ours.endswith(
        "ssl_ca_certs=there/ca.crt&ssl_certfile=there/clients/operator.crt&ssl_keyfile=there/clients/operator.key"
    )


def test_a_managed_redis_keeps_its_url_and_checks_its_certificate() -> None:
    hosts = {"one": {"groups": ["celery", "beat"]}}
    case: dict[str, Any] = {"redis_managed_url": "rediss://app:x@192.0.2.1:6380", "hosts": hosts}
    assert url(case) == "rediss://app:x@192.0.2.1:6380/0?ssl_cert_reqs=required"
    assert url({**case, "celery_broker_db": 3}).startswith("rediss://app:x@192.0.2.1:6380/3?")
    own = {**case, "redis_managed_url": "rediss://app:x@192.0.2.1:6380/5", "redis_managed_ca_file": "/etc/tls/ca.crt"}
    assert url(own) == "rediss://app:x@192.0.2.1:6380/5?ssl_cert_reqs=required&ssl_ca_certs=/etc/tls/ca.crt"


def test_results_may_live_elsewhere_than_queues() -> None:
    instances = [{"name": "broker"}, {"name": "results", "purpose": "results", "port": 6390}]
    fleet, _ = fleet_of({"redis_instances": instances, "celery_result_instance": "results", "celery_result_db": 2})
    assert fleet is not None
    assert result_url(fleet, fleet.hosts["one"], "worker").endswith("@127.0.0.1:6390/2")
    assert broker_url(fleet, fleet.hosts["one"], "worker").endswith("@127.0.0.1:6379/0")


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"redis_auth": "none"}, "redis://127.0.0.1:6379/0"),
        (
            {"redis_auth": "password", "redis_password": "p@ss/word:0123456"},
            "redis://:p%40ss%2Fword%3A0123456@127.0.0.1:6379/0",
        ),
    ],
)
def test_who_a_client_is_stands_in_its_url(auth: dict[str, Any], expected: str) -> None:
    assert url(auth) == expected


def test_the_other_transport_has_its_own_scheme() -> None:
    assert url({"celery_transport": "redis-plus"}).startswith("valkey://")
    assert url({"celery_transport": "redis-plus", **TLS}).startswith("valkeys://")
