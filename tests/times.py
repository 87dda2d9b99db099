#!/usr/bin/env python3
"""Says where the time of a test run went: the ten slowest tests, and the minutes of each real peer.

    tests/times.py JUNIT [--budget MINUTES]

JUNIT is what nextest writes (`.config/nextest.toml`). A story of tests/interop counts for each peer that its file drives, so that the
minutes of all peers are more than those of the run. With a budget, the run's own minutes are held to it: one that is over ends with 1.
"""

import argparse
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

INTEROP = pathlib.Path(__file__).parent / "interop"
SLOWEST = 10
# A module of tests/interop that drives a peer, by the peer's name.
PEERS = {
    "baresip": "baresip",
    "browser": "Chromium",
    "debian": "a bare Debian",
    "homer": "Homer",
    "image": "a container image",
    "kamailio": "Kamailio",
    "pjsip": "PJSIP",
    "sipp": "SIPp",
    "smsc": "a short message centre",
    "vendor": "vendors' own packages",
}


def peers_of(story):
    """The peers that the tests of one file of tests/interop drive."""
    path = INTEROP / f"{story}.rs"
    text = path.read_text() if path.exists() else ""
    named = set(re.findall(r"crate::(\w+)", text)) | {story}
    return sorted(PEERS[module] for module in named if module in PEERS) or ["no peer of others"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("junit", type=pathlib.Path)
    parser.add_argument("--budget", type=float, help="minutes of the whole run at most")
    options = parser.parse_args()
    if not options.junit.exists():
        sys.exit(f"{options.junit} is not there: nothing was run")
    run = xml.etree.ElementTree.parse(options.junit).getroot()
    tests = [
        (float(case.get("time", 0)), suite.get("name", ""), case.get("name", ""))
        for suite in run.iter("testsuite")
        for case in suite.iter("testcase")
    ]

    print(f"\nThe {SLOWEST} slowest of {len(tests)} tests:")
    for seconds, suite, name in sorted(tests, reverse=True)[:SLOWEST]:
        print(f"  {seconds:7.1f} s  {suite} {name}")

    minutes, stories = collections.Counter(), collections.Counter()
    for seconds, suite, name in tests:
        if suite.endswith("::interop"):
            for peer in peers_of(name.split("::")[0]):
                minutes[peer] += seconds / 60
                stories[peer] += 1
    if minutes:
        print("Minutes by peer, a story counted for each that it drives:")
        for peer, spent in minutes.most_common():
            print(f"  {spent:7.1f} min  {peer} ({stories[peer]} stories)")

    total = float(run.get("time", 0)) / 60
    if options.budget is None:
        print(f"The run took {total:.1f} min.")
    else:
        print(f"The run took {total:.1f} min of at most {options.budget:g}.")
        if total > options.budget:
            sys.exit("Over the budget: what takes long by its nature belongs into `make load`.")


if __name__ == "__main__":
    main()
