//! What comes off the wire: our parsers beside an independent one, and beside our printer.

mod oracle;
mod round_trip;
mod torture;
