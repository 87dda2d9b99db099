//! `[sip.trunk.X]`: PBXs and providers that are known by their addresses or certificates.

use super::listen::{DTMF_POLICIES, SRTP_POLICIES};
use crate::common::ip_network::IpNetwork;
use crate::config::readers::{NETWORK, certificate_name, choice, label, list, parsed, some};
use crate::config::section::Section;
use crate::media::DtmfPolicy;
use crate::sdp::SrtpPolicy;

/// `[sip.trunk.X]`: a PBX or provider that is known by its address or its certificate (S-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkConfig {
    /// Where its calls come from, if it is known by that.
    pub addresses: Vec<IpNetwork>,
    /// A name of its TLS certificate, if it is known by that; in lower case.
    pub certificate: Option<String>,
    /// Shown for callers that say no name.
    pub name: String,
    /// Whether media of its calls is to be encrypted; as the listener says where `None`.
    pub srtp: Option<SrtpPolicy>,
    /// Where its keys are looked for.
    pub dtmf: DtmfPolicy,
}

pub(super) fn trunk(name: &str, s: &mut Section<'_>) -> Option<TrunkConfig> {
    let addresses = s.optional("addresses", some(list(parsed(NETWORK)))).unwrap_or_default();
    let certificate = s.optional("certificate", certificate_name);
    if addresses.is_empty() && certificate.is_none() && !s.has_problems() {
        s.complain(
            "says nothing that the trunk could be known by",
            "write the addresses its calls come from, or its certificate's name",
        );
    }
    let name = s.get("name", label(64)).unwrap_or_else(|| name.to_owned());
    let srtp = s.optional("srtp", choice(SRTP_POLICIES));
    let dtmf = s.get("dtmf", choice(DTMF_POLICIES)).unwrap_or_default();
    Some(TrunkConfig { addresses, certificate, name, srtp, dtmf })
}
