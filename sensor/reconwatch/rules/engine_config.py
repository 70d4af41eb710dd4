"""The configuration that an engine runs with: ours, small, and the same on every machine.

A sensor's own suricata.yaml would make a rule's test depend on the machine: its HOME_NET, its disabled protocols (rules
for a disabled one are rejected), its thresholds. So every address and port group that published rule sets use is
defined, every protocol parser is on, and nothing is suppressed. The keys are those of suricata.yaml.in in Suricata 7
and 8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

ADDRESSES: Mapping[str, str] = MappingProxyType(
    {
        "HOME_NET": "[10.0.0.0/8,172.16.0.0/12,192.168.0.0/16]",
        "EXTERNAL_NET": "!$HOME_NET",
        **dict.fromkeys(
            ("HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS", "DC_SERVERS"), "$HOME_NET"
        ),
        **dict.fromkeys(("DNP3_SERVER", "DNP3_CLIENT", "MODBUS_CLIENT", "MODBUS_SERVER"), "$HOME_NET"),
        **dict.fromkeys(("ENIP_CLIENT", "ENIP_SERVER"), "$HOME_NET"),
        "AIM_SERVERS": "$EXTERNAL_NET",
    }
)
"""Address groups as suricata.yaml.in defines them."""

PORTS: Mapping[str, str] = MappingProxyType(
    {
        "HTTP_PORTS": "80", "SHELLCODE_PORTS": "!80", "ORACLE_PORTS": "1521", "SSH_PORTS": "22", "DNP3_PORTS": "20000",
        "MODBUS_PORTS": "502", "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]", "FTP_PORTS": "21", "GENEVE_PORTS": "6081",
        "VXLAN_PORTS": "4789", "TEREDO_PORTS": "3544",
    }
)  # fmt: skip

DETECTION_PORTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "rfb": {"dp": "5900-5909"}, "tls": {"dp": "443"}, "smb": {"dp": "139, 445"}, "modbus": {"dp": "502"},
        "dnp3": {"dp": "20000"}, "enip": {"dp": "44818", "sp": "44818"},
    }
)  # fmt: skip
"""The ports that a parser is tried on before it recognises its protocol."""

PARSERS = (
    "telnet", "mqtt", "krb5", "bittorrent-dht", "snmp", "ike", "pgsql", "dcerpc", "ftp", "rdp", "ssh", "http2",
    "imap", "smtp", "nfs", "tftp", "ntp", "quic", "dhcp", "sip",
)  # fmt: skip

PARSERS_8 = ("ldap", "doh2", "websocket", "pop3", "mdns")
"""Protocols that Suricata 8 reads and 7 does not know."""

LOGGED = (
    "http", "dns", "tls", "files", "smtp", "ftp", "rdp", "nfs", "smb", "tftp", "ike", "dcerpc", "krb5", "snmp", "rfb",
    "sip", "quic", "dhcp", "ssh", "mqtt", "http2", "pgsql", "bittorrent-dht",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run may differ in."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    """Address groups besides or instead of ADDRESSES: `{"HOME_NET": "[203.0.113.0/24]"}`."""
    ports: Mapping[str, str] = field(default_factory=dict)
    """Port groups besides or instead of PORTS."""
    events: Literal["alerts", "all"] = "alerts"
    """`all` logs flows, anomalies and every protocol's events as well; it says why a rule did not fire, and costs."""
    arguments: Sequence[str] = ()
    """Further arguments of the engine's command line."""
    overrides: Mapping[str, object] = field(default_factory=dict)
    """Top-level keys of the configuration besides or instead of ours: `{"profiling": {...}}`."""


def configuration(
    version: tuple[int, int, int], config_folder: Path | None, rules: Sequence[Path], settings: Settings
) -> str:
    """The text of a suricata.yaml. JSON is YAML, and quotes whatever a path or a group may hold."""
    log = {"enabled": "yes", "level": "info", "filename": "engine.json", "type": "json"}
    content: dict[str, object] = {
        "vars": {
            "address-groups": {**ADDRESSES, **settings.addresses},
            "port-groups": {**PORTS, **settings.ports},
        },
        "default-rule-path": "/",
        "rule-files": [str(rule) for rule in rules],
        "stats": {"enabled": "yes", "interval": 3600},
        "outputs": [{"eve-log": _eve(settings)}],
        "logging": {
            "default-log-level": "notice",
            "outputs": [{"console": {"enabled": "yes"}}, {"file": log}],
        },
        "app-layer": {"protocols": _protocols(version)},
        "unix-command": {"enabled": "no"},
        # A crash is told, with the log's end; a core file would be left in a folder that goes away.
        "coredump": {"max-dump": 0},
        "stream": {"memcap": "64mb", "checksum-validation": "no", "inline": "no", "reassembly": _reassembly()},
    }
    for key, name in (("classification-file", "classification.config"), ("reference-config-file", "reference.config")):
        if config_folder is not None and (config_folder / name).is_file():
            content[key] = str(config_folder / name)
    content.update(settings.overrides)
    body = "\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    return f"%YAML 1.1\n---\n{body}\n"


def _reassembly() -> dict[str, object]:
    """Chunks of one size: a random one (the default) would make two runs of one rule differ."""
    return {"memcap": "256mb", "depth": "1mb", "toserver-chunk-size": 2560, "toclient-chunk-size": 2560,
            "randomize-chunk-size": "no"}  # fmt: skip


def _eve(settings: Settings) -> dict[str, object]:
    types: list[object] = [{"alert": {"tagged-packets": "no"}}, {"stats": {"totals": "yes", "threads": "no"}}]
    if settings.events == "all":
        types += [*({name: {"extended": "yes"}} for name in LOGGED), "flow", {"anomaly": {"enabled": "yes"}}]
    return {"enabled": "yes", "filetype": "regular", "filename": "eve.json", "pcap-file": "false", "types": types}


def _protocols(version: tuple[int, int, int]) -> dict[str, object]:
    names = PARSERS + (PARSERS_8 if version >= (8, 0, 0) else ())
    found: dict[str, object] = {name: {"enabled": "yes"} for name in names}
    for name, ports in DETECTION_PORTS.items():
        found[name] = {"enabled": "yes", "detection-ports": ports}
    both = {"enabled": "yes", "detection-ports": {"dp": "53"}}
    found["dns"] = {"tcp": both, "udp": both}
    found["http"] = {"enabled": "yes", "libhtp": {"default-config": _libhtp()}}
    return found


def _libhtp() -> dict[str, object]:
    """The limits of suricata.yaml.in."""
    return {
        "personality": "IDS", "request-body-limit": "100kb", "response-body-limit": "100kb",
        "request-body-minimal-inspect-size": "32kb", "request-body-inspect-window": "4kb",
        "response-body-minimal-inspect-size": "40kb", "response-body-inspect-window": "16kb",
    }  # fmt: skip
