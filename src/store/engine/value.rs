//! The values of a statement's parameters.

/// `None` is NULL.
#[derive(Clone, Debug)]
pub(in crate::store) enum Value {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Bool(Option<bool>),
}

/// In JSON.
const NUL: &str = "\\u0000";

impl Value {
    #[cfg(feature = "sim")]
    pub(super) fn postgres_type(&self) -> &'static str {
        match self {
            Self::Integer(_) => "bigint",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
            Self::Bool(_) => "boolean",
            Self::Real(_) => "double precision",
        }
    }

    /// PostgreSQL cannot store NUL in a text. It is dropped, because the rest of the row matters more.
    pub(in crate::store) fn without_nul(self) -> Self {
        match self {
            Self::Text(Some(text)) if text.contains('\0') => Self::Text(Some(text.replace('\0', ""))),
            Self::Text(Some(list)) if list.starts_with('[') && list.contains(NUL) => {
                Self::Text(Some(without_escaped_nul(&list)))
            }
            other => other,
        }
    }

    /// In bytes, about.
    pub(in crate::store) fn size(&self) -> usize {
        let content = match self {
            Self::Text(Some(text)) => text.len(),
            Self::Bytes(Some(bytes)) => bytes.len(),
            _ => 0,
        };
        size_of::<Self>() + content
    }

    pub(in crate::store) fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Integer(None) | Self::Real(None) | Self::Text(None) | Self::Bytes(None) | Self::Bool(None)
        )
    }
}

/// A JSON text without NUL. A backslash that is itself escaped begins no escape.
fn without_escaped_nul(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        clean.push_str(before);
        rest = match escape.strip_prefix(NUL) {
            Some(after) => after,
            None => {
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                clean.push_str(&escape[..length]);
                &escape[length..]
            }
        };
    }
    clean + rest
}

macro_rules! from {
    ($($type:ty => $variant:ident($value:ident => $converted:expr)),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::$variant($converted)
            }
        }
    )+};
}

from! {
    i64 => Integer(value => Some(value)),
    u32 => Integer(value => Some(value.into())),
    Option<i64> => Integer(value => value),
    Option<u32> => Integer(value => value.map(Into::into)),
    bool => Bool(value => Some(value)),
    Option<bool> => Bool(value => value),
    &str => Text(value => Some(value.to_owned())),
    String => Text(value => Some(value)),
    &String => Text(value => Some(value.clone())),
    Option<&str> => Text(value => value.map(str::to_owned)),
    Option<String> => Text(value => value),
    &Option<String> => Text(value => value.clone()),
    &[u8] => Bytes(value => Some(value.to_vec())),
    Vec<u8> => Bytes(value => Some(value)),
    &Vec<u8> => Bytes(value => Some(value.clone())),
    Option<&[u8]> => Bytes(value => value.map(<[u8]>::to_vec)),
    Option<Vec<u8>> => Bytes(value => value),
    &Option<Vec<u8>> => Bytes(value => value.clone()),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_dropped_from_texts_and_from_lists() {
        for (given, stored) in [
            ("a\0b", "ab"),
            (r#"["a\u0000b","\u0000"]"#, r#"["ab",""]"#),
            (r#"["a\\u0000b\n"]"#, r#"["a\\u0000b\n"]"#),
            (r"\u0000", r"\u0000"),
        ] {
            let Value::Text(Some(text)) = Value::from(given).without_nul() else { panic!("a text") };
            assert_eq!(text, stored);
        }
    }
}
