//! Files and directories of this machine that the settings name. Nothing is created or changed.

use std::fs::{File, Metadata};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use crate::config::sections::TlsConfig;
use crate::config::settings::Settings;
use crate::http::SOCKET_FILE;

/// Bytes of the path of a Unix socket at most: `sun_path` of Linux without the zero at its end (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// Lists what is missing on the disk, or may not be read or written.
pub(in crate::config) fn machine(settings: &Settings, found: &mut Findings<'_>) {
    certificates(settings, found);
    speech_program(settings, found);
    control_socket(settings, found);
    for (key, directory) in
        [("store.directory", &settings.store.directory), ("recording.directory", &settings.recording.directory)]
    {
        if let Err(why) = can_be_made(directory) {
            let hint = "name a directory that the user running roomgate may write";
            found.problem(key, format!("{} {why}", directory.display()), hint);
        }
    }
}

/// PEM files of certificates, keys, authorities and revocation lists.
fn certificates(settings: &Settings, found: &mut Findings<'_>) {
    let of = |key: &str, tls: &TlsConfig| {
        [("certificate", tls.certificate.clone()), ("key", tls.key.clone())].map(|(file, path)| (format!("{key}.{file}"), path))
    };
    let mut files: Vec<(String, PathBuf)> = settings.http.tls.iter().flat_map(|tls| of("http.tls", tls)).collect();
    for (name, listen) in &settings.sip.listen {
        let key = format!("sip.listen.{name}");
        files.extend(listen.tls.iter().flat_map(|tls| of(&key, tls)));
        files.extend(listen.client_crl.iter().map(|path| (format!("{key}.client_crl"), path.clone())));
        files.extend(listen.client_ca.iter().map(|path| (format!("{key}.client_ca"), path.clone())));
    }
    files.extend(settings.sip.ca.iter().map(|path| ("sip.ca".to_owned(), path.clone())));
    for (key, file) in files {
        let opened = File::open(&file).and_then(|file| file.metadata());
        let is_file = |metadata: Metadata| if metadata.is_file() { Ok(()) } else { Err(std::io::Error::other("not a file")) };
        if let Err(error) = opened.and_then(is_file) {
            let hint = "name a PEM file that the user running roomgate can read";
            found.problem(&key, format!("{} cannot be read: {error}", file.display()), hint);
        }
    }
}

fn speech_program(settings: &Settings, found: &mut Findings<'_>) {
    let Some(speech) = &settings.speech else { return };
    let is_program = |metadata: &Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    if !std::fs::metadata(&speech.program).is_ok_and(|metadata| is_program(&metadata)) {
        let what = format!("{} is no program that could be run", speech.program.display());
        found.problem("speech.command", what, "install it, or take the command out: then nothing is read aloud");
    }
}

/// Commands ask the daemon by a Unix socket in the state directory: its path must fit into an address of the system, or the daemon does not
/// start.
fn control_socket(settings: &Settings, found: &mut Findings<'_>) {
    let directory = &settings.store.directory;
    let length = directory.join(SOCKET_FILE).as_os_str().len();
    if length > LONGEST_SOCKET_PATH {
        let most = LONGEST_SOCKET_PATH.saturating_sub(SOCKET_FILE.len() + 1);
        let what = format!(
            "is {} bytes long, too long for the path of the socket {SOCKET_FILE} in it, which may have {LONGEST_SOCKET_PATH}",
            directory.as_os_str().len()
        );
        found.problem("store.directory", what, format!("name a directory of at most {most} bytes"));
    }
}

/// Whether a directory is there and may be written, or could be made.
fn can_be_made(directory: &Path) -> Result<(), String> {
    let parents = directory.ancestors().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let Some((nearest, metadata)) = parents.filter_map(|parent| Some((parent, parent.metadata().ok()?))).next() else {
        return Err("lies nowhere".to_owned());
    };
    if !metadata.is_dir() {
        return Err(format!("cannot be made: {} is not a directory", nearest.display()));
    }
    if metadata.permissions().readonly() {
        return Err(format!("cannot be written: {} is read-only", nearest.display()));
    }
    Ok(())
}
