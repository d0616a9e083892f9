//! What a mail's HTML says: to its reader, and to whoever looks at its source.

/// HTML, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Html {
    /// What the reader sees; a blank line parts what does not stand in one line.
    pub(super) shown: String,
    /// Attributes, comments, styles and the title, a blank line after each.
    pub(super) hidden: String,
}

/// Elements that a word goes on through. `br` is not one, but a sentence goes on over it.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "label",
    "mark", "q", "s", "small", "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];
/// Elements whose content is no markup, and is not shown.
const RAW: &[&str] = &["style", "script", "title"];

/// The named characters that stand in words or part them.
const NAMED: &[(&str, char)] = &[
    ("nbsp", '\u{A0}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("shy", '\u{AD}'),
    ("zwnj", '\u{200C}'),
    ("zwj", '\u{200D}'),
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("iquest", '¿'),
    ("iexcl", '¡'),
    ("aacute", 'á'),
    ("eacute", 'é'),
    ("iacute", 'í'),
    ("oacute", 'ó'),
    ("uacute", 'ú'),
    ("uuml", 'ü'),
    ("ntilde", 'ñ'),
    ("Aacute", 'Á'),
    ("Eacute", 'É'),
    ("Iacute", 'Í'),
    ("Oacute", 'Ó'),
    ("Uacute", 'Ú'),
    ("Uuml", 'Ü'),
    ("Ntilde", 'Ñ'),
];

impl Html {
    /// Takes any text apart, as leniently as mail programs do.
    pub(super) fn read(mut html: &str) -> Self {
        let mut read = Self::default();
        while let Some(at) = html.find('<') {
            read.show(&html[..at]);
            html = read.markup(&html[at..]);
        }
        read.show(html);
        read
    }

    /// Only markup parts paragraphs.
    fn show(&mut self, text: &str) {
        self.shown += &decoded(&text.replace(['\r', '\n'], " "));
    }

    fn hide(&mut self, text: &str) {
        self.hidden += &decoded(&text.replace(['\r', '\n'], " "));
        self.hidden += "\n\n";
    }

    /// Reads what starts with `<`; gives what comes after it.
    fn markup<'a>(&mut self, html: &'a str) -> &'a str {
        if let Some(comment) = html.strip_prefix("<!--") {
            let (comment, rest) = comment.split_once("-->").unwrap_or((comment, ""));
            // Outlook is given markup of its own in comments.
            let inner = Self::read(comment);
            self.hidden.extend([inner.shown.as_str(), "\n\n", &inner.hidden]);
            return rest;
        }
        let inner = &html[1..];
        let is_tag = inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let Some((tag, rest)) = is_tag.then(|| whole_tag(inner)).flatten() else {
            self.shown.push('<');
            return inner;
        };
        let name_end = tag.find(|c: char| c.is_whitespace() || (c == '/' && !tag.starts_with('/')));
        let (name, attributes) = tag.split_at(name_end.unwrap_or(tag.len()));
        let name = name.to_ascii_lowercase();
        match name.trim_start_matches('/') {
            "br" => self.shown.push(' '),
            inline if INLINE.contains(&inline) => {}
            other => {
                self.shown += "\n\n";
                self.hide(other);
            }
        }
        each_attribute(attributes).for_each(|attribute| self.hide(attribute));
        if !RAW.contains(&name.as_str()) {
            return rest;
        }
        let closes = |at: &usize| {
            rest[at + 2..].get(..name.len()).is_some_and(|closed| closed.eq_ignore_ascii_case(&name))
        };
        let end = rest.match_indices("</").map(|(at, _)| at).find(closes).unwrap_or(rest.len());
        self.hide(&rest[..end]);
        &rest[end..]
    }
}

/// Up to the `>` that no quotes hold, and what follows it.
fn whole_tag(html: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = html.find(|c| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(c);
            false
        }
        (Some(open), _) if open == c => {
            quote = None;
            false
        }
        (open, _) => open.is_none() && c == '>',
    });
    // A quote that nobody closes.
    let end = end.or_else(|| html.find('>'))?;
    Some((&html[..end], &html[end + 1..]))
}

/// `name="value"`, each.
fn each_attribute(attributes: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    let parts = attributes.split(move |c: char| {
        quote = match (quote, c) {
            (None, '"' | '\'') => Some(c),
            (Some(open), _) if open == c => None,
            (open, _) => open,
        };
        quote.is_none() && c.is_whitespace()
    });
    parts.filter(|part| !part.is_empty())
}

/// The text with its character references read.
fn decoded(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut pieces = text.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(piece.len());
        match character(&piece[..end]) {
            Some(c) => {
                out.push(c);
                out += piece[end..].strip_prefix(';').unwrap_or(&piece[end..]);
            }
            None => {
                out.push('&');
                out += piece;
            }
        }
    }
    out
}

fn character(reference: &str) -> Option<char> {
    let Some(number) = reference.strip_prefix('#') else {
        return NAMED.iter().find(|(name, _)| *name == reference).map(|(_, c)| *c);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_and_what_is_not_are_read_apart() {
        for (html, shown, hidden) in [
            ("Hello", "Hello", &[][..]),
            ("ex<b>pi</b>red<br>now", "expired now", &[]),
            ("<p>One</p><p>two", "\n\nOne\n\n\n\ntwo", &["p", "p", "p"]),
            ("<a href='/x?a=1&amp;b' title=\"a > b\">x</a>", "x", &["href='/x?a=1&b'", "title=\"a > b\""]),
            ("a<!-- no <b x>bold</b> -->b", "ab", &[" no bold ", "x"]),
            ("<style>.a > b { }</style>x", "\n\n\n\nx", &["style", ".a > b { }", "style"]),
            ("one\n\nline", "one  line", &[]),
            ("<title>Caf&eacute;</title>", "\n\n\n\n", &["title", "Café", "title"]),
            ("1 < 2 &amp; 3 &lt 4 & &unknown; &#101;&#x78;", "1 < 2 & 3 < 4 & &unknown; ex", &[]),
            ("an end <", "an end <", &[]),
            ("an end <p class=\"open", "an end <p class=\"open", &[]),
            ("a <!-- comment", "a ", &[" comment"]),
        ] {
            let read = Html::read(html);
            let hidden = hidden.iter().map(|piece| format!("{piece}\n\n")).collect();
            assert_eq!((read.shown.as_str(), read.hidden), (shown, hidden), "{html}");
        }
    }
}
