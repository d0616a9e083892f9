//! Finds items, imports and paths in the tokens of a file. Code under `#[cfg(test)]` is skipped.

use crate::source::Module;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{HashMap, HashSet};

/// A `use` of one name.
pub(crate) struct Import {
    /// `None` for a glob.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
}

/// A path with at least two segments, or one that is imported.
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) is_glob: bool,
}

const ITEMS: [&str; 8] = ["struct", "enum", "union", "trait", "type", "fn", "const", "static"];

/// Adds the module at `path` and its inline modules to `modules`, and the paths of its test modules to `tests`.
pub(crate) fn modules(
    tokens: TokenStream,
    path: Vec<String>,
    file: usize,
    modules: &mut Vec<Module>,
    tests: &mut HashSet<Vec<String>>,
) {
    let mut scan = Scan { path, inline: Vec::new(), tests: Vec::new(), found: Found::default() };
    scan.read(tokens);
    let Scan { path, inline, tests: test_children, found } = scan;
    let below = |name: String| path.iter().cloned().chain([name]).collect::<Vec<_>>();
    tests.extend(test_children.into_iter().map(below));
    for (name, body) in inline {
        self::modules(body, below(name), file, modules, tests);
    }
    let Found { declared, items, imports, references } = found;
    let children = HashMap::new();
    modules.push(Module { path, file, parent: None, children, declared, items, imports, references });
}

#[derive(Default)]
struct Found {
    declared: Vec<String>,
    items: HashSet<String>,
    imports: Vec<Import>,
    references: Vec<Reference>,
}

struct Scan {
    path: Vec<String>,
    inline: Vec<(String, TokenStream)>,
    tests: Vec<String>,
    found: Found,
}

impl Scan {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += self.step(&tokens[..at], &tokens[at..]);
        }
    }

    /// Reads what starts at `rest` and returns the number of tokens it takes.
    fn step(&mut self, before: &[TokenTree], rest: &[TokenTree]) -> usize {
        if is_test_attribute(rest) {
            let length = 2 + item_length(&rest[2..]);
            let skipped = rest[..length.min(rest.len())].windows(2);
            self.tests.extend(skipped.filter_map(|pair| match pair {
                [TokenTree::Ident(keyword), TokenTree::Ident(name)] if keyword == "mod" => {
                    Some(name.to_string())
                }
                _ => None,
            }));
            return length;
        }
        match rest {
            [TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Group(body), ..]
                if keyword == "mod" && body.delimiter() == Delimiter::Brace =>
            {
                self.inline.push((name.to_string(), body.stream()));
                3
            }
            [TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(end), ..]
                if keyword == "mod" && end.as_char() == ';' =>
            {
                self.found.declared.push(name.to_string());
                3
            }
            [TokenTree::Ident(keyword), ..] if keyword == "use" && !continues(before) => self.import(rest),
            [TokenTree::Ident(keyword), TokenTree::Ident(name), ..]
                if ITEMS.contains(&&*keyword.to_string()) =>
            {
                self.found.items.insert(name.to_string());
                2
            }
            [TokenTree::Ident(keyword), TokenTree::Punct(_), TokenTree::Ident(name), ..]
                if keyword == "macro_rules" =>
            {
                self.found.items.insert(name.to_string());
                3
            }
            [TokenTree::Group(group), ..] => {
                self.read(group.stream());
                1
            }
            // A path that continues an earlier name was read with it.
            [TokenTree::Ident(first), ..] if !continues(before) => {
                let line = first.span().start().line;
                let (path, length) = path(rest);
                if path.len() > 1 {
                    self.found.references.push(Reference { path, line, is_glob: false });
                }
                length
            }
            _ => 1,
        }
    }

    fn import(&mut self, rest: &[TokenTree]) -> usize {
        let end = rest.iter().position(|token| is_punct(token, ';')).unwrap_or(rest.len());
        let mut leaves = Vec::new();
        expand(&[], &rest[1..end], &mut leaves);
        for Leaf { name, path, line } in leaves {
            let is_glob = name.is_none();
            self.found.references.push(Reference { path: path.clone(), line, is_glob });
            self.found.imports.push(Import { name, path });
        }
        end + 1
    }
}

struct Leaf {
    name: Option<String>,
    path: Vec<String>,
    line: usize,
}

/// Expands the tree of a `use` below `prefix`.
fn expand(prefix: &[String], tokens: &[TokenTree], leaves: &mut Vec<Leaf>) {
    let (mut path, mut rest, mut line) = (prefix.to_vec(), tokens, 0);
    loop {
        match rest {
            [a, b, after @ ..] if is_separator(a, b) => rest = after,
            [TokenTree::Ident(keyword), TokenTree::Ident(alias), ..] if keyword == "as" => {
                leaves.push(Leaf { name: Some(alias.to_string()), path, line });
                return;
            }
            [TokenTree::Ident(name), after @ ..] => {
                line = name.span().start().line;
                // `a::{self}` imports `a`.
                if name != "self" || path.is_empty() {
                    path.push(name.to_string());
                }
                rest = after;
            }
            [TokenTree::Group(group), ..] => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                inner.split(|token| is_punct(token, ',')).for_each(|part| expand(&path, part, leaves));
                return;
            }
            [star, ..] if is_punct(star, '*') => {
                line = star.span().start().line;
                leaves.push(Leaf { name: None, path, line });
                return;
            }
            _ => {
                if let Some(name) = path.last().cloned().filter(|_| path.len() > prefix.len() || line > 0) {
                    leaves.push(Leaf { name: Some(name), path, line });
                }
                return;
            }
        }
    }
}

/// The segments of the path that starts here, and how many tokens they take.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut segments, mut length) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(name)) = tokens.get(length) {
        segments.push(name.to_string());
        length += 1;
        match &tokens[length..] {
            [a, b, TokenTree::Ident(_), ..] if is_separator(a, b) => length += 2,
            _ => break,
        }
    }
    (segments, length)
}

/// Whether the next token continues an earlier name, as in `a::` and `<T>::`.
fn continues(before: &[TokenTree]) -> bool {
    let [.., name, a, b] = before else { return false };
    let is_name = matches!(name, TokenTree::Ident(_)) || is_punct(name, '>');
    is_name && is_separator(a, b)
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

fn is_separator(a: &TokenTree, b: &TokenTree) -> bool {
    is_punct(a, ':') && is_punct(b, ':')
}

/// `#[cfg(test)]`, or `#[cfg(all(test, …))]`.
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(attribute), ..] = tokens else { return false };
    let text = attribute.stream().to_string().replace(' ', "");
    is_punct(hash, '#') && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}

/// The number of tokens of the item that starts here: up to its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    // The braces of `use a::{b, c};` do not end it.
    let is_use = tokens.iter().take(3).any(|token| matches!(token, TokenTree::Ident(word) if word == "use"));
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
        token => is_punct(token, ';'),
    };
    tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1)
}
