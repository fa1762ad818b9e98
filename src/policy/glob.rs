//! Globs over canonical paths: on bytes, case matters, `*` stays within a component, `**` crosses.

/// A pattern of `--hide` or `--deny`.
///
/// Without a slash it matches a name at any depth; with one it begins with `/` or `**/` and matches the whole path. What lies beneath
/// a match is matched as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: Vec<u8>,
    /// One a component of a path; without a slash `**` and the name.
    parts: Vec<Part>,
    slash: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`: any number of components.
    Any,
    One(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `?`
    AnyByte,
    /// `*`
    AnyBytes,
    /// `[a-z]`, `[!a-z]`: whether it excludes, and its ranges.
    Class(bool, Vec<(u8, u8)>),
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn new(text: &[u8]) -> Result<Self, &'static str> {
        let slash = text.contains(&b'/');
        let rest = match text {
            b"" => return Err("the pattern is empty"),
            // Somebody meant a list, and it would match next to nothing.
            [b' ', ..] => return Err(BLANK),
            [.., before, b' '] if *before != b'\\' => return Err(BLANK),
            [b'/', rest @ ..] => rest,
            text if slash && !text.starts_with(b"**/") => {
                return Err("a pattern with a slash begins with / or **/");
            }
            text => text,
        };
        let rest = rest.strip_suffix(b"/").unwrap_or(rest);
        let mut parts = Vec::new();
        if !slash {
            parts.push(Part::Any);
        }
        for component in rest.split(|byte| *byte == b'/') {
            parts.push(match component {
                b"" if rest.is_empty() => continue,
                b"" => return Err("an empty component matches nothing"),
                b"." | b".." => return Err("canonical paths have no . and no .."),
                b"**" if slash => Part::Any,
                component => Part::One(tokens(component)?),
            });
        }
        Ok(Self {
            text: text.to_vec(),
            parts,
            slash,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it matches `path` (absolute, canonical; the root is empty or `/`) or a directory above it.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        self.reach(path) == Some(Reach::Covers)
    }

    /// Whether it matches something beneath the directory `path`, or could, by more than a name alone: then a rename of that directory
    /// would bring things into the pattern's reach, or out of it.
    #[must_use]
    pub fn reaches_below(&self, path: &[u8]) -> bool {
        self.slash && self.reach(path).is_some()
    }

    /// With one place to go back to, which is enough: a later `**` can take all that an earlier one could.
    fn reach(&self, path: &[u8]) -> Option<Reach> {
        let components = path.split(|byte| *byte == b'/');
        let components: Vec<&[u8]> = components.filter(|name| !name.is_empty()).collect();
        let (mut part, mut at) = (0, 0);
        let mut back = None;
        loop {
            let Some(known) = self.parts.get(part) else {
                return Some(Reach::Covers);
            };
            let Some(name) = components.get(at) else {
                return Some(Reach::Beneath);
            };
            match known {
                Part::Any => {
                    // At the end it stands for what lies in the directory, not for the directory.
                    if part + 1 == self.parts.len() {
                        return Some(Reach::Covers);
                    }
                    back = Some((part + 1, at));
                    part += 1;
                    continue;
                }
                Part::One(tokens) if name_matches(tokens, name) => {
                    part += 1;
                    at += 1;
                    continue;
                }
                Part::One(_) => {}
            }
            let (behind, taken) = back?;
            back = Some((behind, taken + 1));
            (part, at) = (behind, taken + 1);
        }
    }
}

const BLANK: &str = "a pattern has no blank at its ends; one in a name is written [ ]";

/// How a pattern and a path go together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The path, or a directory above it, is matched.
    Covers,
    /// What lies beneath the path may match.
    Beneath,
}

/// The same for a name and `*`.
fn name_matches(tokens: &[Token], name: &[u8]) -> bool {
    let (mut token, mut byte) = (0, 0);
    let mut back = None;
    while byte < name.len() {
        let here = name.get(byte).copied().unwrap_or_default();
        match tokens.get(token) {
            Some(Token::AnyBytes) => {
                back = Some((token + 1, byte));
                token += 1;
                continue;
            }
            Some(known) if known.takes(here) => {
                token += 1;
                byte += 1;
                continue;
            }
            _ => {}
        }
        let Some((behind, taken)) = back else {
            return false;
        };
        back = Some((behind, taken + 1));
        (token, byte) = (behind, taken + 1);
    }
    let rest = tokens.get(token..).unwrap_or_default();
    rest.iter().all(|token| *token == Token::AnyBytes)
}

impl Token {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(known) => *known == byte,
            Self::AnyByte => true,
            Self::AnyBytes => false,
            Self::Class(excludes, ranges) => {
                let within = ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&byte));
                within != *excludes
            }
        }
    }
}

fn tokens(component: &[u8]) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = component;
    while let [first, behind @ ..] = rest {
        rest = behind;
        tokens.push(match first {
            0 => return Err("no name has a NUL in it"),
            b'*' => Token::AnyBytes,
            b'?' => Token::AnyByte,
            b'\\' => {
                let [literal, behind @ ..] = rest else {
                    return Err("a single \\ at its end");
                };
                rest = behind;
                Token::Byte(*literal)
            }
            b'[' => {
                let (class, behind) = class(rest)?;
                rest = behind;
                class
            }
            literal => Token::Byte(*literal),
        });
    }
    Ok(tokens)
}

/// What stands behind `[`, up to its `]`, and what follows.
fn class(text: &[u8]) -> Result<(Token, &[u8]), &'static str> {
    const OPEN: &str = "a [ without its ]";
    let (excludes, text) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        text => (false, text),
    };
    let mut ranges = Vec::new();
    let mut rest = text;
    loop {
        let (first, behind) = match rest {
            [] => return Err(OPEN),
            // As the first it stands for itself.
            [b']', behind @ ..] if !ranges.is_empty() => {
                return Ok((Token::Class(excludes, ranges), behind));
            }
            [b'\\', first, behind @ ..] => (*first, behind),
            [first, behind @ ..] => (*first, behind),
        };
        rest = behind;
        let mut last = first;
        if let [b'-', end, behind @ ..] = rest {
            if *end != b']' {
                last = *end;
                rest = behind;
            }
        }
        if last < first {
            return Err("a range that ends before it begins");
        }
        ranges.push((first, last));
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn covers(glob: &str, path: &str) -> bool {
        Glob::new(glob.as_bytes()).unwrap().covers(path.as_bytes())
    }

    #[test]
    fn without_a_slash_a_name_is_matched_at_any_depth_and_what_lies_beneath() {
        for (glob, path, yes) in [
            ("*.key", "/a.key", true),
            ("*.key", "/a/b/c.key", true),
            ("*.key", "/a.key/b", true),
            ("*.key", "/a.keys", false),
            ("*", "/.hidden", true),
            ("*", "", false),
            (".git", "/src/.git/config", true),
            ("a?c", "/abc", true),
            ("a?c", "/ac", false),
            ("[!a-c]x", "/dx", true),
            ("[!a-c]x", "/bx", false),
            ("[]]", "/]", true),
            (r"\*", "/*", true),
            (r"\*", "/a", false),
            ("a*b*c", "/aXbYbZc", true),
            ("a*b*c", "/aXbYbZ", false),
            ("KEY", "/key", false),
        ] {
            assert_eq!(covers(glob, path), yes, "{glob} {path}");
        }
    }

    #[test]
    fn with_a_slash_the_path_is_matched_and_two_stars_cross() {
        for (glob, path, yes) in [
            ("/a/*.key", "/a/x.key", true),
            ("/a/*.key", "/a/b/x.key", false),
            ("/a/*.key", "/b/a/x.key", false),
            ("/a/**/x", "/a/x", true),
            ("/a/**/x", "/a/b/c/x", true),
            ("/a/**", "/a/b", true),
            ("/a/**", "/a", false),
            ("**/b/x", "/a/b/x", true),
            ("**/b/x", "/b/x/y", true),
            ("/private", "/private/x/y", true),
            ("/private/", "/private", true),
            ("/", "/anything", true),
        ] {
            assert_eq!(covers(glob, path), yes, "{glob} {path}");
        }
    }

    #[test]
    fn a_directory_above_what_could_match_is_known() {
        let below = |glob: &str, path: &str| {
            Glob::new(glob.as_bytes())
                .unwrap()
                .reaches_below(path.as_bytes())
        };
        assert!(below("/a/b/*.key", "/a"));
        assert!(below("/a/b/*.key", "/a/b"));
        assert!(!below("/a/b/*.key", "/c"));
        assert!(below("**/b/x", "/anything"));
        assert!(
            !below("*.key", "/a"),
            "a name goes along with its directory"
        );
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for glob in ["", "a/b", "[a", "a\\", "/a//b", "/a/../b", "[z-a]", "./x"] {
            assert!(Glob::new(glob.as_bytes()).is_err(), "{glob}");
        }
    }

    #[test]
    fn a_blank_at_an_end_is_refused_and_can_be_in_a_name() {
        for glob in ["a ", " a", " ", " /a"] {
            assert!(Glob::new(glob.as_bytes()).is_err(), "{glob:?}");
        }
        for (glob, name) in [("a b", "/a b"), ("a[ ]", "/a "), ("\\ a\\ ", "/ a ")] {
            assert!(covers(glob, name), "{glob:?}");
        }
    }
}
