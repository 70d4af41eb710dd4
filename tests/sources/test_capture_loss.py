"""Zeek's capture_loss.log: what Zeek itself has missed."""

from __future__ import annotations

import json

import pytest
from tests.sources.test_zeek import as_json, header, read, tsv

LOSS_FIELDS = "ts ts_delta peer gaps acks percent_lost"


def loss_rows(*percents, form):
    if form == "tsv":
        rows = [f"1795493735.95\t900.000000\tworker-1\t12\t345\t{percent}\n" for percent in percents]
        return (header("capture_loss", LOSS_FIELDS) + "".join(rows)).encode()
    row = {"ts": 1795493735.95, "ts_delta": 900.0, "peer": "worker-1", "gaps": 12, "acks": 345}
    return b"".join(json.dumps(row | {"percent_lost": percent}).encode() + b"\n" for percent in percents)


@pytest.mark.parametrize("funnel", [True, False])
@pytest.mark.parametrize("form", ["tsv", "json"])
def test_the_worst_that_capture_loss_log_reports_is_noted(form, funnel):
    events, account, told = read(loss_rows(0.0, 3.1, 1.5, form=form), form, funnel=funnel)
    assert (events, told, account.lost_percent) == ([], [], 3.1)
    assert account.dialect == f"zeek/capture_loss {form}"
    assert not account.holds
    assert not account.unreadable


@pytest.mark.parametrize("funnel", [True, False])
def test_a_loss_is_noted_between_other_logs_and_those_are_read_on(funnel):
    content = (
        tsv("dns", ["query=crt.sh"]) + loss_rows(3.1, form="tsv") + tsv("dns", ["query=x.example"], ["query=crt.sh"])
    )
    events, account, _ = read(content, funnel=funnel)
    assert (len(events), account.lost_percent) == (2, 3.1)
    content = as_json("ssl") + b"\n" + loss_rows(0.5, 3.1, form="json") + as_json("ssl")
    events, account, _ = read(content, "json", funnel=funnel)
    assert (len(events), account.lost_percent) == (2, 3.1)


@pytest.mark.parametrize("funnel", [True, False])
def test_a_loss_that_is_no_number_is_a_counted_skip(funnel):
    reason = {"a value of the wrong type": 1}
    assert read(loss_rows("much", 2.0, form="tsv"), funnel=funnel)[1].unreadable == reason
    _, account, _ = read(loss_rows("much", 2.0, form="json"), "json", funnel=funnel)
    assert (account.unreadable, account.lost_percent) == (reason, 2.0)
