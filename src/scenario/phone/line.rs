//! The line of a phone: its sockets, its dialog, and what has come of its call.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::encrypted::PhoneSrtp;
use super::handshake::PhoneDtls;
use crate::codec::{CodecKind, Decoder, Encoder};
use crate::dsp::tone::Sine;
use crate::net::udp::Socket;
use crate::scenario::listener::Listener;
use crate::scenario::sip::{Dialog, Text};
use crate::scenario::world::Voice;

/// The duration of an RTP packet.
pub(super) const PTIME: Duration = Duration::from_millis(20);
/// The payload type of telephone events.
pub(super) const KEYS: u8 = 101;
/// The music of a phone that holds us.
pub(in crate::scenario) const MUSIC: Voice = Voice { name: "hold music", freq: 1_850.0 };

/// An RTP packet that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Got {
    pub(in crate::scenario) at: Instant,
    pub(in crate::scenario) seq: u16,
    pub(in crate::scenario) timestamp: u32,
    pub(in crate::scenario) ssrc: u32,
}

/// When a prompt was heard.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct Heard {
    /// When its first packet came.
    pub(in crate::scenario) from: Instant,
    /// When its last one did.
    pub(in crate::scenario) to: Instant,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) enum End {
    /// The INVITE was refused.
    Refused { status: u16, reason: String },
    /// The gateway said BYE.
    HungUp { reason: String },
}

/// What the phone's task and the sentences share.
pub(in crate::scenario) struct Line {
    pub(in crate::scenario) sip: Box<dyn Socket>,
    pub(super) rtp: Box<dyn Socket>,
    pub(super) rtcp: Box<dyn Socket>,
    pub(super) codec: CodecKind,
    pub(in crate::scenario) dialog: Option<Dialog>,
    /// Final responses, with the method they answer.
    pub(in crate::scenario) answers: Vec<(u16, String)>,
    /// The INVITE that was sent last.
    pub(super) invite: String,
    /// The gateway's INVITE that nobody has taken yet.
    pub(super) ringing: Option<Text>,
    /// What was sent to its display.
    pub(super) texts: Vec<String>,
    /// Who is in the meeting, as NOTIFY told it last.
    pub(super) display: Option<String>,
    /// First lines of what NOTIFY told it of a REFER.
    pub(super) notified: Vec<String>,
    pub(in crate::scenario) end: Option<End>,
    /// How often it has called, or was called.
    pub(in crate::scenario) calls: usize,
    /// How many of its calls were answered.
    pub(in crate::scenario) answered_calls: usize,
    /// Where the gateway wants RTP.
    pub(in crate::scenario) remote: Option<SocketAddr>,
    pub(super) holding: bool,
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) decoder: Box<dyn Decoder>,
    pub(super) tone: Sine,
    pub(super) music: Sine,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// The rest of what its keys send: RTP payload, whether it is the first packet, and at which timestamp.
    pub(super) keys: VecDeque<Option<([u8; 4], bool)>>,
    pub(super) key_began: u32,
    pub(in crate::scenario) listener: Listener,
    pub(in crate::scenario) got: Vec<Got>,
    pub(super) ticks: u32,
    pub(super) silent: bool,
    /// Of its RTP packets the network loses each of so many; 0: none.
    pub(super) loses: u16,
    /// It sends no RTCP.
    pub(super) reports_nothing: bool,
    /// It called without an offer, and answers ours in the ACK.
    pub(super) delayed: bool,
    /// Its ACK, which it is slow to send.
    pub(super) withheld: Option<String>,
    /// Offered instead of its codec.
    pub(super) odd: Option<&'static str>,
    /// Its SRTP.
    pub(super) srtp: Option<PhoneSrtp>,
    /// Its DTLS.
    pub(super) dtls: Option<PhoneDtls>,
    /// It has no power, and answers nothing but what ends its call.
    pub(super) is_dead: bool,
}

// === impl Line ===

impl Line {
    pub(super) fn send_sip(&self, text: &str) {
        let gateway = self.dialog.as_ref().expect("a dialog").gateway;
        self.sip.send_to(text.as_bytes(), gateway).expect("sent");
    }

    pub(super) fn payload_type(&self) -> u8 {
        self.codec.row().static_payload_type.unwrap_or(96)
    }

    /// RFC 4566, as a phone writes it.
    pub(super) fn sdp(&self, direction: &str) -> String {
        let row = self.codec.row();
        let (host, port) = (self.rtp.local_addr().expect("bound").ip(), self.rtp.local_addr().expect("bound").port());
        if let Some(odd) = self.odd {
            let pt = odd.split(' ').next().unwrap_or_default();
            let common = format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n");
            return format!("{common}m=audio {port} RTP/AVP {pt}\r\na=rtpmap:{odd}\r\n");
        }
        let (pt, name, clock) = (self.payload_type(), row.name, row.rtp_clock.0);
        let channels = if row.sdp_channels == 2 { "/2" } else { "" };
        let plain = format!(
            "v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {pt} {KEYS}\r\n\
             a=rtpmap:{pt} {name}/{clock}{channels}\r\na=rtpmap:{KEYS} telephone-event/{clock}\r\na=fmtp:{KEYS} 0-15\r\n\
             a={direction}\r\n",
            version = self.dialog.as_ref().map_or(1, |dialog| dialog.cseq + 1),
        );
        match (&self.srtp, &self.dtls) {
            (Some(srtp), _) => srtp.describe(&plain),
            (None, Some(dtls)) => dtls.describe(&plain),
            (None, None) => plain,
        }
    }

    pub(super) fn answered(&mut self, sdp: &str) {
        let line = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default();
        let host = line("c=IN IP4 ").trim();
        let mut media = line("m=audio ").trim().split(' ');
        let port: u16 = media.next().and_then(|port| port.parse().ok()).expect("a port");
        let ours = self.payload_type().to_string();
        assert!(media.skip(1).any(|theirs| theirs == ours), "our codec: {sdp}");
        self.remote = Some(SocketAddr::new(host.parse().expect("an address"), port));
        if let Some(srtp) = &mut self.srtp {
            srtp.answered(sdp);
        }
        self.begins_handshake(sdp);
    }

    pub(super) fn sip(&mut self, datagram: &[u8]) {
        let text = Text::read(datagram);
        if self.is_dead && text.method() != "BYE" {
            return;
        }
        match text.status() {
            Some(status) => self.response(status, &text),
            None if text.method() == "ACK" => {}
            None if text.method() == "INVITE" => self.is_called(&text),
            None if text.method() == "CANCEL" => self.is_called_no_more(&text),
            None => {
                match (text.method(), text.header("event")) {
                    ("NOTIFY", event) if event.starts_with("refer") => {
                        self.notified.extend(text.body.lines().next().map(str::to_owned))
                    }
                    ("MESSAGE", _) => self.texts.push(text.body.clone()),
                    ("NOTIFY", _) if !text.body.is_empty() => self.display = Some(text.body.clone()),
                    _ => {}
                }
                self.send_sip(&text.accepted());
                if text.method() == "BYE" {
                    self.end = Some(End::HungUp { reason: text.header("reason").to_owned() });
                    self.remote = None;
                }
            }
        }
    }

    pub(super) fn response(&mut self, status: u16, text: &Text) {
        if status < 200 {
            return;
        }
        self.answers.push((status, text.of().to_owned()));
        if text.of() != "INVITE" {
            return;
        }
        let accepted = status < 300;
        let Some(dialog) = self.dialog.as_mut() else { return };
        if accepted {
            dialog.to = text.header("to").to_owned();
            let contact = text.header("contact").trim_start_matches('<');
            if dialog.contact.is_none() {
                self.answered_calls += 1;
            }
            dialog.contact = contact.split('>').next().map(str::to_owned);
        } else if dialog.contact.is_none() {
            dialog.to = text.header("to").to_owned();
        }
        let answer = if accepted && self.delayed { self.sdp("sendrecv") } else { String::new() };
        let Some(dialog) = self.dialog.as_mut() else { return };
        let ack = dialog.follow_up("ACK", accepted, &answer);
        match &mut self.withheld {
            Some(withheld) if accepted => *withheld = ack,
            _ => self.send_sip(&ack),
        }
        if accepted {
            self.answered(&text.body);
            self.delayed = false;
        } else if self.remote.is_none() {
            self.end = Some(End::Refused { status, reason: text.header("reason").to_owned() });
        }
    }
}
