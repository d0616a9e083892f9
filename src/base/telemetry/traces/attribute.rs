use std::fmt::Display;

/// A name and a value. Never an address, a token, or a URL.
pub(crate) type Attribute<'a> = (&'static str, &'a (dyn Display + Sync));
