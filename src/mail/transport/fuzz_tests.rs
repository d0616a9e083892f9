use super::bad_address::bad_address;
use super::reply_normalizer::ReplyNormalizer;
use crate::base::fuzzing::{MANY, fuzz};
use lettre::transport::smtp::response::Response;

const WORDS: [&str; 12] =
    ["250", "250-", "550 ", "550-", "421", "354", "5.1.1", "5.7.26", "AUTH=", "starttls", "\r\n", "\n250 "];

fn normalized(input: &[u8], size: usize) -> Vec<u8> {
    let mut replies = ReplyNormalizer::default();
    let mut output = Vec::new();
    for piece in input.chunks(size) {
        replies.take(piece);
        while !replies.ready().is_empty() {
            output.extend_from_slice(replies.ready());
            replies.consume(replies.ready().len());
        }
    }
    output
}

/// The codes of the whole lines, each with whether the reply goes on.
fn codes(text: &[u8]) -> Vec<(&[u8], bool)> {
    let mut lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    lines.pop();
    lines.iter().map(|line| (&line[..line.len().min(3)], line.get(3) == Some(&b'-'))).collect()
}

#[test]
fn a_reply_keeps_its_code_and_its_end_however_it_is_written_and_whichever_pieces_it_comes_in() {
    fuzz("replies", MANY, &WORDS, |input| {
        let whole = normalized(input, input.len().max(1));
        assert!([1, 3, 7].iter().all(|size| normalized(input, *size) == whole));
        assert!(str::from_utf8(&whole).is_ok());
        // A line that is too long is cut again: in UTF-8, Latin-1 takes more bytes.
        if input.split(|byte| *byte == b'\n').all(|line| line.len() < 2_000) {
            assert_eq!(normalized(&whole, 64), whole, "what is normalized stays as it is");
        }
        assert!(whole.len() <= 3 * input.len() + 64, "{} of {}", whole.len(), input.len());
        if input.is_ascii() && codes(input).len() < 100 {
            let is_reply = |(code, _): &(&[u8], bool)| code.len() == 3 && code.iter().all(u8::is_ascii_digit);
            let replies = |text: &[u8]| {
                codes(text)
                    .into_iter()
                    .filter(is_reply)
                    .map(|(code, more)| (code.to_vec(), more))
                    .collect::<Vec<_>>()
            };
            assert_eq!(replies(&whole), replies(input), "an acceptance stays one, and so does a refusal");
        }
        let Some(reply) = str::from_utf8(&whole).ok().and_then(|text| text.parse::<Response>().ok()) else {
            return;
        };
        let code = u16::from(reply.code());
        assert!(reply.is_positive() == (200..400).contains(&code));
        let text = reply.message().collect::<Vec<_>>().join(" ");
        // A policy and a full mailbox say nothing about the address.
        let enhanced = text.split_whitespace().next().unwrap_or_default();
        let is_policy = ["5.7.1", "5.7.26", "5.2.2"].contains(&enhanced);
        if is_policy || text.contains("quota") && !enhanced.starts_with("5.1.") {
            assert_eq!(bad_address(code, &text), None, "{text}");
        }
    });
}
