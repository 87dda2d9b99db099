//! What comes off the wire: our parsers beside an independent one.

mod oracle;
