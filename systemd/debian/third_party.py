#!/usr/bin/env python3
"""third_party.py [--check]: writes THIRD-PARTY beside this file: the licences of all that is linked into the program.

Reads the sources that cargo has fetched for the locked dependencies. With --check nothing is written; the exit status is 1 when the
file does not say what it should.
"""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "THIRD-PARTY"
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
HEAD = """Roomgate is linked with the following libraries. Behind each stands its licence as its authors name it; the texts that came with them
follow, each with those that it came with.
"""


def metadata(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=HERE, check=True, capture_output=True).stdout)


def linked(target):
    """Packages whose code ends up in the program: no build scripts, no macros, no tests."""
    told = metadata(target)
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    is_macro = {name: any("proc-macro" in kind["kind"] for kind in package["targets"]) for name, package in packages.items()}
    found, waiting = set(), [told["resolve"]["root"]]
    while waiting:
        here = waiting.pop()
        if here in found:
            continue
        found.add(here)
        for edge in nodes[here]["deps"]:
            normal = any(kind["kind"] is None for kind in edge["dep_kinds"])
            if normal and not is_macro[edge["pkg"]]:
                waiting.append(edge["pkg"])
    found.discard(told["resolve"]["root"])
    return [packages[name] for name in found]


def texts(package):
    root = pathlib.Path(package["manifest_path"]).parent
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        # Sources that are carried along keep theirs in folders of their own; tests and fuzzers are not linked.
        if len(relative.parts) > 4 or any(part in ("tests", "test", "fuzz", "target", "benches", "examples") for part in relative.parts):
            continue
        plain = path.suffix.lower() in ("", ".txt", ".md", ".apache", ".mit", ".boringssl") or NAMES.search(path.suffix)
        if NAMES.match(path.name) and plain and path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def folded(text):
    """The text by which two copies are the same, however their lines are broken."""
    return " ".join(text.split())


def document():
    packages = {(package["name"], package["version"]): package for target in TARGETS for package in linked(target)}
    lines, found = [HEAD], {}
    for (name, version), package in sorted(packages.items()):
        lines.append(f"{name} {version}: {package['license'] or package['license_file']}")
        for text in texts(package):
            shown, bearers = found.setdefault(folded(text), (text, []))
            if f"{name} {version}" not in bearers:
                bearers.append(f"{name} {version}")
    for shown, bearers in sorted(found.values(), key=lambda both: both[1]):
        lines.append("\n" + "=" * 80 + "\n" + ", ".join(bearers) + "\n" + "-" * 80)
        lines.append("\n".join(line.rstrip() for line in shown.replace("\r\n", "\n").replace("\f", "\n").strip("\n").split("\n")))
    return "\n".join(lines) + "\n"


def main():
    wanted = document()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(wanted, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != wanted:
        sys.exit(f"{FILE.name} is behind Cargo.lock: run systemd/debian/third_party.py")


main()
