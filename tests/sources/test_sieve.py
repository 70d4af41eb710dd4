"""The law of the sieve: whatever the Lookout wants, the sieve hits."""

from __future__ import annotations

import builtins
import io
import ipaddress
import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.events import Connection
from reconwatch.interest import Interest, Lookout
from reconwatch.sources import sieve as sieve_module
from reconwatch.sources.lines import Block, Blocks
from reconwatch.sources.sieve import EveryLine, Layout, Sieve, sieve_for
from reconwatch.sources.spelling import beginnings, canonical, spellings

NAMES = frozenset(
    {"shodan.io", "=crt.sh", "search.censys.io", "whois.team_cymru.com", "xn--bcher-kva.example", "robtex.kk"}
)
PORTS = frozenset({43, 4343})

labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=8)
wanted_names = st.one_of(
    st.sampled_from(sorted(name.removeprefix("=") for name in NAMES)),
    st.builds("{}.{}".format, labels, st.sampled_from(sorted(n for n in NAMES if not n.startswith("=")))),
)


@st.composite
def any_case(draw, names=wanted_names):
    """A wanted name as a client may write it: mixed case, a root dot, now and then the Kelvin sign for a k."""
    name = draw(names)
    letters = [draw(st.sampled_from([c, c.upper()] + (["\u212a"] if c == "k" else []))) for c in name]
    return "".join(letters) + draw(st.sampled_from(["", "."]))


@st.composite
def json_text(draw, text):
    """The text as a JSON string, with any characters written as escapes."""
    out = []
    for character in draw(text):
        escape = draw(st.integers(0, 9))
        if escape == 0 or (ord(character) > 127 and escape < 5):
            code = f"{ord(character):04x}"
            out.append("\\u" + (code.upper() if draw(st.booleans()) else code))
        else:
            out.append(character)
    return '"' + "".join(out) + '"'


def tsv_text(name: str, places: set[int]) -> str:
    """The text as Zeek's ASCII writer may write it, with the characters at some places escaped."""
    return "".join(
        "".join(f"\\x{byte:02x}" for byte in character.encode()) if place in places else character
        for place, character in enumerate(name)
    )


def hits(sieve, content: bytes, size: int) -> list[bytes]:
    return [
        block.line(start, end)
        for block in Blocks(io.BytesIO(content), Account("log"), block=size)
        for start, end in sieve.lines(block)
    ]


def lookout() -> Lookout:
    return Lookout(Interest(names=NAMES, ports=PORTS))


noise = st.lists(st.text(st.characters(blacklist_characters="\n\r\0", max_codepoint=0x2FF), max_size=60), max_size=6)


@settings(deadline=None)
@given(json_text(any_case()), st.sampled_from(["json", "eve"]), noise, noise, st.integers(16, 200))
def test_a_json_line_with_a_wanted_name_hits_in_any_case_and_escaping(text, spelling, before, after, size):
    assert lookout().names(json.loads(text))
    line = f'{{"a":"x","query":{text},"b":1}}'.encode()
    content = "\n".join([*before, ""]).encode() + line + b"\n" + "\n".join(after).encode()
    assert line in hits(Sieve(lookout(), Layout(spelling)), content, size)


@settings(deadline=None)
@given(any_case(), st.sets(st.integers(0, 30)), noise, noise, st.integers(16, 200))
def test_a_tsv_line_with_a_wanted_name_hits_in_any_case_and_escaping(name, places, before, after, size):
    line = f"1.5\tCx\t{tsv_text(name, places)}\t-".encode()
    content = "\n".join([*before, ""]).encode() + line + b"\n" + "\n".join(after).encode()
    assert line in hits(Sieve(lookout(), Layout("tsv")), content, size)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.text("abcXYZ ./\t", max_size=30)), max_size=40),
    st.integers(16, 400),
    st.sampled_from(["tsv", "json", "eve"]),
)
def test_each_line_comes_once_in_order_and_a_line_without_a_name_does_not(lines, size, spelling):
    # JSON has no bare tabs: `test_a_key_and_its_value_may_be_apart_as_json_allows`.
    blank = "\t" if spelling == "tsv" else " "
    texts = [text.replace("\t", blank) + ("SHODAN.io crt.sh" if hit else "") for hit, text in lines]
    content = "\n".join(texts).encode()
    assert hits(Sieve(lookout(), Layout(spelling)), content, size) == [
        t.encode() for (hit, _), t in zip(lines, texts, strict=True) if hit
    ]


@pytest.mark.parametrize("spelling", ["tsv", "json", "eve"])
@pytest.mark.parametrize(
    "address", ["198.18.4.2", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "::1.2.3.4", "::ffff:192.0.2.1"]
)
def test_every_spelling_of_a_learned_address_hits(spelling, address):
    seeking = lookout()
    seeking.addresses.add(address)
    for text in spellings(address, spelling):
        blank = "\t" if spelling == "tsv" else " "
        line = f"a{blank}{text.upper()}{blank}b".encode()
        assert hits(Sieve(seeking, Layout(spelling)), b"x\n" + line + b"\ny\n", 64) == [line]


def test_eve_addresses_are_looked_for_in_eight_groups_and_zeeks_compressed():
    assert "2001:0db8:0000:0000:0000:0000:0000:0001" in spellings("2001:db8::1", "eve")
    assert spellings("2001:db8::1", "tsv") == {"2001:db8::1"}


@settings(deadline=None)
@given(st.permutations(range(12)), st.integers(64, 4000))
def test_what_a_line_teaches_is_found_behind_it_in_the_same_block_and_in_later_ones(order, size):
    seeking = lookout()
    sieve = Sieve(seeking, Layout("tsv"))
    lines = []
    for n in order:
        lines += [
            f"shodan.io\tteaches {n}",
            f"before\t198.18.0.{n + 200}",
            f"connects to\t198.18.0.{n + 100}",
            "nothing",
        ]
    seen = []
    for block in Blocks(io.BytesIO("\n".join(lines).encode()), Account("log"), block=size):
        for start, end in sieve.lines(block):
            line = block.line(start, end).decode()
            seen.append(line)
            if "teaches" in line:
                seeking.addresses.add(f"198.18.0.{int(line.split()[-1]) + 100}")
    assert seen == [line for line in lines if "teaches" in line or "connects" in line]


def test_a_block_that_teaches_much_is_given_whole_from_there_on_and_the_next_is_sieved_again():
    seeking = lookout()
    sieve = Sieve(seeking, Layout("tsv"))
    lines = [f"shodan.io {n}" for n in range(40)] + ["nothing"] * 10
    content = bytearray(("\n".join(lines) + "\n").encode())
    given_ = []
    for start, end in sieve.lines(Block(content, 0, len(content), 0, 1)):
        given_.append(content[start:end].decode())
        seeking.addresses.add(f"198.18.0.{len(given_)}")
    assert given_ == lines
    behind = bytearray(b"198.18.0.39\nnothing\n198.18.0.1\n")
    assert list(sieve.lines(Block(behind, 0, len(behind), 0, 1))) == [(0, 11), (20, 30)]


def test_what_another_source_learned_is_found_from_the_next_line_taken_on():
    seeking = lookout()
    sieve = Sieve(seeking, Layout("tsv"))
    content = bytearray(b"198.18.4.2 unknown yet\nshodan.io\n198.18.4.2 known\n")
    lines = sieve.lines(Block(content, 0, len(content), 0, 1))
    assert next(lines) == (23, 32)
    seeking.addresses.add("198.18.4.2")
    assert list(lines) == [(33, 49)]


@pytest.mark.parametrize(
    ("spelling", "line", "wanted"),
    [
        ("tsv", "10.0.0.1\t4000\t10.0.0.2\t43\ttcp", True),
        ("tsv", "43\tfirst", True),
        ("tsv", "last\t43", True),
        ("tsv", "last\t43\r", True),
        ("tsv", "10.0.0.1\t4000\t10.0.0.43\t443\ttcp", False),
        ("json", '{"id.resp_p":43,"proto":"tcp"}', True),
        ("json", '{"id_resp_p": 43}', True),
        ("json", '{"id.resp_p":443}', False),
        ("json", '{"id.resp_p":4343}', True),
        ("json", '{"id.orig_p":43}', False),
        ("eve", '{"src_port":43,"dest_port":5000}', True),
        ("eve", '{"dest_port": 43}', True),
        ("eve", '{"dest_port":430}', False),
    ],
)
def test_a_port_of_interest_hits_in_each_dialects_spelling(spelling, line, wanted):
    found = hits(Sieve(lookout(), Layout(spelling)), b"x\n" + line.encode() + b"\ny\n", 256)
    assert bool(found) is wanted


@pytest.mark.parametrize("blanks", ["", " ", "  ", "\t", "   ", " \t "])
@pytest.mark.parametrize("spelling", ["json", "eve"])
def test_a_key_and_its_value_may_be_apart_as_json_allows(spelling, blanks):
    key = "id.resp_p" if spelling == "json" else "dest_port"
    for line in (f'{{"{key}"{blanks}:{blanks}43}}', f'{{"{key}":{blanks}43}}', f'{{"{key}"{blanks}:43{blanks}}}'):
        assert json.loads(line) == {key: 43}
        assert line.encode() in hits(Sieve(lookout(), Layout(spelling)), b"x\n" + line.encode() + b"\ny\n", 256)


def test_lines_that_end_in_crlf_are_sieved_and_a_carriage_return_elsewhere_lets_a_block_through():
    sieve = Sieve(lookout(), Layout("json"))
    ended = b'{"a":"x"}\r\n{"a":"crt.sh"}\r\n{"a":"y"}\r'
    assert hits(sieve, ended, 256) == [b'{"a":"crt.sh"}']
    assert hits(sieve, ended.replace(b":", b"\r:", 1), 256) == [b'{"a"\r:"x"}', b'{"a":"crt.sh"}']


def test_a_port_is_found_between_the_separators_a_log_declares():
    assert hits(Sieve(lookout(), Layout("tsv", b",")), b"a,43,b\na\t43\tb\n", 64) == [b"a,43,b"]


@pytest.mark.parametrize(
    ("spelling", "line", "wanted"),
    [
        ("tsv", "GET\tWWW.google.com\t/transparencyreport/x", True),
        ("tsv", "GET\twww.google.com\t/search?q=x", False),
        ("tsv", "GET\twww.example.org\t/transparencyreport/x", False),
        ("tsv", "GET\t-\thttp://www.google.com/transparencyreport/x", True),
        ("tsv", "GET\twww.google.com\t/transparency\\x72eport/", True),
        ("json", '{"uri":"/transparencyreport/x","host":"www.google.com"}', True),
        ("eve", '{"hostname":"www.google.com","url":"\\/transparencyreport\\/x"}', True),
        ("eve", '{"hostname":"q.example","url":"http:\\/\\/q.example?q=1"}', True),
        ("eve", '{"hostname":"q.example","url":"/?p=1"}', False),
    ],
)
def test_a_path_of_a_busy_host_hits_only_beside_that_host(spelling, line, wanted):
    paths = frozenset({("www.google.com", "/transparencyreport/"), ("q.example", "/?q=")})
    sieve = Sieve(Lookout(Interest(paths=paths)), Layout(spelling))
    assert bool(hits(sieve, b"x\n" + line.encode() + b"\ny\n", 256)) is wanted


def test_a_host_and_a_path_on_two_lines_are_not_one_request():
    sieve = Sieve(Lookout(Interest(paths=frozenset({("www.google.com", "/transparencyreport/")}))), Layout("tsv"))
    assert hits(sieve, b"www.google.com\n/transparencyreport/\n", 256) == []


def test_names_of_which_only_the_use_matters_hit_too():
    sieve = Sieve(Lookout(Interest(asides=frozenset({"dns.example", "=doh.example"}))), Layout("json"))
    assert hits(sieve, b'{"a":"x.DNS.example"}\n{"a":"doh.example"}\n{}\n', 256) == [
        b'{"a":"x.DNS.example"}',
        b'{"a":"doh.example"}',
    ]


def test_an_address_that_was_let_go_is_no_longer_looked_for_and_one_learned_since_is():
    seeking = lookout()
    sieve = Sieve(seeking, Layout("tsv"))
    seeking.addresses.update({"198.18.4.2", "198.18.4.3"})
    content = b"198.18.4.2\n198.18.4.3\n198.18.4.4\n"
    assert hits(sieve, content, 64) == [b"198.18.4.2", b"198.18.4.3"]
    seeking.addresses.remove("198.18.4.2")
    seeking.crowded.add("198.18.4.2")
    assert hits(sieve, content, 64) == [b"198.18.4.3"]
    seeking.addresses.remove("198.18.4.3")
    seeking.crowded.add("198.18.4.3")
    seeking.addresses.add("198.18.4.4")
    assert hits(sieve, content, 64) == [b"198.18.4.4"]


# --- networks -----------------------------------------------------------------------------------------------------


@st.composite
def networks(draw):
    if draw(st.booleans()):
        size = draw(st.integers(0, 32))
        number = draw(st.integers(0, 2**32 - 1))
        return ipaddress.ip_network((number >> (32 - size) << (32 - size), size))
    size = draw(st.integers(0, 128))
    # Groups of zeros are where the spellings differ.
    groups = draw(st.lists(st.sampled_from([0, 0, 1, 0xACC, 0x2001, 0xFFFF]), min_size=8, max_size=8))
    number = int("".join(f"{group:04x}" for group in groups), 16)
    return ipaddress.ip_network((number >> (128 - size) << (128 - size), size))


@st.composite
def spelt(draw):
    """A network, and an address in it in a spelling that an engine, or a program that copies records, may use."""
    network = draw(networks())
    host = draw(st.one_of(st.just(0), st.integers(0, network.num_addresses - 1), st.integers(0, 0xFFFF)))
    address = network.network_address + host % network.num_addresses
    forms = {str(address), address.exploded}
    if address.version == 6:
        forms.add(socket.inet_ntop(socket.AF_INET6, address.packed))
        groups = [group.lstrip("0") or "0" for group in address.exploded.split(":")]
        forms.add(":".join(groups))
        for first in range(8):
            for last in range(first + 1, 9):
                if set(groups[first:last]) == {"0"}:
                    forms.add(":".join(groups[:first]) + "::" + ":".join(groups[last:]))
    text = draw(st.sampled_from(sorted(forms)))
    return str(network), draw(st.sampled_from([text, text.upper()]))


@settings(deadline=None)
@given(spelt(), st.sampled_from(["tsv", "columns apart", "json", "eve"]), st.sampled_from([":", ": ", " : ", ":  "]))
def test_a_connection_into_a_network_of_interest_hits_in_every_spelling_of_its_address(spelt, dialect, colon):
    network, address = spelt
    seeking = Lookout(Interest(networks=frozenset({network})))
    event = Connection(ts=1.0, client="10.0.0.1", server=canonical(address) or "", source="test")
    assert seeking.wants(event)
    line, layout = {
        "tsv": (f"1.5\tCx\t10.0.0.1\t40000\t{address}\t443", Layout("tsv", b"\t", True)),
        "columns apart": (f"{address}\tCx\t10.0.0.1\t40000\t443", Layout("tsv")),
        "json": (f'{{"id.orig_h":"10.0.0.1","id.resp_h"{colon}"{address}"}}', Layout("json")),
        "eve": (f'{{"src_ip":"10.0.0.1","dest_ip"{colon}"{address}"}}', Layout("eve")),
    }[dialect]
    assert line.encode() in hits(Sieve(seeking, layout), f"x\n{line}\ny\n".encode(), 512)


@pytest.mark.parametrize(
    ("network", "texts"),
    [
        ("203.0.113.0/24", {"203.0.113."}),
        ("203.0.113.0/22", {"203.0.112.", "203.0.113.", "203.0.114.", "203.0.115."}),
        ("203.0.113.9/32", {"203.0.113.9"}),
        ("2001:db8:acc::/48", {"2001:db8:acc:", "2001:0db8:0acc:"}),
        ("2001:db8:0:1::/64", {"2001:db8:0:1:", "2001:db8::1:", "2001:0db8:0000:0001:"}),
        ("2a00:1230::/28", {"2a00:123"}),
    ],
)
def test_a_network_is_looked_for_by_how_its_addresses_begin(network, texts):
    assert beginnings(str(ipaddress.ip_network(network, strict=False))) == texts


def test_a_client_in_a_network_of_ours_is_no_hit_where_the_columns_tell():
    seeking = Lookout(Interest(networks=frozenset({"203.0.113.0/24"})))
    ours = "1.5\tC{uid}\t{client}\t40000\t{server}\t443"
    out = ours.format(uid="aaaaaaaaaaaaaaaa7", client="203.0.113.5", server="198.51.100.1").encode()
    into = ours.format(uid="aaaaaaaaaaaaaaaa7", client="198.51.100.1", server="203.0.113.5").encode()
    assert hits(Sieve(seeking, Layout("tsv", b"\t", True)), out + b"\n" + into + b"\n", 512) == [into]
    line = '{{"id.orig_h":"{}","id.resp_h":"{}"}}'
    out, into = line.format("203.0.113.5", "10.0.0.1").encode(), line.format("10.0.0.1", "203.0.113.5").encode()
    assert hits(Sieve(seeking, Layout("json")), out + b"\n" + into + b"\n", 512) == [into]


def test_headers_always_reach_the_reader():
    assert hits(Sieve(lookout(), Layout("tsv")), b"#separator \\x09\n1\t2\n#close\t2026\n\0\0#path\tdns\n", 256) == [
        b"#separator \\x09",
        b"#close\t2026",
        b"#path\tdns",
    ]


def test_an_interest_in_nothing_still_sieves():
    sieve = Sieve(Lookout(Interest()), Layout("json"))
    assert hits(sieve, b'{"query":"shodan.io"}\n', 64) == []


def test_without_hyperscan_every_line_is_decoded_and_that_is_said_once_a_run(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "hyperscan":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    told = []
    seeking = lookout()
    for path in ("dns.log", "conn.log"):
        assert isinstance(sieve_for(seeking, Account(path, warn=told.append), Layout("tsv")), EveryLine)
    assert told == ["hyperscan is not installed: every line is decoded (slower, same result)"]


def test_without_the_funnel_every_line_is_decoded_and_nothing_is_said():
    told = []
    assert isinstance(sieve_for(lookout(), Account("x", warn=told.append), Layout("eve"), funnel=False), EveryLine)
    assert told == []


def test_more_names_than_are_worth_compiling_are_looked_up_instead():
    told = []
    many = Lookout(Interest(names=frozenset(f"n{n}.example" for n in range(30_001))))
    assert isinstance(sieve_for(many, Account("x", warn=told.append), Layout("eve")), EveryLine)
    assert len(told) == 1


def test_a_sieve_compiled_by_an_earlier_run_hits_the_same_lines_and_a_damaged_one_is_compiled_anew(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled = []
    real = sieve_module._database
    monkeypatch.setattr(sieve_module, "_database", lambda patterns: compiled.append(len(patterns)) or real(patterns))
    lines = b'{"query":"www.SHODAN.io"}\n{"query":"no.example"}\n{"id.resp_p":43}\n'

    def in_a_new_run() -> list[bytes]:
        sieve_module._shared.cache_clear()
        return hits(Sieve(lookout(), Layout("json")), lines, 4096)

    first = in_a_new_run()
    assert first == [b'{"query":"www.SHODAN.io"}', b'{"id.resp_p":43}']
    assert in_a_new_run() == first
    assert len(compiled) == 1
    (kept,) = (tmp_path / "reconwatch").glob("sieve-*")
    whole = bytearray(kept.read_bytes())
    whole[len(whole) // 2] ^= 1
    for damaged in (whole, b"", b"no database", whole[:-9]):
        kept.write_bytes(damaged)
        assert in_a_new_run() == first
    assert len(compiled) == 5
