"""A certificate authority of our own for the house, and the server's certificate by it. Blocking.

The authority's key never leaves the folder; it can vouch for names and addresses of a home alone (name
constraints), so that somebody who trusts it on a phone trusts it for nothing else.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import os
import socket
import ssl
import struct
from collections.abc import Collection
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeface.errors import HomefaceError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
CA_FILE, CA_KEY_FILE = "ca.pem", "ca.key"
_CA_DAYS = 3650
_DAYS = 397
"""The longest that phones accept."""
_RENEW_DAYS = 30
_HOME_NAMES = ("local", "lan", "home", "internal", "home.arpa", "localhost")
_HOME_NETWORKS = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
_SIOCGIFADDR = 0x8915


def renew(folder: Path, certificate: Path, key: Path, names: Collection[str], now: dt.datetime) -> bool:
    """Make authority and certificate, or make them anew when they end soon or the names have changed.

    ``names``: host names beside localhost; the machine's own addresses are added. Returns whether anything
    was made. Raises HomefaceError when the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = sorted({"localhost", *names})
        addresses = sorted(own_addresses(), key=lambda ip: (ip.version, int(ip)))
        authority = _load(folder / CA_FILE, folder / CA_KEY_FILE)
        made_authority = authority is None or not _vouches(authority[0], wanted, now)
        if authority is None or made_authority:
            authority = _new_authority(wanted, now)
            _write(folder / CA_KEY_FILE, _key_pem(authority[1]))
            _write(folder / CA_FILE, authority[0].public_bytes(serialization.Encoding.PEM))
        current = _load(certificate, key)
        if (
            not made_authority
            and current is not None
            and _holds(current[0], authority[0], wanted, addresses, now)
        ):
            return False
        server = _new_certificate(authority, wanted, addresses, now)
        _write(key, _key_pem(server[1]))
        chain = server[0].public_bytes(serialization.Encoding.PEM)
        _write(certificate, chain + authority[0].public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise HomefaceError(
            f"The page's certificate cannot be kept in {folder}: {error.strerror or error}. "
            "Check the folder, or name files of your own (web.certificate)."
        ) from error
    return True


def load_into(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Use these files for new connections. Raises HomefaceError when they cannot be used."""
    try:
        context.load_cert_chain(certificate, key)
    except FileNotFoundError as error:
        missing = certificate if not certificate.exists() else key
        raise HomefaceError(f"There is no file {missing} (web.certificate, web.certificate_key).") from error
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise HomefaceError(
            f"{certificate} and {key} cannot be used as a certificate and its key: {reason}. "
            "Both must be PEM files without a password, belong together, and be readable by homeface."
        ) from error


def own_addresses() -> set[Address]:
    """The addresses of this machine's network interfaces."""
    found: set[Address] = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an IPv4 address
            found.add(ipaddress.IPv4Address(answer[20:24]))
    try:
        table = Path("/proc/net/if_inet6").read_text(encoding="ascii")
    except OSError:
        return found
    for line in table.splitlines():
        address = ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))
        if not address.is_link_local:  # names a zone as well, which no certificate can
            found.add(address)
    return found


_Pair: TypeAlias = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _load(certificate: Path, key: Path) -> _Pair | None:
    """None when there is none, or none that can be used: it is made anew."""
    try:
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or found.public_key() != loaded.public_key():
        return None
    return found, loaded


def _new_authority(names: list[str], now: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homeface of this home")])
    builder = _begun(subject, subject, key.public_key(), now, _CA_DAYS)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.NameConstraints(_permitted(names), None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _new_certificate(authority: _Pair, names: list[str], addresses: list[Address], now: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homeface")])
    vouched: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    vouched += [x509.IPAddress(address) for address in addresses if _at_home(address)]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority[1].public_key())
    certificate = (
        _begun(subject, authority[0].subject, key.public_key(), now, _DAYS)
        .add_extension(x509.SubjectAlternativeName(vouched), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority[1], hashes.SHA256())
    )
    return certificate, key


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # a phone's clock may be behind
        .not_valid_after(now + dt.timedelta(days=days - 1))
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _permitted(names: list[str]) -> list[x509.GeneralName]:
    kept: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys((*names, *_HOME_NAMES))]
    return kept + [x509.IPAddress(ipaddress.ip_network(network)) for network in _HOME_NETWORKS]


def _at_home(address: Address) -> bool:
    return any(address in ipaddress.ip_network(network) for network in _HOME_NETWORKS)


def _vouches(authority: x509.Certificate, names: list[str], now: dt.datetime) -> bool:
    """Whether the authority lasts as long as a new certificate, and may vouch for all these names."""
    if authority.not_valid_after_utc < now + dt.timedelta(days=_DAYS):
        return False
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return False
    allowed = [name.value for name in constraints.permitted_subtrees or () if isinstance(name, x509.DNSName)]
    return all(any(name == part or name.endswith(f".{part}") for part in allowed) for name in names)


def _holds(
    certificate: x509.Certificate,
    authority: x509.Certificate,
    names: list[str],
    addresses: list[Address],
    now: dt.datetime,
) -> bool:
    """Whether a certificate is by this authority, lasts a while, and is for these names and addresses."""
    try:
        certificate.verify_directly_issued_by(authority)
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    if certificate.not_valid_after_utc < now + dt.timedelta(days=_RENEW_DAYS):
        return False
    same_addresses = set(said.get_values_for_type(x509.IPAddress)) == {ip for ip in addresses if _at_home(ip)}
    return set(said.get_values_for_type(x509.DNSName)) == set(names) and same_addresses


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by the owner alone."""
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
