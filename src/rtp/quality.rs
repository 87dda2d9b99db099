//! The E-model (ITU-T G.107, in the simplified form for a packet network): one number for how a call sounds.

use std::time::Duration;

use crate::codec::CodecKind;

/// What the transport did to a stream.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Impairment {
    /// Share of packets that were lost or came too late, and that no in-band FEC stood for, 0.0 to 1.0.
    pub loss: f32,
    /// One-way delay in the network: half the round trip.
    pub delay: Duration,
    /// RFC 3550 interarrival jitter.
    pub jitter: Duration,
}

/// The transmission rating R, 0 to 100, and what listeners would say of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rating {
    /// R of G.107.
    pub r: f32,
    /// Mean opinion score, 1.0 to 4.5 (G.107 Annex B).
    pub mos: f32,
}

/// R with every default of G.107 and no impairment.
const BEST: f32 = 93.2;
/// Delay of packetisation and playout at both ends.
const ENDS: Duration = Duration::from_millis(40);

/// Rates a stream. Wide-band codecs are rated on the narrow-band scale, as monitoring tools expect: 4.4 is perfect.
#[must_use]
pub fn rate(codec: CodecKind, impairment: Impairment) -> Rating {
    // Equipment impairment and robustness to loss (G.113 Appendix I for G.711 with concealment; G.722 and Opus are estimates
    // relative to it).
    let (equipment, robustness) = match codec {
        CodecKind::Pcma | CodecKind::Pcmu => (0.0, 25.1),
        // The same concealment, and nothing is remembered from packet to packet.
        CodecKind::L16Full | CodecKind::L16Disc | CodecKind::L16Wide | CodecKind::L16Narrow => (0.0, 25.1),
        CodecKind::G722 => (0.0, 20.0),
        CodecKind::Opus => (0.0, 25.1),
    };
    // A jitter buffer holds about twice the jitter.
    let delay = (impairment.delay + ENDS + 2 * impairment.jitter).as_secs_f32() * 1000.0;
    let delay_impairment = 0.024 * delay + if delay > 177.3 { 0.11 * (delay - 177.3) } else { 0.0 };
    let loss = (impairment.loss * 100.0).clamp(0.0, 100.0);
    let loss_impairment = equipment + (95.0 - equipment) * loss / (loss + robustness);
    let r = (BEST - delay_impairment - loss_impairment).clamp(0.0, 100.0);
    let mos = (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5);
    Rating { r, mos }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a6_known_conditions_have_known_scores() {
        let perfect = rate(CodecKind::Pcmu, Impairment::default());
        assert!((4.35..=4.45).contains(&perfect.mos), "{perfect:?}");
        let lossy = rate(CodecKind::Pcmu, Impairment { loss: 0.05, ..Impairment::default() });
        assert!((3.6..=4.1).contains(&lossy.mos), "{lossy:?}");
        let far = rate(CodecKind::Opus, Impairment { delay: 400 * MS, ..Impairment::default() });
        assert!((2.5..=3.6).contains(&far.mos), "{far:?}");
        let dead = rate(CodecKind::G722, Impairment { loss: 1.0, delay: 5000 * MS, jitter: 900 * MS });
        assert!((1.0..1.1).contains(&dead.mos), "{dead:?}");
    }

    #[test]
    fn a6_worse_never_scores_better() {
        for codec in [CodecKind::Opus, CodecKind::G722, CodecKind::Pcma] {
            let mut before = 5.0;
            for step in 0..100u32 {
                let impairment = Impairment { loss: step as f32 / 200.0, delay: step * 5 * MS, jitter: step * MS };
                let mos = rate(codec, impairment).mos;
                assert!(mos <= before && (1.0..=4.5).contains(&mos));
                before = mos;
            }
        }
    }
}
