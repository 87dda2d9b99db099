//! Lists as a table (RFC 4180), where the query or `Accept` wants one.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::common::units::rfc3339;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// JSON.
    Json,
    /// A table with a line of headings (RFC 4180); times as RFC 3339 writes them.
    Csv,
}

/// The format that the query asks for, otherwise the one of `Accept` (RFC 9110 section 12.5.1).
pub(super) fn format_of(asked: Option<Format>, headers: &HeaderMap) -> Format {
    let accepts = || headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let table = || accepts().is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("text/csv")));
    asked.unwrap_or_else(|| if table() { Format::Csv } else { Format::Json })
}

/// One field of a table.
pub(super) enum Cell {
    Text(String),
    Number(String),
    Nothing,
}

impl Cell {
    pub(super) fn number<T: ToString>(number: Option<T>) -> Self {
        number.map_or(Self::Nothing, |number| Self::Number(number.to_string()))
    }

    pub(super) fn time(at: Option<u64>) -> Self {
        at.map_or(Self::Nothing, |at| Self::Number(rfc3339(at)))
    }

    pub(super) fn text(text: Option<String>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }

    /// RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe, which keeps it text there.
    fn write(self, into: &mut String) {
        match self {
            Self::Nothing => {}
            Self::Number(number) => into.push_str(&number),
            Self::Text(text) => {
                let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
                into.push('"');
                into.push_str(if formula { "'" } else { "" });
                into.push_str(&text.replace('"', "\"\""));
                into.push('"');
            }
        }
    }
}

/// The table as a file to be saved.
pub(super) fn csv<const N: usize>(name: &str, headings: &[&str; N], rows: impl Iterator<Item = [Cell; N]>) -> Response {
    let mut text = headings.join(",") + "\r\n";
    for row in rows {
        for (column, cell) in row.into_iter().enumerate() {
            text.push_str(if column > 0 { "," } else { "" });
            cell.write(&mut text);
        }
        text.push_str("\r\n");
    }
    let file = format!("attachment; filename=\"{name}.csv\"");
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, file)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut into = String::new();
        Cell::Text(text.to_owned()).write(&mut into);
        into
    }

    #[test]
    fn texts_are_quoted_and_never_a_formula() {
        assert_eq!(written("board, \"big\"\r\nroom"), "\"board, \"\"big\"\"\r\nroom\"");
        for formula in ["=1+1", "+49", "-1", "@SUM(A1)", "\tx", "\rx"] {
            assert_eq!(written(formula), format!("\"'{formula}\""));
        }
    }
}
