//! The content of a template, from values that serde can serialize.

/// Like `minijinja::context`, but for everything that is [`serde::Serialize`].
macro_rules! shown {
    ($($key:ident $(=> $value:expr)?),* $(,)?) => {
        minijinja::context! { $($key => $crate::web::admin::dashboard::shown::value!($key $(, $value)?)),* }
    };
}

macro_rules! value {
    ($key:ident) => {
        minijinja::Value::from(minijinja::value::Serde(&$key))
    };
    ($key:ident, $value:expr) => {
        minijinja::Value::from(minijinja::value::Serde(&$value))
    };
}

pub(super) use {shown, value};
