//! [`Keyword`]: the words by which the holder of a number speaks to us and not to a meeting (C-2).

/// What a message that is one word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// No more messages, whatever for.
    Stop,
    /// Messages are welcome again.
    Start,
    /// Who is this?
    Help,
}

/// The usual words, in the languages of those who may hold the number: nobody who wants to be left alone is misunderstood.
const WORDS: [(Keyword, &[&str]); 3] = [
    (
        Keyword::Stop,
        &[
            "STOP",
            "STOPALL",
            "STOP ALL",
            "STOPP",
            "UNSUBSCRIBE",
            "CANCEL",
            "END",
            "QUIT",
            "REVOKE",
            "OPTOUT",
            "OPT OUT",
            "REMOVE",
            "ABMELDEN",
            "ENDE",
            "ARRET",
            "ARRÊT",
            "PARAR",
            "BAJA",
            "ANNULLA",
            "AVSLUTA",
        ],
    ),
    (Keyword::Start, &["START", "UNSTOP", "SUBSCRIBE", "OPTIN", "OPT IN"]),
    (Keyword::Help, &["HELP", "INFO", "HILFE", "AIDE", "AYUDA", "AIUTO", "HJÄLP"]),
];

impl Keyword {
    /// The keyword that a whole message is; case, quotes, marks and blanks around it do not matter.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let bare = text.trim_matches(|c: char| !c.is_alphanumeric()).to_uppercase();
        let bare = bare.split_whitespace().collect::<Vec<_>>().join(" ");
        WORDS.iter().find(|(_, words)| words.contains(&bare.as_str())).map(|(keyword, _)| *keyword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c2_stop_is_understood_however_it_is_written_and_only_when_it_is_the_whole_message() {
        for text in ["STOP", "stop", " Stop. ", "\"STOP\"", "stop!\n", "Stop  all", "unsubscribe", "Arrêt", "ende"] {
            assert_eq!(Keyword::of(text), Some(Keyword::Stop), "{text}");
        }
        assert_eq!(Keyword::of("start"), Some(Keyword::Start));
        assert_eq!(Keyword::of("Help?"), Some(Keyword::Help));
        for text in ["", "Please stop talking", "1", "stopping", "…"] {
            assert_eq!(Keyword::of(text), None, "{text}");
        }
    }
}
