"""A rule as a value: the grammar is the engine's, and what does not parse says where and why."""

from pathlib import Path

import pytest

from reconwatch.rules.rule import PAYLOAD, Rule, RuleError, parse_rule, parse_rules, read_rules

SHODAN = (
    'alert http $HOME_NET any -> [192.0.2.0/24, !192.0.2.9] [80,8080] (msg:"a \\"search\\"\\; by us"; flow:established,'
    'to_server; http.host; dotprefix; content:".shodan.io"; endswith; fast_pattern; http.uri; content:"/host/"; '
    'startswith; pcre:"/\\/[0-9.]+$/R"; threshold:type limit, track by_src, count 1, seconds 60; '
    "metadata:service shodan, mitre_technique_id T1596.005; sid:7; rev:3;)"
)


def rule(options: str) -> Rule:
    return parse_rule(f"alert ip any any -> any any ({options} sid:1;)")


def told(options: str) -> list[str]:
    return [str(match) for match in rule(options).matches]


def test_a_rule_is_its_header_its_numbers_and_its_options_in_order() -> None:
    parsed = parse_rule(SHODAN, "mine.rules", 4)
    assert str(parsed.header) == "http $HOME_NET any -> [192.0.2.0/24,!192.0.2.9] [80,8080]"
    assert (parsed.action, parsed.gid, parsed.sid, parsed.rev) == ("alert", 1, 7, 3)
    assert parsed.msg == 'a "search"; by us'
    assert parsed.metadata == (("service", "shodan"), ("mitre_technique_id", "T1596.005"))
    assert [option.name for option in parsed.options][:5] == ["msg", "flow", "http.host", "dotprefix", "content"]
    assert parsed.place == "mine.rules:4"


def test_each_match_knows_its_buffer_its_transforms_and_its_modifiers() -> None:
    flow, host, path, tail = parse_rule(SHODAN).matches
    assert (flow.buffer, str(flow)) == ("", "flow:established,to_server")
    assert (host.buffer, [option.name for option in host.opening]) == ("http.host", ["http.host", "dotprefix"])
    assert str(host) == 'content:".shodan.io"; endswith in http.host (dotprefix)'
    assert (path.buffer, path.opening[0].name) == ("http.uri", "http.uri")
    assert tail.buffer == "http.uri"


def test_a_modifier_of_the_old_kind_and_a_flag_of_a_pcre_name_the_buffer_too() -> None:
    assert told('content:"/x"; http_uri; nocase; content:"b"; pcre:"/y/iU"; uricontent:"z";') == [
        'content:"/x"; nocase in http.uri',
        f'content:"b" in {PAYLOAD}',
        'pcre:"/y/iU" in http.uri',
        'uricontent:"z" in http.uri',
    ]


def test_pkt_data_ends_a_sticky_buffer_and_matches_of_the_flow_look_into_none() -> None:
    assert told('dns_query; content:"a"; pkt_data; content:"b"; dsize:<9; dns.query; content:"c"; dns.rrtype:A;') == [
        'content:"a" in dns.query',
        f'content:"b" in {PAYLOAD}',
        "dsize:<9",
        'content:"c" in dns.query',
        "dns.rrtype:A",
    ]


def test_setting_a_bit_is_an_effect_and_asking_for_it_a_condition() -> None:
    assert told("flowbits:set,seen; flowbits:noalert; flowbits:isset,seen; flowint:n,+,1; flowint:n,>,2;") == [
        "flowbits:isset,seen",
        "flowint:n,>,2",
    ]


def test_a_content_may_hold_escaped_semicolons_colons_quotes_and_backslashes() -> None:
    (match,) = rule(r'content:!"a\;b\:c\"d\\e|3b 20|";').matches
    assert match.option.negated
    assert match.option.plain == r'a;b:c"d\e|3b 20|'


def test_a_rule_over_several_lines_begins_at_its_first() -> None:
    rules, problems = parse_rules(
        '# prose\n\nalert tcp any any -> any 43 ( \\\n  msg:"x"; \\\n  sid:5;)\r\npass ip any any -> any any (sid:6;)\n'
    )
    assert [(each.sid, each.line) for each in rules] == [(5, 3), (6, 6)]
    assert rules[0].msg == "x"
    assert problems == []


def test_a_rule_behind_a_comment_sign_is_disabled_and_prose_is_none() -> None:
    rules, problems = parse_rules(
        "#alert tcp any any -> any any (sid:1;)\n# alert me (please)\n#### drop (see below)\n"
    )
    assert [(each.sid, each.enabled) for each in rules] == [(1, False)]
    assert problems == []


def test_the_actions_of_the_firewall_rules_of_suricata_8_are_known() -> None:
    assert parse_rule("accept:hook,alert tcp:all any any -> any any (sid:1;)").action == "accept:hook,alert"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("alarm tcp any any -> any any (sid:1;)", "'alarm' is no action; known are alert, drop,"),
        ("alert tcp any -> any any (sid:1;)", "6 words in front of the options where seven are due"),
        ("alert tcp any any >> any any (sid:1;)", "'>>' is no direction; known are ->, <>, =>"),
        ("alert tcp [any any -> any any (sid:1;)", "brackets that do not pair"),
        ("alert tcp any any -> any any", "no '(' with options"),
        ('alert tcp any any -> any any (msg:"x"; sid:1)', "no ';' behind 'sid:1'"),
        ('alert tcp any any -> any any (content:"a;b"; sid:1;)', "a quote of 'content' is not closed"),
        ("alert tcp any any -> any any (msg:x;; sid:1;)", "an empty option in front of 'sid:1;'"),
        ("alert tcp any any -> any any (msg:x;)", "no sid"),
        ("alert tcp any any -> any any (sid:0;)", "no sid"),
        ("alert tcp any any -> any any (sid:1x;)", "sid '1x' is not a number"),
        ("alert tcp any any -> any any (msg:\x1b[2J; sid:1;)", "a control character stands in it"),
        (f"alert tcp any any -> any any (msg:{'x' * 9000}; sid:1;)", "longer than 8,192 bytes"),
    ],
)
def test_what_does_not_parse_says_where_and_why(text: str, reason: str) -> None:
    with pytest.raises(RuleError) as raised:
        parse_rule(text, "bad.rules", 12)
    assert str(raised.value).startswith("bad.rules:12: ")
    assert reason in str(raised.value)


def test_a_bad_line_is_a_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mixed.rules"
    path.write_bytes(
        b"alert nonsense\n alert ip any any -> any any (sid:2;)\n"
        b"alert ip any any -> any any (msg:\xff; sid:3;)\nalert ip any any -> any any (sid:4;)"
    )
    rules, problems = read_rules(path)
    assert [each.sid for each in rules] == [4]
    assert [(problem.line, problem.severity) for problem in problems] == [(1, "error"), (2, "warning"), (3, "error")]
    assert "begins with a blank" in problems[1].message
    assert problems[2].message == "not valid UTF-8"
