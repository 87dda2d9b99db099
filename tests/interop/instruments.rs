//! The instruments, proved without the gateway: what the peers measure of each other bounds what can be asked of it.

use std::time::Instant;

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::namespace::isolated;
use crate::pjsip::{HOLD_MUSIC, Pjsip};
use crate::sipp::Caller;

#[test]
fn two_phones_hear_each_other_without_the_gateway() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for (port, codec) in [(5070, Codec::Pcmu), (5080, Codec::Opus)] {
            let mut called = Baresip::start(folder.path(), port, codec, Transport::Udp, 811.0);
            let mut caller = Baresip::start(folder.path(), port + 5, codec, Transport::Udp, 1011.0);
            caller.dial(&format!("sip:room-{port}@127.0.0.1:{port}"));
            let heard = caller.hear(4.0).last(3.0);
            let tone = heard.tone(811.0).expect("the other's tone");
            assert!((tone.level + 18.0).abs() < 1.0 && tone.gaps.is_empty(), "{codec:?}: {tone:?}");
            // What is written can be read at once: moments in a recording are moments of the clock. A machine that stands still in
            // the wrong moment spoils one of three; an instrument that is off, all of them.
            let off = [(); 3].map(|()| {
                let start = Instant::now();
                (caller.hear(2.0).length() - start.elapsed().as_secs_f64()).abs()
            });
            println!("{codec:?}: {tone:?}; the recording is {off:.3?} s off the clock");
            assert!(off.iter().any(|off| *off < 0.15), "{codec:?}: the recording is {off:?} s off the clock");
            assert!(called.heard().last(2.0).tone(1011.0).is_some(), "{codec:?}");
            caller.hang_up();
            called.wait_for("CALL_CLOSED", 5);
        }
    });
}

/// Two connections in one page, with the test ids of the meeting's page and a policy as strict as its own.
const LOOPBACK_PAGE: &str = r#"<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-x' 'unsafe-inline'">
<button data-testid="start">Start</button><p data-testid="state" hidden>connected</p><audio data-testid="remote-audio" autoplay></audio>
<script>
document.querySelector('[data-testid=start]').onclick = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const near = new RTCPeerConnection(), far = new RTCPeerConnection();
  near.onicecandidate = (e) => e.candidate && far.addIceCandidate(e.candidate);
  far.onicecandidate = (e) => e.candidate && near.addIceCandidate(e.candidate);
  far.ontrack = (e) => (document.querySelector('audio').srcObject = new MediaStream([e.track]));
  far.onconnectionstatechange = () => far.connectionState === 'connected' && (document.querySelector('[data-testid=state]').hidden = false);
  stream.getTracks().forEach((track) => near.addTrack(track, stream));
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
};
</script>"#;

#[test]
fn a_browser_hears_its_own_microphone_without_the_gateway() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let page = std::net::TcpListener::bind("127.0.0.1:8080").expect("a port");
        std::thread::spawn(move || {
            for mut stream in page.incoming().flatten() {
                let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{LOOPBACK_PAGE}");
                let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
            }
        });
        let mut browser = Browser::start(folder.path(), "alice", 611.0);
        browser.open("http://127.0.0.1:8080/");
        browser.click("start");
        browser.wait("state");
        let heard = browser.hear(5.0).last(4.0);
        let tone = heard.tone(611.0).expect("the microphone's tone");
        println!("browser to itself: {tone:?}; {}", browser.received());
        assert!((tone.level + 18.0).abs() < 1.5 && (tone.hertz - 611.0).abs() < 1.0 && tone.gaps.is_empty(), "{tone:?}");
    });
}

/// A phone that holds goes on hearing after it resumes without the gateway.
#[test]
fn a_phone_that_holds_goes_on_hearing_after_it_resumes() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut called = Pjsip::start(folder.path(), 5064, 811.0);
        let mut caller = Pjsip::start(folder.path(), 5062, 1011.0);
        caller.dial("sip:room@127.0.0.1:5064");
        let tone = caller.hear(3.0).last(2.0).tone(811.0).expect("the other's tone");
        assert!((tone.level + 18.0).abs() < 1.0 && tone.gaps.is_empty(), "{tone:?}");
        assert!(called.heard().last(1.0).tone(1011.0).is_some());
        caller.press("*6");
        assert_eq!(called.wait_for("key", 5)["key"], "*");
        assert_eq!(called.wait_for("key", 5)["key"], "6");
        caller.hold();
        let held = called.hear(2.0).last(1.0);
        assert!(held.tone(HOLD_MUSIC).is_some() && held.tone(1011.0).is_none());
        caller.resume();
        assert!(caller.hear(3.0).last(2.0).tone(811.0).is_some());
        let back = called.heard().last(1.0);
        assert!(back.tone(HOLD_MUSIC).is_none() && back.tone(1011.0).is_some());
        caller.hang_up();
    });
}

#[test]
fn an_auto_dialler_is_understood_without_the_gateway() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut called = Baresip::start(folder.path(), 5070, Codec::Pcmu, Transport::Udp, 811.0);
        let mut caller = Caller::dial_at(folder.path(), 5066, "room-5070", "127.0.0.1:5070", &[(1000, "1002#"), (3000, "*")]);
        for key in ["1", "0", "2", "#", "*"] {
            called.wait_for_key(key);
        }
        assert_eq!(called.keys(), "1002#*");
        assert!(caller.goes_on());
        called.hang_up();
        caller.was_hung_up_on(10);
    });
}
