//! The paths of links as email programs and people mangle them.

use axum::http::{Method, Uri, uri::PathAndQuery};

/// The pages below a link.
const ACTIONS: [&str; 5] = ["resend", "resubscribe", "dismiss", "snooze", "undo"];
/// Shorter runs of token characters are remains of markup, not tokens.
const MIN_TOKEN: usize = 16;

/// Removes characters that a token cannot contain, plain or percent-encoded, from before and after the token of `/r/…` and
/// `/u/…`. Other words after the token are ignored, too, except for a press: its form may be of another version. Any other
/// path stays the same.
pub(super) fn clean(method: &Method, uri: Uri, prefix: &str) -> Uri {
    let path = uri.path();
    let own = path.strip_prefix(prefix).unwrap_or(path);
    let before = &path[..path.len() - own.len()];
    let Some(cleaned) = clean_path(own, *method == Method::POST).filter(|cleaned| cleaned != own) else {
        return uri;
    };
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    let Ok(path) = format!("{before}{cleaned}{query}").parse::<PathAndQuery>() else { return uri };
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).unwrap_or_default()
}

pub(super) fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn clean_path(path: &str, is_form: bool) -> Option<String> {
    if path == "/" {
        // The public URL's own path, with a slash at the end.
        return Some(String::new());
    }
    let (kind, rest) = ["/r/", "/u/"].into_iter().find_map(|kind| Some((kind, path.strip_prefix(kind)?)))?;
    let decoded = percent_encoding::percent_decode_str(rest).decode_utf8_lossy();
    let mut runs = decoded.split(|c| !is_token_character(c));
    let token = runs.find(|run| run.len() >= MIN_TOKEN)?;
    let word = runs.find(|run| !run.is_empty());
    let action = word.filter(|run| ACTIONS.contains(run));
    // Unsubscribing can do no harm.
    if is_form && kind == "/r/" && word != action {
        return None;
    }
    Some(action.map_or(format!("{kind}{token}"), |action| format!("{kind}{token}/{action}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";

    #[test]
    fn what_a_token_cannot_contain_is_ignored_before_and_after_it() {
        let junk = [
            "/", "//", "%20", "%C2%A0", "\"", "%22", "<", "%3C", ">", "%3E", ".", ",", ")", "%0D%0A", "'",
            ".%22)",
        ];
        for (kind, junk) in ["/r/", "/u/"].into_iter().flat_map(|kind| junk.map(|junk| (kind, junk))) {
            let clean = format!("{kind}{TOKEN}");
            for dirty in [
                format!("{kind}{junk}{TOKEN}"),
                format!("{kind}{TOKEN}{junk}"),
                format!("{kind}{junk}{TOKEN}{junk}"),
            ] {
                assert_eq!(clean_path(&dirty, true).as_deref(), Some(&*clean), "{dirty}");
            }
        }
    }

    #[test]
    fn an_action_below_a_link_and_the_query_are_kept() {
        for (dirty, clean) in [
            (format!("/r/{TOKEN}/resend"), format!("/r/{TOKEN}/resend")),
            (format!("/r/{TOKEN}./dismiss"), format!("/r/{TOKEN}/dismiss")),
            (format!("/r/{TOKEN}//snooze"), format!("/r/{TOKEN}/snooze")),
            (format!("/r/{TOKEN}%20/undo"), format!("/r/{TOKEN}/undo")),
            (format!("/base/r/{TOKEN}%3E?x=1"), format!("/base/r/{TOKEN}?x=1")),
            (format!("/u/{TOKEN}/and-more"), format!("/u/{TOKEN}")),
        ] {
            assert_eq!(super::clean(&Method::GET, dirty.parse().unwrap(), "/base").to_string(), clean);
        }
    }

    #[test]
    fn other_paths_stay_the_same() {
        for path in ["/", "/oauth/return?x=%3E", "/r/short", "/x/r/y"] {
            assert_eq!(super::clean(&Method::GET, path.parse().unwrap(), "").to_string(), path);
        }
    }

    #[test]
    fn a_form_that_posts_to_an_unknown_action_reaches_no_other_one() {
        let clean = |path: &str| super::clean(&Method::POST, path.parse().unwrap(), "").to_string();
        let unknown = format!("/r/{TOKEN}/unknown");
        assert_eq!(clean(&unknown), unknown);
        assert_eq!(clean(&format!("/u/{TOKEN}&utm_source=x")), format!("/u/{TOKEN}"));
    }

    #[test]
    fn the_public_url_s_own_path_may_end_with_a_slash() {
        for path in ["/base", "/base/"] {
            assert_eq!(super::clean(&Method::GET, path.parse().unwrap(), "/base").path(), "/base");
        }
    }
}
