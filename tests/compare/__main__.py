"""What calls and meetings cost in the daemon, beside rtpengine and Janus in the same run, and phones in a LiveKit room. See docs/COST.md."""

import argparse
import json
import sys
import time
from pathlib import Path

# Phones, speech, and the servers that `make quality` starts too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "quality"))

import bridge  # noqa: E402
import meeting  # noqa: E402
import rooms  # noqa: E402
from gateway import binary  # noqa: E402
from rounds import Result, progress  # noqa: E402

PARTS = {"bridge": bridge.compare, "meeting": meeting.compare, "rooms": rooms.compare}


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="tests/compare", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"this one only, may be repeated: {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="of a round of bridge and meeting that count (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=15, help="calls of bridge (default: %(default)s)")
    parser.add_argument("--opus", default="opus/48000/2", help="how rtpengine codes Opus: name, clock, channels, bit rate (default: %(default)s)")
    parser.add_argument("--real-time", action="store_true", help="the servers before anything else, on a machine that is busy (needs root)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, those of each round too")
    return parser.parse_args()


def main() -> int:
    """Exit status 1 when something that is wanted is missed."""
    options = arguments()
    began, results = time.monotonic(), {}
    for name in options.only or PARTS:
        progress(f"{time.monotonic() - began:4.0f} s  {name}")
        results[name] = PARTS[name](options)
        print(*results[name].lines, sep="\n", flush=True)
    wants = [want for result in results.values() for want in result.wants]
    print(*(want.line() for want in wants), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(record(results), indent=1))
    progress(f"{time.monotonic() - began:4.0f} s")
    return 0 if all(want.kept() for want in wants) else 1


def record(results: dict[str, Result]) -> dict:
    """What the JSON has."""
    return {"daemon": str(binary()), **{name: result.figures for name, result in results.items()}}


if __name__ == "__main__":
    sys.exit(main())
