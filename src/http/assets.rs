//! Files of the meeting page, compiled in, with their validators (RFC 9110 section 8.8.3).

use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// The files of the meeting page, by the name they have under `/assets/`.
macro_rules! page_files {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../service/embedded/page/", $name)).as_slice()),)*]
    };
}

const PAGE_FILES: &[(&str, &[u8])] = page_files! {
    "app.js" "boot.js" "captures.js" "chat.js" "controls.js" "door.js" "icon.svg" "lobby.js" "media.js" "memory.js" "microphone.js" "prejoin.js"
    "readers.js" "rooms.js" "roster.js" "signalling.js" "sound.js" "style.css" "text.js" "view.js"
};

const MEETING_PAGE: &[u8] = include_bytes!("../service/embedded/page/index.html");
const PLAIN_STYLE: &[u8] = include_bytes!("plain.css");

/// A file as it is sent.
struct Asset {
    name: &'static str,
    content: &'static [u8],
    content_type: &'static str,
    /// Changes with the content (RFC 9110 section 8.8.3).
    etag: String,
}

impl Asset {
    fn new(name: &'static str, content: &'static [u8]) -> Self {
        let etag = Sha256::digest(content).iter().take(8).fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}")) + "\"";
        Self { name, content, content_type: content_type(name), etag }
    }

    /// The file, or that the browser has it already. It asks each time, so that a new release is seen at once.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let told = [(header::ETAG, self.etag.as_str()), (header::CACHE_CONTROL, "no-cache")];
        let has = |value: &str| {
            value.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == self.etag)
        };
        if headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(has) {
            return (StatusCode::NOT_MODIFIED, told).into_response();
        }
        (told, [(header::CONTENT_TYPE, self.content_type)], self.content).into_response()
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let plain = ("plain.css", PLAIN_STYLE);
    PAGE_FILES.iter().chain([&plain]).map(|&(name, content)| Asset::new(name, content)).collect()
});
static INDEX: LazyLock<Asset> = LazyLock::new(|| Asset::new("index.html", MEETING_PAGE));

/// The page of every meeting.
pub(super) fn meeting_page(headers: &HeaderMap) -> Response {
    INDEX.answer(headers)
}

/// The file of this name; `None`: there is none.
pub(super) fn asset(name: &str, headers: &HeaderMap) -> Option<Response> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.answer(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_served() {
        let index = std::str::from_utf8(MEETING_PAGE).expect("UTF-8");
        let named = |text: &str, before: &str| -> Vec<String> {
            text.split(before).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()).map(str::to_owned).collect()
        };
        let mut names = named(index, "/assets/");
        assert!(!names.is_empty());
        for (_, content) in PAGE_FILES {
            if let Ok(text) = std::str::from_utf8(content) {
                names.extend(named(text, "from './").into_iter().chain(named(text, "/assets/")));
            }
        }
        for name in names {
            assert!(ASSETS.iter().any(|asset| asset.name == name), "{name} is not in the table");
        }
        assert!(ASSETS.iter().all(|asset| asset.content_type != "application/octet-stream"));
    }
}
