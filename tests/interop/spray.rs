//! RTP from a stranger over the whole range of ports (S-7): not a packet goes out to it, and nothing of it is heard.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::isolated;
use crate::sipp::Mass;
use crate::wiretap::Wiretap;

const ALICE: f64 = 611.0;
const PHONE: f64 = 1011.0;
/// The tone of SIPp's callers.
const NATTED: f64 = 500.0;
/// The tone of the stranger, as loud as can be.
const STRANGER: f64 = 1411.0;
const STRANGERS_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);
/// One packet of the stranger's in half a second would be heard at about -31 dBov; speech and tones of others leave traces below this.
const TRACE: f64 = -45.0;
/// As shipped.
const PORTS: std::ops::RangeInclusive<u16> = 20_000..=20_999;

/// A stranger that sends 20 ms of PCMU to each port, over and over, with a stream of its own for each.
struct Spray {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Spray {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let socket = UdpSocket::bind((STRANGERS_ADDRESS, 40_000)).expect("a socket");
            let (start, mut round) = (Instant::now(), 0_u32);
            while !flag.load(Ordering::Relaxed) {
                for port in PORTS {
                    // Most ports are shut; what comes back of that means nothing.
                    let _ = socket.send_to(&packet(round, port), SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
                }
                round += 1;
                std::thread::sleep((Duration::from_millis(40) * round).saturating_sub(start.elapsed()));
            }
            u64::from(round) * PORTS.count() as u64
        });
        Self { stop, thread: Some(thread) }
    }

    /// How many packets it has sent.
    fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("taken once").join().expect("it ends")
    }
}

/// The next packet of a stream: PCMU, with `STRANGER` at full scale.
fn packet(round: u32, port: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(u16::try_from(round & 0xffff).expect("16 bits").to_be_bytes());
    packet.extend((round * 160).to_be_bytes());
    packet.extend((0xbad0_0000 | u32::from(port)).to_be_bytes());
    let sample = |n: u32| (f64::from(round * 160 + n) * STRANGER / 8000.0 * std::f64::consts::TAU).sin();
    // G.711: the loudest code of either sign, inverted as all are.
    packet.extend((0..160).map(|n| if sample(n) >= 0.0 { 0x80 } else { 0x00 }));
    packet
}

/// A stranger that sprays rtp over all ports is neither heard nor sent to.
#[test]
fn a_stranger_that_sprays_rtp_over_all_ports_is_neither_heard() {
    isolated(|| {
        let daemon = Daemon::with(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n",
        );
        let wiretap = Wiretap::start(daemon.folder(), &format!("udp and dst host {STRANGERS_ADDRESS}"));
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("hall", true));
        alice.join("Alice");
        // Before the phones call, so that the stranger is always the first at their ports.
        let spray = Spray::start();
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, PHONE);
        phone.dial("sip:2002@127.0.0.1:5060");
        let natted = Mass::dial_from_behind_nat(daemon.folder(), 5066, "2002", 24);
        alice.until("roster-row", "the phone behind NAT is inside", |row| row.text.contains("Caller"));
        // Its words of welcome, and everybody's jitter buffer.
        phone.hear(8.0);
        let (by_phone, by_alice) = (phone.hear(8.0), alice.heard().last(8.0));
        let sent = spray.end();
        let levels = [ALICE, PHONE, NATTED, STRANGER].map(|hertz| (by_phone.steady(hertz), by_alice.steady(hertz)));
        println!("{sent} packets sprayed; steady levels at the phone and at Alice, in dBov: {levels:.1?}");
        // Each hears the two others, at about -18 and -24 dBov.
        assert!(levels[0].0 > -30.0 && levels[1].1 > -30.0 && levels[2].0 > -40.0 && levels[2].1 > -40.0, "{levels:?}");
        let everything = alice.heard();
        assert!(everything.trace_of(STRANGER) < TRACE, "the stranger is heard at {:.1} dBov", everything.trace_of(STRANGER));
        assert!(phone.heard().trace_of(STRANGER) < TRACE);
        natted.ends_well(40);
        let leaked = wiretap.finish();
        let media = leaked.iter().filter(|one| PORTS.contains(&one.from.port())).count();
        assert_eq!(media, 0, "{:?}", leaked.first());
    });
}
