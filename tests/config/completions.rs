//! The completions of shells are those of the flags that there are.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

use crate::support::{Launch, Tree};
use sftp_server::cli;

const COMPLETIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/completions");
const FILES: [(&str, Shell); 3] = [
    ("sftp-server.bash", Shell::Bash),
    ("_sftp-server", Shell::Zsh),
    ("sftp-server.fish", Shell::Fish),
];

const FISH_ARGPARSE: &str = "\
    argparse -s (__fish_sftp_server_global_optspecs) -- $cmd 2>/dev/null
";
const FISH_ARGPARSE_WITH_A_VALUE: &str = "\
    argparse -s (__fish_sftp_server_global_optspecs) -- $cmd 2>/dev/null
    or argparse -s (__fish_sftp_server_global_optspecs) -- $cmd value 2>/dev/null
";

/// What a shell can know of a value.
fn hinted(arg: Arg) -> Arg {
    let one_of = |values: &[&'static str]| PossibleValuesParser::new(values.iter().copied());
    match arg.get_long().unwrap_or_default() {
        "root" | "start-directory" => arg.value_hint(ValueHint::DirPath),
        "config" => arg.value_hint(ValueHint::FilePath),
        "user" => arg.value_hint(ValueHint::Username),
        "sandbox" => arg.value_parser(one_of(&["auto", "require", "off"])),
        "query" => arg.value_parser(one_of(&["requests"])),
        "log-level" => arg.value_parser(one_of(&[
            "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG1", "DEBUG2", "DEBUG3",
        ])),
        _ => arg,
    }
}

fn command() -> Command {
    let check = cli::question()
        .name("check")
        .about("Print the settings of a session, and what is wrong with this host")
        .mut_args(hinted);
    let explain = cli::question()
        .name("explain")
        .about("Tell what would become of a request in a fresh session")
        .mut_args(hinted);
    cli::flags()
        .mut_args(hinted)
        .disable_help_subcommand(true)
        .subcommands([check, explain])
}

#[test]
fn the_completions_are_those_of_the_flags() {
    let write = std::env::var_os("SFTP_SERVER_WRITE_COMPLETIONS").is_some();
    for (name, shell) in FILES {
        let mut text = Vec::new();
        generate(shell, &mut command(), "sftp-server", &mut text);
        // What clap_complete 4.6 gets wrong.
        let mended = match shell {
            // It takes the hyphen of the name for the place where the subcommand begins.
            Shell::Bash => Some(("sftp__subcmd__server__subcmd__", "sftp__server__subcmd__")),
            // To argparse a flag whose value is yet to be typed is a mistake, and nothing would be completed.
            Shell::Fish => Some((FISH_ARGPARSE, FISH_ARGPARSE_WITH_A_VALUE)),
            _ => None,
        };
        if let Some((wrong, right)) = mended {
            let script = String::from_utf8(text).unwrap();
            assert!(script.contains(wrong), "it is mended: {name}");
            text = script.replace(wrong, right).into_bytes();
        }
        let file = Path::new(COMPLETIONS).join(name);
        if write {
            fs::create_dir_all(COMPLETIONS).unwrap();
            fs::write(&file, &text).unwrap();
        }
        assert!(
            fs::read(&file).is_ok_and(|there| there == text),
            "packaging/completions/{name} is not that of the flags; this writes it:\n  \
             SFTP_SERVER_WRITE_COMPLETIONS=1 cargo test --test config the_completions_are"
        );
    }
}

/// What is typed, and what it is completed to.
const TYPED: [(&[&str], &str); 8] = [
    (&["sftp-server", "--read-o"], "--read-only"),
    (&["sftp-server", "che"], "check"),
    (&["sftp-server", "--read-only", "expl"], "explain"),
    (&["sftp-server", "check", "--jso"], "--json"),
    (&["sftp-server", "--sandbox", "req"], "require"),
    (&["sftp-server", "-R", "-l", "VERB"], "VERBOSE"),
    (&["sftp-server", "check", "--sandbox", "of"], "off"),
    (&["sftp-server", "check", "--user", "nobod"], "nobody"),
];

#[track_caller]
fn said(launch: Launch) -> String {
    let finished = launch.run(Stdio::null(), Stdio::piped());
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stderr, b"", "{finished:?}");
    String::from_utf8(finished.stdout).unwrap()
}

#[test]
fn bash_completes_flags_and_what_they_take() {
    let dir = Tree::new();
    // It knows no users.
    for (words, expected) in &TYPED[..7] {
        let script = r#". "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _sftp__server "$1" "${@: -1}" "${@: -2:1}"; printf '%s\n' "${COMPREPLY[@]}""#;
        let launch = Launch::program("bash", &dir)
            .args(["-c", script])
            .arg(Path::new(COMPLETIONS).join("sftp-server.bash"))
            .args(*words);
        let said = said(launch);
        assert!(
            said.lines().any(|line| line == *expected),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn fish_completes_flags_and_what_they_take() {
    let dir = Tree::new();
    let home = dir.root().to_str().unwrap();
    for (words, expected) in TYPED {
        let launch = Launch::program("fish", &dir)
            .env("HOME", home)
            .args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"])
            .arg(Path::new(COMPLETIONS).join("sftp-server.fish"))
            .arg(words.join(" "));
        let said = said(launch);
        // A description follows.
        let mut found = said.lines().map(|line| line.split('\t').next().unwrap());
        assert!(found.any(|found| found == expected), "{words:?}: {said}");
    }
}

/// Types each line and a tab into a shell with completion, and prints what then stands there.
const TYPIST: &str = r#"zmodload zsh/zpty
zpty shell zsh -fi
zpty -w shell "PS1= fpath=(${(q)1} \$fpath); stty -echo cols 300"
zpty -w shell "autoload -Uz compinit; compinit -uD
    show() { print -r \"<\$BUFFER>\"; zle kill-buffer }; zle -N show; bindkey '^X' show; print REA''DY"
zpty -r shell heard '*READY*'
for line in "${@[2,-1]}"; do
    zpty -wn shell "$line"$'\t\x18'
    zpty -r shell heard '*<*>*'
    print -r -- "${${heard##*<}%%>*}"
done
zpty -d shell"#;

#[test]
fn zsh_completes_flags_and_what_they_take() {
    let dir = Tree::new();
    let launch = Launch::program("timeout", &dir)
        .args(["60", "zsh", "-f", "-c", TYPIST, "typist", COMPLETIONS])
        .args(TYPED.map(|(words, _)| words.join(" ")));
    let said = said(launch);
    let expected = TYPED.map(|(words, expected)| {
        let (_, before) = words.split_last().unwrap();
        format!("{} {expected} \n", before.join(" "))
    });
    assert_eq!(said, expected.concat());
}
