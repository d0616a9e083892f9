use serde::{Deserialize, Deserializer, de::Error};
use std::{fmt::Display, net::SocketAddr, path::PathBuf, str::FromStr};

/// Reads a type from its text form.
pub(in crate::base::config) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

pub(in crate::base::config) fn listener<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SocketAddr, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| {
        D::Error::custom("must be an address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"")
    })
}

pub(in crate::base::config) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.as_os_str().is_empty() {
        Err(D::Error::custom("must not be empty; write a path"))
    } else {
        Ok(path)
    }
}
