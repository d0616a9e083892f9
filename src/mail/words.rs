//! Words that give a status away. They are looked for in English and Spanish, whatever the mail's language is.

use super::html::Html;

/// What a connection does, and a link as well.
const EXPIRED: &str = "expired lapsed caducado caducada caducados caducadas caducó caducaron expirado expirada \
    expirados expiradas expiró expiraron vencido vencida vencidos vencidas venció vencio vencieron";
/// What a link never does.
const DISCONNECTED: &str = "disconnected disconnection disconnections desconectado desconectada desconectados desconectadas \
    desconectó desconectaron desconexión desconexion desconexiones";
/// What may well have expired: that tells nothing. Without accents, as the next list.
const LINK: &str = "link links page pages invitation invitations mail mails email emails message messages button \
    buttons address addresses enlace enlaces vinculo vinculos liga ligas pagina paginas invitacion \
    invitaciones correo correos mensaje mensajes boton botones direccion direcciones plazo plazos";
/// What must not be said to have.
const CONNECTION: &str = "connection connections account accounts source sources access authorization authorizations \
    authorisation authorisations consent permission permissions login signin session sessions \
    conexion conexiones cuenta cuentas fuente fuentes acceso accesos autorizacion autorizaciones \
    consentimiento permiso permisos sesion sesiones";
const POSSESSIVE: &str = "your tu tus su sus";
const PREPOSITION: &str = "to in on at from for by of with a en de por para con";
/// What may stand between a noun and its status.
const AUXILIARY: &str = "has have had is are was were been just already now recently ha han ya se está están";
/// How each word for a status starts.
const STARTS: [&str; 7] = ["expir", "lapsed", "caduc", "venci", "disconnect", "desconect", "desconexi"];
/// As near to a link's word, in words, a status is the link's.
const NEAR: usize = 3;

/// The first word of `text` that gives a status away.
pub(super) fn status(text: &str) -> Option<String> {
    let text = normal(text);
    let lower = text.to_lowercase();
    if !STARTS.iter().any(|start| lower.contains(start)) {
        return None;
    }
    text.split("\n\n").find_map(|paragraph| {
        let (urls, words): (Vec<&str>, Vec<&str>) =
            paragraph.split_whitespace().partition(|word| word.contains("://"));
        // Nothing in a URL speaks of what stands before it.
        let in_urls = urls.iter().flat_map(|url| url.split(['/', '?', '&', '=', '#', '.', ':']));
        in_paragraph(&words.join(" ")).or_else(|| in_urls.into_iter().find_map(in_paragraph))
    })
}

/// As [`status`], in what HTML shows and in what it does not.
pub(super) fn status_in_html(html: &str) -> Option<String> {
    let Html { shown, hidden } = Html::read(html);
    status(&[shown, hidden].join("\n\n"))
}

/// Whether `text`, HTML or not, holds the word.
pub(super) fn holds(text: &str, html: bool, word: &str) -> bool {
    let word = word.to_lowercase();
    let holds = |text: &str| of(&normal(text)).any(|found| found.to_lowercase() == word);
    let read = |html: Html| holds(&html.shown) || holds(&html.hidden);
    holds(text) || (html && read(Html::read(text)))
}

/// Whether there is anything to see in `text`.
pub(super) fn is_blank(text: &str) -> bool {
    !text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(c))
}

/// The words of a text, whatever parts them.
pub(super) fn of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
}

/// What a word speaks of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Topic {
    Link,
    Connection,
}

impl Topic {
    fn of(word: &str) -> Option<Self> {
        let plain: String = word.to_lowercase().chars().map(without_accent).collect();
        if is_one_of(LINK, &plain) {
            Some(Self::Link)
        } else {
            is_one_of(CONNECTION, &plain).then_some(Self::Connection)
        }
    }
}

fn in_paragraph(paragraph: &str) -> Option<String> {
    // A sentence that says "it" speaks of what the one before it spoke of.
    let mut before = (None, "");
    for sentence in paragraph.split(['.', '!', '?', ';', ':', '\u{2026}']) {
        if let Some(word) = in_sentence(sentence, before) {
            return Some(word.to_owned());
        }
        let topics: Vec<Topic> = of(sentence).filter_map(Topic::of).collect();
        if topics.contains(&Topic::Connection) {
            before = (Some(Topic::Connection), sentence);
        } else if !topics.is_empty() {
            before = (Some(Topic::Link), sentence);
        }
    }
    None
}

fn in_sentence<'a>(sentence: &'a str, before: (Option<Topic>, &str)) -> Option<&'a str> {
    let words: Vec<&str> = of(sentence).collect();
    let topics: Vec<Option<Topic>> = words.iter().map(|word| Topic::of(word)).collect();
    let nearest = |topic: Topic, at: usize| {
        let of_topic = topics.iter().enumerate().filter(|(_, found)| **found == Some(topic));
        of_topic.map(|(index, _)| index.abs_diff(at)).min()
    };
    let of_link = |at: usize| match (nearest(Topic::Link, at), nearest(Topic::Connection, at)) {
        (Some(_), None) => true,
        (Some(link), Some(connection)) => link <= NEAR && link < connection,
        (None, Some(_)) => false,
        (None, None) => before.0 == Some(Topic::Link),
    };
    // The gateway's own word, among others.
    let shouts = |word: &str| {
        let context = if topics.iter().any(Option::is_some) { "" } else { before.1 };
        !word.contains(char::is_lowercase) && [sentence, context].concat().contains(char::is_lowercase)
    };
    words.iter().enumerate().find_map(|(at, word)| {
        let lower = word.to_lowercase();
        let tells = if is_one_of(EXPIRED, &lower) {
            !of_link(at) || shouts(word) || is_of_another(&words[..at], &topics)
        } else {
            is_one_of(DISCONNECTED, &lower)
        };
        tells.then_some(*word)
    })
}

/// Whether what comes before the word for a status is "your" something, which is no link.
fn is_of_another(before: &[&str], topics: &[Option<Topic>]) -> bool {
    let is = |list: &str, word: &str| is_one_of(list, &word.to_lowercase());
    let Some(noun) = before.iter().rposition(|word| !is(AUXILIARY, word)) else { return false };
    let first = noun.saturating_sub(2);
    let yours = (first..noun).find(|at| is(POSSESSIVE, before[*at]));
    // "The link in your inbox has expired."
    let is_subject = |at: usize| at == 0 || !is(PREPOSITION, before[at - 1]);
    !topics[first..=noun].contains(&Some(Topic::Link)) && yours.is_some_and(is_subject)
}

fn is_one_of(list: &str, word: &str) -> bool {
    list.split(' ').any(|one| one == word)
}

/// Without what cannot be seen in a word, with its accents on their letters, and a sign-in as one word: to sign in is what
/// a link is for.
fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        let composed = match c {
            '\u{301}' | '\u{303}' => out.chars().last().and_then(|letter| composed(letter, c)),
            _ => None,
        };
        if composed.is_some() {
            out.pop();
        }
        out.push(composed.unwrap_or(c));
    }
    out.replace("ign-in", "ignin").replace("og-in", "ogin")
}

const ACCENTS: &[(char, char, char)] = &[
    ('a', '\u{301}', 'á'),
    ('e', '\u{301}', 'é'),
    ('i', '\u{301}', 'í'),
    ('o', '\u{301}', 'ó'),
    ('u', '\u{301}', 'ú'),
    ('n', '\u{303}', 'ñ'),
    ('A', '\u{301}', 'Á'),
    ('E', '\u{301}', 'É'),
    ('I', '\u{301}', 'Í'),
    ('O', '\u{301}', 'Ó'),
    ('U', '\u{301}', 'Ú'),
    ('N', '\u{303}', 'Ñ'),
];

fn composed(letter: char, accent: char) -> Option<char> {
    ACCENTS.iter().find(|(of, with, _)| (*of, *with) == (letter, accent)).map(|(.., composed)| *composed)
}

fn without_accent(letter: char) -> char {
    ACCENTS.iter().find(|(.., composed)| *composed == letter).map_or(letter, |(plain, ..)| *plain)
}

/// Soft hyphens, joiners and their like.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests;
