"""Real speech through the running daemon, over a network that loses and delays: what is left of it. See docs/QUALITY.md."""

import argparse
import contextlib
import json
import math
import multiprocessing
import sys
import time
from dataclasses import replace
from pathlib import Path

import figures
import plain_opus
import report
from calls import Played, play
from conditions import CONDITIONS, Condition
from gateway import Gateway, binary
from janus import Janus, installed
from server import Server

import speech

SERVERS = {"roomgate": Gateway, "janus": Janus}

ATTEMPTS = 3
"""How often a condition is played at most, when something else had the CPU meanwhile; the least disturbed counts."""


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="tests/quality", description=__doc__)
    parser.add_argument("--only", action="append", metavar="CONDITION", help="play this one only; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the names of all conditions")
    parser.add_argument("--passes", type=int, default=3, help="how often each clip is played in a call (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which packets are lost and late (default: %(default)s)")
    parser.add_argument("--long", action="store_true", help="five minutes of clocks that differ, instead of one")
    parser.add_argument("--real-time", action="store_true", help="the daemon before anything else, on a machine that is busy (needs root)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, those of each call and passage too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="references and degraded signals, as WAV")
    parser.add_argument("--plain-opus", action="store_true", help="score libopus alone, without a daemon")
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> list[Condition]:
    """The conditions to play."""
    names = [condition.name for condition in CONDITIONS]
    if unknown := set(options.only or []) - set(names):
        raise SystemExit(f"no such condition: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    known = [condition for condition in CONDITIONS if condition.server != "janus" or installed()]
    found = [condition for condition in known if not options.only or condition.name in options.only]
    return [replace(one, speech=300.0) if options.long and one.clock_ppm else one for one in found]


def played(server: Server, condition: Condition, clips: list, options: argparse.Namespace) -> Played:
    """Plays a condition until nothing else had the CPU meanwhile, and at most three times."""
    attempts = []
    while len(attempts) < ATTEMPTS:
        attempts.append(play(server, condition, clips, options.seed, options.passes))
        if not attempts[-1].disturbed():
            break
        progress(f"{condition.name}: the machine was busy ({attempts[-1].lateness}, waited {attempts[-1].waited:.3f})")
    return min(attempts, key=lambda one: one.waited)


def scored(job: tuple) -> dict:
    """In a process of its own."""
    return figures.of_call(*job)


def finite(value: object) -> object:
    """The same with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def progress(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Exit status 1 when a threshold is missed."""
    options = arguments()
    if options.list:
        print(*(condition.name for condition in CONDITIONS), sep="\n")
        return 0
    if options.plain_opus:
        plain_opus.report()
        return 0
    clips, results, details = speech.clips(), {}, {}
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    found, began = [], time.monotonic()
    with contextlib.ExitStack() as stack:
        servers = {}
        for condition in chosen(options):
            progress(f"{time.monotonic() - began:4.0f} s  {condition.name}")
            if condition.server not in servers:
                servers[condition.server] = stack.enter_context(SERVERS[condition.server](len(clips), options.real_time))
            found.append((condition, played(servers[condition.server], condition, clips, options)))
    # Scores take all CPUs: they come when nobody is timed any more.
    progress(f"{time.monotonic() - began:4.0f} s  scores")
    print(report.heading())
    with multiprocessing.Pool() as pool:
        for condition, one in found:
            keep = [options.keep and options.keep / f"{condition.name}-{number}".replace(" ", "-") for number in range(len(clips))]
            calls = pool.map(scored, [(condition, call, clips, path) for call, path in zip(one.calls, keep)], 1)
            results[condition.name] = figures.of_condition(one, calls)
            details[condition.name] = calls
            print(report.row(condition.name, results[condition.name]), flush=True)
    figures.add_changes(results)
    lines, good = report.verdicts(results)
    print(*lines, sep="\n")
    if options.json:
        record = {"daemon": str(binary()), "seed": options.seed, "passes": options.passes, "conditions": results, "calls": details}
        options.json.write_text(json.dumps(finite(record), indent=1))
    progress(f"{time.monotonic() - began:4.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
