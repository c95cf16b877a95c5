"""An authority of an inventory's own, and the certificates that it issues."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SKEW = datetime.timedelta(hours=1)  # a host whose clock is late must accept a fresh certificate
DAY = datetime.timedelta(days=1)
LONGEST_NAME = 64  # characters of a common name: RFC 5280, ub-common-name
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class BadCertificateError(Exception):
    """A file is no certificate or no key, or the two do not belong together; the message says which."""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Authority:
    """The certificate and key with which is signed."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def now() -> datetime.datetime:
    """Return the time that certificates are judged by."""
    return datetime.datetime.now(datetime.UTC)


def read_certificates(text: str) -> list[x509.Certificate]:
    """Read a file of one or several certificates.

    Raises:
        BadCertificateError: if there is none in it, or one is damaged.
    """
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise BadCertificateError("it holds no certificate in PEM") from error


def days_left(certificate: x509.Certificate, at: datetime.datetime) -> float:
    """Return the days until a certificate ends; negative once it has."""
    return (certificate.not_valid_after_utc - at) / DAY


def names_of(certificate: x509.Certificate) -> set[str]:
    """Return the names and addresses that a certificate holds."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value).lower() for name in names}


def new_authority(name: str, days: int, at: datetime.datetime) -> Issued:
    """Return a new authority that signs certificates of servers and clients, and no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    builder = _builder(subject, subject, key.public_key(), at, at + days * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return _pem(builder.add_extension(own, critical=False).sign(key, hashes.SHA256()), key)


def authority_of(certificates: Sequence[x509.Certificate], key: str) -> Authority:
    """Return the authority that a key belongs to, out of those that are trusted.

    Raises:
        BadCertificateError: if the text is no key of ours, or belongs to none of the certificates.
    """
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadCertificateError("it is no private key in PEM") from error
    if isinstance(private, ec.EllipticCurvePrivateKey):
        for certificate in certificates:
            if certificate.public_key() == private.public_key():
                return Authority(certificate, private)
    raise BadCertificateError("the key belongs to none of the certificates in ca.crt")


def issue(
    authority: Authority, name: str, names: Iterable[str], *, server: bool, days: int, at: datetime.datetime
) -> Issued:
    """Return a new certificate with a key of its own.

    Args:
        authority: who signs.
        name: whom it is for; shown in lists, compared by nobody.
        names: what a server's clients may call it.
        server: whether it is a server's. A Redis server is a client, too: a replica of its master's, and redis-cli.
        days: its life, cut off where the authority's ends.
        at: the time of issue.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(at + days * DAY, authority.certificate.not_valid_after_utc)
    builder = _builder(_subject(name), authority.certificate.subject, key.public_key(), at, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([SERVER, CLIENT] if server else [CLIENT]), critical=False)
    if server:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(one) for one in sorted(set(names))]), critical=False
        )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return _pem(builder.add_extension(issuer, critical=False).sign(authority.key, hashes.SHA256()), key)


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether an authority issued a certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:LONGEST_NAME])])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    at: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.lower())


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
