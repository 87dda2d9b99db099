//! Bytes to lines and back: folding, compact names, several values on one line, and framing on streams (RFC 3261 sections 7.3, 7.5, 18.3).
//!
//! Reading is lenient where phones differ (bare LF, blanks before a colon, folded lines, bytes that are not UTF-8) and strict about
//! size: every length is bounded before anything is allocated. Nothing here knows what a header means.
//!
//! This is the only reader of SIP bytes. `rsip` refuses cases of RFC 4475 that we take, `wsinv` (folded lines, compact names), `intmeth`, `esc02`,
//! `mismatch02` (methods it does not know), `longreq`, `semiuri`, `lwsstart`, `trws`, `escruri`, `unkscm` and `unksm2`, and nine of the eleven of RFC 5118
//! (IPv6). Each must be read, if only to be refused with a status; `tests/wire/torture.rs` keeps the list true.

use super::header_names;

/// What one message may measure. A message beyond a limit is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireLimits {
    /// Start line and headers together, in bytes.
    pub head_bytes: usize,
    /// Body, in bytes.
    pub body_bytes: usize,
    /// Number of header lines.
    pub headers: usize,
}

impl Default for WireLimits {
    /// 16 KiB of head, 48 KiB of body (together one UDP datagram), 256 headers.
    fn default() -> Self {
        Self { head_bytes: 16 * 1024, body_bytes: 48 * 1024, headers: 256 }
    }
}

/// Why bytes are not a SIP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Nothing but line ends.
    #[error("no start line")]
    Empty,
    /// The blank line that ends the headers is missing.
    #[error("headers do not end")]
    NoEnd,
    /// The head is larger than [`WireLimits::head_bytes`].
    #[error("head too large")]
    HeadTooLarge,
    /// More than [`WireLimits::headers`] header lines.
    #[error("too many headers")]
    TooManyHeaders,
    /// The body is larger than [`WireLimits::body_bytes`].
    #[error("body too large")]
    BodyTooLarge,
    /// The first line is neither a request line nor a status line of SIP/2.0.
    #[error("bad start line")]
    BadStartLine,
    /// A request line that ends in another version.
    #[error("not SIP/2.0")]
    Version,
    /// `Content-Length` is not a number, is said twice with different values, or exceeds what arrived.
    #[error("bad Content-Length")]
    BadLength,
}

/// Start line, headers in order, and where the body begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The first line.
    pub start: String,
    /// Name as written (compact forms expanded) and unfolded value.
    pub headers: Vec<(String, String)>,
    /// Offset of the first body byte.
    pub body_at: usize,
    /// Lines that are no header (no colon, or no name); they are skipped and counted.
    pub skipped: usize,
}

/// The full name of a one-letter header (RFC 3261 section 7.3.3 and the IANA registry), or `name` itself.
#[must_use]
pub fn full_name(name: &str) -> &str {
    let mut letters = name.chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else { return name };
    match letter.to_ascii_lowercase() {
        'a' => "Accept-Contact",
        'b' => "Referred-By",
        'c' => header_names::CONTENT_TYPE,
        'd' => "Request-Disposition",
        'e' => header_names::CONTENT_ENCODING,
        'f' => header_names::FROM,
        'i' => header_names::CALL_ID,
        'j' => "Reject-Contact",
        'k' => header_names::SUPPORTED,
        'l' => header_names::CONTENT_LENGTH,
        'm' => header_names::CONTACT,
        'n' => "Identity-Info",
        'o' => header_names::EVENT,
        'r' => header_names::REFER_TO,
        's' => "Subject",
        't' => header_names::TO,
        'u' => header_names::ALLOW_EVENTS,
        'v' => header_names::VIA,
        'x' => header_names::SESSION_EXPIRES,
        'y' => "Identity",
        _ => name,
    }
}

/// Text of header bytes. Bytes that are not UTF-8 are taken for Latin-1, which is what phones that send them mean.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Without blanks at its ends, and without a copy where there are none.
fn trimmed(text: String) -> String {
    let bare = text.trim();
    if bare.len() == text.len() { text } else { bare.to_owned() }
}

/// The next line without its end, and what follows it; `None` when no line end is there.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = bytes.split_at(end);
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()))
}

/// Splits the head of a message off `bytes`. Line ends before the start line are skipped (RFC 3261 section 7.5).
///
/// # Errors
/// [`WireError`] when no complete head within `limits` is there.
pub fn head(bytes: &[u8], limits: &WireLimits) -> Result<Head, WireError> {
    let mut rest = bytes;
    while let Some((b'\r' | b'\n', tail)) = rest.split_first() {
        rest = tail;
    }
    if rest.is_empty() {
        return Err(WireError::Empty);
    }
    let begun = rest.len();
    let (first, tail) = line(rest).ok_or(WireError::NoEnd)?;
    let start = text(first);
    rest = tail;
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut skipped = 0;
    let mut last_was_header = false;
    loop {
        let (line, tail) = line(rest).ok_or(WireError::NoEnd)?;
        if begun - tail.len() > limits.head_bytes {
            return Err(WireError::HeadTooLarge);
        }
        rest = tail;
        if line.is_empty() {
            break;
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // A continuation of the line before (RFC 3261 section 7.3.1).
            if let (true, Some((_, value))) = (last_was_header, headers.last_mut()) {
                let more = text(line);
                let more = more.trim();
                if !more.is_empty() {
                    if !value.is_empty() {
                        value.push(' ');
                    }
                    value.push_str(more);
                }
            }
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = colon.map(|at| line.split_at(at)).unwrap_or_default();
        let name = std::str::from_utf8(name).unwrap_or_default().trim();
        last_was_header = is_token(name);
        if !last_was_header {
            skipped += 1;
            continue;
        }
        if headers.len() >= limits.headers {
            return Err(WireError::TooManyHeaders);
        }
        headers.push((full_name(name).to_owned(), trimmed(text(value.get(1..).unwrap_or_default().trim_ascii()))));
    }
    Ok(Head { start, headers, body_at: bytes.len() - rest.len(), skipped })
}

/// What can be read of the head of a message that is no good: of one that is too long, its beginning.
#[must_use]
pub fn head_of_broken(bytes: &[u8], limits: &WireLimits) -> Option<Head> {
    let all_lines = WireLimits { headers: usize::MAX, ..*limits };
    match head(bytes, &all_lines) {
        Ok(head) => Some(head),
        Err(WireError::HeadTooLarge) => {
            let begun = bytes.get(..limits.head_bytes.saturating_sub(2))?;
            let whole_lines = begun.iter().rposition(|&byte| byte == b'\n').and_then(|end| begun.get(..=end))?;
            head(&[whole_lines, b"\r\n"].concat(), &all_lines).ok()
        }
        Err(_) => None,
    }
}

/// The declared body length, if any.
///
/// # Errors
/// [`WireError::BadLength`] when it is no number or two of them differ.
pub fn content_length(headers: &[(String, String)]) -> Result<Option<usize>, WireError> {
    let mut found = None;
    for (_, value) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(header_names::CONTENT_LENGTH)) {
        let value = value.trim();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WireError::BadLength);
        }
        let length: usize = value.parse().map_err(|_| WireError::BadLength)?;
        if found.is_some_and(|before| before != length) {
            return Err(WireError::BadLength);
        }
        found = Some(length);
    }
    Ok(found)
}

/// Whether `text` is a token of RFC 3261 section 25.1.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

/// Splits `value` at `separator` outside quoted strings and angle brackets. Empty parts are left out.
pub fn split_outside(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let mut bracketed = false;
    value
        .split(move |letter: char| {
            if escaped {
                escaped = false;
                return false;
            }
            match letter {
                '\\' if quoted => escaped = true,
                '"' if !bracketed => quoted = !quoted,
                '<' if !quoted => bracketed = true,
                '>' if !quoted => bracketed = false,
                letter => return letter == separator && !quoted && !bracketed,
            }
            false
        })
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// What came out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// Two line ends between messages: a keep-alive that wants one line end back (RFC 5626 section 3.5.1).
    Ping,
    /// Exactly one message.
    Message(Vec<u8>),
}

/// What stands between two messages.
enum Between {
    /// A keep-alive that ends there.
    Ping(usize),
    /// Stray line ends, and then what may become a keep-alive.
    Undecided(usize),
    /// Stray line ends, and then a message.
    Message(usize),
}

/// Looks at line ends one by one, so that the same comes out wherever packets end.
fn between(bytes: &[u8]) -> Between {
    const PING: &[u8] = b"\r\n\r\n";
    let mut stray = 0;
    loop {
        let rest = bytes.get(stray..).unwrap_or_default();
        match rest.first() {
            _ if rest.starts_with(PING) => return Between::Ping(stray + PING.len()),
            _ if PING.starts_with(rest) => return Between::Undecided(stray),
            Some(b'\r' | b'\n') => stray += 1,
            _ => return Between::Message(stray),
        }
    }
}

/// Cuts the bytes of one connection into messages by `Content-Length`.
///
/// A message that is wrong in itself comes out like any other; only when its end cannot be known is framing lost.
#[derive(Debug)]
pub struct Framer {
    limits: WireLimits,
    pending: Vec<u8>,
    /// How far the search for the end of the head has come.
    searched: usize,
    /// Total length of the message at the front, once its head is complete.
    wanted: Option<usize>,
}

impl Framer {
    /// An empty stream.
    #[must_use]
    pub fn new(limits: WireLimits) -> Self {
        Self { limits, pending: Vec::new(), searched: 0, wanted: None }
    }

    /// Takes what was read. Call [`Framer::next`] until it gives `None` before pushing again.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What has come of the message whose end cannot be known.
    #[must_use]
    pub fn into_rest(self) -> Vec<u8> {
        self.pending
    }

    /// The next thing on the stream.
    ///
    /// # Errors
    /// [`WireError`] when the end of the message cannot be known: the connection is of no more use.
    #[allow(clippy::should_implement_trait, reason = "an iterator could not say that framing is lost")]
    pub fn next(&mut self) -> Result<Option<Framed>, WireError> {
        if self.wanted.is_none() {
            match between(&self.pending) {
                Between::Ping(end) => {
                    self.pending.drain(..end);
                    return Ok(Some(Framed::Ping));
                }
                Between::Undecided(stray) => {
                    self.pending.drain(..stray);
                    return Ok(None);
                }
                Between::Message(stray) => drop(self.pending.drain(..stray)),
            }
            let Some(body_at) = self.find_end() else {
                return if self.pending.len() > self.limits.head_bytes { Err(WireError::HeadTooLarge) } else { Ok(None) };
            };
            // Too many lines are the message's fault and not the stream's: its end is known all the same.
            let head = head(&self.pending, &WireLimits { headers: usize::MAX, ..self.limits })?;
            let length = content_length(&head.headers)?.unwrap_or(0);
            if length > self.limits.body_bytes {
                return Err(WireError::BodyTooLarge);
            }
            self.wanted = Some(body_at.saturating_add(length));
        }
        let Some(wanted) = self.wanted.filter(|&wanted| wanted <= self.pending.len()) else { return Ok(None) };
        let rest = self.pending.split_off(wanted);
        self.wanted = None;
        self.searched = 0;
        Ok(Some(Framed::Message(std::mem::replace(&mut self.pending, rest))))
    }

    /// Where the body of the message at the front begins.
    fn find_end(&mut self) -> Option<usize> {
        let mut at = self.searched;
        while let Some(more) = self.pending.get(at..).and_then(|tail| tail.iter().position(|&byte| byte == b'\n')) {
            let next = at + more + 1;
            match self.pending.get(next..) {
                Some([b'\n', ..]) => return Some(next + 1),
                Some([b'\r', b'\n', ..]) => return Some(next + 2),
                _ => at = next,
            }
            self.searched = at.saturating_sub(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(framer: &mut Framer) -> Vec<Framed> {
        let mut found = Vec::new();
        while let Some(framed) = framer.next().unwrap() {
            found.push(framed);
        }
        found
    }

    #[test]
    fn folded_compact_and_sloppy_lines_are_read() {
        let bytes = b"\r\n\r\nOPTIONS sip:a SIP/2.0\nv : SIP/2.0/UDP a\r\n ;branch=x\r\nSubject:\r\n\tlong\r\n  line\nno colon here\r\n\r\nbody";
        let head = head(bytes, &WireLimits::default()).unwrap();
        assert_eq!(head.start, "OPTIONS sip:a SIP/2.0");
        assert_eq!(head.headers[0], ("Via".into(), "SIP/2.0/UDP a ;branch=x".into()));
        assert_eq!(head.headers[1], ("Subject".into(), "long line".into()));
        assert_eq!(head.skipped, 1);
        assert_eq!(&bytes[head.body_at..], b"body");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_taken_for_latin_1() {
        let head = head(b"A b SIP/2.0\r\nFrom: M\xfcller <sip:a>\r\n\r\n", &WireLimits::default()).unwrap();
        assert_eq!(head.headers[0].1, "Müller <sip:a>");
    }

    #[test]
    fn values_are_split_outside_quotes_and_brackets() {
        let parts: Vec<_> = split_outside(r#""a, \" b" <sip:x,y>;q=1, ,<sip:z>"#, ',').collect();
        assert_eq!(parts, [r#""a, \" b" <sip:x,y>;q=1"#, "<sip:z>"]);
    }

    #[test]
    fn a_stream_is_cut_the_same_way_wherever_the_packets_end() {
        let stream = b"\r\n\r\nA b SIP/2.0\r\nContent-Length: 3\r\n\r\nxyz\r\n\r\nB b SIP/2.0\nl: 0\n\nC d SIP/2.0\r\n\r\n";
        let mut whole = Framer::new(WireLimits::default());
        whole.push(stream);
        let expected = frames(&mut whole);
        assert_eq!(expected.len(), 5);
        assert!(!whole.is_inside_message());
        for step in 1..stream.len() {
            let mut framer = Framer::new(WireLimits::default());
            let mut found = Vec::new();
            for chunk in stream.chunks(step) {
                framer.push(chunk);
                found.extend(frames(&mut framer));
            }
            assert_eq!(found, expected, "in steps of {step}");
        }
    }

    /// A message with too many lines does not take its connection along.
    #[test]
    fn a_message_with_too_many_lines_leaves_its_connection() {
        let mut framer = Framer::new(WireLimits { headers: 4, ..WireLimits::default() });
        framer.push(b"A b SIP/2.0\r\na: 1\r\na: 2\r\na: 3\r\na: 4\r\nl: 2\r\n\r\nxyB b SIP/2.0\r\n\r\n");
        assert_eq!(frames(&mut framer).len(), 2);
    }

    /// Stray line ends around keep alives count the same wherever packets end.
    #[test]
    fn stray_line_ends_around_keep_alives_count_the_same() {
        let stream = b"\n\n\r\n\r\n\r\nA b SIP/2.0\r\n\r\n\n\r\r\n\r\n\r\n";
        let cut = |step: usize| {
            let mut framer = Framer::new(WireLimits::default());
            let mut found = Vec::new();
            for chunk in stream.chunks(step) {
                framer.push(chunk);
                found.extend(frames(&mut framer));
            }
            found
        };
        let expected = [Framed::Ping, Framed::Message(b"A b SIP/2.0\r\n\r\n".to_vec()), Framed::Ping];
        for step in 1..=stream.len() {
            assert_eq!(cut(step), expected, "in steps of {step}");
        }
    }

    #[test]
    fn framing_is_lost_only_when_the_end_cannot_be_known() {
        let limits = WireLimits { head_bytes: 64, body_bytes: 10, headers: 4 };
        for bytes in [
            &b"A b SIP/2.0\r\nl: x\r\n\r\n"[..],
            b"A b SIP/2.0\r\nl: 11\r\n\r\n",
            b"A b SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n",
            &[b'a'; 100],
        ] {
            let mut framer = Framer::new(limits);
            framer.push(bytes);
            assert!(framer.next().is_err());
        }
    }
}
