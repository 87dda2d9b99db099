//! Messages of RFC 4475 and RFC 5118 (the texts that the interop tests send) read by us and by `rsip`: why there is a reader of our own.

use roomgate::sip::message::{Essentials, Message};
use roomgate::sip::wire::WireLimits;
use rsip::prelude::*;

/// Those that our reader takes and `rsip` does not, whole or in one of the headers that every message has.
const ONLY_OURS: &[&str] = &[
    "wsinv",
    "intmeth",
    "esc02",
    "longreq",
    "semiuri",
    "lwsstart",
    "trws",
    "escruri",
    "mismatch02",
    "unkscm",
    "unksm2",
    "ipv6-good",
    "ipv6-bad",
    "port-ambiguous",
    "port-unambiguous",
    "via-received-param-with-delim",
    "via-received-param-no-delim",
    "ipv6-in-sdp",
    "mult-ip-in-sdp",
    "ipv4-mapped-ipv6",
];

/// Name and message of each case.
fn cases() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let files = [include_str!("../interop/torture/rfc4475.txt"), include_str!("../interop/torture/rfc5118.txt")];
    files.into_iter().flat_map(|file| file.split("\n=== ").skip(1)).map(|section| {
        let (head, rest) = section.split_once('\n').expect("a head line");
        let message = rest.split_once('\n').expect("a message").1;
        let filled = format!("{message}\n")
            .replace("{via}", "SIP/2.0/UDP 192.0.2.9:5060")
            .replace("{transport}", "UDP")
            .replace("{here}", "192.0.2.9:5060")
            .replace("{name}", "torture")
            .replace("{long}", &"long".repeat(200))
            .replace("{digits}", &"0123456789".repeat(4))
            .replace("{null}", "\0")
            .replace("{escape}", "\u{1b}")
            .replace('\n', "\r\n")
            .replace("{sdp}", "v=0\r\n");
        let body = filled.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
        (head.split_once(':').expect("a name").0, filled.replace("{length}", &body.to_string()).into_bytes())
    })
}

fn is_ours(bytes: &[u8]) -> bool {
    Message::parse(bytes, &WireLimits::default()).is_ok_and(|message| match message {
        Message::Request(request) => Essentials::read(&request.headers).is_ok(),
        Message::Response(response) => Essentials::read(&response.headers).is_ok(),
    })
}

fn is_theirs(bytes: &[u8]) -> Result<(), rsip::Error> {
    let message = rsip::SipMessage::try_from(bytes)?;
    message.via_header()?.typed()?;
    message.from_header()?.typed()?;
    message.to_header()?.typed()?;
    message.cseq_header()?.typed()?;
    message.call_id_header().map(drop)
}

/// If `rsip` comes to read them all, the reader of our own is one too many.
#[test]
fn s2_torture_messages_that_rsip_does_not_read_we_read() {
    let only_ours: Vec<&str> =
        cases().filter(|(_, bytes)| is_ours(bytes) && is_theirs(bytes).is_err()).map(|(name, _)| name).collect();
    assert_eq!(only_ours, ONLY_OURS);
}
