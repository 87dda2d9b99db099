"""What the codecs alone leave of the ten clips, without a daemon and without a network: what a score can reach at most."""

from collections.abc import Callable

import numpy as np
from scipy.signal import correlate, resample_poly

import voice_codecs
from comparison import MARGIN, taken
from scores import Scores, plcmos, score
from speech import clips
from voice_codecs import ASKED_BITRATE, SAMPLES, OpusDecoder, OpusEncoder, pcm

COMPLEXITIES = (0, 2, 5, 9)
SENT_BITRATE = 48000
"""Of the daemon's encoder."""
BITRATES = (32000, SENT_BITRATE)

Coder = Callable[[np.ndarray], np.ndarray]


def opus(bitrate: int, complexity: int) -> Coder:
    """Libopus as it codes and decodes a signal."""

    def code(samples: np.ndarray) -> np.ndarray:
        encoder, decoder = OpusEncoder(bitrate, complexity), OpusDecoder()
        frames = pcm(resample_poly(samples, 3, 1)).reshape(-1, 3 * SAMPLES)
        return np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames]) / 32768

    return code


def g722(samples: np.ndarray) -> np.ndarray:
    """G.722 as it codes and decodes a signal."""
    return voice_codecs.decode("g722", list(voice_codecs.encode("g722", samples)))


def coded(clip: np.ndarray, coders: list[Coder]) -> np.ndarray:
    """A clip by way of these, one after the other, with its margins, aligned."""
    padded = np.pad(clip, (2 * MARGIN, 2 * MARGIN + -len(clip) % SAMPLES))
    degraded = padded
    for coder in coders:
        degraded = coder(degraded)
    lag = int(np.argmax(correlate(degraded, padded, "full", "fft"))) - len(padded) + 1
    return taken(degraded, MARGIN + lag, MARGIN + lag + len(clip) + 2 * MARGIN)


def report() -> None:
    """Prints the scores of libopus for each bit rate and complexity, alone and after or before another coding."""
    rater, speech = plcmos(), clips()
    browser = opus(ASKED_BITRATE, 9)
    chains = {"G.722": [g722]}
    for bitrate in BITRATES:
        chains |= {f"Opus {bitrate} complexity {complexity}": [opus(bitrate, complexity)] for complexity in COMPLEXITIES}
    chains |= {f"G.722, Opus {SENT_BITRATE} complexity {complexity}": [g722, opus(SENT_BITRATE, complexity)] for complexity in COMPLEXITIES}
    chains[f"Opus {ASKED_BITRATE} complexity 9, G.722"] = [browser, g722]
    chains[f"Opus {ASKED_BITRATE} complexity 9, Opus {SENT_BITRATE} complexity 5"] = [browser, opus(SENT_BITRATE, 5)]
    print("libopus: 20 ms, VoIP, FEC on, expected loss 0 %; means of the ten clips")
    print(f"{'codecs':<34}{'PESQ':>6}{'worst':>7}{'STOI':>7}{'PLCMOS':>8}{'level':>7}")
    for name, coders in chains.items():
        found = [score(np.pad(clip, MARGIN), coded(clip, coders), rater) for clip in speech]
        mean = {figure: float(np.mean([getattr(one, figure) for one in found])) for figure in Scores.__dataclass_fields__}
        worst = min(one.pesq for one in found)
        print(f"{name:<34}{mean['pesq']:>6.2f}{worst:>7.2f}{mean['stoi']:>7.3f}{mean['plcmos']:>8.2f}{mean['level_difference']:>+7.2f}", flush=True)
