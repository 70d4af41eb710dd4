"""Which certificates crawlers were shown: the same from a capture, Zeek's two logs and Suricata's records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from reconwatch.catalog import Catalog
from reconwatch.exposure import Exposures
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.sightings import Identity, Shown
from tests.detectors.test_scanner_crawl import WORLD, hello, only, told, whys
from tests.sources.pcap.test_certificate import certificate, flight
from tests.sources.pcap.wire import Talk, pcap
from tests.sources.pcap.wire import hello as wire_hello
from tests.sources.test_zeek import header
from tests.story import NOON, SITE

CENSYS, WEB = "162.142.125.10", "203.0.113.10"
DER = certificate("www.acme-widgets.com", "*.acme-widgets.com")
READ = x509.load_der_x509_certificate(DER)
SHA_256, SHA_1 = READ.fingerprint(SHA256()).hex(), READ.fingerprint(SHA1()).hex(":")
ISSUER = "CN=R11,O=Let's Encrypt"
WAS_SHOWN = (
    "was shown the certificate of www.acme-widgets.com (issued by Let's Encrypt, R11, serial 3AB00FF) at port 443"
)

ENDS = f"{NOON}\tC1\t{CENSYS}\t41000\t{WEB}\t443\t"
SSL = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p version server_name resumed established "
X509 = " certificate.version certificate.serial certificate.subject certificate.issuer" \
       " certificate.not_valid_before san.dns"  # fmt: skip
X509_ROW = (
    f"\t3\t03AB00FF\tCN=www.acme-widgets.com\t{ISSUER.replace(',', chr(92) + 'x2c')}\t{NOON}\t*.acme-widgets.com\n"
)


def ssl_log(column: str, value: str) -> str:
    return header("ssl", SSL + column) + ENDS + f"TLSv12\t-\tF\tT\t{value}\n"


def zeek(folder: Path) -> None:
    (folder / "ssl.log").write_text(ssl_log("cert_chain_fps", f"{SHA_256},{'0' * 64}"))
    (folder / "x509.log").write_text(header("x509", f"ts fingerprint{X509}") + f"{NOON}\t{SHA_256}{X509_ROW}")


def old_zeek(folder: Path) -> None:
    (folder / "ssl.log").write_text(ssl_log("cert_chain_fuids", "Fa1b2c,Fd3e4f"))
    (folder / "x509.log").write_text(header("x509", f"ts id{X509}") + f"{NOON}\tFa1b2c{X509_ROW}")


def zeek_json(folder: Path) -> None:
    ssl = {
        "ts": NOON, "uid": "C1", "id.orig_h": CENSYS, "id.orig_p": 41000, "id.resp_h": WEB, "id.resp_p": 443,
        "version": "TLSv12", "resumed": False, "established": True, "cert_chain_fps": [SHA_256],
    }  # fmt: skip
    x509 = {
        "ts": NOON, "fingerprint": SHA_256, "certificate.version": 3, "certificate.serial": "03AB00FF",
        "certificate.subject": "CN=www.acme-widgets.com", "certificate.issuer": ISSUER,
        "certificate.not_valid_before": NOON, "san.dns": ["*.acme-widgets.com"],
    }  # fmt: skip
    (folder / "ssl.log").write_text(json.dumps(ssl) + "\n")
    (folder / "x509.log").write_text(json.dumps(x509) + "\n")


def eve(folder: Path) -> None:
    record = {
        "timestamp": "2026-11-24T12:00:00.000000+0000", "flow_id": 7, "event_type": "tls", "src_ip": CENSYS,
        "src_port": 41000, "dest_ip": WEB, "dest_port": 443, "proto": "TCP",
        "tls": {
            "subject": "CN=www.acme-widgets.com", "issuerdn": "O=Let's Encrypt, CN=R11", "serial": "03:AB:00:FF",
            "fingerprint": SHA_1, "version": "TLS 1.2", "notbefore": "2026-11-24T03:01:30",
            "subjectaltname": ["*.acme-widgets.com"],
        },
    }  # fmt: skip
    (folder / "eve.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


def capture(folder: Path) -> None:
    talk = Talk(443, 41000, CENSYS, WEB)
    (folder / "capture.pcap").write_bytes(
        pcap([*talk.handshake(), talk.up(wire_hello(None)), talk.down(flight(DER)), *talk.ending()])
    )


INPUTS: dict[str, Callable[[Path], None]] = {
    "zeek": zeek, "old zeek": old_zeek, "zeek json": zeek_json, "eve": eve, "capture": capture,
}  # fmt: skip


def crawls(folder: Path) -> tuple[list[Notice], Exposures]:
    """What the inputs in a folder tell, with the funnel as without."""
    found = []
    for funnel in (True, False):
        exposures = Exposures()
        run = Replay([folder], Catalog([]), SITE, WORLD, funnel=funnel, watch_probe=exposures.observe)
        found.append(([notice for notice in run.notices() if notice.note == "Scanner_Crawl"], exposures))
    assert found[0][0] == found[1][0]
    assert list(found[0][1].exposures()) == list(found[1][1].exposures())
    return found[0]


def shown(exposures: Exposures) -> tuple[Shown, ...] | None:
    ((port,),) = (each.ports for each in exposures.exposures())
    return port.certificates


@pytest.mark.parametrize("each", INPUTS)
def test_every_input_says_what_was_shown(each: str, tmp_path: Path) -> None:
    INPUTS[each](tmp_path)
    (notice,), exposures = crawls(tmp_path)
    assert WAS_SHOWN in whys(notice)
    assert (notice.count, notice.evidence_total) == (1, 1 + (each == "capture"))
    (found,) = shown(exposures) or ()
    assert found.names == ("*.acme-widgets.com", "www.acme-widgets.com")
    assert found.sha256 == (SHA_256 if each in ("zeek", "zeek json", "capture") else None)


def test_all_inputs_together_say_it_once(tmp_path: Path) -> None:
    for each, write in INPUTS.items():
        (tmp_path / each).mkdir()
        write(tmp_path / each)
    notices, exposures = crawls(tmp_path)
    assert [why for notice in notices for why in whys(notice) if "was shown" in why] == [WAS_SHOWN]
    assert {found.sha256 for found in shown(exposures) or ()} == {SHA_256}


def test_one_that_no_log_describes_is_told_by_its_fingerprint(tmp_path: Path) -> None:
    zeek(tmp_path)
    (tmp_path / "x509.log").unlink()
    (notice,), exposures = crawls(tmp_path)
    assert f"was shown a certificate that no input describes (SHA-256 {SHA_256}) at port 443" in whys(notice)
    (found,) = shown(exposures) or ()
    assert (found.sha256, found.identity.is_described) == (SHA_256, False)


def test_subject_and_issuer_in_the_log_of_handshakes_are_enough(tmp_path: Path) -> None:
    (tmp_path / "ssl.log").write_text(
        header("ssl", SSL + "subject issuer") + ENDS + f"TLSv12\t-\tF\tT\tCN=www.acme-widgets.com\t{ISSUER}\n"
    )
    (notice,), _ = crawls(tmp_path)
    assert "was shown the certificate of www.acme-widgets.com (issued by Let's Encrypt, R11) at port 443" in whys(
        notice
    )


def test_what_is_encrypted_since_tls_1_3_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "ssl.log").write_text(ssl_log("cert_chain_fps", "(empty)"))
    (notice,), exposures = crawls(tmp_path)
    assert not [why for why in whys(notice) if "certificate" in why]
    assert shown(exposures) is None


def test_what_a_stranger_was_shown_is_no_matter(tmp_path: Path) -> None:
    zeek(tmp_path)
    log = tmp_path / "ssl.log"
    log.write_text(log.read_text().replace(CENSYS, "192.0.2.66"))
    notices, exposures = crawls(tmp_path)
    assert (notices, list(exposures.exposures())) == ([], [])


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    zeek(tmp_path)
    log = tmp_path / "x509.log"
    log.write_text(log.read_text().replace("CN=www.acme-widgets.com", f"CN={'a' * 3_000}"))
    (notice,), _ = crawls(tmp_path)
    assert max(len(why) for why in whys(notice)) < 400


# The detector by itself

OWN = Identity("www.acme-widgets.com", "www.acme-widgets.com", "0A", own=True, sha256="")
UNKNOWN = Identity("", "", "", own=False, sha256="ab" * 32)


def presented(identity: Identity, port: int = 443) -> object:
    probe = hello(0, port=port)
    return msgspec.structs.replace(probe, kind="presented", certificate=Shown(identity))


def test_ports_with_one_certificate_are_told_together() -> None:
    notice = only([hello(0), hello(1, port=8443), presented(OWN), presented(OWN, 8443), presented(OWN)])
    assert "was shown the certificate of www.acme-widgets.com (self-signed, serial 0A) at ports 443, 8443" in whys(
        notice
    )


def test_one_that_another_input_describes_is_not_told_as_unknown() -> None:
    notice = only([hello(0), hello(1, port=8443), presented(UNKNOWN), presented(OWN), presented(UNKNOWN, 8443)])
    (why,) = [why for why in whys(notice) if why.startswith("was shown")]
    assert why.endswith(f"(SHA-256 {UNKNOWN.sha256}) at port 8443, the certificate of www.acme-widgets.com"
                        " (self-signed, serial 0A) at port 443")  # fmt: skip


def test_a_certificate_without_a_crawl_is_none() -> None:
    assert told([presented(OWN)]) == []
