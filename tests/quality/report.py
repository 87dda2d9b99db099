"""The figures as a table, and what of them misses its threshold."""

import math

from figures import Figures, judged

COLUMNS = (
    ("PESQ", "pesq", 6, ".2f"),
    ("worst", "pesq_worst", 6, ".2f"),
    ("STOI", "stoi", 6, ".3f"),
    ("PLCMOS", "plcmos", 7, ".2f"),
    ("level", "level_difference", 6, "+.2f"),
    ("delay p50", "delay_p50", 10, ".1f"),
    ("p95", "delay_p95", 6, ".1f"),
    ("gaps", "gaps", 5, ".0f"),
    ("concealed %", "concealed_percent", 12, ".2f"),
    ("CPU %", "cpu_percent", 6, ".1f"),
    ("waited %", "waited_percent", 9, ".2f"),
    ("late p99", "lateness_p99", 9, ".2f"),
)


def heading() -> str:
    """The names of the columns."""
    return f"{'condition':<19}" + "".join(f"{name:>{width}}" for name, _, width, _ in COLUMNS)


def row(name: str, figures: Figures) -> str:
    """One condition; levels in dB, delays in milliseconds, CPU of the daemon in percent of a core for its twenty phones."""
    cells = [f"{figures[key]:{form}}" if key in figures else "" for _, key, _, form in COLUMNS]
    text = f"{name:<19}" + "".join(f"{cell:>{width}}" for cell, (_, _, width, _) in zip(cells, COLUMNS))
    forms = {"return_ms": "back within 20 ms after {:.0f} ms", "voice_after_ms": "voice after {:.0f} ms"}
    notes = [form.format(figures[key]).replace("inf ms", "more than was played") for key, form in forms.items() if key in figures]
    return "  ".join([text, *notes])


def verdicts(results: dict[str, Figures]) -> tuple[list[str], bool]:
    """A line for each threshold that is missed, and whether all are held to which the daemon is held today."""
    lines, good = [], True
    for name, figures in results.items():
        for threshold, value, wanted, held in judged(name, figures):
            if wanted:
                continue
            today = f", held to {threshold.bound():g} today" if threshold.reached is not None else ""
            mark = "open  " if held else "MISSED"
            shown = "nothing" if math.isnan(value) else f"{value:.2f}"
            lines.append(f"{mark} {name}: {threshold.figure} {shown}, wanted {threshold.sign()} {threshold.wanted():g}{today}")
            good &= held
    return lines, good
