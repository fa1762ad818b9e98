//! Which keys there are, and what kind of value each takes: as the parser of flags has it.

use clap::{Arg, ArgAction, Command};

/// What a key's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Switch,
    /// A string.
    One,
    /// A string or an integer.
    Number,
    /// The same; an integer may be octal.
    Mode,
    /// A list, for a flag that takes commas.
    Commas,
    /// A list, for a flag that is repeated.
    Several,
}

/// The flag of a key; none where there is no such key.
pub(super) fn key<'k>(known: &'k Command, name: &str) -> Option<&'k Arg> {
    all(known).find(|arg| arg.get_long() == Some(name))
}

/// The flags that are keys.
pub(super) fn all(known: &Command) -> impl Iterator<Item = &Arg> {
    let named = known.get_arguments().filter(|arg| arg.get_long().is_some());
    named.filter(|arg| {
        let name = arg.get_long().unwrap_or_default();
        !NO_KEYS.contains(&name)
    })
}

/// Whether it is a flag that is no key.
pub(super) fn is_typed(name: &str) -> bool {
    NO_KEYS.contains(&name)
}

/// What a flag's value may be in the file.
///
/// A flag with a letter that may be repeated is one of OpenSSH's, where the last one counts; ours are lists then.
pub(super) fn kind(arg: &Arg) -> Kind {
    if !arg.get_action().takes_values() {
        return Kind::Switch;
    }
    let value = arg.get_value_names().and_then(<[_]>::first);
    match value.map(clap::builder::Str::as_str) {
        Some("LIST" | "REQUESTS") => Kind::Commas,
        // That of the locks is a word.
        Some("MODE") if arg.get_long() == Some("sandbox") => Kind::One,
        Some("MODE" | "UMASK") => Kind::Mode,
        Some("NUMBER" | "SIZE" | "TIME") => Kind::Number,
        _ if matches!(arg.get_action(), ArgAction::Append) && arg.get_short().is_none() => {
            Kind::Several
        }
        _ => Kind::One,
    }
}

/// The known name that is most like this one, if any is.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name = name.replace('_', "-").to_lowercase();
    let like = |known: &&str| strsim::jaro_winkler(&name, known);
    let nearest = known.max_by(|one, other| like(one).total_cmp(&like(other)))?;
    (like(&nearest) > 0.8).then_some(nearest)
}

/// What only a command line can say.
const NO_KEYS: [&str; 6] = ["command", "config", "help", "no-config", "query", "version"];
