//! The wire reader against `rsip`, as far as both can read (DESIGN section 8): same method, status, header values and body.

use roomgate::sip::message::{Essentials, Message};
use roomgate::sip::wire::WireLimits;
use rsip::prelude::*;

fn messages() -> Vec<String> {
    let mut all = Vec::new();
    for method in ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "SUBSCRIBE", "MESSAGE"] {
        for uri in ["sip:1001@192.0.2.1", "sips:board.room@example.com:5061;transport=tcp", "sip:example.com"] {
            for (from, body) in [
                ("\"Board Room\" <sip:a@b.example>;tag=abc", ""),
                ("sip:a@b.example;tag=abc", "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\n"),
            ] {
                all.push(format!(
                    "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK77;rport\r\nMax-Forwards: 70\r\nFrom: {from}\r\n\
                     To: <{uri}>\r\nCall-ID: 0815@192.0.2.9\r\nCSeq: 4711 {method}\r\nContact: <sip:a@192.0.2.9>\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ));
            }
        }
    }
    for (status, phrase) in
        [(100, "Trying"), (180, "Ringing"), (200, "OK"), (404, "Not Found"), (503, "Service Unavailable"), (603, "Decline")]
    {
        all.push(format!(
            "SIP/2.0 {status} {phrase}\r\nVia: SIP/2.0/TCP pc.example.com;branch=z9hG4bK9;received=192.0.2.4\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: \"X\" <sip:c@d>;tag=2\r\nCall-ID: z\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        ));
    }
    all
}

#[test]
fn what_rsip_reads_we_read_the_same() {
    let mut compared = 0;
    for text in messages() {
        let theirs = rsip::SipMessage::try_from(text.as_bytes()).unwrap();
        let ours = Message::parse(text.as_bytes(), &WireLimits::default()).unwrap();
        let (headers, body) = match (&ours, &theirs) {
            (Message::Request(ours), rsip::SipMessage::Request(theirs)) => {
                assert_eq!(ours.method.to_string(), theirs.method.to_string());
                // rsip prints parameter values of its own list in capitals.
                assert!(ours.uri.eq_ignore_ascii_case(&theirs.uri.to_string()));
                (&ours.headers, &ours.body)
            }
            (Message::Response(ours), rsip::SipMessage::Response(theirs)) => {
                assert_eq!(ours.status, u16::from(theirs.status_code.clone()));
                (&ours.headers, &ours.body)
            }
            _ => panic!("request against response: {text}"),
        };
        assert_eq!(body, theirs.body());
        let essentials = Essentials::read(headers).unwrap();
        let via = theirs.via_header().unwrap().typed().unwrap();
        assert_eq!(essentials.via.branch(), via.branch().map(|branch| branch.value()));
        assert_eq!(essentials.via.transport, via.transport.to_string());
        let (from, to) = (theirs.from_header().unwrap().typed().unwrap(), theirs.to_header().unwrap().typed().unwrap());
        assert_eq!(essentials.from.tag(), from.tag().map(|tag| tag.value()));
        assert!(essentials.from.uri.to_string().eq_ignore_ascii_case(&from.uri.to_string()));
        assert!(essentials.to.uri.to_string().eq_ignore_ascii_case(&to.uri.to_string()));
        assert_eq!(essentials.call_id, theirs.call_id_header().unwrap().value());
        let cseq = theirs.cseq_header().unwrap().typed().unwrap();
        assert_eq!((essentials.cseq.number, essentials.cseq.method.to_string()), (cseq.seq, cseq.method.to_string()));
        compared += 1;
    }
    assert_eq!(compared, 60);
}

#[test]
fn what_we_print_rsip_reads() {
    for text in messages() {
        let printed = match Message::parse(text.as_bytes(), &WireLimits::default()).unwrap() {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        };
        let (ours, theirs) =
            (rsip::SipMessage::try_from(printed.as_slice()).unwrap(), rsip::SipMessage::try_from(text.as_bytes()).unwrap());
        assert_eq!(ours.body(), theirs.body());
        assert_eq!(ours.headers().iter().count(), theirs.headers().iter().count());
    }
}
