//! Mutated messages: nothing may panic, and nothing may stay.

use super::requests::{Bench, request};
use super::*;
use crate::sip::Command;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    const PIECES: &[&[u8]] = &[
        b"\r\n",
        b"\"",
        b"<",
        b">",
        b";",
        b",",
        b":",
        b"%",
        b"[",
        b"]",
        b"\0",
        b"\xff",
        b"99999999999",
        b";tag=",
        b" ",
        b"@",
        b"\r\n ",
        b"/",
    ];
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        match dice.roll(4) {
            0 => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            1 => drop(bytes.drain(at..(at + 1 + dice.roll(20)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, PIECES[dice.roll(PIECES.len())].iter().copied())),
            _ => {
                let copy: Vec<u8> = bytes[at..(at + dice.roll(60)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
        if bytes.is_empty() {
            bytes.push(b'A');
        }
    }
}

#[test]
fn ten_thousand_mutated_messages_do_no_harm() {
    let mut dice = Dice(42);
    let seeds = [
        request("INVITE", 1, "v: SIP/2.0/TCP [::1]:5060;branch=z9hG4bKx\r\nRecord-Route: <sip:p1;lr>, \"q\" <sips:[2001:db8::1]:5061>\r\n", ""),
        request("INVITE", 1, "", "c: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"),
        request("BYE", 2, "", ""),
        request("INFO", 3, "", "Content-Type: application/dtmf-relay\r\n\r\nSignal=1\r\nDuration=1\r\n"),
        request("CANCEL", 1, "", ""),
        request("ACK", 1, "", ""),
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:x@y>\r\n\r\n".to_owned(),
    ];
    for round in 0..100 {
        let mut bench = Bench::new();
        for _ in 0..100 {
            let mut bytes = seeds[dice.roll(seeds.len())].clone().into_bytes();
            mutate(&mut dice, &mut bytes);
            bench.endpoint.handle(bench.now, Input::Received { flow: flow(0, Transport::Udp), bytes });
            bench.now += Duration::from_millis(100);
            bench.outputs();
            if let Some(call) = bench.events.pop().map(|event| event.call()) {
                let (sdp, cause) = (SDP.to_owned(), Cause::Denied);
                let command =
                    [Command::Answer { call, sdp: sdp.clone() }, Command::Reoffer { call, sdp }, Command::Bye { call, cause }];
                bench.endpoint.handle(bench.now, Input::Command(command[dice.roll(3)].clone()));
                bench.outputs();
            }
            bench.endpoint.wake(bench.now);
        }
        let calls: Vec<CallId> = bench.endpoint.sessions.ids();
        for call in calls {
            bench.endpoint.handle(bench.now, Input::Command(Command::Bye { call, cause: Cause::Fault }));
        }
        bench.outputs();
        std::mem::take(&mut bench.connects).into_iter().for_each(|token| {
            bench.endpoint.handle(bench.now, Input::ConnectFailed { token });
        });
        bench.ends_empty();
        assert!(bench.events.len() < 1000, "round {round}");
    }
}

#[test]
fn mutated_streams_do_no_harm() {
    let mut dice = Dice(7);
    for _ in 0..3000 {
        let mut bytes = format!("\r\n\r\n{}{}", request("OPTIONS", 1, "", ""), request("INVITE", 2, "", "")).into_bytes();
        mutate(&mut dice, &mut bytes);
        let mut framer = crate::sip::message::wire::Framer::new(crate::sip::WireLimits::default());
        for chunk in bytes.chunks(1 + dice.roll(200)) {
            framer.push(chunk);
            while let Ok(Some(_)) = framer.next() {}
        }
    }
}
