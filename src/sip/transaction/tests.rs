//! The machines of section 17 in virtual time, and the layer above them.

mod layer;

use std::time::{Duration, Instant};

use super::*;

fn timers() -> Timers {
    Timers::with_t1(Duration::from_millis(500))
}

/// Wakes until the transaction is over; gives the milliseconds of each act.
fn run(
    start: Instant,
    mut deadline: impl FnMut() -> Option<Instant>,
    mut wake: impl FnMut(Instant) -> Action,
) -> Vec<(u128, Action)> {
    let mut acts = Vec::new();
    while let Some(at) = deadline() {
        let act = wake(at);
        acts.push(((at - start).as_millis(), act));
        if matches!(act, Action::Over | Action::TimedOut) {
            break;
        }
        assert!(acts.len() < 50);
    }
    acts
}

macro_rules! run {
    ($start:expr, $machine:expr) => {{
        let machine = std::cell::RefCell::new($machine);
        run($start, || machine.borrow().deadline(), |at| machine.borrow_mut().wake(at))
    }};
}

fn times(acts: &[(u128, Action)]) -> Vec<u128> {
    acts.iter().map(|(at, _)| *at).collect()
}

#[test]
fn an_unanswered_invite_is_sent_seven_times_in_32_seconds() {
    let start = start();
    let acts = run!(start, InviteClient::new(start, timers(), false));
    assert_eq!(times(&acts), [500, 1500, 3500, 7500, 15500, 31500, 32000]);
    assert_eq!(acts.last().unwrap().1, Action::TimedOut);
    assert_eq!(times(&run!(start, InviteClient::new(start, timers(), true))), [32000]);
}

/// A provisional response stops the invite and a cancel bounds the wait.
#[test]
fn a_provisional_response_stops_the_invite() {
    let start = start();
    let mut invite = InviteClient::new(start, timers(), false);
    assert_eq!(invite.response(start, 180), Action::Pass);
    assert_eq!((invite.is_proceeding(), invite.deadline()), (true, None));
    invite.cancelled(start);
    assert_eq!(invite.wake(start + timers().lifetime()), Action::TimedOut);
}

#[test]
fn a_refused_invite_is_acknowledged_each_time_until_d() {
    let start = start();
    let mut invite = InviteClient::new(start, timers(), false);
    assert_eq!(invite.response(start, 486), Action::AckAndPass);
    assert_eq!(invite.response(start, 486), Action::Ack);
    assert_eq!(invite.response(start, 200), Action::Nothing);
    assert_eq!(times(&run!(start, invite)), [32000]);
    let mut reliable = InviteClient::new(start, timers(), true);
    reliable.response(start, 486);
    assert_eq!(times(&run!(start, reliable)), [0]);
}

#[test]
fn every_2xx_is_passed_until_m() {
    let start = start();
    let mut invite = InviteClient::new(start, timers(), false);
    assert_eq!(invite.response(start, 200), Action::Pass);
    assert_eq!(invite.response(start, 200), Action::Pass);
    assert_eq!(invite.response(start, 486), Action::Nothing);
    assert_eq!(times(&run!(start, invite)), [32000]);
}

#[test]
fn other_requests_are_sent_up_to_every_t2() {
    let start = start();
    let acts = run!(start, NonInviteClient::new(start, timers(), false));
    assert_eq!(times(&acts), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000]);
    let mut trying = NonInviteClient::new(start, timers(), false);
    assert_eq!(trying.response(start, 100), Action::Pass);
    assert_eq!(times(&run!(start, trying))[..2], [500, 4500]);
    let mut done = NonInviteClient::new(start, timers(), false);
    assert_eq!((done.response(start, 200), done.response(start, 200)), (Action::Pass, Action::Nothing));
    assert_eq!(times(&run!(start, done)), [5000]);
}

#[test]
fn a_refusal_is_repeated_until_the_ack_or_h() {
    let start = start();
    let mut invite = InviteServer::new(timers(), false);
    assert_eq!((invite.deadline(), invite.request()), (None, Action::Resend));
    assert!(invite.respond(start, 180) && invite.respond(start, 486) && !invite.respond(start, 200));
    let acts = run!(start, invite);
    assert_eq!(times(&acts), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000]);
    assert_eq!(acts.last().unwrap().1, Action::TimedOut);
    let mut acked = InviteServer::new(timers(), false);
    acked.respond(start, 486);
    acked.ack(start);
    assert_eq!(acked.request(), Action::Nothing);
    assert_eq!(times(&run!(start, acked)), [5000]);
}

#[test]
fn an_accepted_invite_absorbs_its_repeats_until_l() {
    let start = start();
    let mut invite = InviteServer::new(timers(), false);
    assert!(invite.respond(start, 200) && !invite.respond(start, 487));
    assert_eq!(invite.request(), Action::Nothing);
    assert_eq!(times(&run!(start, invite)), [32000]);
}

#[test]
fn a_final_answer_is_kept_for_j() {
    let start = start();
    for (reliable, kept) in [(false, 32000), (true, 0)] {
        let mut server = NonInviteServer::new(timers(), reliable);
        assert_eq!((server.request(), server.deadline()), (Action::Nothing, None), "it waits for its answer");
        assert!(server.respond(start) && !server.respond(start));
        assert_eq!(server.request(), Action::Resend);
        assert_eq!(times(&run!(start, server)), [kept]);
    }
}

#[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
fn start() -> Instant {
    Instant::now()
}
