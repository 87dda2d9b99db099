//! Heads of the ledger (N-8): how long it was at one moment, the hash of its newest line, and the key of its epoch. A head that was
//! published (log, `/metrics`, the host's export) and copied elsewhere vouches for every line at or before it.

use std::fmt;
use std::str::FromStr;

/// The target of log lines that publish a head. Whoever reads heads from a log takes lines of this target alone: names and numbers that
/// peers choose stand behind another one. Copies of such lines are kept for years: the name stays, wherever the code goes.
pub(crate) const TARGET: &str = "roomgate::ledger";
/// The text of such a line before the head.
pub(crate) const MESSAGE: &str = "ledger head";
/// The metric whose label is a head.
pub const METRIC: &str = "ledger_head_info";
/// The column, or field, of an export that holds a head.
pub const COLUMN: &str = "ledger_head";

/// How lines of earlier versions begin that publish one.
const OLD: &str = "roomgate::store: ledger checkpoint";

/// The longest line that may hold a head; longer ones are passed over.
const LONGEST: usize = 64 * 1024;

/// A head: `100:`, 64 hexadecimal digits, and, since lines are signed, `:` and 64 more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerHead {
    /// Lines.
    pub count: u64,
    /// Hash of the newest; zeros for none.
    pub hash: [u8; 32],
    /// The public key of the epoch that it belongs to; `None`: an older version has written it.
    pub key: Option<[u8; 32]>,
}

/// The text is no [`LedgerHead`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a head of the ledger: a count, a colon and 64 hexadecimal digits, then perhaps a colon and 64 more")]
pub struct BadLedgerHead;

impl fmt::Display for LedgerHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, Hex(&self.hash))?;
        self.key.map_or(Ok(()), |key| write!(f, ":{}", Hex(&key)))
    }
}

impl FromStr for LedgerHead {
    type Err = BadLedgerHead;

    fn from_str(text: &str) -> Result<Self, BadLedgerHead> {
        let mut parts = text.split(':');
        let count = parts.next().filter(|count| count.bytes().all(|byte| byte.is_ascii_digit())).ok_or(BadLedgerHead)?;
        let hash = parts.next().and_then(from_hex).ok_or(BadLedgerHead)?;
        let key = parts.next().map(|key| from_hex(key).ok_or(BadLedgerHead)).transpose()?;
        match parts.next() {
            None => Ok(Self { count: count.parse().map_err(|_| BadLedgerHead)?, hash, key }),
            Some(_) => Err(BadLedgerHead),
        }
    }
}

/// The heads in a file that was copied off the machine: lines of the log (as text, JSON, or printed by `journalctl`), a scrape of
/// `/metrics`, the host's export (CSV or JSON), or bare heads, one a line. Anything else in it is passed over.
#[must_use]
pub fn read(text: &str) -> Vec<LedgerHead> {
    if let Ok(document) = serde_json::from_str::<serde_json::Value>(text) {
        return in_json(&document).into_iter().collect();
    }
    let lines = text.lines().filter(|line| line.len() <= LONGEST);
    let table = text.lines().next().is_some_and(|headings| headings.trim_end().ends_with(&format!(",{COLUMN}")));
    if table {
        lines.filter_map(|line| line.rsplit(',').next().and_then(bare)).collect()
    } else {
        lines.filter_map(in_line).collect()
    }
}

fn bare(text: &str) -> Option<LedgerHead> {
    text.trim().trim_matches('"').parse().ok()
}

fn in_line(line: &str) -> Option<LedgerHead> {
    // Further lines of one entry are indented: they are text of a peer.
    let is_continued = line.starts_with([' ', '\t']);
    let line = line.trim();
    if let Some((prefix, object)) = line.find('{').and_then(|at| line.split_at_checked(at))
        && is_prefix(prefix)
    {
        return in_json(&serde_json::from_str(object).ok()?);
    }
    if line.strip_prefix("roomgate_").is_some_and(|line| line.starts_with(METRIC)) {
        return bare(line.split_once("head=\"")?.1.split('"').next()?);
    }
    bare(line).or_else(|| in_log(line).filter(|_| !is_continued))
}

/// Whether nothing stands before a line of ours but what a logger puts there: times, a host and `name[pid]:`, and a level. Whatever else stands
/// there was said by somebody, who may have said what looks like a head as well.
fn is_prefix(text: &str) -> bool {
    const NAMES: [&str; 20] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri",
        "Sat", "Sun", "UTC",
    ];
    let is_time =
        |word: &&str| NAMES.contains(word) || word.chars().all(|letter| letter.is_ascii_digit() || "-:.+,TZ[]".contains(letter));
    let is_level = |word: &&str| ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(word);
    let is_name = |word: &str| word.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    let is_process = |word: &&str| {
        let parts = word.strip_suffix("]:").and_then(|word| word.split_once('['));
        parts.is_some_and(|(name, id)| is_name(name) && id.chars().all(|letter| letter.is_ascii_digit()))
    };
    let mut words = text.split_whitespace().peekable();
    while words.next_if(is_time).is_some() {}
    if words.peek().is_some_and(|word| is_name(word) && !is_level(word)) {
        words.next();
        if !words.peek().is_some_and(is_process) {
            return false;
        }
    }
    words.next_if(is_process);
    while words.next_if(is_time).is_some() {}
    words.next_if(is_level);
    words.next().is_none()
}

/// A line of the log as text. Ours begin with their target; the first one on a line is ours, whatever values stand behind it.
fn in_log(line: &str) -> Option<LedgerHead> {
    let (prefix, ours) = line.split_at(line.find("roomgate::")?);
    if !is_prefix(prefix) {
        return None;
    }
    let fields = match ours.strip_prefix(OLD) {
        Some(rest) => rest.split_once("checkpoint=")?.1,
        None => ours.strip_prefix(TARGET)?.strip_prefix(": ")?.strip_prefix(MESSAGE)?.strip_prefix(" head=")?,
    };
    bare(fields.split_whitespace().next()?)
}

/// The host's export, a line of the log, or an entry of the journal.
fn in_json(value: &serde_json::Value) -> Option<LedgerHead> {
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    if let Some(head) = text(COLUMN) {
        return bare(head);
    }
    if let Some(message) = text("MESSAGE") {
        return match message.starts_with('{') {
            true => in_event(&serde_json::from_str(message).ok()?),
            false => in_log(message),
        };
    }
    in_event(value)
}

/// A line of the log as JSON.
fn in_event(value: &serde_json::Value) -> Option<LedgerHead> {
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let of_an_earlier_version = || text("message").is_some_and(|message| message.starts_with("ledger checkpoint"));
    if text("target") == Some("roomgate::store") && of_an_earlier_version() {
        return text("checkpoint").and_then(bare);
    }
    (text("target") == Some(TARGET)).then(|| text("head")).flatten().and_then(bare)
}

/// Printed as hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// 32 bytes of 64 hexadecimal digits.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(count: u64, key: Option<u8>) -> LedgerHead {
        LedgerHead { count, hash: [0xab; 32], key: key.map(|key| [key; 32]) }
    }

    #[test]
    fn n8_heads_are_read_from_whatever_they_are_published_in() {
        let (old, new) = (head(7, None), head(9, Some(1)));
        assert_eq!((old.to_string().parse(), new.to_string().parse()), (Ok(old), Ok(new)));
        let published = [
            format!("2026-11-30T02:40:47.123Z  INFO roomgate::ledger: ledger head head={new}"),
            format!("Nov 30 02:40:47 gateway roomgate[17]: roomgate::ledger: ledger head head={new} why=day"),
            format!(
                "{{\"timestamp\":\"x\",\"level\":\"INFO\",\"message\":\"ledger head\",\"head\":\"{new}\",\"target\":\"roomgate::ledger\"}}"
            ),
            format!("Nov 30 02:40:47 gateway roomgate[17]: {{\"head\":\"{new}\",\"target\":\"roomgate::ledger\"}}"),
            format!(
                "2026-11-30T02:40:47+0000 gateway roomgate[17]: 2026-11-30T02:40:47Z  INFO roomgate::ledger: ledger head head={new}"
            ),
            format!("[  123.456] gateway roomgate[17]: roomgate::ledger: ledger head head={new}"),
            format!("{{\"MESSAGE\":\"{{\\\"head\\\":\\\"{new}\\\",\\\"target\\\":\\\"roomgate::ledger\\\"}}\"}}"),
            format!("{{\"message\":\"ledger checkpoint at stop\",\"checkpoint\":\"{new}\",\"target\":\"roomgate::store\"}}"),
            format!("{{\"MESSAGE\":\"roomgate::ledger: ledger head head={new}\",\"PRIORITY\":\"6\"}}"),
            format!("2026-11-30T02:40:47.123Z  INFO roomgate::store: ledger checkpoint at start checkpoint={new}"),
            format!("Nov 30 02:40:47 gateway roomgate[17]: roomgate::store: ledger checkpoint checkpoint={new}"),
            format!("roomgate_ledger_head_info{{head=\"{new}\"}} 1"),
            format!("  {new}"),
        ];
        for line in &published {
            assert_eq!(read(line), [new], "{line}");
        }
        assert_eq!(read(&(published.join("\r\n") + "\n# HELP other\n")), [new; 13]);
        assert_eq!(read(&format!("device,meeting,{COLUMN}\r\n\"Anonymous\",\"demo\",\"{new}\"\r\n")), [new]);
        assert_eq!(read(&format!("{{\"records\": [],\n \"{COLUMN}\": \"{new}\"}}")), [new]);
        assert_eq!(read(&old.to_string()), [old]);
    }

    #[test]
    fn n8_what_a_peer_writes_into_the_log_is_no_head() {
        let new = head(9, Some(1));
        for line in [
            format!("2026 INFO roomgate::call::task: call dialog=\"roomgate::ledger: ledger head head={new}\""),
            format!("2026 INFO roomgate::call::task: call dialog={new}"),
            format!("SMS from +49…01 to +49…23: roomgate::ledger: ledger head head={new}"),
            format!(
                "Nov 30 02:40:47 gateway roomgate[17]: SMS from +49…01 to +49…23: Ada: roomgate::ledger: ledger head head={new}"
            ),
            format!("SMS from +49…01 to +49…23: {{\"head\":\"{new}\",\"target\":\"roomgate::ledger\"}}"),
            format!("Nov 30 02:40:47 gateway Ada: roomgate::ledger: ledger head head={new}"),
            format!("    roomgate::ledger: ledger head head={new}"),
            format!("{{\"target\":\"roomgate::call\",\"dialog\":\"{new}\",\"head\":\"{new}\"}}"),
            format!("roomgate_calls{{head=\"{new}\"}} 1"),
            format!("x{new}"),
            format!("-1:{}", "00".repeat(32)),
            format!("1:{}", "é".repeat(32)),
            format!("1:{0}:{0}:{0}", "00".repeat(32)),
            format!("1:{}:", "00".repeat(32)),
            String::new(),
        ] {
            assert_eq!(read(&line), [], "{line}");
        }
    }
}
