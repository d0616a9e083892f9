//! The values of a statement's parameters.

/// `None` is NULL.
#[derive(Clone, Debug)]
pub(in crate::store) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Bool(Option<bool>),
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
