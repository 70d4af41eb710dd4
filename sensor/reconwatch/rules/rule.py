"""One Suricata rule as a value: what its line says, in order, each match assigned to the buffer that it looks into.

The grammar is the engine's own (src/detect-engine-loader.c, src/detect-parse.c): a line that begins with a blank or
with `#` is passed over, a backslash at a line's end continues it, an option ends at a semicolon that no backslash
stands before, quotes or not. Keywords are not checked: which of them there are, and with which values, only the
engine at hand knows. docs/decisions.md says why this is not a library's parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reconwatch.document import Problem

ACTIONS = ("alert", "drop", "pass", "reject", "rejectsrc", "rejectdst", "rejectboth", "config", "accept")
"""`accept` is of the firewall rules of Suricata 8, where an action has a scope and others behind it:
`accept:hook,alert`."""
DIRECTIONS = ("->", "<>", "=>")

PAYLOAD = "payload"
"""The buffer of a match that names none: the packet's payload, or the reassembled stream."""

LONGEST_RULE = 8192
"""Bytes of a rule that the engine reads (DETECT_MAX_RULE_SIZE); what is longer it cuts and then refuses."""

LEGACY_MODIFIERS = {
    "http_uri": "http.uri", "http_raw_uri": "http.uri.raw", "http_method": "http.method", "http_header": "http.header",
    "http_raw_header": "http.header.raw", "http_cookie": "http.cookie", "http_user_agent": "http.user_agent",
    "http_host": "http.host", "http_raw_host": "http.host.raw", "http_client_body": "http.request_body",
    "http_server_body": "http.response_body", "http_stat_code": "http.stat_code", "http_stat_msg": "http.stat_msg",
}  # fmt: skip
"""Modifiers behind a content that say where to look, from before there were sticky buffers."""

PCRE_BUFFERS = {
    "U": "http.uri", "I": "http.uri.raw", "P": "http.request_body", "Q": "http.response_body", "H": "http.header",
    "D": "http.header.raw", "M": "http.method", "C": "http.cookie", "S": "http.stat_code", "Y": "http.stat_msg",
    "V": "http.user_agent", "W": "http.host", "Z": "http.host.raw",
}  # fmt: skip
"""Flags of a pcre that say the same (src/detect-pcre.c)."""

OTHER_STICKY = {
    "file_data": "file.data", "pkt_data": PAYLOAD, "base64_data": "base64_data", "dns_query": "dns.query",
    "tls_sni": "tls.sni", "tls_cert_issuer": "tls.cert_issuer", "tls_cert_subject": "tls.cert_subject",
    "tls_cert_serial": "tls.cert_serial", "tls_cert_fingerprint": "tls.cert_fingerprint", "ja3_hash": "ja3.hash",
    "ja3_string": "ja3.string", "dce_stub_data": "dcerpc.stub_data", "ssh_proto": "ssh.proto",
    "ssh_software": "ssh.software", "krb5_cname": "krb5.cname", "krb5_sname": "krb5.sname",
    "http_protocol": "http.protocol", "http_start": "http.start", "http_header_names": "http.header_names",
    "http_accept": "http.accept", "http_accept_lang": "http.accept_lang", "http_accept_enc": "http.accept_enc",
    "http_connection": "http.connection", "http_content_len": "http.content_len", "http_referer": "http.referer",
    "http_content_type": "http.content_type", "http_request_line": "http.request_line",
    "http_response_line": "http.response_line", "http_server": "http.server", "http_location": "http.location",
}  # fmt: skip
"""Sticky buffers spelled without a dot. Any keyword with a dot and no value is one too, of whatever engine."""

TRANSFORMS = frozenset({
    "dotprefix", "strip_whitespace", "compress_whitespace", "strip_pseudo_headers", "to_md5", "to_sha1", "to_sha256",
    "pcrexform", "url_decode", "xor", "header_lowercase", "to_lowercase", "to_uppercase", "from_base64", "luaxform",
    "gunzip", "zlib_deflate", "domain", "tld",
})  # fmt: skip
"""They change a copy of the buffer before it is looked into."""

MODIFIERS = frozenset({
    "nocase", "depth", "offset", "distance", "within", "startswith", "endswith", "fast_pattern", "rawbytes", "replace",
    "prefilter", *LEGACY_MODIFIERS,
})  # fmt: skip
"""They belong to the match before them."""

IN_BUFFER = frozenset({
    "content", "uricontent", "pcre", "isdataat", "bsize", "byte_test", "byte_jump", "byte_math", "byte_extract",
    "dataset", "datarep", "base64_decode", "absent", "entropy",
})  # fmt: skip
"""Matches that look into a buffer; any other looks at the packet, the flow or the transaction."""

META = frozenset({"msg", "sid", "gid", "rev", "classtype", "priority", "reference", "metadata", "target", "requires"})
EFFECTS = frozenset({
    "noalert", "alert", "tag", "bypass", "filestore", "tls_store", "tls.store", "nfq_set_mark", "threshold",
    "detection_filter", "config",
})  # fmt: skip
"""What happens after a match; `threshold` and `detection_filter` decide whether it is told."""

_BITS = frozenset({"flowbits", "xbits", "hostbits"})
_BIT_EFFECTS = frozenset({"set", "unset", "toggle", "noalert"})
_FLOWINT_EFFECTS = frozenset({"+", "-", "="})
_ACTION = rf"(?:{'|'.join(ACTIONS)})(?::[a-z]+)?(?:,(?:{'|'.join(ACTIONS)})(?::[a-z]+)?)*"
_RULE = re.compile(rf"{_ACTION}\s[^(]*\(.*\)\s*", re.DOTALL)
"""What is taken for a rule behind a `#`: anything else there is prose."""


class RuleError(ValueError):
    """A line that is no rule. `problem` says where it stands and what is wrong."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))

    def __reduce__(self) -> tuple[type[RuleError], tuple[Problem]]:
        return type(self), (self.problem,)


@dataclass(frozen=True, slots=True)
class Option:
    """One keyword of a rule, with its value as written (quotes, escapes and `!` included) or None."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"{self.name};" if self.value is None else f"{self.name}:{self.value};"

    @property
    def negated(self) -> bool:
        """Whether it asks that something be absent."""
        return (self.value or "").lstrip().startswith("!")

    @property
    def words(self) -> tuple[str, ...]:
        """The parts of a value between commas, without blanks around them."""
        return tuple(part.strip() for part in (self.value or "").split(","))

    @property
    def plain(self) -> str:
        """The value without its quotes, with what a backslash escapes."""
        text = (self.value or "").strip().removeprefix("!").strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        return re.sub(r'\\([\\";:])', r"\1", text)


@dataclass(frozen=True, slots=True)
class Header:
    """Which packets a rule looks at, each part as written: `[10.0.0.0/8,!10.9.0.0/16]`, `$HOME_NET`, `any`."""

    protocol: str
    sources: str
    source_ports: str
    direction: str
    destinations: str
    destination_ports: str

    def __str__(self) -> str:
        return (
            f"{self.protocol} {self.sources} {self.source_ports} {self.direction}"
            f" {self.destinations} {self.destination_ports}"
        )


@dataclass(frozen=True, slots=True)
class Match:
    """One condition of a rule with its modifiers, and where it looks."""

    option: Option
    modifiers: tuple[Option, ...]
    buffer: str
    """Canonical (`http.uri`, also for `http_uri` and `pcre:"/x/U"`); `payload`; empty for packet, flow, transaction."""
    opening: tuple[Option, ...]
    """The sticky buffer's keyword and its transforms, as written; empty where something else or nothing names it."""

    def __str__(self) -> str:
        """As a person reads it: `content:"/x"; nocase in http.uri (dotprefix)`."""
        told = "; ".join(str(option).removesuffix(";") for option in (self.option, *self.shown_modifiers))
        changed = f" ({', '.join(option.name for option in self.opening[1:])})" if len(self.opening) > 1 else ""
        return f"{told} in {self.buffer}{changed}" if self.buffer else told

    @property
    def shown_modifiers(self) -> tuple[Option, ...]:
        """The modifiers that change what matches, other than where to look."""
        hidden = LEGACY_MODIFIERS.keys() | {"fast_pattern", "rawbytes", "prefilter"}
        return tuple(option for option in self.modifiers if option.name not in hidden)


@dataclass(frozen=True)
class Rule:
    """One rule, enabled or commented out."""

    action: str
    header: Header
    options: tuple[Option, ...]
    text: str
    """The rule on one line, without a comment's `#`."""
    enabled: bool = True
    path: str = ""
    line: int = 1
    """Where it begins, counted from 1: the line that the engine names too."""

    def first(self, name: str) -> Option | None:
        """The first option of a name."""
        return next((option for option in self.options if option.name == name), None)

    def every(self, name: str) -> tuple[Option, ...]:
        """All options of a name."""
        return tuple(option for option in self.options if option.name == name)

    @cached_property
    def sid(self) -> int:
        """Its number; a rule without one does not parse."""
        return self._number("sid", 0)

    @cached_property
    def gid(self) -> int:
        """Its generator: 1 unless it says otherwise."""
        return self._number("gid", 1)

    @cached_property
    def rev(self) -> int:
        """Its revision; 0 if it has none, as the engine writes it."""
        return self._number("rev", 0)

    @cached_property
    def msg(self) -> str:
        """What an alert of it says; may be empty."""
        option = self.first("msg")
        return option.plain if option is not None else ""

    @cached_property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The key-value pairs of every `metadata`, in order; a key may come again."""
        pairs = (word.partition(" ") for option in self.every("metadata") for word in option.words if word)
        return tuple((key, value.strip()) for key, _, value in pairs)

    @cached_property
    def matches(self) -> tuple[Match, ...]:
        """Its conditions in the order of the rule."""
        return tuple(_matches(self.options))

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.path or '<rule>'}:{self.line}"

    def _number(self, name: str, default: int) -> int:
        option = self.first(name)
        return default if option is None else int(option.value or "")


def parse_rule(text: str, path: str = "", line: int = 1, *, enabled: bool = True) -> Rule:
    """One rule from one line. Raises RuleError."""
    try:
        return _parsed(text.strip(), path, line, enabled)
    except ValueError as error:
        raise RuleError(Problem(path or "<rule>", line, str(error))) from error


def parse_rules(text: str, path: str = "") -> tuple[list[Rule], list[Problem]]:
    """Every rule of a file's text, disabled ones too, and what is wrong with the lines that are none.

    Problems of severity `warning` leave the rule out as the engine does: it would not say a word.
    """
    rules, problems = [], []
    for number, line in _joined(text):
        enabled = not line.startswith("#")
        body = line.lstrip("# \t") if not enabled else line
        if not enabled and not _RULE.fullmatch(body):
            continue
        if line[0] in " \t":
            problem = "begins with a blank: the engine passes over such a line without a word"
            problems.append(Problem(path or "<rule>", number, problem, "the rule from the first column", "warning"))
            continue
        try:
            rules.append(parse_rule(body, path, number, enabled=enabled))
        except RuleError as error:
            if enabled:
                problems.append(error.problem)
    return rules, problems


def read_rules(path: Path) -> tuple[list[Rule], list[Problem]]:
    """The same of a file. Raises OSError; bytes that are no UTF-8, which the engine refuses, are a problem each."""
    text = path.read_bytes().decode(errors="surrogateescape")
    return parse_rules(text, str(path))


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """(number of the first line, text) of each rule or comment: continued lines as one, empty ones left out."""
    held, began = "", 0
    # Not splitlines: a form feed or U+2028 inside a rule ends no line for the engine.
    for number, line in enumerate(text.split("\n"), 1):
        began = began or number
        stripped = line.rstrip("\r\t ") if not held else line.strip("\r\t ")
        if stripped.endswith("\\"):
            held += stripped[:-1] + " "
            continue
        if whole := (held + stripped).rstrip():
            yield began, whole
        held, began = "", 0
    if held.strip():
        yield began, held.rstrip()


def _parsed(text: str, path: str, line: int, enabled: bool) -> Rule:
    """Raises ValueError with what is wrong."""
    if len(text.encode(errors="surrogateescape")) >= LONGEST_RULE:
        raise ValueError(f"longer than {LONGEST_RULE:,} bytes, of which the engine reads no more")
    if any("\udc80" <= letter <= "\udcff" for letter in text):
        raise ValueError("not valid UTF-8")
    if any((letter < " " and letter not in "\t\r\n") or letter == "\x7f" for letter in text):
        raise ValueError("a control character stands in it")
    before, opened, rest = text.partition("(")
    if not opened:
        raise ValueError("no '(' with options behind the header")
    words = list(_header_words(before))
    if not words or not re.fullmatch(_ACTION, words[0].lower()):
        raise ValueError(f"'{words[0] if words else ''}' is no action; known are {', '.join(ACTIONS)}")
    if len(words) != 7:
        wanted = "action, protocol, source, port, direction, destination, port"
        raise ValueError(f"{len(words)} words in front of the options where seven are due ({wanted})")
    if words[4] not in DIRECTIONS:
        raise ValueError(f"'{words[4]}' is no direction; known are {', '.join(DIRECTIONS)}")
    options = tuple(_options(rest.rstrip(") \t\r\n")))
    _check_numbers(options)
    return Rule(words[0].lower(), Header(*words[1:]), options, " ".join(text.split("\n")), enabled, path, line)


def _header_words(text: str) -> Iterator[str]:
    """The words of a header; blanks inside brackets part nothing."""
    depth, word = 0, ""
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter.isspace() and depth <= 0:
            if word:
                yield word
            word = ""
        elif not letter.isspace():
            word += letter
    if word:
        yield word
    if depth:
        raise ValueError("brackets that do not pair in front of the options")


def _options(text: str) -> Iterator[Option]:
    """The options of a rule. The end of one is a semicolon that no backslash stands before, even inside quotes."""
    at = 0
    while text[at:].strip():
        end = text.find(";", at)
        while end > at and text[end - 1] == "\\":
            end = text.find(";", end + 1)
        if end < 0:
            raise ValueError(f"no ';' behind '{_shown(text[at:].strip())}'")
        name, colon, value = text[at:end].strip().partition(":")
        name = name.strip()
        if not name:
            raise ValueError(f"an empty option in front of '{_shown(text[end + 1 :].strip())}'")
        if not re.fullmatch(r"[A-Za-z0-9_.\-]+", name):
            raise ValueError(f"'{_shown(name)}' is no keyword: a quoted ';' is written '\\;'")
        if value.count('"') - value.count('\\"') == 1:
            raise ValueError(f"a quote of '{name}' is not closed: a ';' inside quotes is written '\\;'")
        yield Option(name.lower(), value.strip() if colon else None)
        at = end + 1


def _check_numbers(options: Sequence[Option]) -> None:
    for name in ("sid", "gid", "rev"):
        for option in options:
            if option.name == name and not re.fullmatch(r"[0-9]{1,10}", option.value or ""):
                raise ValueError(f"{name} '{_shown(option.value or '')}' is not a number")
    if not any(option.name == "sid" and int(option.value or "") for option in options):
        raise ValueError("no sid")


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."


def _matches(options: Sequence[Option]) -> Iterator[Match]:
    """Each condition with what belongs to it. A sticky buffer holds to the next; a transform belongs to the buffer."""
    opening: tuple[Option, ...] = ()
    sticky = PAYLOAD
    held: Option | None = None
    modifiers: list[Option] = []

    def told() -> Iterator[Match]:
        nonlocal held
        if held is not None:
            yield _match(held, tuple(modifiers), sticky, opening)
        held = None
        modifiers.clear()

    for option in options:
        if buffer := _opened(option):
            yield from told()
            opening, sticky = (option,), buffer
        elif option.name in TRANSFORMS:
            yield from told()
            opening += (option,)
        elif option.name in MODIFIERS:
            modifiers.append(option)
        elif is_condition(option):
            yield from told()
            held = option
    yield from told()


def _opened(option: Option) -> str:
    """The canonical name of the sticky buffer that an option opens; empty if it opens none."""
    if option.name in OTHER_STICKY and option.value is None:
        return OTHER_STICKY[option.name]
    if option.name == "frame":
        return f"frame {option.value}"
    special = option.name in {"tls.store", *META}
    return option.name if "." in option.name and option.value is None and not special else ""


def is_condition(option: Option) -> bool:
    """Whether an option is something that has to match; not what is told, done, or where to look."""
    if option.name in _BITS:
        return option.words[0] not in _BIT_EFFECTS
    if option.name == "flowint":
        return len(option.words) < 2 or option.words[1] not in _FLOWINT_EFFECTS
    return option.name not in META | EFFECTS | TRANSFORMS | MODIFIERS and not _opened(option)


def _match(option: Option, modifiers: tuple[Option, ...], sticky: str, opening: tuple[Option, ...]) -> Match:
    if option.name not in IN_BUFFER:
        return Match(option, modifiers, "", ())
    if option.name == "uricontent":
        return Match(option, modifiers, "http.uri", ())
    legacy = next((LEGACY_MODIFIERS[each.name] for each in modifiers if each.name in LEGACY_MODIFIERS), None)
    if option.name == "pcre" and legacy is None:
        flags = option.plain.rpartition("/")[2]
        legacy = next((PCRE_BUFFERS[flag] for flag in flags if flag in PCRE_BUFFERS), None)
    if legacy is not None:
        return Match(option, modifiers, legacy, ())
    return Match(option, modifiers, sticky, opening)
