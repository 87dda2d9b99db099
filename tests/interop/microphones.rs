//! A closed microphone stays its owner's (K-4), and a name its bearer's (M-1), in Chromium and over a restart of the daemon.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::isolated;

#[test]
fn k4_a_host_asks_and_a_restart_opens_no_microphone() {
    isolated(|| {
        let mut daemon = Daemon::start();
        let mut host = Browser::start(daemon.folder(), "host", 440.0);
        host.enter(&daemon.link("demo", true));
        host.join("Alice");
        let mut guest = Browser::start(daemon.folder(), "guest", 660.0);
        guest.open("http://127.0.0.1:8080/m/demo");
        guest.knock("Alice");
        host.until("lobby-row", "the guest under a name of its own", |row| row.text.contains("Alice (guest)"));
        host.click_in("lobby-row", "Alice (guest)", "admit");
        guest.connected();
        guest.click("mute");
        host.until("roster-row", "the guest is muted", |row| row.text.contains("(guest)") && row.data["muted"] == "true");

        host.click_in("roster-row", "(guest)", "row-menu");
        host.until("row-mute", "a host can only ask", |row| row.text.contains("Ask to unmute"));
        host.click("row-mute");
        guest.until("toast", "the guest is asked", |row| row.text.contains("Alice asks you to unmute"));
        host.until("roster-row", "nobody opened it", |row| row.text.contains("(guest)") && row.data["muted"] == "true");

        daemon.kill();
        daemon.start_again();
        host.connected();
        guest.connected();
        let row = host.until("roster-row", "the guest is back", |row| row.text.contains("(guest)"));
        assert_eq!(row.data["muted"], "true", "a restart opens nothing");
        guest.click("mute");
        host.until("roster-row", "its owner opens it", |row| row.text.contains("(guest)") && row.data["muted"] == "false");
    });
}
