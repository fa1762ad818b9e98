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
        if shell == Shell::Bash {
            // clap_complete 4.6 takes the hyphen of the name for the place where the subcommand begins.
            let script = String::from_utf8(text).unwrap();
            let wrong = "sftp__subcmd__server__subcmd__";
            text = script.replace(wrong, "sftp__server__subcmd__").into_bytes();
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

#[test]
fn bash_completes_flags_and_what_they_take() {
    let dir = Tree::new();
    for (words, expected) in [
        (&["sftp-server", "--read-o"][..], "--read-only"),
        (&["sftp-server", "che"], "check"),
        (&["sftp-server", "check", "--jso"], "--json"),
        (&["sftp-server", "--sandbox", "req"], "require"),
        (&["sftp-server", "check", "--sandbox", "of"], "off"),
    ] {
        let script = r#". "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _sftp__server "$1" "${@: -1}" "${@: -2:1}"; printf '%s\n' "${COMPREPLY[@]}""#;
        let finished = Launch::program("bash", &dir)
            .args(["-c", script])
            .arg(Path::new(COMPLETIONS).join("sftp-server.bash"))
            .args(words)
            .run(Stdio::null(), Stdio::piped());
        let said = String::from_utf8(finished.stdout.clone()).unwrap();
        assert!(
            said.lines().any(|line| line == expected),
            "{words:?}: {finished:?}"
        );
    }
}
