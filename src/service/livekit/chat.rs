//! Chat of a room: texts on the topic `lk.chat` in pieces, and the older message, which is one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use prost::Message as _;

use super::proto::{ChatMessage, DataPacket, DataValue, StreamChunk, StreamHeader, StreamTrailer, TextHeader};

const TOPIC: &str = "lk.chat";
/// Octets of a text in one packet.
const PIECE: usize = 15_000;
/// Texts that may be on their way at a time, of everybody together; one more takes the place of the oldest.
const TEXTS: usize = 32;
/// The longest text that is taken, in octets: the chat takes 4000 characters.
const LONGEST: usize = 16_000;
/// Pieces of a text: more than a writer needs that fills packets by half.
const PIECES: usize = 16;
/// Octets of a text's id: UUIDs have 36.
const ID: usize = 128;
/// How long a text may be on its way.
const COMPLETE_WITHIN: Duration = Duration::from_secs(30);
/// Ids of texts that are remembered, as one may come in both forms.
const REMEMBERED: usize = 64;

/// A text that somebody has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReceivedText {
    /// The writer's identity.
    pub(super) from: String,
    pub(super) text: String,
    /// It was written to some alone, whoever reads it among them.
    pub(super) private: bool,
}

/// Who has written a text, and whether to some alone.
struct Sender {
    from: String,
    private: bool,
}

struct Partial {
    sender: Sender,
    begun: Instant,
    /// Octets that the writer has announced.
    length: Option<u64>,
    pieces: BTreeMap<u64, Vec<u8>>,
}

/// Whose text it is, and its id: everybody reads the ids of everybody.
type TextKey = (String, String);

/// Puts the texts of others together.
#[derive(Default)]
pub(super) struct ChatReader {
    partial: HashMap<TextKey, Partial>,
    seen: VecDeque<TextKey>,
}

impl ChatReader {
    /// Takes a packet of a data channel; a text that is complete with it.
    pub(super) fn read(&mut self, now: Instant, packet: &[u8]) -> Option<ReceivedText> {
        let DataPacket { participant_identity: from, destination_identities, value, .. } = DataPacket::decode(packet).ok()?;
        let sender = Sender { from, private: !destination_identities.is_empty() };
        match value? {
            // A changed or deleted message was shown already.
            DataValue::Chat(ChatMessage { id, message, edit_timestamp: None, deleted: false, .. }) => {
                self.complete(id, sender, message)
            }
            DataValue::Header(header) => self.begin(now, sender, header),
            DataValue::Chunk(chunk) => {
                self.add(&sender.from, chunk);
                None
            }
            DataValue::Trailer(StreamTrailer { stream_id, reason }) => {
                let key = (sender.from, stream_id);
                let partial = self.partial.remove(&key).filter(|_| reason.is_empty())?;
                let bytes: Vec<u8> = partial.pieces.into_values().flatten().collect();
                let whole = partial.length.is_none_or(|length| u64::try_from(bytes.len()) == Ok(length));
                self.complete(key.1, partial.sender, String::from_utf8(bytes).ok().filter(|_| whole)?)
            }
            DataValue::Chat(_) => None,
        }
    }

    fn begin(&mut self, now: Instant, sender: Sender, header: StreamHeader) -> Option<ReceivedText> {
        let StreamHeader { stream_id, topic, total_length: length, text_header, inline_content, .. } = header;
        // Of other topics, and such that change an older text, nothing is read.
        if topic != TOPIC || stream_id.len() > ID || text_header.is_none_or(|header| header.operation_type != 0) {
            return None;
        }
        if let Some(whole) = inline_content {
            return self.complete(stream_id, sender, String::from_utf8(whole).ok()?);
        }
        self.partial.retain(|_, partial| now.saturating_duration_since(partial.begun) < COMPLETE_WITHIN);
        if self.partial.len() >= TEXTS
            && let Some(oldest) = self.partial.iter().min_by_key(|(_, partial)| partial.begun).map(|(key, _)| key.clone())
        {
            self.partial.remove(&oldest);
        }
        let key = (sender.from.clone(), stream_id);
        self.partial.insert(key, Partial { sender, begun: now, length, pieces: BTreeMap::new() });
        None
    }

    fn add(&mut self, from: &str, chunk: StreamChunk) {
        let key = (from.to_owned(), chunk.stream_id);
        let Some(partial) = self.partial.get_mut(&key) else { return };
        partial.pieces.insert(chunk.chunk_index, chunk.content);
        if partial.pieces.len() > PIECES || partial.pieces.values().map(Vec::len).sum::<usize>() > LONGEST {
            self.partial.remove(&key);
        }
    }

    /// A text is there; not for a second time.
    fn complete(&mut self, id: String, sender: Sender, text: String) -> Option<ReceivedText> {
        let key = (sender.from.clone(), id);
        if text.len() > LONGEST || key.1.len() > ID || self.seen.contains(&key) {
            return None;
        }
        self.seen.push_back(key);
        if self.seen.len() > REMEMBERED {
            self.seen.pop_front();
        }
        Some(ReceivedText { from: sender.from, text, private: sender.private })
    }
}

/// A text as packets for the reliable channel: header, pieces, trailer. `sequence` counts the packets of this sender.
pub(super) fn write(id: &str, text: &str, millis: i64, sequence: &mut u32) -> Vec<Vec<u8>> {
    let stream_id = id.to_owned();
    let header = StreamHeader {
        stream_id: stream_id.clone(),
        timestamp: millis,
        topic: TOPIC.to_owned(),
        mime_type: "text/plain".to_owned(),
        total_length: u64::try_from(text.len()).ok(),
        attributes: HashMap::new(),
        text_header: Some(TextHeader { operation_type: 0 }),
        inline_content: None,
    };
    let chunks = text.as_bytes().chunks(PIECE).zip(0..).map(|(piece, chunk_index)| {
        DataValue::Chunk(StreamChunk { stream_id: stream_id.clone(), chunk_index, content: piece.to_vec() })
    });
    let trailer = StreamTrailer { stream_id: stream_id.clone(), reason: String::new() };
    let values = std::iter::once(DataValue::Header(header)).chain(chunks).chain([DataValue::Trailer(trailer)]);
    values
        .map(|value| {
            *sequence = sequence.wrapping_add(1);
            DataPacket { value: Some(value), sequence: *sequence, ..DataPacket::default() }.encode_to_vec()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn now() -> Instant {
        Instant::now()
    }

    /// As the server hands a packet on: with the identity of who has sent it.
    fn from(identity: &str, packet: &[u8]) -> Vec<u8> {
        let packet = DataPacket::decode(packet).expect("a packet");
        DataPacket { participant_identity: identity.to_owned(), ..packet }.encode_to_vec()
    }

    fn read(reader: &mut ChatReader, identity: &str, packets: &[Vec<u8>]) -> Vec<String> {
        packets.iter().filter_map(|packet| reader.read(now(), &from(identity, packet))).map(|text| text.text).collect()
    }

    #[test]
    fn a_text_of_several_pieces_is_read_as_it_was_written() {
        let text = "ä".repeat(7_800);
        let mut sequence = 6;
        let packets = write("one", &text, 0, &mut sequence);
        assert_eq!((packets.len(), sequence), (4, 10));
        let mut reader = ChatReader::default();
        assert_eq!(read(&mut reader, "anna", &packets), [text]);
        assert_eq!(read(&mut reader, "anna", &packets), [""; 0], "the same text again is none");
    }

    #[test]
    fn pieces_of_somebody_else_and_too_many_of_them_are_dropped() {
        let (mut reader, mut sequence) = (ChatReader::default(), 0);
        let packets = write("one", "hello", 0, &mut sequence);
        assert_eq!(read(&mut reader, "anna", &packets[..1]), [""; 0]);
        assert_eq!(read(&mut reader, "eve", &packets[1..]), [""; 0]);
        let others = write("one", "I am Anna", 0, &mut sequence);
        assert_eq!(read(&mut reader, "eve", &others), ["I am Anna"]);
        assert_eq!(read(&mut reader, "anna", &packets[1..]), ["hello"]);
        let long = write("two", &"x".repeat(LONGEST + 1), 0, &mut sequence);
        assert_eq!(read(&mut reader, "anna", &long), [""; 0]);
        let empty = |chunk_index| {
            let chunk = StreamChunk { stream_id: "three".to_owned(), chunk_index, content: Vec::new() };
            DataPacket { value: Some(DataValue::Chunk(chunk)), ..DataPacket::default() }.encode_to_vec()
        };
        let mut packets = write("three", "x", 0, &mut sequence);
        packets.splice(1..1, (0..100).map(empty));
        assert_eq!(read(&mut reader, "anna", &packets), [""; 0], "pieces of nothing are counted as well");
        for number in 0..100 {
            read(&mut reader, "eve", &write(&number.to_string(), "x", 0, &mut sequence)[..1]);
        }
        assert!(reader.partial.len() <= TEXTS);
    }

    #[test]
    fn the_older_message_is_read_once_beside_the_newer_one() {
        let message = ChatMessage { id: "one".to_owned(), message: "hi".to_owned(), ..ChatMessage::default() };
        let older = DataPacket { value: Some(DataValue::Chat(message)), ..DataPacket::default() }.encode_to_vec();
        let mut reader = ChatReader::default();
        let mut packets = vec![older];
        packets.extend(write("one", "hi", 0, &mut 0));
        assert_eq!(read(&mut reader, "anna", &packets), ["hi"]);
    }
}
