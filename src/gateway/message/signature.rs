//! The signature of b.well's messages. b.well agrees on the details with each client; this file alone assumes them.
//!
//! Assumed: the header `x-bwell-signature` has the HMAC-SHA256 of the body's bytes, as they came. The key is the bytes of
//! the secret's text. The value is in hexadecimal digits or in Base64, with or without `sha256=` before it.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub(crate) const SIGNATURE_HEADER: &str = "x-bwell-signature";

const PREFIX: &str = "sha256=";
/// Of SHA-256, in bytes.
const LENGTH: usize = 32;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&alphabet::STANDARD, LENIENT), GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT)];

/// In constant time for each body.
pub(crate) fn is_signed(secret: &str, body: &[u8], header: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    decode(header).is_some_and(|signature| hmac::verify(&key, body, &signature).is_ok())
}

fn decode(header: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(header).ok()?.trim();
    let text = match text.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => text,
    };
    from_hex(text)
        .or_else(|| BASE64.iter().find_map(|engine| engine.decode(text).ok()))
        .filter(|signature| signature.len() == LENGTH)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let digits: Vec<u8> = text.bytes().map(|byte| digit(&byte)).collect::<Option<_>>()?;
    (digits.len() == 2 * LENGTH).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    const KEY: &str = "Jefe";
    const BODY: &[u8] = b"what do ya want for nothing?";
    const HEX: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const IN_BASE64: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";

    #[test]
    fn each_spelling_of_the_right_signature_is_accepted() {
        for value in [
            HEX.to_owned(),
            HEX.to_uppercase(),
            format!(" sha256={HEX} "),
            format!("SHA256={HEX}"),
            IN_BASE64.to_owned(),
            IN_BASE64.trim_end_matches('=').to_owned(),
            format!("sha256={IN_BASE64}"),
        ] {
            assert!(is_signed(KEY, BODY, value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn base64_for_urls_is_accepted() {
        // The signature of this body has both characters that differ.
        let body = (0..u32::MAX).map(|number| number.to_string()).find(|body| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
            let text = BASE64[0].encode(hmac::sign(&key, body.as_bytes()));
            text.contains('+') && text.contains('/')
        });
        let body = body.unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
        let text = BASE64[1].encode(hmac::sign(&key, body.as_bytes()));
        assert!(text.contains('-') && text.contains('_') && is_signed(KEY, body.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn everything_else_is_refused() {
        let other = format!("6{}", &HEX[1..]);
        for value in ["", "sha256=", &other, &HEX[..62], &format!("{HEX}00"), "sha1=5bdc", "é", "W9zBRr9g"] {
            assert!(!is_signed(KEY, BODY, value.as_bytes()), "{value}");
        }
        assert!(!is_signed(KEY, b"another body", HEX.as_bytes()));
        assert!(!is_signed("jefe", BODY, HEX.as_bytes()));
        assert!(!is_signed(KEY, BODY, &[0xff; 64]));
    }
}
