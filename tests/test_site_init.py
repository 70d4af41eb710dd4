"""A first site.yaml: what comes out can be loaded, and says only what the sources said."""

import pytest

from reconwatch.document import DocumentError
from reconwatch.site import PRIVATE, load_site
from reconwatch.site_init import draft

NETWORKS_CFG = """\
# List of local networks in CIDR notation, optionally followed by a
# descriptive tag.

10.0.0.0/8          Private IP space
203.0.113.5/24      Office, 2nd floor # since May
127.0.0.0/8
2001:db8:acc::/48
0.0.0.0/0           all of it
"""

SURICATA = """\
%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "HOME"
    DMZ: "198.51.100.0/24"
    EXTERNAL_NET: "!$HOME_NET"
    DNS_SERVERS: "DNS"
    SMTP_SERVERS: "$HOME_NET"
  port-groups:
    HTTP_PORTS: 80
outputs:
  - fast: {enabled: yes}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(name, text):
        path = tmp_path.joinpath(name).relative_to(tmp_path)
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def drafted(write):
    """The site that a draft says, with the draft's text. It must load with no complaint but about the placeholder."""

    def loaded(*sources):
        text = draft(sources)
        site = load_site(write("drafted.yaml", text))
        assert [warning.message for warning in site.warnings] == ["example.com is a placeholder that nobody owns"]
        return site, text

    return loaded


def shown(found):
    return sorted(map(str, found))


def home(write, value, dns="$HOME_NET"):
    text = SURICATA.replace('HOME_NET: "HOME"', f'HOME_NET: "{value}"').replace('"DNS"', f'"{dns}"')
    return write("suricata.yaml", text)


def test_from_nothing_comes_a_template_with_private_networks_inside(drafted):
    site, text = drafted()
    assert site.inside == PRIVATE
    assert site.owned.ranges == ()
    assert "Drafted from" not in text


def test_every_commented_example_of_the_template_can_be_used_as_it_stands(write):
    text = draft().replace("  # - {", "  - {").replace("# inside:", "inside:").replace("[example.com]", "[acme.com]")
    site = load_site(write("site.yaml", text.replace("staging-7f3k2q.example.com", "a.acme.com")), now=1.78e9)
    assert site.warnings == ()
    assert len(site.trusted) == len(site.canaries) == 1
    assert site.inside == PRIVATE


def test_every_key_of_the_schema_stands_in_the_template():
    from reconwatch.site_schema import OwnedModel, RolesModel, SiteModel

    text = draft()
    for model in (SiteModel, OwnedModel, RolesModel):
        for key in model.model_fields:
            assert f"{key}:" in text


def test_private_networks_of_zeek_are_inside_and_public_ones_owned(drafted, write):
    site, text = drafted(write("networks.cfg", NETWORKS_CFG))
    assert shown(site.inside) == ["10.0.0.0/8"]
    assert shown(site.owned.ranges) == ["2001:db8:acc::/48", "203.0.113.0/24"]
    assert "- 10.0.0.0/8   # Private IP space" in text
    assert "- 203.0.113.0/24   # Office, 2nd floor" in text
    assert "# 127.0.0.0/8 (networks.cfg) was left out: such addresses do not cross a sensor." in text
    assert "# 0.0.0.0/0 (all of it) was left out: it holds far more than one site." in text


def test_home_net_of_suricata_is_split_and_its_servers_get_their_roles(drafted, write):
    site, text = drafted(home(write, "[192.168.0.0/16, 10.20.0.0/24, $DMZ]", "[10.20.0.53,198.51.100.53,8.8.8.8]"))
    assert shown(site.inside) == ["10.20.0.0/24", "192.168.0.0/16"]
    assert shown(site.owned.ranges) == ["198.51.100.0/24"]
    assert shown(site.roles.resolvers) == ["10.20.0.53/32"]
    assert shown(site.owned.nameservers) == ["198.51.100.53/32"]
    assert site.roles.mail == ()  # Suricata's default, $HOME_NET, is no statement about mail
    assert "# 8.8.8.8/32 (DNS_SERVERS) was left out: it is not in HOME_NET." in text


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        ("10.0.0.0/24", ["10.0.0.0/24"]),
        ("[10.0.0.0/30,!10.0.0.1]", ["10.0.0.0/32", "10.0.0.2/31"]),
        ("[10.0.0.0/30,![10.0.0.1, 10.0.0.2]]", ["10.0.0.0/32", "10.0.0.3/32"]),
        ("[[10.0.0.0/24],[10.0.1.0/24]]", ["10.0.0.0/24", "10.0.1.0/24"]),
        ("10.0.0.1-10.0.0.2", ["10.0.0.1/32", "10.0.0.2/32"]),
        ("[10.0.0.0/8, 10.0.1.0/24]", ["10.0.0.0/8"]),
        ("10.0.0.9/24", ["10.0.0.0/24"]),
        ("[fd00::/8, 10.0.0.0/8]", ["10.0.0.0/8", "fd00::/8"]),
    ],
)
def test_a_group_of_suricata_means_what_it_means_to_suricata(drafted, write, value, inside):
    site, _ = drafted(home(write, value))
    assert shown(site.inside) == inside
    assert site.owned.ranges == ()


@pytest.mark.parametrize("value", ["any", "!10.0.0.0/8", "[any,!192.168.0.0/16]"])
def test_a_home_net_of_nearly_everything_says_nothing(drafted, write, value):
    site, text = drafted(home(write, value))
    assert site.inside == PRIVATE
    assert site.owned.ranges == ()
    assert "# HOME_NET was left out: it is any address, or nearly so." in text


def test_broad_dns_servers_do_not_make_every_host_a_resolver(drafted, write):
    site, text = drafted(home(write, "10.0.0.0/8", "10.1.0.0/16"))
    assert site.roles.resolvers == ()
    assert "# 10.1.0.0/16 (DNS_SERVERS) was left out: too broad to be servers only." in text


def test_a_flow_list_is_read_like_the_text_suricata_wants(drafted, write):
    text = "vars:\n  address-groups:\n    HOME_NET: [10.0.0.0/8, 192.168.0.0/16]\n"
    site, _ = drafted(write("suricata.yaml", text))
    assert shown(site.inside) == ["10.0.0.0/8", "192.168.0.0/16"]


def test_several_sources_are_joined_and_named(drafted, write):
    site, text = drafted(write("networks.cfg", NETWORKS_CFG), home(write, "[192.168.0.0/16,10.0.0.0/8]"))
    assert shown(site.inside) == ["10.0.0.0/8", "192.168.0.0/16"]
    assert "# Drafted from networks.cfg, suricata.yaml.\n" in text


def test_what_a_description_holds_stays_a_comment(drafted, write):
    site, _ = drafted(write("networks.cfg", "10.0.0.0/8 \x07 roles: {mail: [10.0.0.1]}\x85 - x\n"))
    assert site.roles.mail == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[10.0.0.0/8", "HOME_NET: a [ is not closed; write [a,b,!c]"),
        ("[10.0.0.0/8,", "HOME_NET: the group ends where an address should be; write [a,b,!c]"),
        ("", "HOME_NET: the group ends where an address should be; write [a,b,!c]"),
        ("[10.0.0.0/8]]", "HOME_NET: ']' is not expected in '[10.0.0.0/8]]'; write [a,b,!c]"),
        ("$NONE", "HOME_NET: there is no group $NONE; write the name of another group, or addresses"),
        ("!$HOME_NET", "HOME_NET: $HOME_NET refers to itself; write addresses"),
        ("[10/8]", "HOME_NET: '10/8' is not a whole address; write 10.0.0.0/8"),
        ("10.0.0.9-10.0.0.1", "HOME_NET: '10.0.0.9-10.0.0.1' is not a span of addresses; "
                              "write one like 192.0.2.1-192.0.2.9"),
        ("[" * 900, "HOME_NET: more than 20 lists within each other; write it flat"),
    ],
)  # fmt: skip
def test_a_broken_group_is_told_with_its_line(write, value, message):
    with pytest.raises(DocumentError) as caught:
        draft([home(write, value, "10.0.0.53")])
    assert str(caught.value) == f"suricata.yaml:5: {message}"


def test_broken_lines_of_all_sources_are_told_at_once(write):
    sources = [
        write("networks.cfg", "10.0.0.0/8 fine\n10/8 short\nnot a network\n"),
        write("other.yaml", "vars: {address-groups: {}}\n"),
        write("x.cfg", "x").with_name("missing.cfg"),
    ]
    with pytest.raises(DocumentError) as caught:
        draft(sources)
    assert str(caught.value).splitlines() == [
        "missing.cfg: cannot be read: No such file or directory",
        "networks.cfg:2: '10/8' is not a whole address; write 10.0.0.0/8",
        "networks.cfg:3: 'not' is not an address or range; write it like 203.0.113.0/24 or 2001:db8::/48",
        'other.yaml:1: no HOME_NET in vars.address-groups; write HOME_NET: "[10.0.0.0/8]" there',
    ]


def test_a_source_that_is_no_text_is_told(write, tmp_path):
    (tmp_path / "capture.pcap").write_bytes(b"\xd4\xc3\xb2\xa1\x02\x00")
    with pytest.raises(DocumentError, match="is not UTF-8"):
        draft([tmp_path / "capture.pcap"])
