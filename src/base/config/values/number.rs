use serde::{Deserialize, Deserializer, de::Error};

/// Reads an integer from `MIN` to `MAX`. Serde's own error would name the Rust type.
pub(in crate::base::config) fn integer<'de, D, T, const MIN: i64, const MAX: i64>(
    deserializer: D,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = i64::deserialize(deserializer)?;
    (MIN..=MAX)
        .contains(&number)
        .then(|| T::try_from(number).ok())
        .flatten()
        .ok_or_else(|| D::Error::custom(format!("must be from {MIN} to {MAX}")))
}

/// Reads a number from 0 to 1.
pub(in crate::base::config) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(D::Error::custom("must be from 0 to 1, such as 0.2"))
    }
}
