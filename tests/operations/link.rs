//! `roomgate link` beside a daemon that runs otherwise than the files say (U-1).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{complaints, roomgate, shipped};

/// The daemon of the demo on free ports, and what it has printed.
struct Demo {
    child: Child,
    printed: String,
}

impl Demo {
    fn start(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let media = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let settings = format!(
            "[http]\nport = 0\n[media]\naddress = \"127.0.0.1\"\nworkers = 1\nwebrtc_port = {media}\n\
             [sip.listen.udp]\naddress = \"127.0.0.1\"\nport = 0\n[sip.listen.tcp]\nenabled = false\n"
        );
        std::fs::write(folder.join("conf/roomgate.d/ports.toml"), settings).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
        // Under a service manager it prints no links.
        command.args(["run", "--config", "conf"]).current_dir(folder).env_remove("JOURNAL_STREAM");
        let mut child =
            command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let mut printed = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        // It has two meetings, each with a link.
        while printed.matches("open http").count() < 2 {
            assert!(lines.read_line(&mut printed).expect("text") > 0, "the daemon has ended: {printed}");
        }
        Self { child, printed }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn link(folder: &Path, meeting: &str) -> Result<String, String> {
    let output = roomgate(&["link", meeting, "--config", "conf"], folder, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(complaints(&output)) }
}

/// A link has the address that the daemon runs with, whatever the command's own settings say.
#[test]
fn u1_a_link_has_the_address_that_the_daemon_runs_with() {
    let folder = shipped();
    let environment = [
        ("ROOMGATE__HTTP__PUBLIC_URL", "https://meet.example:8443"),
        ("ROOMGATE__MEETING__KITCHEN__TITLE", "Kitchen"),
        ("ROOMGATE__MEETING__BOARD__ENABLED", "false"),
    ];
    let demo = Demo::start(folder.path(), &environment);
    for printed in [demo.printed.as_str(), &link(folder.path(), "kitchen").expect("a link")] {
        let open = printed.find("http").map(|at| &printed[at..]).unwrap_or_default();
        assert!(open.starts_with("https://meet.example:8443/enter?token="), "{printed}");
    }
    let unknown = link(folder.path(), "board").expect_err("it is not there");
    assert!(unknown.contains("`board`; there are: demo, kitchen"), "those of the daemon: {unknown}");
    drop(demo);

    let demo = Demo::start(folder.path(), &[]);
    let (printed, _) = demo.printed.split_once("/enter?token=").expect("a link");
    let base = printed.rsplit(' ').next().unwrap_or_default();
    let link = link(folder.path(), "demo").expect("a link");
    assert!(link.starts_with(&format!("{base}/enter?token=")) && !base.ends_with(":0"), "the port that it has got: {link}");
}
