"""What to do next: the first line's checks and the second line's actions, by note and verdict."""

from __future__ import annotations

from reconwatch.notices import Finding, Verdict

CHECKS = {
    "Canary_Touched": (
        "See who {actor} is; behind a public resolver stands whoever asked it",
        "Look for what else came from {actor}: whoever knows the bait has read the database that holds it",
        "See what else of ours that database holds, and whether the bait could have leaked another way (zone transfer)",
    ),
    "Indicator_Match": (
        "Read what the feed says of the indicator, and how old that is",
        "See what else was seen of {actor} on that day: other names, other addresses, uploads",
    ),
    "Name_Probe": (
        "See which of the names exist and what answers under them; a check of ours belongs under trusted in site.yaml",
        "Look in certificate transparency and passive DNS for the same names: they tell where the list is from",
    ),
    "Service_Probe": (
        "See in the web server's log what {targets} answered; a scan of ours belongs under trusted in site.yaml",
        "Look for requests by {actor} after the probes, to what they found",
    ),
    "Certificate_Exposed": (
        "Ask who of ours requested the certificate; the authority's name belongs under owned.issuers if it is ours",
        "See what the name shows and where it points: a copy of our pages, a mail server, nothing yet",
    ),
    "Exposed_Name_Probed": (
        "See what answers under {targets}, and whether the world needs to reach it",
        "Look for what {actor} did next, and for the other names that were published with it",
    ),
    "Database_Lookup": (),
    "Targeted_Search": (
        "Ask the owner of {actor} what the search was for",
        "Look for searches of the same assets by other hosts, and for probes of {targets} in the days after",
    ),
    "CT_Log_Scraping": (
        "Find the program on {actor}; a certificate monitor of ours belongs under trusted in site.yaml",
        "See whether it reads everything or looks for names of ours",
    ),
    "Recon_Tool": ("Ask who runs this tool on {actor}, and for which engagement",),
    "Reverse_Sweep": (
        "Find the program on {actor} that walks the prefix",
        "Look for connections from {actor} to what it found",
    ),
    "Bulk_Search": (
        "Find the program on {actor} that asks at this rate",
        "Read the requests: are they about us, about customers, or about strangers (enrichment)?",
    ),
    "Enumeration_Sweep": (
        "Find the tool on {actor}: which process, started by whom",
        "Look for the findings it left: files of host names, reports, uploads",
    ),
    "Address_Scan": (
        "See which of {targets} answered {actor}, and whether the world needs to reach them",
        "Look for what {actor} did next at those that answered: names, paths, logins",
    ),
    "Port_Scan": (
        "See which ports of {targets} answered {actor}, and close those that the world needs not",
        "Look for what {actor} did next at those that answered: names, paths, logins",
    ),
    "Scanner_Crawl": (
        "See in the same databases what they show of {targets}, and close what should not be there",
        "If the crawler only claims to be one: look for what else {actor} did",
    ),
    "DNS_Enumeration": (
        "See what {actor} found: is there a name among it that nobody outside needs?",
        "Look for probes of these names by {actor} and its network in the days after",
    ),
    "Zone_Transfer": (
        "See whether {actor} is a secondary of ours; then it belongs under owned.secondaries in site.yaml",
        "Look for probes of our names and addresses by {actor} and its network in the days after",
    ),
}
"""Note -> the first line's checks, for `investigate` and above."""

ACTIONS = {
    "Certificate_Exposed": (
        "Hand over with the evidence; have the certificate revoked by its authority, and publish CAA records",
    ),
    "Exposed_Name_Probed": (
        "Hand over with the evidence; take from public view what is not ready, and use a wildcard next time",
    ),
    "Address_Scan": ("Hand over with the evidence; block {actor} at the border while it is looked into",),
    "Port_Scan": ("Hand over with the evidence; block {actor} at the border while it is looked into",),
    "Canary_Touched": (
        "Hand over with the evidence; expect {actor} to try our other names, and watch {targets}",
        "Plant a new bait with `reconwatch canary new`: this one is spent",
    ),
    "Name_Probe": ("Hand over with the evidence; take from public view what should not be reached by name",),
    "Service_Probe": (
        "Hand over with the evidence; close what was found on {targets}, and change the secrets that it showed",
    ),
    "Indicator_Match": (
        "Hand over with the evidence; treat {actor} as possibly in an intruder's hands",
        "Look for the same indicator at other hosts; if it is benign after all, list it in a feed with benign: true",
    ),
    "CT_Log_Scraping": ("Hand over with the evidence; limit {actor}'s way out to the logs until it is explained",),
    "Recon_Tool": ("Hand over with the evidence; treat {actor} as possibly in an intruder's hands",),
    "Reverse_Sweep": ("Hand over with the evidence; treat {actor} as possibly in an intruder's hands",),
    "Targeted_Search": (
        "Hand over with the evidence; preserve {actor}'s browser and shell history",
        "See in the same databases what they show of {targets}, and close what should not be there",
    ),
    "Bulk_Search": ("Hand over with the evidence; limit {actor}'s way out to these services until it is explained",),
    "Enumeration_Sweep": ("Hand over with the evidence; treat {actor} as possibly in an intruder's hands",),
    "DNS_Enumeration": (
        "Limit the rate of answers to {actor} on our name servers (RRL); take out what it should not find",
    ),
    "Zone_Transfer": (
        "Allow transfers to our secondaries only, by key (TSIG), on every name server of {targets}",
        "Read the zone as a stranger would: take out what nobody outside needs, and watch the rest for probes",
    ),
}
"""Note -> the second line's actions, for `escalate`."""

STANDS_FOR_OTHERS = "Find the client behind {actor} in its own log"
TRUSTED = "Confirm with the trusted party ({trusted}) that this was planned"


def next_steps(finding: Finding, verdict: Verdict) -> tuple[str, ...]:
    """The steps, with this notice's names in them; none for `monitor`."""
    if verdict == "monitor":
        return ()
    steps: list[str] = []
    if finding.actor.stands_for_others:
        steps.append(STANDS_FOR_OTHERS)
    if finding.actor.trusted is not None:
        steps.append(TRUSTED)
    steps += CHECKS.get(finding.note, ())
    if verdict == "escalate":
        steps += ACTIONS.get(finding.note, ())
    values = [target.value for target in finding.targets]
    words = {
        "actor": finding.actor.ip,
        "trusted": finding.actor.trusted or "",
        "targets": ", ".join(values[:3]) + (" and others" if len(values) > 3 else "") or "our assets",
    }
    # One pass over our own constants: wire-derived values are inserted, never formatted again.
    return tuple(step.format_map(words) for step in steps)
