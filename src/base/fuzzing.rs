//! Inputs for the tests of parsers: the files of a corpus, and what mutations make of them. The same ones in each run.
//!
//! `RECONNECTD_FUZZ` is the number of mutated inputs, and `RECONNECTD_TEST_SEED` chooses others.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Mutated inputs in the suite. A parser that takes milliseconds gets fewer.
pub(crate) const MANY: usize = 4_000;
pub(crate) const FEW: usize = 400;
/// In bytes. The limits of sizes have tests of their own.
const MAX_INPUT: usize = 96 * 1024;
/// What makes a difference to many parsers.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\"",
    b"'",
    b",",
    b":",
    b";",
    b"=",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b">",
    b"%",
    b"\\u0000",
    b"null",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
];
/// In each corpus, what no error may quote: a part of tokens, and one of addresses.
const SECRETS: [&str; 2] = ["s3cret", "lovelace@"];

/// Passes each file of `tests/corpus/{parser}` to `check`, and then as many mutations of them. `words`: what makes a
/// difference to this parser. An input for which `check` panics is kept in `target/fuzz`.
pub(crate) fn fuzz(parser: &str, inputs: usize, words: &[&str], check: impl Fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = corpus(&root.join("tests/corpus").join(parser));
    let number = |variable: &str| env::var(variable).ok().map(|text| text.parse::<u64>().expect("a number"));
    let inputs = number("RECONNECTD_FUZZ").map_or(inputs, |inputs| inputs as usize);
    let mut mutator = Mutator::new(&corpus, words, number("RECONNECTD_TEST_SEED").unwrap_or(1));
    let mutated = (0..inputs).map(|_| mutator.input());
    for input in corpus.iter().cloned().chain(mutated) {
        let kept = Kept { file: root.join(format!("target/fuzz/{parser}")), input: &input };
        check(&input);
        drop(kept);
    }
}

/// # Panics
/// A text of an error quotes a part of a token or of an address.
pub(crate) fn assert_quotes_no_secret(text: &str) {
    let lower = text.to_lowercase();
    assert!(!SECRETS.iter().any(|secret| lower.contains(secret)), "{text}");
}

fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| fs::read(file).expect("a file of the corpus")).collect()
}

struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    words: Vec<&'a [u8]>,
    rng: TestRng,
}

impl<'a> Mutator<'a> {
    fn new(corpus: &'a [Vec<u8>], words: &'a [&str], seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let words = words.iter().map(|word| word.as_bytes()).chain(WORDS).collect();
        Self { corpus, words, rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes) }
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.rng.next_u64() % limit.max(1) as u64) as usize
    }

    fn input(&mut self) -> Vec<u8> {
        let corpus = self.corpus;
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(5) {
            self.mutate(&mut input);
        }
        input.truncate(MAX_INPUT);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(24)).min(input.len());
        let byte = self.rng.next_u32() as u8;
        match self.below(9) {
            0 => input.insert(at, byte),
            1 if at < input.len() => input[at] = byte,
            2 if at < input.len() => input[at] ^= 1 << (byte % 8),
            3 => drop(input.drain(at..end)),
            4 => input.truncate(at),
            5 => {
                let again = input[at..end].to_vec();
                let times = [1, 2, 9, 200][self.below(4)];
                input.splice(at..at, again.repeat(times));
            }
            6 => {
                let other = &self.corpus[self.below(self.corpus.len())];
                let from = self.below(other.len() + 1);
                let to = (from + 1 + self.below(60)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            7 => {
                let word = self.word();
                input.splice(at..end.min(at + word.len()), word.iter().copied());
            }
            _ => {
                let word = self.word();
                input.splice(at..at, word.iter().copied());
            }
        }
    }

    fn word(&mut self) -> &'a [u8] {
        let at = self.below(self.words.len());
        self.words[at]
    }
}

/// Writes the input when the test fails.
struct Kept<'a> {
    file: PathBuf,
    input: &'a [u8],
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let written = fs::create_dir_all(self.file.parent().expect("a folder"))
                .and_then(|()| fs::write(&self.file, self.input));
            println!("the input is in {} ({written:?})", self.file.display());
        }
    }
}
