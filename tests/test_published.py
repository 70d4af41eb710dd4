"""Certificates that say something of us, and who comes to the names that they made known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconwatch.catalog.load import load
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from tests.sources.test_zeek import header, tsv

CATALOG = load()
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
SITE = """
owned:
  domains: [acme-widgets.com]
  ranges: [203.0.113.0/24]
  issuers: ["Let's Encrypt"]
canaries:
  - {name: staging-7f3k2q.acme-widgets.com, planted: certificate transparency}
  - {name: vault-9x2m4k.acme-widgets.com, planted: WHOIS contact}
"""
OURS = "C=US, O=Let's Encrypt, CN=R11"


def entry(*names: str, after: float = 0, issuer: str = OURS, serial: str = "03ab") -> dict[str, Any]:
    """An entry of crt.sh."""
    stamp = datetime.fromtimestamp(NOON + after, UTC).replace(tzinfo=None).isoformat()
    return {
        "issuer_ca_id": 1, "issuer_name": issuer, "common_name": names[0], "name_value": "\n".join(names), "id": 1,
        "entry_timestamp": stamp, "not_before": stamp, "serial_number": serial,
    }  # fmt: skip


def visit(after: float, name: str, client: str = "192.0.2.66") -> list[str]:
    return [f"ts={NOON + after}", f"uid=C{after}{client}", f"id.orig_h={client}", "id.resp_h=203.0.113.10",
            "id.resp_p=443", f"server_name={name}"]  # fmt: skip


class Run:
    """A replay of entries and of visits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "site.yaml").write_text(SITE)

    def notices(self, entries: list[dict[str, Any]], visits: Sequence[list[str]] = (), **more: bytes) -> list[Notice]:
        found = []
        for funnel in (True, False):
            inputs = self._folder / str(funnel)
            inputs.mkdir(exist_ok=True)
            if entries:
                (inputs / "crtsh.json").write_text(json.dumps(entries))
            if visits:
                (inputs / "ssl.log").write_bytes(tsv("ssl", *visits))
            for name, content in more.items():
                (inputs / name).write_bytes(content)
            run = Replay([inputs], CATALOG, load_site(self._folder / "site.yaml"), funnel=funnel)
            found.append(list(run.notices()))
            assert not run.unreadable
        assert found[0] == found[1]
        return found[0]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def exposed(notices: list[Notice]) -> list[Notice]:
    return [notice for notice in notices if notice.note == "Exposed_Name_Probed"]


def test_our_own_certificates_are_no_notice(run: Run) -> None:
    assert run.notices([entry("www.acme-widgets.com", "*.acme-widgets.com"), entry("www.example.org")]) == []


def test_an_authority_that_we_do_not_use_is_told_once_for_certificate_and_precertificate(run: Run) -> None:
    shady = [entry("www.acme-widgets.com", after=n, issuer="O=Shady CA") for n in (0, 7)]
    (notice,) = run.notices(shady)
    assert (notice.note, notice.verdict, notice.count, notice.counted) == (
        "Certificate_Exposed", "investigate", 1, "certificates",
    )  # fmt: skip
    assert [target.value for target in notice.targets] == ["www.acme-widgets.com"]
    assert notice.actor.ip == ""
    assert "Shady CA" in notice.msg
    assert notice.next


def test_a_name_that_looks_like_ours_is_told_with_ours_as_target(run: Run) -> None:
    (notice,) = run.notices([entry("acme-wldgets.com", "www.example.org")])
    assert (notice.verdict, notice.techniques) == ("investigate", ("T1588.004",))
    assert [target.value for target in notice.targets] == ["acme-widgets.com"]


def test_a_bait_that_was_planted_there_is_no_alarm_and_one_that_was_not_is(run: Run) -> None:
    planted, stolen = run.notices([
        entry("staging-7f3k2q.acme-widgets.com"), entry("vault-9x2m4k.acme-widgets.com", after=1, serial="04"),
    ])  # fmt: skip
    assert (planted.score, planted.verdict) == (0, "monitor")
    assert (stolen.score, stolen.verdict) == (60, "escalate")
    assert "WHOIS contact" in stolen.reasons[0].why


def test_who_comes_to_a_new_name_is_told_with_the_time_since_its_publication(run: Run) -> None:
    visits = [visit(-7200, "www.acme-widgets.com"), visit(90, "dev.acme-widgets.com"),
              visit(400, "dev.acme-widgets.com", "198.51.100.7")]  # fmt: skip
    (notice,) = exposed(run.notices([entry("dev.acme-widgets.com"), entry("dev.acme-widgets.com", after=9)], visits))
    assert notice.msg == (
        "dev.acme-widgets.com was visited by 2 sources, the first 1 minute after its certificate was published (crt.sh)"
    )
    assert (notice.actor.ip, notice.count, notice.counted, notice.verdict) == ("192.0.2.66", 2, "sources", "monitor")


def test_that_nobody_could_be_seen_before_is_said(run: Run) -> None:
    (notice,) = exposed(run.notices([entry("dev.acme-widgets.com")], [visit(90, "dev.acme-widgets.com")]))
    assert notice.reasons[-1].why == "whether it was visited before, the inputs do not reach back far enough to say"


def test_a_name_that_was_visited_before_was_no_secret(run: Run) -> None:
    visits = [visit(after, "www.acme-widgets.com") for after in (-7200, 90)]
    assert exposed(run.notices([entry("www.acme-widgets.com")], visits)) == []


@pytest.mark.parametrize("after", [-90_000, 300_000])
def test_who_comes_days_later_does_not_come_for_it(run: Run, after: float) -> None:
    assert exposed(run.notices([entry("dev.acme-widgets.com")], [visit(after, "dev.acme-widgets.com")])) == []


def test_our_own_people_are_no_strangers(run: Run) -> None:
    assert exposed(run.notices([entry("dev.acme-widgets.com")], [visit(9, "dev.acme-widgets.com", "10.0.0.9")])) == []


def test_a_thousand_visitors_of_a_new_site_are_not_above_monitor(run: Run) -> None:
    visits = [visit(n, "shop.acme-widgets.com", f"198.51.{n % 100}.{n // 100}") for n in range(1_000)]
    (notice,) = exposed(run.notices([entry("shop.acme-widgets.com")], visits))
    assert notice.verdict == "monitor"
    assert "at least 256 sources" in " ".join(reason.why for reason in notice.reasons)


X509 = "ts fingerprint certificate.version certificate.serial certificate.subject certificate.issuer " \
       "certificate.not_valid_before certificate.not_valid_after san.dns"  # fmt: skip


def x509(name: str, seen: float, issuer: str = OURS) -> bytes:
    row = [str(NOON + seen), "ab12", "3", "03AB", f"CN={name}", issuer, str(NOON), str(NOON + 8e6), name]
    return (header("x509", X509) + "\t".join(row) + "\n").encode()


def test_a_fresh_certificate_that_zeek_saw_tells_when_its_name_became_known(run: Run) -> None:
    visits = [visit(-7200, "www.acme-widgets.com"), visit(600, "dev.acme-widgets.com")]
    (notice,) = exposed(run.notices([], visits, **{"x509.log": x509("dev.acme-widgets.com", 600)}))
    assert "10 minutes after its certificate was published (zeek/x509)" in notice.msg


def test_what_a_server_signed_itself_is_in_no_log(run: Run) -> None:
    visits = [visit(-7200, "www.acme-widgets.com"), visit(600, "dev.acme-widgets.com")]
    own = x509("dev.acme-widgets.com", 600, "CN=dev.acme-widgets.com")
    assert exposed(run.notices([], visits, **{"x509.log": own})) == []


def test_a_certificate_on_the_wire_says_nothing_where_nobody_could_be_seen_before(run: Run) -> None:
    visits = [visit(600, "dev.acme-widgets.com")]
    assert exposed(run.notices([], visits, **{"x509.log": x509("dev.acme-widgets.com", 600)})) == []


def test_suricata_s_record_of_a_handshake_tells_the_certificate_too(run: Run) -> None:
    def record(after: float, name: str, **tls: Any) -> str:
        return json.dumps({
            "timestamp": datetime.fromtimestamp(NOON + after, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            "flow_id": int(after) + 9000, "event_type": "tls", "src_ip": "192.0.2.66", "src_port": 40_000,
            "dest_ip": "203.0.113.10", "dest_port": 443, "proto": "TCP", "tls": {"sni": name, **tls},
        })  # fmt: skip

    sent = {"subject": "CN=dev.acme-widgets.com", "issuerdn": OURS, "serial": "00:03:AB",
            "notbefore": datetime.fromtimestamp(NOON, UTC).strftime("%Y-%m-%dT%H:%M:%S")}  # fmt: skip
    lines = [record(-7200, "www.acme-widgets.com"), record(600, "dev.acme-widgets.com", **sent)]
    (notice,) = exposed(run.notices([], **{"eve.json": "\n".join(lines).encode()}))
    assert "10 minutes after its certificate was published (eve/tls)" in notice.msg


def test_a_notice_about_nobody_can_be_read_again(run: Run) -> None:
    from reconwatch.sinks.jsonl import read_jsonl
    from tests.sinks.test_jsonl import lines_of

    (notice,) = run.notices([entry("acme-wldgets.com")])
    (line,) = lines_of(notice)
    assert '"ip":null' in line
    assert '"src":null' in line
    assert read_jsonl(line) == notice
