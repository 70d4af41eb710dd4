"""Why a rule did not alert on a capture, found out with the engine that was silent.

    lines = why(rule, capture, engine, run, others=rules)
    # ('content:"/shodan/host" in http.uri did not match; http.uri was "/api/x" and 2 more', ...)

One run asks how far the rule comes (`relaxed.chain`), a second one what of the condition that failed is to blame; a
third one, only where packets speak for it, whether the flow began before the capture or its checksums are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from reconwatch.prose import counted, shortened
from reconwatch.rules import reasons, relaxed
from reconwatch.rules.engine_config import ADDRESSES, PORTS, Settings
from reconwatch.rules.look import Look, look
from reconwatch.rules.rule import read_rules
from reconwatch.sinks.wire_text import visible

if TYPE_CHECKING:
    from reconwatch.document import Problem
    from reconwatch.rules.engine import Engine, Run
    from reconwatch.rules.outcome import Miss
    from reconwatch.rules.rule import Match, Option, Rule
    from reconwatch.rules.testbench import Explain, Missed

_BITS = frozenset({"flowbits", "xbits", "hostbits"})


def explaining(engine: Engine) -> Explain:
    """What a bench asks about each miss; rule files are read once, however many misses there are."""
    held = lru_cache(maxsize=8)(_read)

    def explain(missed: Missed, miss: Miss) -> Sequence[str]:
        rules = [rule for path in missed.rules for rule in held(path, path.stat().st_mtime_ns)[0]]
        meant = [rule for rule in rules if rule.sid == miss.sid]
        if meant:
            rule = next((rule for rule in meant if rule.enabled), meant[0])
            said = why(rule, missed.capture, engine, missed.run, settings=missed.settings, others=rules)
        else:
            problems = [problem for path in missed.rules for problem in held(path, path.stat().st_mtime_ns)[1]]
            said = _nowhere(missed, miss, problems)
        return [f"sid {miss.sid}: {line}" for line in said]

    return explain


def _read(path: Path, changed: int) -> tuple[list[Rule], list[Problem]]:
    return read_rules(path)


def _nowhere(missed: Missed, miss: Miss, problems: Sequence[Problem]) -> tuple[str, ...]:
    """A rule that is in none of the files, or stands where nothing could be read."""
    files = shortened([path.name for path in missed.rules]) or "no rules at all"
    rejected = [each for each in missed.run.loading.rejected if each.sid == miss.sid]
    refused = [f"not loaded: {each.reason} ({each.file}:{each.line})" for each in rejected]
    unread = [f"not a rule: {problem}" for problem in problems]
    return tuple(visible(line) for line in refused or [f"not loaded: it stands in none of {files}", *unread[:3]])


def why(
    rule: Rule,
    capture: Path,
    engine: Engine,
    run: Run,
    *,
    settings: Settings | None = None,
    others: Sequence[Rule] = (),
) -> tuple[str, ...]:
    """What kept a rule from alerting, or from alerting more often, the most decisive line first.

    `run` is the run in which it was missed, `settings` what that ran with, `others` all rules that were loaded there.
    The lines are safe to print. Raises EngineCrashed, EngineHung.
    """
    said = _unloaded(rule, run)
    if not said:
        said = tuple(_Inquiry(rule, capture, engine, run, settings or Settings(), others).lines())
    return tuple(visible(line) for line in said)


def _unloaded(rule: Rule, run: Run) -> tuple[str, ...]:
    """What can be told without asking: the rule was never at work, or never alerts."""
    if not rule.enabled:
        return (f"not loaded: it is commented out ({rule.place})",)
    for rejection in run.loading.rejected:
        if rejection.sid == rule.sid and (rejection.file != rule.path or rejection.line == rule.line):
            return (f"not loaded: {rejection.reason} ({rule.place})", *_parser_advice(rule, rejection.reason))
    if rule.action == "pass":
        return ("it is a pass rule: it silences others and never alerts itself",)
    if _never_alerts(rule):
        return (f"it never alerts: `{_never_alerts(rule)}` says so",)
    return ()


def _never_alerts(rule: Rule) -> str:
    for option in rule.options:
        if option.name == "noalert" or (option.name == "flowbits" and option.words[:1] == ("noalert",)):
            return str(option).removesuffix(";")
    return ""


def _parser_advice(rule: Rule, reason: str) -> Iterator[str]:
    if "disabled" in reason and "app-layer" in reason:
        protocol = rule.header.protocol.partition(":")[0]
        key = f"app-layer.protocols.{protocol}.enabled"
        yield f"either this engine does not know {protocol}, or it is off: set `{key}: yes` in suricata.yaml"


class _Inquiry:
    """The questions about one rule and one capture, and their answers."""

    def __init__(
        self, rule: Rule, capture: Path, engine: Engine, run: Run, settings: Settings, others: Sequence[Rule]
    ) -> None:
        self._rule, self._capture, self._engine = rule, capture, engine
        self._run, self._settings = run, settings
        self._others = others
        self._setters = list(_setters(rule, others))

    def lines(self) -> Iterator[str]:
        """Ask how far the rule comes, then why no farther."""
        chain = relaxed.chain(self._rule)
        probes = {f"step {n}": step.probe for n, step in enumerate(chain)}
        probes |= {f"header {name}": text for name, text in relaxed.headers(self._rule.header).items()}
        probes |= {f"setter {setter.sid}": relaxed.whole(setter, thresholds=True) for setter in self._setters}
        probes["whole"] = relaxed.whole(self._rule, thresholds=False)
        probes["limited"] = relaxed.whole(self._rule, thresholds=True)
        if requires := self._rule.first("requires"):
            probes["requires"] = relaxed.required(requires)
        with self._look(probes) as first:
            yield from self._told(first, chain, requires)

    def _look(
        self, probes: Mapping[str, relaxed.Probe], settings: Settings | None = None
    ) -> AbstractContextManager[Look]:
        return look(self._engine, self._capture, probes, settings or self._settings, self._setters)

    def _told(self, first: Look, chain: Sequence[relaxed.Step], requires: Option | None) -> Iterator[str]:
        if requires is not None and first.matched("header packets") and not first.matched("requires"):
            yield f"not loaded: {self._engine} does not meet `{str(requires).removesuffix(';')}` ({self._rule.place})"
            return
        if first.matched("whole"):
            yield from self._limited(first)
            return
        # Not simply the first that is silent: a rule of an application protocol without a buffer looks at packets, and
        # the one that showed the protocol was the last of its direction, while a longer copy looks at the transaction.
        heard = max((n for n in range(len(chain)) if first.matched(f"step {n}")), default=-1)
        silent = (n for n in range(heard + 1, len(chain)) if f"step {n}" not in first.refused)
        failed = next(silent, None)
        if failed is None:
            yield "each condition matches up to the last, but the engine takes no copy of the whole rule"
            return
        match = chain[failed].match
        yield from self._unread(first)
        if match is None:
            yield from self._header(first)
        else:
            yield from self._condition(first, failed - 1, match)
        yield from _damage(first)

    def _limited(self, first: Look) -> Iterator[str]:
        """All conditions hold together somewhere, and yet it was not told."""
        matches = first.fired["whole"].count
        alerts = self._run.alerts().get(self._rule.sid, 0)
        limits = [*self._rule.every("threshold"), *self._rule.every("detection_filter")]
        limited = first.fired["limited"].count if first.matched("limited") else 0
        if limited < matches:
            named = "; ".join(str(option).removesuffix(";") for option in limits)
            yield f"thresholded: it matches {counted(matches, 'time')}, and `{named}` lets {limited:,} of them be told"
        if limited > alerts:
            yield from self._silenced(limited, alerts)
        elif limited == matches:
            yield f"nothing was missed: it matches {counted(matches, 'time')}, and alerted as often"

    def _silenced(self, limited: int, alerts: int) -> Iterator[str]:
        """It alerts when it is alone, and not (or not as often) beside the others."""
        passing = [rule for rule in self._others if rule.action == "pass" and rule.enabled][: relaxed.MOST_PROBES]
        with self._look({f"{rule.sid}": relaxed.whole(rule, thresholds=False) for rule in passing}) as second:
            by = [f"{rule.sid} ({rule.msg or 'no msg'})" for rule in passing if second.matched(str(rule.sid))]
        alone = f"alone it alerts {counted(limited, 'time')}, beside the other rules {alerts:,}"
        if by:
            yield f"silenced: {alone}; the pass rule{'s' * (len(by) > 1)} {shortened(by)} matched in this capture"
        else:
            yield f"silenced: {alone}; no pass rule matched: look for a suppression (threshold.config) or a drop"

    def _header(self, first: Look) -> Iterator[str]:
        header = self._rule.header
        if not first.matched("header packets"):
            read, invalid = first.counter("decoder", "pkts"), first.counter("decoder", "invalid")
            yield f"no packet could be looked at: {counted(read, 'packet')} read, {invalid:,} invalid"
            return
        if not first.matched("header protocol"):
            yield f"no {header.protocol} in this capture; {reasons.recognised(first)}"
            return
        parts = {
            "source": header.sources, "destination": header.destinations,
            "source port": header.source_ports, "destination port": header.destination_ports,
        }  # fmt: skip
        missed = [f"{name} {self._group(text)}" for name, text in parts.items() if not first.matched(f"header {name}")]
        what = (
            f"nothing has {' nor '.join(missed)}" if missed else "no packet has all of its addresses and ports together"
        )
        there = reasons.where(first, "header protocol")
        yield f"the header `{header}` met no packet: {what}; {header.protocol} was seen {there}"
        if first.matched("header turned"):
            yield "with its addresses exchanged (and the ports as they are) it would: the traffic goes the other way"
        elif first.matched("header swapped"):
            yield "with its two sides exchanged it would: the traffic goes the other way"

    def _group(self, text: str) -> str:
        """A group as written, and what its variable stands for."""
        name = text.lstrip("!").removeprefix("$")
        known = {**ADDRESSES, **PORTS, **self._settings.addresses, **self._settings.ports}
        return f"{text} ({known[name]})" if name in known else text

    def _condition(self, first: Look, number: int, match: Match) -> Iterator[str]:
        came = max((n for n in range(number + 1) if first.matched(f"step {n}")), default=None)
        flows = first.fired[f"step {came}"].flows if came is not None else set()
        probes = dict(relaxed.relaxations(self._rule, number))
        if match.option.name == "flow":
            probes |= {f"flow {word}": text for word, text in relaxed.flow_words(self._rule, number).items()}
        with self._look(probes) as second:
            filled = second.matched("filled") or "filled" in second.refused or "filled" not in probes
            if match.option.name in _BITS:
                yield self._bit(first, match)
            elif match.option.name == "flow":
                missing = [word for word in match.option.words if not second.matched(f"flow {word}")]
                if not missing and number + 1 < len(self._rule.matches):  # see `_told`: it is not to blame
                    yield from self._condition(first, number + 1, self._rule.matches[number + 1])
                    return
                yield f"{match} did not hold: {reasons.flow_state(missing, first, flows)}"
            elif not filled and not match.option.negated:
                yield f"{match.buffer} was empty: nothing that matched so far had one, and `{match}` looks there"
            else:
                yield reasons.unmatched(match, first, flows)
            yield from reasons.hints(match, second)
        if came is not None:
            so_far = "the header" if came == 0 else f"the header and {counted(came, 'condition')} before it"
            yield f"{so_far} matched {reasons.where(first, f'step {came}')}"

    def _bit(self, first: Look, match: Match) -> str:
        name = match.option.words[1] if len(match.option.words) > 1 else ""
        wanted = _sets(self._setters, match)
        if match.option.words[0] == "isnotset":
            return f"{match} did not hold: '{name}' was set"
        if not wanted:
            return f"{match} did not hold: no loaded rule sets '{name}'"
        told = [f"{rule.sid} ({rule.msg or 'no msg'})" for rule in wanted]
        if any(first.matched(f"setter {rule.sid}") for rule in wanted):
            return f"{match} did not hold: {shortened(told)} set '{name}', but elsewhere or later"
        return f"{match} did not hold: '{name}' was never set; {shortened(told)} would, and did not match either"

    def _unread(self, first: Look) -> Iterator[str]:
        """Whether it is how the capture was read: packets that the engine left out, flows that it did not follow."""
        arguments = list(self._settings.arguments)
        checks = "-k" in arguments and arguments[arguments.index("-k") + 1 :][:1] != ["none"]
        if checks and self._matches_with(replace(self._settings, arguments=[*arguments, "-k", "none"])):
            yield "dropped for its checksum: with `-k none` it matches"
        tcp = (event.get("tcp", {}) for event in first.run.events("flow") if event.get("proto") == "TCP")
        without = sum(1 for flags in tcp if not flags.get("syn"))
        if without and self._matches_with(_midstream(self._settings)):
            flows = counted(without, "TCP flow")
            yield f"the flow began before the capture: with `stream.midstream: true` it matches ({flows} without a SYN)"

    def _matches_with(self, settings: Settings) -> bool:
        with self._look({"whole": relaxed.whole(self._rule, thresholds=False)}, settings) as third:
            return third.matched("whole")


def _damage(first: Look) -> Iterator[str]:
    """What the capture itself lacks."""
    if invalid := first.counter("decoder", "invalid"):
        yield f"{counted(invalid, 'packet')} of the capture could not be decoded: cut by a snap length, or damaged"
    if gaps := first.counter("tcp", "reassembly_gap"):
        yield f"packets are missing in the capture: {counted(gaps, 'gap')} in TCP streams"


def _midstream(settings: Settings) -> Settings:
    stream = settings.overrides.get("stream")
    kept = stream if isinstance(stream, dict) else {"checksum-validation": "no", "inline": "no"}
    return replace(settings, overrides={**settings.overrides, "stream": {**kept, "midstream": "true"}})


def _setters(rule: Rule, others: Sequence[Rule]) -> Iterator[Rule]:
    """The rules that set what a rule waits for, and those that set what these wait for, each once."""
    found = {(rule.gid, rule.sid)}
    waiting = [rule]
    while waiting:
        one = waiting.pop()
        for match in one.matches:
            for setter in _sets(others, match):
                if (setter.gid, setter.sid) not in found:
                    found.add((setter.gid, setter.sid))
                    waiting.append(setter)
                    yield setter


def _sets(rules: Sequence[Rule], match: Match) -> list[Rule]:
    """The rules that set the bit that a condition waits for; none if it waits for none. `a|b` waits for either."""
    if match.option.name not in _BITS or len(match.option.words) < 2:
        return []
    names = {name.strip() for name in match.option.words[1].split("|")}
    return [
        rule
        for rule in rules
        if rule.enabled and rule.action != "pass"
        for option in rule.every(match.option.name)
        if option.words[0] in ("set", "toggle") and len(option.words) > 1 and option.words[1] in names
    ]
