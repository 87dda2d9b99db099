//! What a NOTIFY carries.

use std::fmt::Write as _;

use crate::sip::Roster;

/// Content-Type and body.
pub(super) type Document = (&'static str, String);

/// Text of people in XML: markup means nothing, and what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Who is in a meeting (RFC 4575 section 5), always as a whole. People have no address here but their row's.
pub(super) fn conference(entity: &str, version: u32, roster: &Roster) -> Document {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{}\" state=\"full\" version=\"{version}\">\
         <conference-description><display-text>{}</display-text></conference-description>\
         <conference-state><user-count>{}</user-count><active>true</active></conference-state><users state=\"full\">",
        escaped(entity),
        escaped(&roster.title),
        roster.people.len()
    );
    for person in &roster.people {
        let address = format!("sip:{}@anonymous.invalid", escaped(&person.id));
        let status = if person.on_hold { "on-hold" } else { "connected" };
        let media = if person.muted { "recvonly" } else { "sendrecv" };
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "<user entity=\"{address}\" state=\"full\"><display-text>{}</display-text>\
             <endpoint entity=\"{address}\" state=\"full\"><status>{status}</status>\
             <media id=\"1\"><type>audio</type><status>{media}</status></media></endpoint></user>",
            escaped(&person.name)
        );
    }
    text.push_str("</users></conference-info>\r\n");
    ("application/conference-info+xml", text)
}

/// Nothing that a lamp could show (RFC 4235): whose calls are up is nobody else's business.
pub(super) fn dialogs(entity: &str, version: u32) -> Document {
    // RFC 4235 section 4.1.1: documents count from 0.
    let version = version.saturating_sub(1);
    let text = format!(
        "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"{}\"></dialog-info>\r\n",
        escaped(entity)
    );
    ("application/dialog-info+xml", text)
}

/// There is no mailbox (RFC 3842).
pub(super) fn no_messages() -> Document {
    ("application/simple-message-summary", "Messages-Waiting: no\r\n".to_owned())
}

/// The gateway is there (RFC 3863).
pub(super) fn present(entity: &str) -> Document {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{}\">\
         <tuple id=\"gateway\"><status><basic>open</basic></status></tuple></presence>\r\n",
        escaped(entity)
    );
    ("application/pidf+xml", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::RosterPerson;

    #[test]
    fn names_are_text_in_a_roster_whatever_they_hold() {
        let person = |id: &str, name: &str, muted, on_hold| RosterPerson { id: id.into(), name: name.into(), muted, on_hold };
        let people = vec![person("p1", "Ada \"<&>\u{1}", false, false), person("p2", "Room", true, true)];
        let (kind, text) = conference("sip:roomgate@192.0.2.1:5060", 3, &Roster { title: "A & B".into(), people });
        assert_eq!(kind, "application/conference-info+xml");
        assert!(text.contains("version=\"3\"") && text.contains("<user-count>2</user-count>"), "{text}");
        assert!(text.contains("<display-text>Ada &quot;&lt;&amp;&gt;</display-text>") && text.contains("A &amp; B"), "{text}");
        assert!(text.contains("<status>on-hold</status>") && text.contains("<status>recvonly</status>"), "{text}");
        assert_eq!(text.matches("<user ").count(), 2);
    }
}
