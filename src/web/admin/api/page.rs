//! Pages of a list. `after` is the place where the next page begins; clients must not look into it.

use super::failure::bad_request;
use crate::web::problem::Problem;
use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

const MAX_LIMIT: u32 = 1000;
const DEFAULT_LIMIT: u32 = 100;

#[derive(Serialize, ToSchema)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// `after` of the next page; null after the last one.
    pub(super) next: Option<String>,
}

/// `K` is the key of the last item of a page.
pub(super) struct PageRequest<K> {
    limit: u32,
    pub(super) after: Option<K>,
}

impl<K: DeserializeOwned> PageRequest<K> {
    pub(super) fn parse(limit: Option<&str>, after: Option<&str>) -> Result<Self, Problem> {
        let limit = match limit.map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(bad_request(format!("limit must be a number from 1 to {MAX_LIMIT}"))),
        };
        let after = after.filter(|after| !after.is_empty()).map(decode).transpose()?;
        Ok(Self { limit, after })
    }
}

impl<K: Serialize> PageRequest<K> {
    /// One more than the page has, to know whether another one follows.
    pub(super) fn fetch(&self) -> u32 {
        self.limit + 1
    }

    pub(super) fn page<'a, R, T>(
        &self,
        rows: &'a [R],
        key: impl Fn(&'a R) -> K,
        item: impl Fn(&'a R) -> T,
    ) -> Page<T> {
        let shown = &rows[..rows.len().min(self.limit as usize)];
        let next = shown.last().filter(|_| rows.len() > shown.len()).map(|last| encode(&key(last)));
        Page { items: shown.iter().map(item).collect(), next }
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

fn encode(key: &impl Serialize) -> String {
    // A key is text and numbers, which JSON can always show.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn decode<K: DeserializeOwned>(after: &str) -> Result<K, Problem> {
    let invalid = || bad_request("after must be the `next` of a page of this list");
    let json = URL_SAFE_NO_PAD.decode(after).map_err(|_| invalid())?;
    // No key has this character, and PostgreSQL accepts none.
    if json.contains(&0) || json.windows(6).any(|bytes| bytes == b"\\u0000") {
        return Err(invalid());
    }
    serde_json::from_slice(&json).map_err(|_| invalid())
}

/// The parameters of a list: a page, and its filters.
macro_rules! list_query {
    ($name:ident { $($(#[$meta:meta])* $field:ident),* $(,)? }) => {
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            /// How many items the page has at most; 100 without it
            #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
            limit: Option<String>,
            /// `next` of the page before
            after: Option<String>,
            $($(#[$meta])* $field: Option<String>,)*
        }

        impl $name {
            fn page<K: serde::de::DeserializeOwned>(
                &self,
            ) -> Result<$crate::web::admin::api::page::PageRequest<K>, $crate::web::problem::Problem> {
                $crate::web::admin::api::page::PageRequest::parse(self.limit.as_deref(), self.after.as_deref())
            }
        }
    };
}
pub(super) use list_query;

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[u8], limit: &str) -> (Vec<u8>, Option<u8>) {
        let request = PageRequest::<u8>::parse(Some(limit), None).ok().expect("a valid limit");
        let Page { items, next } = request.page(rows, |row| *row, |row| *row);
        (items, next.map(|next| decode(&next).ok().expect("its own place")))
    }

    #[test]
    fn a_page_names_its_last_item_if_another_page_follows() {
        assert_eq!(page(&[], "2"), (vec![], None));
        assert_eq!(page(&[1, 2], "2"), (vec![1, 2], None));
        assert_eq!(page(&[1, 2, 3], "2"), (vec![1, 2], Some(2)));
    }

    #[test]
    fn other_limits_and_places_are_refused() {
        for limit in ["0", "1001", "-1", "many", ""] {
            assert!(PageRequest::<u8>::parse(Some(limit), None).is_err(), "{limit}");
        }
        assert!(PageRequest::<u8>::parse(None, Some("")).is_ok_and(|first| first.after.is_none()));
        for after in ["!".into(), encode(&"text"), encode(&300), encode(&"a\0b")] {
            assert!(PageRequest::<u8>::parse(None, Some(&after)).is_err(), "{after}");
        }
        assert!(PageRequest::<String>::parse(None, Some(&encode(&"a\0b"))).is_err());
    }
}
