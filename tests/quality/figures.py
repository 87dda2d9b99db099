"""The figures of a condition that was played, and which of them miss what is wanted."""

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
from calls import Call, Played
from comparison import AUDIBLE, Comparison, Segment, rms
from conditions import COMPARED, OUTAGE, SETTLING, STEP_DOWN, STEP_UP, THRESHOLDS, Condition, Threshold
from scores import Scores, plcmos, score
from voice_codecs import PACKET_SECONDS, SAMPLES

from speech import write

Figures = dict[str, float]


def of_call(condition: Condition, call: Call, clips: list[np.ndarray], keep: Path | None) -> dict:
    """The figures of one call: scores of each passage, delays in milliseconds, gaps."""
    comparison = Comparison(call.talker, call.listener)
    if keep is not None:
        write(keep.with_name(keep.name + "-reference.wav"), comparison.carried)
        write(keep.with_name(keep.name + "-degraded.wav"), comparison.recording.samples)
    segments = comparison.segments(SETTLING)
    result = {
        "scores": [],
        "delays": [1000 * delay for segment in segments for delay in segment.delays],
        # An outage is one.
        "gaps": 0 if condition.network.outage else comparison.gaps(segments, SETTLING),
        "missing": comparison.recording.missing,
        "concealed": call.concealed,
    }
    if condition.network.delay_steps:
        result["return_ms"] = time_of_return(segments)
    elif condition.network.outage:
        result["voice_after_ms"] = time_to_voice(comparison)
    else:
        rater = plcmos()
        for place, clip in call.places:
            passage = comparison.passage(clips[clip], place)
            result["scores"].append(asdict(score(*passage, rater)) | {"clip": clip})
    return result


def of_condition(played: Played, calls: list[dict]) -> Figures:
    """Means over the passages of all calls, percentiles over all delays, and sums."""
    delays = [delay for call in calls for delay in call["delays"]]
    figures = {}
    passages = [passage for call in calls for passage in call["scores"]]
    if passages:
        figures = {name: float(np.mean([passage[name] for passage in passages])) for name in Scores.__dataclass_fields__}
        figures["level"] = abs(figures["level_difference"])
        figures["pesq_worst"] = min(passage["pesq"] for passage in passages)
    for percent in (50, 95):
        figures[f"delay_p{percent}"] = float(np.percentile(delays, percent)) if delays else math.nan
    for name in ("return_ms", "voice_after_ms"):
        if name in calls[0]:
            # The longest of all calls, so that none is left out.
            figures[name] = max(call[name] for call in calls)
    figures |= {name: float(sum(call[name] for call in calls)) for name in ("gaps", "missing")}
    seconds = sum(len(call.talker.payloads) for call in played.calls) * PACKET_SECONDS
    figures["concealed_percent"] = 100 * sum(call["concealed"] for call in calls) / seconds
    figures["cpu_percent"] = 100 * played.cpu
    figures["waited_percent"] = 100 * played.waited
    figures["lateness_p99"] = played.lateness.p99
    figures["stolen_percent"] = 100 * played.lateness.stolen
    return figures


def add_changes(results: dict[str, Figures]) -> None:
    """Scores beside those of other conditions, where both were played."""
    for name, other in COMPARED.items():
        if name in results and other in results:
            results[name]["pesq_change"] = results[name]["pesq"] - results[other]["pesq"]


def time_of_return(segments: list[Segment]) -> float:
    """Milliseconds from the end of the longer path until all speech comes within 20 ms of the delay before."""
    before = [segment.end_to_end for segment in segments if segment.time < STEP_UP - 0.5]
    after = [segment for segment in segments if segment.time >= STEP_DOWN]
    if not before or not after:
        return math.nan
    limit = float(np.median(before)) + 0.02
    late = [segment.time for segment in after if segment.end_to_end > limit]
    # Who is still late at the end has not come back.
    if late and late[-1] == after[-1].time:
        return math.inf
    return 1000 * (late[-1] - STEP_DOWN) if late else 0.0


def time_to_voice(comparison: Comparison) -> float:
    """Milliseconds from the first packet with speech after the outage to the first packet with speech from the daemon."""
    first = int(OUTAGE[1] / PACKET_SECONDS)
    for number in range(first, len(comparison.talker.payloads)):
        if number in comparison.talker.sent and rms(comparison.carried[number * SAMPLES :][:SAMPLES]) > 2 * AUDIBLE:
            break
    came = comparison.talker.sent[number] / 1e9
    for slot, arrival in enumerate(comparison.recording.arrivals):
        if arrival > came and rms(comparison.recording.samples[slot * SAMPLES :][:SAMPLES]) > AUDIBLE:
            return 1000 * (arrival - came)
    return math.inf


def judged(name: str, figures: Figures) -> list[tuple[Threshold, float, bool, bool]]:
    """For each threshold of a condition its figure, whether that is what is wanted, and whether it is what is held today.
    A comparison whose other side was not played is left out."""
    found = []
    for threshold in THRESHOLDS:
        unknown = threshold.figure == "pesq_change" and threshold.figure not in figures
        if threshold.condition == name and not unknown:
            value = figures.get(threshold.figure, math.nan)
            held = threshold.holds(value, threshold.bound())
            found.append((threshold, value, threshold.holds(value, threshold.wanted()), held))
    return found
