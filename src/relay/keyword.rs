//! [`Keyword`]: the words by which the holder of a number speaks to us and not to a meeting (C-2).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use icu_normalizer::DecomposingNormalizerBorrowed;

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
const WORDS: [(Keyword, &str); 3] = [
    (
        Keyword::Stop,
        // English, as carriers and regulators list them.
        "STOP, STOPALL, STOP ALL, STOPS, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT, OPT OUT, REMOVE, REMOVE ME, \
         STOPP, ABMELDEN, ABBESTELLEN, ENDE, BEENDEN, AUFHÖREN, \
         ARRÊT, ARRÊTER, ARRÊTEZ, DÉSABONNER, DÉSINSCRIRE, \
         PARAR, PARE, BAJA, ALTO, DETENER, CANCELAR, SAIR, REMOVER, \
         ANNULLA, FERMA, CANCELLA, DISISCRIVI, BASTA, \
         STOPPEN, AFMELDEN, EINDE, AFMELD, SLUT, AVSLUTA, SLUTA, AVBRYT, LOPETA, SEIS, HÆTTA, \
         KONIEC, ZATRZYMAJ, KONEC, ZASTAVIT, LEÁLLÍTÁS, LEIRATKOZÁS, OPREȘTE, DEZABONARE, PREKINI, DUR, DURDUR, İPTAL, \
         СТОП, СТОПП, ОТПИСАТЬСЯ, ОТМЕНА, ВІДПИСАТИСЯ, СПРИ, ΣΤΟΠ, ΔΙΑΚΟΠΗ, \
         توقف, إيقاف, قف, עצור, הסר, DỪNG, HỦY, BERHENTI, हटाओ, रोको, หยุด, ยกเลิก, \
         停止, 退订, 退訂, 取消, ストップ, 解除, 配信停止, 중지, 수신거부",
    ),
    (Keyword::Start, "START, UNSTOP, SUBSCRIBE, OPTIN, OPT IN, СТАРТ"),
    (Keyword::Help, "HELP, INFO, HILFE, AIDE, AYUDA, AJUDA, AIUTO, HJÄLP, HJÆLP, HJELP, POMOC, ПОМОЩЬ, ДОПОМОГА"),
];

/// What politeness, or plainness, puts around such a word.
const AROUND: &str =
    "PLEASE PLS PLZ BITTE SVP SMS MESSAGE MESSAGES NACHRICHTEN TEXT TEXTS TEXTING ME NOW JETZT THANKS THANK YOU DANKE";

/// The words by how they are compared.
static KNOWN: LazyLock<BTreeMap<String, Keyword>> = LazyLock::new(|| {
    let words = |(keyword, list): (Keyword, &'static str)| list.split(',').map(move |word| (folded(word).join(" "), keyword));
    WORDS.into_iter().flat_map(words).collect()
});

impl Keyword {
    /// The keyword that a whole message is. Case, accents, widths of letters, quotes, marks, emoji and blanks around it do not matter, nor
    /// does what is not to be seen; and politeness is no reason to misunderstand it.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        // Nothing of this length is one word, however it is decorated.
        if text.len() > LONGEST {
            return None;
        }
        let words = folded(text);
        let known = |word: &str| KNOWN.get(word).copied();
        if let Some(keyword) = known(&words.join(" ")).or_else(|| spelled(&words).and_then(|word| known(&word))) {
            return Some(keyword);
        }
        let mut found: Vec<Self> = Vec::new();
        for word in words.iter().filter(|word| !AROUND.split(' ').any(|around| around == word.as_str())) {
            found.push(known(word)?);
        }
        // Of two that contradict each other, the one that leaves somebody alone.
        let stop = found.iter().find(|keyword| **keyword == Self::Stop);
        stop.or(found.first()).copied()
    }
}

/// Octets of a message that may be a keyword.
const LONGEST: usize = 320;

/// "S T O P".
fn spelled(words: &[String]) -> Option<String> {
    words.iter().all(|word| word.chars().count() == 1).then(|| words.concat())
}

/// The words of a text in capitals, by what their letters mean (Unicode's compatibility decomposition) without the marks on them.
fn folded(text: &str) -> Vec<String> {
    let bare: String = text.chars().filter(|c| c.is_whitespace() || !(c.is_control() || is_invisible(*c))).collect();
    let plain = DecomposingNormalizerBorrowed::new_nfkd().normalize(&bare);
    let plain: String = plain.chars().filter(|c| !is_mark(*c)).flat_map(char::to_uppercase).map(undecorated).collect();
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Characters that only say how others are laid out.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Marks that stand on letters, and what chooses between two looks of an emoji.
const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36F}'
            | '\u{483}'..='\u{489}'
            | '\u{591}'..='\u{5C7}'
            | '\u{610}'..='\u{61A}'
            | '\u{64B}'..='\u{65F}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{3099}'..='\u{309A}'
            | '\u{FE00}'..='\u{FE0F}'
    )
}

/// Letters with a stroke, which no decomposition takes away.
const fn undecorated(c: char) -> char {
    match c {
        'Ø' => 'O',
        'Ł' => 'L',
        'Đ' => 'D',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stop is understood however it is written and only when it is the whole message.
    #[test]
    fn c2_stop_is_understood_however_it_is_written() {
        for text in ["STOP", "stop", " Stop. ", "\"STOP\"", "stop!\n", "Stop  all", "unsubscribe", "Arrêt", "ende"] {
            assert_eq!(Keyword::of(text), Some(Keyword::Stop), "{text}");
        }
        assert_eq!(Keyword::of("start"), Some(Keyword::Start));
        assert_eq!(Keyword::of("Help?"), Some(Keyword::Help));
        for text in ["", "Please stop talking", "1", "stopping", "…", "we stop at the end", "stopwatch", "end of the road", "🛑"]
        {
            assert_eq!(Keyword::of(text), None, "{text}");
        }
        assert_eq!(Keyword::of(&"stop ".repeat(1000)), None, "no word");
    }

    #[test]
    fn c2_stop_is_understood_in_every_script_and_dress() {
        let dressed = [
            "ＳＴＯＰ",
            "ｓｔｏｐ！",
            "🛑STOP🛑",
            "STOP 🙏🏽",
            "«Stop»",
            "„Stopp“",
            "(stop)",
            "S T O P",
            "s.t.o.p.",
            "STOP\0",
            "\u{FEFF}STOP",
            "S\0T\0O\0P\0",
            "\0S\0T\0O\0P",
            "st\u{200B}op",
            "\u{202E}STOP",
            "Ⓢⓣⓞⓟ",
            "𝐒𝐓𝐎𝐏",
            "> STOP",
            "*STOP*",
            "STOP STOP",
            "stop-all",
            "Opt-out",
            "please stop",
            "Stop bitte",
            "STOP SMS",
            "stop texting me",
            "ARRE\u{302}T",
            "arret",
            "désabonner",
            "İptal",
            "iptal",
            "стоп",
            "Στοπ",
            "停止",
            "ｽﾄｯﾌﾟ",
            "ストップ。",
            "수신거부",
            "توقف",
            "dừng",
            "STOP\u{FE0F}",
            "\tstop\r\n",
            "HELP STOP",
        ];
        for text in dressed {
            assert_eq!(Keyword::of(text), Some(Keyword::Stop), "{text:?}");
        }
    }
}
