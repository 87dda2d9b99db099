//! Pages of a heading and a paragraph, for browsers that are not in a meeting.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

pub(super) async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "Nothing here", "<p>There is no such page. Check the address you were sent.</p>")
}

/// The answer to a method that a page does not take.
pub(super) async fn wrong_method() -> Response {
    plain(StatusCode::METHOD_NOT_ALLOWED, "Not like this", "<p>Nothing can be sent to this address. Open it in a browser.</p>")
}

pub(super) fn no_such_meeting() -> Response {
    plain(StatusCode::NOT_FOUND, "No such meeting", "<p>Check the address you were sent, or ask the host for a new one.</p>")
}

/// The product's mark, as the meeting's page shows it.
const MARK: &str = "<span class=\"mark\" aria-hidden=\"true\"><svg viewBox=\"0 0 24 24\"><path d=\"M4 21V11a8 8 0 0 1 16 0v10\"/>\
                    <path d=\"M9 14v3M12 11.5v8M15 14v3\"/></svg></span>";

/// A page of one heading. `body` is HTML.
pub(super) fn plain(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let product = if title == "Roomgate" { "" } else { " · Roomgate" };
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}{product}</title>\n<link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/assets/plain.css\">\n</head>\n<body><main>\n{MARK}\n<h1><bdi>{title}</bdi></h1>\n{body}\n</main></body>\n</html>\n"
    );
    (status, Html(page)).into_response()
}

/// Text made safe for HTML, also inside a quoted attribute.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_cannot_be_smuggled_in_by_a_title_or_a_token() {
        assert_eq!(escaped("\"><script>alert('&')</script>"), "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;");
        assert!(matches!(escaped("Demo"), Cow::Borrowed("Demo")));
    }
}
