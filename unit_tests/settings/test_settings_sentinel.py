"""Where Sentinel watches, everybody is told so: clients, servers and Sentinels; and who may do what there."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Connection

from settings.acl import AT_SENTINEL, users
from settings.endpoints import broker_url, result_url, sentinel_options
from settings.fleet import Fleet
from settings.resolved import resolve
from unit_tests.settings.fleets import PASSWORDS, fleet_of

MORE = {name: f"{name}-0123456789abcdef" for name in ("replica", "sentinel")}
TLS = {
    "redis_tls_port": 6380,
    "redis_port": 0,
    "redis_tls_ca_cert_file": "/etc/tls/ca.crt",
    "redis_tls_cert_file": "/etc/tls/redis.crt",
    "redis_tls_key_file": "/etc/tls/redis.key",
}
HOSTS: dict[str, Any] = {
    "one": {"groups": ["redis", "sentinel"], "redis_bind": ["10.0.0.1", "127.0.0.1"]},
    "two": {
        "groups": ["redis", "sentinel"],
        "address": "10.0.0.2",
        "redis_bind": ["10.0.0.2", "127.0.0.1"],
        "redis_replicaof": "10.0.0.1 6379",
    },
    "three": {"groups": ["sentinel"], "address": "10.0.0.3"},
    "four": {"groups": ["celery", "beat"], "address": "10.0.0.4"},
}


def fleet(**settings: Any) -> Fleet:
    case = {"redis_passwords": {**PASSWORDS, **MORE}, "sentinel_enabled": True, "hosts": HOSTS, **settings}
    found, problems = fleet_of(case)
    assert found is not None, problems
    return found


def test_workers_ask_all_sentinels_with_the_login_of_redis() -> None:
    found = fleet()
    url = broker_url(found, found.hosts["four"], "worker")
    password = PASSWORDS["worker"]
    assert url == ";".join(f"sentinel://worker:{password}@10.0.0.{number}:26379/0" for number in (1, 2, 3))
    assert result_url(found, found.hosts["four"], "worker") == url
    assert sentinel_options(found, found.hosts["four"]) == {"master_name": "broker", "tls": {}}


def test_kombu_reads_login_database_and_every_sentinel_from_the_url() -> None:
    found = fleet(celery_broker_db=3)
    connection = Connection(broker_url(found, found.hosts["four"], "worker"))
    assert (connection.userid, connection.password) == ("worker", PASSWORDS["worker"])
    assert connection.virtual_host == "3"
    assert len(connection.alt) == 3


def test_an_instance_that_nobody_watches_is_found_by_its_address() -> None:
    instances = [{"name": "broker"}, {"name": "results", "purpose": "results", "port": 6390}]
    hosts = {**HOSTS, "one": {**HOSTS["one"], "redis_instances": instances}}
    found = fleet(hosts=hosts, celery_result_instance="results")
    assert result_url(found, found.hosts["four"], "worker").endswith("@10.0.0.1:6390/0")
    assert broker_url(found, found.hosts["four"], "worker").startswith("sentinel://")


def test_sentinels_speak_tls_where_redis_does() -> None:
    found = fleet(**TLS)
    assert sentinel_options(found, found.hosts["four"])["tls"]["ssl_ca_certs"] == "/etc/tls/ca.crt"
    sentinel = resolve(found, found.hosts["three"])["sentinel"]
    assert sentinel["tls"]["certificate"] == "/etc/tls/redis.crt"
    assert sentinel["local_address"] == "10.0.0.3"  # a certificate holds for the name that everybody uses
    assert sentinel["cli_tls"][:3] == ["--tls", "--cacert", "/etc/tls/ca.crt"]


def test_a_server_knows_its_peers_and_a_sentinel_what_it_watches() -> None:
    found = fleet()
    (replicated,) = resolve(found, found.hosts["two"])["redis"]["replicated"]
    assert replicated["watched"] is True
    assert replicated["members"] == [{"host": "10.0.0.1", "port": 6379}, {"host": "10.0.0.2", "port": 6379}]
    watch = resolve(found, found.hosts["three"])["sentinel"]["watch"]
    assert watch["initial"] == {"host": "10.0.0.1", "port": 6379}
    assert [peer["host"] for peer in watch["sentinels"]] == ["10.0.0.1", "10.0.0.2"]
    assert watch["options"]["quorum"] == 2


@pytest.mark.parametrize(("address", "hostnames"), [("10.0.0.3", False), ("three.example.org", True)])
def test_names_are_resolved_only_where_there_are_names(address: str, hostnames: bool) -> None:
    found = fleet(hosts={**HOSTS, "three": {**HOSTS["three"], "address": address}})
    assert resolve(found, found.hosts["one"])["sentinel"]["hostnames"] is hostnames


def test_a_server_alone_replicates_nothing() -> None:
    found, _ = fleet_of({})
    assert found is not None
    assert resolve(found, found.hosts["one"])["redis"]["replicated"] == []


def test_only_admin_may_change_what_a_sentinel_watches() -> None:
    found = fleet()
    lines = resolve(found, found.hosts["three"])["sentinel"]["users"]
    may = {line.split()[1] for line in lines if "+sentinel" in line.split()}
    assert may == {"admin"}
    assert not any("+sentinel|failover" in line or "+sentinel|set" in line for line in lines)
    assert "replica" not in {line.split()[1] for line in lines}
    assert AT_SENTINEL["health"] == "+ping"


def test_an_aof_is_loaded_under_the_rights_of_default_which_nobody_can_log_in_as() -> None:
    """A default user without rights loses every transaction of the AOF: integration_tests show it on a real Redis."""
    found = fleet()
    host = found.hosts["one"]
    default = users(found, host, host.instances[0])[0].line
    assert default == "user default off sanitize-payload resetpass ~* &* +@all"
