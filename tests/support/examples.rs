//! The examples for people, in `packaging/sshd` and in the README, made ready to be run.

use std::fs;
use std::path::Path;

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// An example of `packaging/sshd`.
pub(crate) fn example(name: &str) -> String {
    let path = Path::new(CHECKOUT).join("packaging/sshd").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of all of them, sorted.
pub(crate) fn names() -> Vec<String> {
    let entries = fs::read_dir(Path::new(CHECKOUT).join("packaging/sshd")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The README's fenced blocks of this kind.
pub(crate) fn blocks(kind: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(CHECKOUT).join("README.md")).unwrap();
    let opening = format!("```{kind}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == opening {
            let body = lines.by_ref().take_while(|line| line.trim() != "```");
            blocks.push(body.collect::<Vec<_>>().join("\n"));
        } else if line.starts_with("```") {
            lines.by_ref().find(|line| line.trim() == "```");
        }
    }
    blocks
}

/// The README's block that holds this text.
pub(crate) fn block(text: &str) -> String {
    let mut found = blocks("text")
        .into_iter()
        .filter(|block| block.contains(text));
    found
        .next()
        .unwrap_or_else(|| panic!("the README has no example of {text:?}"))
}

/// The example with `{server}` for the path of a server that it names.
pub(crate) fn adapted(example: &str) -> String {
    let words = example.split_inclusive([' ', '"', '\n']);
    let adapted = words.map(|word| {
        let path = word.trim_end_matches([' ', '"', '\n']);
        if path.starts_with(['/', '~']) && path.ends_with("/sftp-server") {
            word.replace(path, "{server}")
        } else {
            word.to_owned()
        }
    });
    let adapted: String = adapted.collect();
    assert!(adapted.contains("{server}"), "{example}");
    adapted
}
