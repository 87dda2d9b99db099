//! A [`Status`] for people: what is wrong first, then who is up, then what is in use.

use std::fmt::Write as _;

use crate::media::FULL_LOAD_PERCENT;

use super::{CallStatus, MeetingStatus, Status};

/// All of it, ending with a line break.
pub(super) fn print(status: &Status) -> String {
    let mut out = format!("Roomgate {}, {}, up {}\n", status.version, takes_calls(status), time(status.uptime_seconds));
    for line in attention(status) {
        let _ = writeln!(out, "! {line}");
    }
    calls(&mut out, &status.calls);
    failures(&mut out, &status.failures);
    meetings(&mut out, &status.meetings);
    devices(&mut out, status);
    accounts(&mut out, status);
    sms(&mut out, status);
    blocks(&mut out, status);
    ledger(&mut out, status);
    resources(&mut out, status);
    out
}

fn takes_calls(status: &Status) -> &'static str {
    if status.state == "draining" { "stopping: takes no new calls" } else { "takes calls" }
}

/// What an administrator should look at.
fn attention(status: &Status) -> Vec<String> {
    let (media, ports) = (&status.resources.media, &status.resources.rtp_ports);
    let mut lines = Vec::new();
    for meeting in status.meetings.iter().filter(|meeting| !meeting.answers) {
        lines.push(format!("meeting {} does not answer", meeting.id));
    }
    if ports.taken + ports.resting >= ports.pairs {
        lines.push("no RTP port is free: new calls get 503 (media.rtp_ports)".to_owned());
    }
    if !media.load_percent.is_empty() && media.load_percent.iter().all(|load| *load >= FULL_LOAD_PERCENT) {
        lines.push("the media threads have no time for another call: new calls get 503".to_owned());
    }
    if media.skipped_steps > 0 {
        lines.push(format!(
            "{:.1} s of sound left out since the start: the machine was too slow or too busy",
            media.skipped_steps as f64 * 0.0025
        ));
    }
    if media.unsent_packets > 0 {
        lines.push(format!("{} media packets could not be sent since the start", media.unsent_packets));
    }
    if media.lost_events > 0 {
        lines.push(format!("{} media events were lost since the start", media.lost_events));
    }
    if let Some(lost) = status.sms.as_ref().map(|sms| sms.lost).filter(|lost| *lost > 0) {
        lines.push(format!("{lost} SMS were lost since the start: too much was waiting, or the disk took nothing"));
    }
    let ledger = &status.ledger;
    if let Some(fault) = &ledger.fault {
        lines.push(format!("the ledger of notices does not hold together: {fault} (roomgate ledger verify)"));
    }
    if ledger.waiting > 0 {
        lines.push(format!("{} lines of the ledger wait in memory: the disk does not take them", ledger.waiting));
    }
    if ledger.stuck {
        lines.push("the key of the ledger cannot be changed: see the log".to_owned());
    }
    lines
}

/// The proof of notices: to be kept elsewhere.
fn ledger(out: &mut String, status: &Status) {
    let ledger = &status.ledger;
    let verified = ledger.verified_at.as_deref().map_or("is being verified".to_owned(), |at| format!("verified at {at}"));
    let _ = writeln!(out, "\nLedger of notices: {verified}\n  head {}", ledger.head);
}

fn calls(out: &mut String, calls: &[CallStatus]) {
    let _ = writeln!(out, "\nCalls: {}", calls.len());
    let row = |call: &CallStatus| {
        let place = match &call.meeting {
            Some(meeting) => format!("{} {meeting}", call.state),
            None => call.state.clone(),
        };
        let spoken = [call.codec.as_deref(), call.encryption.as_deref()];
        let codec = spoken.into_iter().flatten().collect::<Vec<_>>().join(" ");
        [
            call.call.clone(),
            call.device.clone(),
            call.name.clone(),
            format!("{} {}", call.source, call.transport),
            codec,
            place,
            time(call.seconds),
        ]
    };
    table(out, &calls.iter().map(row).collect::<Vec<_>>());
}

/// The last few; all of them are in the JSON.
const FAILURES: usize = 5;

fn failures(out: &mut String, failures: &[super::FailureStatus]) {
    if failures.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nCalls that went wrong: {}", failures.len());
    for failure in failures.iter().take(FAILURES) {
        let peer = failure.peer.as_deref().unwrap_or("-");
        let (call, device, ago) = (&failure.call, &failure.device, time(failure.seconds_ago));
        let dialled = failure.dialled.as_ref().map(|dialled| format!(" for {dialled:?}")).unwrap_or_default();
        let _ = writeln!(out, "  {call}  {device}  {peer}{dialled}  {} ({}), {ago} ago", failure.cause, failure.status);
        for line in &failure.ladder {
            let _ = writeln!(out, "      {line}");
        }
    }
}

fn meetings(out: &mut String, meetings: &[MeetingStatus]) {
    let _ = writeln!(out, "\nMeetings running: {}", meetings.len());
    for meeting in meetings {
        let inside = meeting.participants.iter().filter(|row| row.state == "in").count();
        let _ = write!(out, "  {} ({}): ", meeting.id, meeting.title);
        if !meeting.answers {
            out.push_str("does not answer\n");
            continue;
        }
        let _ = writeln!(
            out,
            "{inside} inside, {} before the door, recording {}, transcription {}",
            meeting.participants.len() - inside,
            meeting.recording,
            meeting.transcription
        );
        let row = |row: &super::ParticipantStatus| {
            let marks = [(row.muted, "muted"), (row.on_hold, "on hold"), (row.reconnecting, "connection lost")];
            let marks: Vec<_> = marks.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect();
            [format!("  {}", row.id), row.name.clone(), format!("{} {}", row.kind, row.via), row.state.clone(), marks.join(", ")]
        };
        table(out, &meeting.participants.iter().map(row).collect::<Vec<_>>());
    }
}

fn devices(out: &mut String, status: &Status) {
    let _ = writeln!(out, "\nDevices configured: {}", status.devices.len());
    let row = |device: &super::DeviceStatus| {
        let calls = match device.calls {
            0 => "no call".to_owned(),
            1 => "1 call".to_owned(),
            calls => format!("{calls} calls"),
        };
        let registered = match device.registrations.as_slice() {
            [] => "not registered".to_owned(),
            [one] => format!("registered from {} {} for {}", one.source, one.transport, time(one.lives_seconds)),
            [one, others @ ..] => format!("registered from {} {} and {} more", one.source, one.transport, others.len()),
        };
        [device.device.clone(), device.name.clone(), device.addresses.join(", "), registered, calls]
    };
    table(out, &status.devices.iter().map(row).collect::<Vec<_>>());
}

fn sms(out: &mut String, status: &Status) {
    let Some(sms) = &status.sms else { return };
    let super::SmsStatus { waiting, sent, delivered, failed, repeated, dropped, .. } = sms;
    let _ = writeln!(
        out,
        "\nSMS: {waiting} on their way; since the start {sent} sent, {delivered} known to be delivered, {failed} failed, \
         {repeated} sent again, {dropped} dropped"
    );
}

fn accounts(out: &mut String, status: &Status) {
    if status.accounts.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nRegistered at");
    let row = |account: &super::AccountStatus| {
        let state = match account.lives_seconds {
            Some(seconds) => format!("registered for {}", time(seconds)),
            None => "not registered".to_owned(),
        };
        let failure = account.failure.as_ref().map(|failure| {
            let next = account.next_seconds.map(|seconds| format!(", next try in {}", time(seconds))).unwrap_or_default();
            format!("{failure}{next}")
        });
        [account.account.clone(), account.registrar.clone(), state, failure.unwrap_or_default()]
    };
    table(out, &status.accounts.iter().map(row).collect::<Vec<_>>());
}

fn blocks(out: &mut String, status: &Status) {
    let blocks = &status.blocks;
    let silenced = blocks.silenced.iter().map(|source| [source.clone(), "sent too much: SIP does not answer it".to_owned()]);
    let sources = blocks.locked_sources.iter().map(|source| [source.clone(), "gave too many wrong codes".to_owned()]);
    let meetings = blocks.locked_meetings.iter().map(|meeting| [meeting.clone(), "had too many wrong codes".to_owned()]);
    let rows: Vec<_> = silenced.chain(sources).chain(meetings).collect();
    let _ = writeln!(out, "\nBlocked for now: {}", rows.len());
    table(out, &rows);
}

fn resources(out: &mut String, status: &Status) {
    let held = &status.resources;
    let (ports, media, sip) = (&held.rtp_ports, &held.media, &held.sip);
    let row = |what: &str, how: String| [what.to_owned(), how];
    out.push_str("\nResources\n");
    table(
        out,
        &[
            row("RTP port pairs", format!("{} in use, {} resting, of {}", ports.taken, ports.resting, ports.pairs)),
            row("media", format!("{} workers serve {} ports", media.workers, media.open_ports)),
            row(
                "SIP",
                format!(
                    "{} calls, {} transactions, {} timers, {} connections",
                    sip.calls, sip.transactions, sip.timers, sip.connections
                ),
            ),
            row(
                "SIP messages",
                format!(
                    "{} in, {} out, {} sent again, {} unreadable, {} dropped",
                    sip.received, sip.sent, sip.retransmitted, sip.malformed, sip.dropped
                ),
            ),
            row("control tasks", held.control_tasks.to_string()),
            row("memory", format!("{:.1} MB", held.memory_bytes as f64 / 1e6)),
            row("descriptors", held.descriptors.to_string()),
        ],
    );
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "  {cell:width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// A length of time by its two largest units.
fn time(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Blocks, DeviceStatus, LedgerHealth, MediaLoad, ParticipantStatus, Resources, RtpPorts};
    use super::*;

    fn busy() -> Status {
        let text = str::to_owned;
        Status {
            version: text("1.2.3"),
            state: text("ready"),
            uptime_seconds: 93_784,
            calls: vec![CallStatus {
                call: text("call-7"),
                device: text("board-room"),
                name: text("Größe"),
                source: text("192.0.2.7:5060"),
                transport: text("UDP"),
                state: text("in"),
                meeting: Some(text("demo")),
                codec: Some(text("G722")),
                seconds: 61,
                ..CallStatus::default()
            }],
            failures: vec![super::super::FailureStatus {
                call: text("call-3"),
                device: text("unknown"),
                dialled: Some(text("1***")),
                peer: Some(text("192.0.2.9:5060")),
                cause: text("unknown-address"),
                status: 404,
                seconds_ago: 75,
                ladder: vec![text("0 < INVITE (1)"), text("1 > 404 Not Found (1 INVITE)")],
            }],
            meetings: vec![MeetingStatus {
                id: text("demo"),
                title: text("Demo"),
                answers: true,
                recording: text("on"),
                transcription: text("off"),
                participants: vec![ParticipantStatus {
                    id: text("p1"),
                    name: text("Alice"),
                    kind: text("member"),
                    via: text("page"),
                    state: text("in"),
                    muted: true,
                    ..ParticipantStatus::default()
                }],
            }],
            devices: vec![DeviceStatus {
                device: text("board-room"),
                name: text("Board room"),
                addresses: vec![text("192.0.2.7/32")],
                registrations: vec![super::super::RegistrationStatus {
                    source: text("192.0.2.7:5060"),
                    transport: text("TLS"),
                    user_agent: None,
                    lives_seconds: 75,
                }],
                calls: 1,
            }],
            accounts: vec![super::super::AccountStatus {
                account: text("pbx"),
                registrar: text("sip:pbx.example.com"),
                failure: Some(text("503 Service Unavailable")),
                next_seconds: Some(75),
                ..super::super::AccountStatus::default()
            }],
            ledger: LedgerHealth { head: text("9:abab"), ..LedgerHealth::default() },
            sms: Some(super::super::SmsStatus { waiting: 2, sent: 40, repeated: 1, ..super::super::SmsStatus::default() }),
            blocks: Blocks { silenced: vec![text("203.0.113.9")], ..Blocks::default() },
            resources: Resources { rtp_ports: RtpPorts { taken: 1, resting: 0, pairs: 500 }, ..Resources::default() },
        }
    }

    #[test]
    fn who_is_up_where_and_who_is_kept_out_can_be_read() {
        let text = print(&busy());
        assert!(text.starts_with("Roomgate 1.2.3, takes calls, up 1d02h\n"), "{text}");
        for line in [
            "  call-7  board-room  Größe  192.0.2.7:5060 UDP  G722  in demo  1m01s\n",
            "  call-3  unknown  192.0.2.9:5060 for \"1***\"  unknown-address (404), 1m15s ago\n      0 < INVITE (1)\n      1 > 404 Not Found (1 INVITE)\n",
            "  demo (Demo): 1 inside, 0 before the door, recording on, transcription off\n",
            "    p1  Alice  member page  in  muted\n",
            "  board-room  Board room  192.0.2.7/32  registered from 192.0.2.7:5060 TLS for 1m15s  1 call\n",
            "  pbx  sip:pbx.example.com  not registered  503 Service Unavailable, next try in 1m15s\n",
            "SMS: 2 on their way; since the start 40 sent, 0 known to be delivered, 0 failed, 1 sent again, 0 dropped\n",
            "  203.0.113.9  sent too much: SIP does not answer it\n",
            "Ledger of notices: is being verified\n  head 9:abab\n",
            "  RTP port pairs  1 in use, 0 resting, of 500\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("\n!"), "nothing is wrong: {text}");
    }

    #[test]
    fn what_is_wrong_comes_first() {
        let mut status = busy();
        status.meetings[0].answers = false;
        status.resources.rtp_ports = RtpPorts { taken: 3, resting: 1, pairs: 4 };
        status.resources.media = MediaLoad { skipped_steps: 400, unsent_packets: 2, lost_events: 1, ..MediaLoad::default() };
        status.sms = Some(super::super::SmsStatus { lost: 3, ..super::super::SmsStatus::default() });
        status.ledger = LedgerHealth { fault: Some("broken".to_owned()), waiting: 2, stuck: true, ..LedgerHealth::default() };
        let text = print(&status);
        let wrong: Vec<_> = text.lines().skip(1).take_while(|line| !line.is_empty()).collect();
        assert_eq!(wrong.len(), 9, "{text}");
        assert!(wrong.iter().all(|line| line.starts_with("! ")), "{text}");
        assert!(text.contains("1.0 s of sound left out"), "{text}");
    }

    #[test]
    fn a_daemon_of_another_version_can_be_read() {
        let status: Status =
            serde_json::from_str(r#"{"version":"9.0","state":"ready","novelty":1,"calls":[{"call":"call-1"}]}"#).unwrap();
        assert!(print(&status).contains("  call-1"));
    }
}
