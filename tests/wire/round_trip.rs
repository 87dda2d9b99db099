//! What is printed is read back the same, and what is read prints to something that is read back the same, for messages that nobody thought of.

use proptest::prelude::*;
use roomgate::sip::header::{CSeq, NameAddr, Via};
use roomgate::sip::message::{Headers, Message, Request, Response};
use roomgate::sip::method::Method;
use roomgate::sip::uri::Uri;
use roomgate::sip::wire::WireLimits;

const METHODS: [&str; 8] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE", "X-OTHER.1"];
const NAMES: [&str; 9] =
    ["Via", "Record-Route", "Contact", "Subject", "Supported", "P-Asserted-Identity", "Reason", "Warning", "Date"];

/// A value as it stands in a line: no line ends, no blanks around it.
fn value() -> impl Strategy<Value = String> {
    "[!-~äé漢](([ -~äé漢]|\t){0,60}[!-~äé漢])?"
}

fn headers() -> impl Strategy<Value = Headers> {
    prop::collection::vec((prop::sample::select(NAMES.as_slice()), value()), 0..20).prop_map(|lines| {
        let mut headers = Headers::default();
        for (name, value) in lines {
            headers.push(name, value);
        }
        headers
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

fn uri() -> impl Strategy<Value = String> {
    (
        "(sips?:)([a-z0-9.+%-]{1,12}@)?",
        "([a-z0-9]{1,8}(\\.[a-z]{2,5}){1,2}|\\[2001:db8::[0-9a-f]{1,3}\\]|192\\.0\\.2\\.[0-9]{1,2})",
        "(:[1-9][0-9]{1,3})?(;[a-z]{2,6}(=[a-z0-9]{1,6})?){0,3}",
    )
        .prop_map(|(scheme, host, rest)| scheme + &host + &rest)
        .prop_filter("a percent sign is followed by two digits", |uri| !uri.contains('%'))
}

fn read(bytes: &[u8]) -> Message {
    Message::parse(bytes, &WireLimits::default()).expect("what we print can be read")
}

/// All lines but the one that printing adds.
fn lines(headers: &Headers) -> Vec<(String, String)> {
    let kept = headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length"));
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_that_is_printed_is_read_back_the_same(
        method in prop::sample::select(METHODS.as_slice()), uri in uri(), headers in headers(), body in body(),
    ) {
        let request = Request { method: Method::parse(method).expect("a method"), uri, headers, body };
        let Message::Request(again) = read(&request.to_bytes()) else { panic!("a request") };
        prop_assert_eq!((&again.method, &again.uri, &again.body), (&request.method, &request.uri, &request.body));
        prop_assert_eq!(lines(&again.headers), lines(&request.headers));
    }

    #[test]
    fn a_response_that_is_printed_is_read_back_the_same(
        status in 100_u16..700, phrase in "[!-~äé]( ?[!-~äé]){0,20}", headers in headers(), body in body(),
    ) {
        let response = Response { status, phrase, headers, body };
        let Message::Response(again) = read(&response.to_bytes()) else { panic!("a response") };
        prop_assert_eq!((again.status, &again.phrase, &again.body), (response.status, &response.phrase, &response.body));
        prop_assert_eq!(lines(&again.headers), lines(&response.headers));
    }

    #[test]
    fn whatever_can_be_read_prints_to_the_same_message(
        start in "(INVITE|BYE|FOO) sip:[!-~]{1,20} SIP/2\\.0|SIP/2\\.0 [1-6][0-9]{2} [ -~]{0,20}",
        lines_of_it in prop::collection::vec("[A-Za-z-]{1,12}[ \t]{0,2}:[ \t]{0,2}[ -~é\t]{0,40}(\r\n[ \t][ -~]{0,20})?", 0..12),
        end in "\r\n|\n", body in body(),
    ) {
        let head: String = std::iter::once(start).chain(lines_of_it).map(|line| line + &end).collect();
        let bytes = [head.as_bytes(), end.as_bytes(), &body].concat();
        let Ok(message) = Message::parse(&bytes, &WireLimits::default()) else { return Ok(()) };
        let (printed, kept, body) = match &message {
            Message::Request(request) => (request.to_bytes(), lines(&request.headers), &request.body),
            Message::Response(response) => (response.to_bytes(), lines(&response.headers), &response.body),
        };
        let (again_printed, again_kept, again_body) = match read(&printed) {
            Message::Request(request) => (request.to_bytes(), lines(&request.headers), request.body),
            Message::Response(response) => (response.to_bytes(), lines(&response.headers), response.body),
        };
        prop_assert_eq!((again_printed, again_kept, &again_body), (printed, kept, body));
    }

    #[test]
    fn an_address_that_is_read_prints_to_one_that_means_the_same(uri in uri(), display in "[A-Za-z äé\"\\\\]{0,16}", tag in "[a-z0-9]{1,8}") {
        let uri = Uri::parse(&uri).expect("an address");
        prop_assert_eq!(Uri::parse(&uri.to_string()), Some(uri.clone()));
        let address = NameAddr { display: Some(display.clone()).filter(|name| !name.trim().is_empty()), ..NameAddr::of(uri) };
        let address = address.with_tag(&tag);
        let again = NameAddr::parse(&address.to_string()).expect("what we print can be read");
        prop_assert_eq!((&again.uri, again.tag()), (&address.uri, address.tag()));
    }

    #[test]
    fn a_number_and_a_way_back_print_as_they_were_read(number in 0_u32..0x8000_0000, branch in "[a-zA-Z0-9]{1,20}", port in 1_u16..) {
        let cseq = CSeq { number, method: Method::parse("INVITE").expect("a method") };
        prop_assert_eq!(CSeq::parse(&cseq.to_string()).map(|again| again.number), Some(number));
        let text = format!("SIP/2.0/UDP 192.0.2.1:{port};branch=z9hG4bK{branch};rport");
        let via = Via::parse(&text).expect("a Via");
        prop_assert_eq!((via.branch().map(str::to_owned), via.port), (Some(format!("z9hG4bK{branch}")), Some(port)));
        prop_assert_eq!(Via::parse(&via.to_string()).map(|again| again.to_string()), Some(via.to_string()));
    }
}
