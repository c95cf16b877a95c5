"""Does Redis show a certificate that lasts, and ask for one?"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from functools import partial
from typing import Any

import redis

from settings.certificates import days_left, now
from settings.endpoints import Endpoint
from settings.tls import operator_files
from verify.clients import TIMEOUT, login, options
from verify.keys import files_in_clear
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.server import Server, ping, silence

LASTS = Promise(
    "security.certificate",
    "shows a trusted certificate that lasts",
    ("redis_tls_port", "tls_source", "tls_least_days"),
    "days left",
)
ASKS = Promise(
    "security.client-certificate",
    "refuses a client without a certificate",
    ("redis_tls_auth_clients",),
    "the refusal",
)
PROMISES = (LASTS, ASKS)


def check(server: Server, needs: Iterable[Row], explained_by: Iterable[Row]) -> None:
    """Judge the TLS of an instance; nothing is asked of one without."""
    if not server.instance.tls_port:
        return
    judge = partial(server.board.judge, needs=needs, explained_by=explained_by)
    judge(LASTS, server.name, partial(_lasts, server))
    judge(ASKS, server.name, partial(_asks, server))


def _lasts(server: Server) -> Outcome:
    from cryptography import x509

    endpoint = Endpoint.of(server.host, server.instance)
    files = files_in_clear(operator_files(server.host, server.instance))
    context = ssl.create_default_context(cafile=files.authority)
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key)
    renew = "make certificates" if server.host.tls.source == "generated" else "bring a new certificate"
    do = f"{renew}, then {server.words.make('deploy')}"
    try:
        with (
            socket.create_connection((endpoint.address, endpoint.port), TIMEOUT) as raw,
            context.wrap_socket(raw, server_hostname=endpoint.address) as tls,
        ):
            shown = x509.load_der_x509_certificate(tls.getpeercert(True) or b"")
    except ssl.SSLCertVerificationError as error:
        return broken(
            "not trusted",
            Hint(f"{server.address}: {error.verify_message}; due is one of {files.authority}", server.cli("PING"), do),
        )
    left, least = days_left(shown, now()), server.host.tls.least_days
    figure = f"{left:.0f} days left"
    if left >= least:
        return kept(figure)
    return broken(
        figure, Hint(f"it ends on {shown.not_valid_after_utc:%Y-%m-%d}, due are {least} days", "tls_renew_days", do)
    )


def _asks(server: Server) -> Outcome:
    if server.instance.tls_auth_clients != "yes":
        return unchecked(
            f"redis_tls_auth_clients is {server.instance.tls_auth_clients}: passwords alone tell clients apart"
        )
    endpoint = Endpoint.of(server.host, server.instance)
    authority = operator_files(server.host, server.instance).authority
    everything: dict[str, Any] = {"ssl": True, "ssl_ca_certs": authority, **login(server.host, "health"), **options()}
    reply = ping(redis.Redis(host=endpoint.address, port=endpoint.port, **everything))
    if reply.admitted:
        return broken(
            "let in",
            Hint(
                "a client without a certificate was let in",
                server.cli("CONFIG GET tls-auth-clients"),
                server.words.make("deploy"),
            ),
        )
    if "time" in reply.error.lower():  # silence proves nothing
        return broken("silent", Hint(silence(reply), server.cli("PING"), server.words.make("verify")))
    return kept("the connection was ended" if "closed" in reply.error or "reset" in reply.error else reply.error)
