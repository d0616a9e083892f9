//! How easy a text is to read: Flesch–Kincaid for English, INFLESZ for Spanish. For tests of what members read.

/// US school grade (Kincaid et al. 1975).
const MAX_ENGLISH_GRADE: f64 = 6.0;
/// From here on, INFLESZ calls a text "fairly easy" (Barrio-Cantalejo et al. 2008).
const MIN_SPANISH_SCORE: f64 = 65.0;

/// Panics unless the text is at grade 6 or below (`en`) or at "fairly easy" or above (`es`). Each line is at least one
/// sentence. Pass no URLs.
pub(crate) fn assert_easy_to_read(language: &str, text: &str) {
    match language {
        "en" => {
            let grade = english_grade(text);
            assert!(grade <= MAX_ENGLISH_GRADE, "grade {grade:.1}, above {MAX_ENGLISH_GRADE}: {text}");
        }
        "es" => {
            let score = spanish_score(text);
            assert!(score >= MIN_SPANISH_SCORE, "INFLESZ {score:.1}, below {MIN_SPANISH_SCORE}: {text}");
        }
        other => panic!("no formula for {other:?}"),
    }
}

/// The Flesch–Kincaid grade.
fn english_grade(text: &str) -> f64 {
    let Counts { sentences, words, syllables } = count(text, english_syllables);
    0.39 * (words / sentences) + 11.8 * (syllables / words) - 15.59
}

/// The score of Szigriszt-Pazos, which the INFLESZ scale divides into grades. Higher is easier.
fn spanish_score(text: &str) -> f64 {
    let Counts { sentences, words, syllables } = count(text, spanish_syllables);
    206.835 - 62.3 * (syllables / words) - words / sentences
}

struct Counts {
    sentences: f64,
    words: f64,
    syllables: f64,
}

fn count(text: &str, syllables_of: fn(&str) -> usize) -> Counts {
    let sentences = text.split(['.', '!', '?', '\n']).filter(|sentence| words(sentence).next().is_some());
    let syllables: usize = words(text).map(|word| syllables_of(&word)).sum();
    let [sentences, words, syllables] = [sentences.count(), words(text).count(), syllables]
        .map(|count| f64::from(u32::try_from(count).unwrap()));
    assert!(words > 0.0, "no words: {text:?}");
    Counts { sentences, words, syllables }
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
            let Counts { sentences, words, .. } = count(text, english_syllables);
            (sentences, words)
        };
        assert_eq!(counts("One. Two three!\n\nFour - five…\nSix?"), (4.0, 6.0));
        assert_eq!(counts("You’re 12 o'clock"), (1.0, 3.0));
        assert_eq!(english_syllables("12"), 2);
    }

    #[test]
    fn scores_are_those_of_the_formulas() {
        let close = |one: f64, other: f64| (one - other).abs() < 0.01;
        // 6 words and 6 syllables in one sentence.
        assert!(close(english_grade("The cat sat on the mat."), 0.39 * 6.0 + 11.8 - 15.59));
        // 5 words and 8 syllables in one sentence.
        assert!(close(spanish_score("El gato come en casa."), 206.835 - 62.3 * 8.0 / 5.0 - 5.0));
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
