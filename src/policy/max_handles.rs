//! `--max-handles`: so many files and directories are open at once.

use super::Invalid;

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// So many files and directories may be open at once, and no more than RLIMIT_NOFILE leaves [0 and none: off]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub max_handles: Option<String>,
}

impl Args {
    /// The number.
    ///
    /// # Errors
    /// The value is no number.
    pub fn limit(&self) -> Result<Option<usize>, Invalid> {
        Invalid::of(FLAG, self.max_handles.as_ref(), number)
    }
}

fn number(text: &str) -> Result<Option<usize>, &'static str> {
    if text == "none" {
        return Ok(None);
    }
    // What parse() takes beyond that is a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(Some(number).filter(|number| *number > 0)),
        _ => Err("a number, as in 100; 0 and none are off"),
    }
}

/// As refusals name it.
pub const FLAG: &str = "--max-handles";

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_digits_and_nothing_and_none_are_off() {
        assert_eq!(number("100"), Ok(Some(100)));
        assert_eq!(number("007"), Ok(Some(7)));
        assert_eq!(number("0"), Ok(None));
        assert_eq!(number("none"), Ok(None));
        for text in ["", "-1", "+1", "1K", "10 ", "99999999999999999999"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
