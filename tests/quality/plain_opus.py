"""What plain libopus leaves of the ten clips, without a daemon and without a network: what a score can reach at most."""

import numpy as np
from comparison import MARGIN, taken
from scipy.signal import correlate, resample_poly
from scores import plcmos, score
from voice_codecs import SAMPLES, OpusDecoder, OpusEncoder, pcm

from speech import clips

COMPLEXITIES = (0, 2, 5, 9)
BITRATES = (24000, 32000)


def coded(clip: np.ndarray, bitrate: int, complexity: int) -> np.ndarray:
    """A clip by way of Opus, with its margins, at the place where it was."""
    padded = np.pad(clip, (2 * MARGIN, 2 * MARGIN + -len(clip) % SAMPLES))
    encoder, decoder = OpusEncoder(bitrate, complexity), OpusDecoder()
    frames = pcm(resample_poly(padded, 3, 1))
    size = 3 * SAMPLES
    degraded = [decoder.decode(encoder.encode(frames[at : at + size])) for at in range(0, len(frames) - size + 1, size)]
    degraded = np.concatenate(degraded) / 32768
    lag = int(np.argmax(correlate(degraded, padded, "full", "fft"))) - len(padded) + 1
    return taken(degraded, MARGIN + lag, MARGIN + lag + len(clip) + 2 * MARGIN)


def report() -> None:
    """Prints the scores for each complexity and bit rate."""
    rater = plcmos()
    print("libopus alone, 20 ms, VoIP, FEC on, expected loss 0 %: means of the ten clips (worst)")
    print(f"{'complexity':>10} {'bit/s':>7} {'PESQ-WB':>14} {'STOI':>6} {'PLCMOS':>7} {'level':>6}")
    speech = clips()
    for bitrate in BITRATES:
        for complexity in COMPLEXITIES:
            found = [score(np.pad(clip, MARGIN), coded(clip, bitrate, complexity), rater) for clip in speech]
            mean = {name: float(np.mean([getattr(one, name) for one in found])) for name in found[0].__dataclass_fields__}
            worst = min(one.pesq for one in found)
            print(
                f"{complexity:>10} {bitrate:>7} {mean['pesq']:>7.2f} ({worst:.2f}) {mean['stoi']:>6.3f} {mean['plcmos']:>7.2f} "
                f"{mean['level_difference']:>+6.2f}"
            )
