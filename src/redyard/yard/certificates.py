"""Make keys and certificates: an authority, and what it signs for servers and clients. ECDSA P-256, PEM.

Nothing here looks at a clock or a file. A certificate and its key lie in one text, so that no reader sees two that do
not belong together.
"""

import ipaddress
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = 86400.0

AUTHORITY_DAYS = 1825.0
"""Days that an authority lives; its certificate is in files of apps, so it changes rarely."""

SERVER_DAYS = 90.0
"""Days of a server's or client's certificate: a key that was stolen is of use for so long."""

RENEW_AT = 2 / 3
"""The part of its life after which a certificate is made anew: a third is left for whatever hinders that."""

EARLIER = 3600.0
"""Seconds by which a certificate begins before it is made: clocks differ."""


class Signed(NamedTuple):
    """A certificate and its key as one PEM text, and what the certificate says."""

    pem: str
    names: tuple[str, ...]
    begins: float
    ends: float
    serial: str
    issuer: str

    def is_due(self, now: float) -> bool:
        """Say whether it is time for the next one."""
        return now >= self.begins + (self.ends - self.begins) * RENEW_AT or now < self.begins

    @property
    def public(self) -> str:
        """Return the certificate without its key."""
        return self.pem[self.pem.index("-----BEGIN CERTIFICATE") :]


def make_authority(name: str, *, now: float, days: float = AUTHORITY_DAYS) -> Signed:
    """Return a new authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    uses = x509.KeyUsage(
        **dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ),
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key, now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(uses, critical=True)
    )
    return _sealed(builder, key, key)


def make_server(
    authority: Signed, name: str, hosts: Collection[str], *, now: float, days: float = SERVER_DAYS
) -> Signed:
    """Return a certificate for a server that is reached by these names and addresses."""
    names = x509.GeneralNames([_host(host) for host in sorted(set(hosts))])
    return _leaf(authority, name, ExtendedKeyUsageOID.SERVER_AUTH, names, now, days)


def make_client(authority: Signed, name: str, *, now: float, days: float = SERVER_DAYS) -> Signed:
    """Return a certificate by which an app shows a server who it is."""
    names = x509.GeneralNames([x509.DNSName(name)])
    return _leaf(authority, name, ExtendedKeyUsageOID.CLIENT_AUTH, names, now, days)


def read(pem: str) -> Signed:
    """Return what a PEM text of ours holds, or raise ValueError."""
    found = x509.load_pem_x509_certificate(pem.encode())
    serialization.load_pem_private_key(pem.encode(), password=None)
    try:
        hosts = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(item.value) for item in hosts]
    except x509.ExtensionNotFound:
        names = []
    return Signed(
        pem=pem,
        names=tuple(names),
        begins=found.not_valid_before_utc.timestamp(),
        ends=found.not_valid_after_utc.timestamp(),
        serial=f"{found.serial_number:x}",
        issuer=found.issuer.rfc4514_string().removeprefix("CN="),
    )


def _leaf(
    authority: Signed, name: str, use: x509.ObjectIdentifier, names: x509.GeneralNames, now: float, days: float
) -> Signed:
    signer = serialization.load_pem_private_key(authority.pem.encode(), password=None)
    issuer = x509.load_pem_x509_certificate(authority.pem.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(name, "", key, now, days)
        .issuer_name(issuer.subject)
        .add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(_of_authority(issuer), critical=False)
    )
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return _sealed(builder, key, signer)


def _of_authority(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return what names the authority's key: during a rotation two authorities are known."""
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, now: float, days: float
) -> x509.CertificateBuilder:
    begins = datetime.fromtimestamp(now - EARLIER, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.issuer_name(_name(issuer)) if issuer else builder


def _sealed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Signed:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return read((secret + public).decode())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
