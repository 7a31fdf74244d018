"""A certificate authority of our own, for servers on loopback."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

AUTHORITY = "Test authority"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Certified:
    """PEM files of a server for 127.0.0.1 and of the authority that vouches for it, for a day."""

    cert: Path
    key: Path
    authority: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        """A client's side that trusts this authority only."""
        return ssl.create_default_context(cafile=self.authority)


def certify(folder: Path) -> Certified:
    """A new authority and a server that it vouches for; their files go into `folder`."""
    made = Certified(folder / "cert.pem", folder / "key.pem", folder / "authority.pem")
    authority_key, server_key = (generate_private_key(SECP256R1()) for _ in range(2))
    authority = signed(authority_builder(authority_key), authority_key)
    leaf = signed(server_builder(server_key), authority_key)
    made.cert.write_bytes(leaf.public_bytes(Encoding.PEM))
    made.key.write_bytes(
        server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    made.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    return made


def authority_builder(key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        builder(AUTHORITY, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )


def server_builder(key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    return builder(HOST, key).add_extension(names, critical=False)


def builder(subject: str, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(AUTHORITY))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def signed(
    unsigned: x509.CertificateBuilder, authority_key: EllipticCurvePrivateKey
) -> x509.Certificate:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return unsigned.add_extension(authority, critical=False).sign(authority_key, hashes.SHA256())


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
