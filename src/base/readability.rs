//! How easy a text is to read: Flesch–Kincaid for English, INFLESZ for Spanish.

use std::fmt;

/// The US school grade that understands an English text (Kincaid et al. 1975), or the ease of a Spanish one
/// (Szigriszt-Pazos, which the INFLESZ scale divides; higher is easier).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Readability {
    English { grade: f64 },
    Spanish { inflesz: f64 },
}

/// What the built-in texts keep to. INFLESZ calls it "fairly easy" (Barrio-Cantalejo et al. 2008).
#[cfg(test)]
const EASY: (f64, f64) = (6.0, 65.0);
/// What members should not have to read. INFLESZ calls what is below "somewhat difficult".
const HARD: (f64, f64) = (8.0, 55.0);

impl Readability {
    /// `None` without words, or without a formula for the language. Each line is at least one sentence. Pass no URLs.
    pub(crate) fn of(language: &str, text: &str) -> Option<Self> {
        match language.split('-').next()? {
            "en" => {
                let Counts { sentences, words, syllables } = count(text, english_syllables)?;
                let grade = 0.39 * (words / sentences) + 11.8 * (syllables / words) - 15.59;
                Some(Self::English { grade })
            }
            "es" => {
                let Counts { sentences, words, syllables } = count(text, spanish_syllables)?;
                let inflesz = 206.835 - 62.3 * (syllables / words) - words / sentences;
                Some(Self::Spanish { inflesz })
            }
            _ => None,
        }
    }

    pub(crate) fn has_formula(language: &str) -> bool {
        Self::of(language, "a").is_some()
    }

    /// At grade 6 or below, or "fairly easy" or above.
    #[cfg(test)]
    pub(crate) fn is_easy(self) -> bool {
        self.difficulty(EASY) <= 0.0
    }

    /// Above grade 8, or below "normal".
    pub(crate) fn is_hard(self) -> bool {
        self.difficulty(HARD) > 0.0
    }

    /// How far it is beyond the limit of its scale.
    fn difficulty(self, (max_grade, min_inflesz): (f64, f64)) -> f64 {
        match self {
            Self::English { grade } => grade - max_grade,
            Self::Spanish { inflesz } => min_inflesz - inflesz,
        }
    }

    /// Whether it is harder to read than another text of the same language.
    pub(crate) fn is_harder_than(self, other: Self) -> bool {
        self.difficulty(HARD) > other.difficulty(HARD)
    }

    /// The name of the scale.
    pub(crate) fn scale(self) -> &'static str {
        match self {
            Self::English { .. } => "flesch_kincaid_grade",
            Self::Spanish { .. } => "inflesz",
        }
    }

    pub(crate) fn score(self) -> f64 {
        match self {
            Self::English { grade } => grade,
            Self::Spanish { inflesz } => inflesz,
        }
    }
}

impl fmt::Display for Readability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::English { grade } => write!(f, "grade {grade:.1}"),
            Self::Spanish { inflesz } => write!(f, "INFLESZ {inflesz:.0}"),
        }
    }
}

/// Panics unless the text is easy.
#[cfg(test)]
pub(crate) fn assert_easy_to_read(language: &str, text: &str) {
    let readability = Readability::of(language, text).expect("words, and a formula");
    assert!(readability.is_easy(), "{readability}: {text}");
}

struct Counts {
    sentences: f64,
    words: f64,
    syllables: f64,
}

fn count(text: &str, syllables_of: fn(&str) -> usize) -> Option<Counts> {
    let sentences = text.split(['.', '!', '?', '\n']).filter(|sentence| words(sentence).next().is_some());
    let syllables: usize = words(text).map(|word| syllables_of(&word)).sum();
    let [sentences, words, syllables] = [sentences.count(), words(text).count(), syllables]
        .map(|count| f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    (words > 0.0).then_some(Counts { sentences, words, syllables })
}

/// In lower case, with the straight apostrophe.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'))
        .map(|word| word.trim_matches(['\'', '’']).to_lowercase().replace('’', "'"))
        .filter(|word| !word.is_empty())
}

/// Words that the rules below miscount, by their number of syllables.
const ENGLISH_EXCEPTIONS: [(usize, &[&str]); 3] = [
    (1, &["don't", "won't", "can't", "aren't", "weren't"]),
    (
        2,
        &[
            "being",
            "business",
            "client",
            "create",
            "diet",
            "doing",
            "every",
            "going",
            "people",
            "quiet",
            "science",
            "seeing",
            "someone",
            "something",
            "sometimes",
            "somewhere",
            "trial",
            "useful",
            "website",
            "websites",
        ],
    ),
    (3, &["area", "created", "everyone", "everything", "idea", "radio", "video"]),
];

fn english_syllables(word: &str) -> usize {
    if let Some((count, _)) = ENGLISH_EXCEPTIONS.iter().find(|(_, words)| words.contains(&word)) {
        return *count;
    }
    if let Some(stem) = word.strip_suffix("n't") {
        return english_syllables(stem) + 1;
    }
    let word = word.split('\'').next().unwrap_or(word);
    if word.chars().any(|c| c.is_ascii_digit()) {
        return word.chars().count();
    }
    let letters: Vec<char> = word.chars().collect();
    let is_vowel = |c: char| "aeiouyáéíóúàèü".contains(c);
    let groups =
        letters.iter().enumerate().filter(|&(at, &c)| is_vowel(c) && (at == 0 || !is_vowel(letters[at - 1])));
    let groups = groups.count();
    let before = |from_end: usize| letters.len().checked_sub(from_end).map(|at| letters[at]);
    let consonant_before = |from_end: usize| before(from_end).is_some_and(|c| !is_vowel(c));
    let is_silent_e =
        word.ends_with('e') && consonant_before(2) && !(word.ends_with("le") && consonant_before(3));
    let is_silent_ed = word.ends_with("ed") && consonant_before(3) && !matches!(before(3), Some('t' | 'd'));
    let is_silent_es = word.ends_with("es")
        && consonant_before(3)
        && !matches!(before(3), Some('s' | 'x' | 'z' | 'c' | 'g' | 'h'))
        && !(word.ends_with("les") && consonant_before(4));
    let silent = usize::from(is_silent_e || is_silent_ed || is_silent_es);
    // Two vowels in a row that are two syllables: "receiving", but not "section" or "special".
    let apart = ["iate", "iou", "iu", "ying", "eing", "uous", "uing"];
    let hiatus = apart.iter().filter(|pair| word.contains(**pair) && !word.contains("tiou")).count();
    (groups + hiatus).saturating_sub(silent).max(1)
}

fn spanish_syllables(word: &str) -> usize {
    if word.chars().any(|c| c.is_ascii_digit()) {
        return 2 * word.chars().count();
    }
    // An h between vowels is silent and does not part them; "ch" is a consonant.
    let sounds = word.replace("ch", "c").replace('h', "");
    let sounds = ["que", "qui", "qué", "quí", "gue", "gui", "gué", "guí"]
        .iter()
        .fold(sounds, |word, silent| word.replace(silent, &silent.replace('u', "")));
    let letters: Vec<char> = sounds.chars().collect();
    let mut syllables = 0;
    let mut previous = Sound::Consonant;
    for (at, &c) in letters.iter().enumerate() {
        let sound = match c {
            'a' | 'e' | 'o' | 'á' | 'é' | 'ó' => Sound::Strong,
            'í' | 'ú' => Sound::Stressed,
            'i' | 'u' | 'ü' => Sound::Weak,
            // A vowel at the end of a word, and alone.
            'y' if at + 1 == letters.len() => Sound::Weak,
            _ => Sound::Consonant,
        };
        let is_diphthong = match previous {
            Sound::Weak => sound != Sound::Consonant,
            Sound::Strong | Sound::Stressed => sound == Sound::Weak,
            Sound::Consonant => false,
        };
        if sound != Sound::Consonant && !is_diphthong {
            syllables += 1;
        }
        previous = sound;
    }
    syllables.max(1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sound {
    Consonant,
    Weak,
    /// A weak vowel with an accent forms no diphthong with a strong one.
    Stressed,
    Strong,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_syllables(of: fn(&str) -> usize, expected: &[(usize, &str)]) {
        let wrong: Vec<_> = expected
            .iter()
            .flat_map(|(count, words)| words.split(' ').map(move |word| (*count, word, of(word))))
            .filter(|(expected, _, counted)| expected != counted)
            .collect();
        assert!(wrong.is_empty(), "expected, word, counted: {wrong:?}");
    }

    #[test]
    fn english_syllables_are_those_of_a_dictionary() {
        assert_syllables(
            english_syllables,
            &[
                (
                    1,
                    "a the you there don't won't you'll you're it's stopped turned worked reached link goes made eyes",
                ),
                (1, "use used gives works sign health plan see months"),
                (
                    2,
                    "after open isn't didn't haven't website sending table purpose about email needed wanted boxes",
                ),
                (
                    2,
                    "people again pages asking receive private being doctor's something minutes password updates",
                ),
                (2, "expired trying cautious create"),
                (
                    3,
                    "connection remember reminder hospital pharmacy receiving family reconnect happening connected",
                ),
                (3, "privacy physician previous medium created"),
                (4, "unsubscribing information appreciate expiration temporary"),
            ],
        );
    }

    #[test]
    fn spanish_syllables_follow_the_rules_of_its_spelling() {
        assert_syllables(
            spanish_syllables,
            &[
                (1, "y a de tu que fue muy hay pues seis fui bien soy buey"),
                (2, "cuenta ahí país día tía luego quieres guía agua aún leer veintiún"),
                (3, "conexión registros ahora correo poeta ciudades recibes enlaces pingüino farmacia ayuda"),
                (4, "contraseña todavía reenvíes privacidad desactivó actualizó"),
                (5, "actualizarse recordatorio universidad"),
            ],
        );
    }

    #[test]
    fn sentences_end_with_punctuation_or_a_line_and_words_are_letters_or_digits() {
        let counts = |text: &str| {
            let Counts { sentences, words, .. } = count(text, english_syllables).unwrap();
            (sentences, words)
        };
        assert_eq!(counts("One. Two three!\n\nFour - five…\nSix?"), (4.0, 6.0));
        assert_eq!(counts("You’re 12 o'clock"), (1.0, 3.0));
        assert_eq!(english_syllables("12"), 2);
    }

    #[test]
    fn scores_are_those_of_the_formulas() {
        let close = |one: f64, other: f64| (one - other).abs() < 0.01;
        let score = |language, text| Readability::of(language, text).unwrap().score();
        // 6 words and 6 syllables in one sentence.
        assert!(close(score("en-gb", "The cat sat on the mat."), 0.39 * 6.0 + 11.8 - 15.59));
        // 5 words and 8 syllables in one sentence.
        assert!(close(score("es", "El gato come en casa."), 206.835 - 62.3 * 8.0 / 5.0 - 5.0));
    }

    #[test]
    fn a_language_without_a_formula_and_a_text_without_words_have_no_score() {
        assert_eq!(Readability::of("de", "Bitte melde dich an."), None);
        assert_eq!(Readability::of("en", "…"), None);
        assert!(Readability::has_formula("es-mx") && !Readability::has_formula("de"));
    }

    #[test]
    fn between_easy_and_hard_is_a_range_on_both_scales() {
        let of = |grade, inflesz| [Readability::English { grade }, Readability::Spanish { inflesz }];
        assert!(of(6.0, 65.0).iter().all(|text| text.is_easy() && !text.is_hard()));
        assert!(of(6.1, 64.9).iter().all(|text| !text.is_easy() && !text.is_hard()));
        assert!(of(8.1, 54.9).iter().all(|text| !text.is_easy() && text.is_hard()));
        assert!(of(8.0, 55.0).into_iter().zip(of(7.0, 60.0)).all(|(one, other)| one.is_harder_than(other)));
    }

    #[test]
    fn officialese_is_rejected_and_plain_words_are_accepted() {
        let is_easy = |language: &'static str, text: &'static str| {
            std::panic::catch_unwind(|| assert_easy_to_read(language, text)).is_ok()
        };
        assert!(is_easy("en", "Sign in again. It takes two minutes."));
        assert!(!is_easy(
            "en",
            "Reauthentication is required to reestablish the interrupted synchronization."
        ));
        assert!(is_easy("es", "Inicia sesión otra vez. Solo toma dos minutos."));
        assert!(!is_easy(
            "es",
            "Es imprescindible restablecer la sincronización interrumpida mediante autenticación."
        ));
    }
}
