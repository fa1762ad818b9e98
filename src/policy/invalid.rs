//! A value of a flag that makes no sense.

/// A flag's value makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("Invalid {flag} \"{value}\": {why}")]
pub struct Invalid {
    flag: &'static str,
    value: String,
    why: &'static str,
}

impl Invalid {
    /// Which flag, with its dashes.
    #[must_use]
    pub fn flag(&self) -> &'static str {
        self.flag
    }

    pub(super) fn new(flag: &'static str, value: &str, why: &'static str) -> Self {
        Self {
            flag,
            value: value.to_owned(),
            why,
        }
    }

    /// What `read` says of a value, if there is one.
    pub(super) fn of<T>(
        flag: &'static str,
        value: Option<&String>,
        read: impl FnOnce(&str) -> Result<Option<T>, &'static str>,
    ) -> Result<Option<T>, Self> {
        let Some(value) = value else {
            return Ok(None);
        };
        read(value).map_err(|why| Self::new(flag, value, why))
    }
}
