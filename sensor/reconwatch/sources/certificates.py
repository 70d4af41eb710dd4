"""What every input's certificates have in common: their names, numbers and times."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from reconwatch.sources.spelling import dns_name

if TYPE_CHECKING:
    from cryptography import x509

MOST_NAMES = 1_000
"""Names of one certificate that are kept; authorities issue for a hundred, some for a few hundred."""

_COMMON_NAME = re.compile(r"(?:^|[,/+]\s*)CN\s?=\s?((?:\\.|[^,/+\\])+)", re.IGNORECASE)
_PART = re.compile(r'(?:^|[,/+]\s*)([A-Za-z]+)\s?=\s?("[^"]*"|(?:\\.|[^,/+\\"])*)')
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_SHA256 = re.compile("[0-9A-Fa-f]{64}")
_NO_HEX = re.compile("[^0-9A-F]")


def host_names(names: Iterable[str | None]) -> tuple[str, ...]:
    """The host names among names of a certificate, each once, sorted; e-mail addresses and titles are none."""
    found = {dns_name(name.strip()) for name in names if name}
    return tuple(sorted(name for name in found if len(name) <= 253 and _HOST.fullmatch(name)))[:MOST_NAMES]


def common_name(subject: str | None) -> str | None:
    """The CN of a distinguished name as text (RFC 4514, or with slashes as OpenSSL once wrote it)."""
    found = _COMMON_NAME.search(subject) if subject else None
    return found[1].strip() if found else None


def authority(issuer: str | None) -> str | None:
    """How an authority calls itself, its organisation and its name, whatever the order and marks of the input.

    `C=US, O=Let's Encrypt, CN=R11` and `CN=R11,O=Let's Encrypt,C=US` are both "Let's Encrypt, R11".
    """
    if not issuer:
        return None
    parts = {key.upper(): value.strip(' "').replace("\\", "") for key, value in _PART.findall(issuer)}
    told = [parts[key] for key in ("O", "CN") if parts.get(key)]
    return ", ".join(told) or issuer


def serial(text: str | None) -> str | None:
    """A serial number in hexadecimal, with or without colons, as events carry it."""
    return _NO_HEX.sub("", text.upper()).lstrip("0") or None if text else None


def sha256_or_none(fingerprint: str | None) -> str | None:
    """A fingerprint as `Presented` carries it, if it is one of SHA-256."""
    return fingerprint.lower() if fingerprint and _SHA256.fullmatch(fingerprint) else None


class Certified(NamedTuple):
    """What a certificate says; the fields of `events.Certificate`."""

    names: tuple[str, ...]
    since: float
    issuer: str
    """Distinguished name, RFC 4514."""
    subject: str
    serial: str
    """Upper-case hexadecimal."""


def read_certificate(der: bytes) -> Certified:
    """What a certificate in DER says. Raises ValueError for what is none."""
    from cryptography import x509  # here: 60 ms that most runs need not spend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what other servers' certificates do against the rules
        try:
            certificate = x509.load_der_x509_certificate(der)
            return Certified(
                host_names(_subjects(certificate)),
                certificate.not_valid_before_utc.timestamp(),
                certificate.issuer.rfc4514_string(),
                certificate.subject.rfc4514_string(),
                f"{certificate.serial_number:X}",
            )
        except x509.InvalidVersion as error:
            raise ValueError("no version of certificates") from error


def _subjects(certificate: x509.Certificate) -> list[str]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names += alternative.value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        pass  # none, or one that breaks the rules: the common name is left
    return names
