//! The known holes of this field that concern commands, one test each: what the client asks for is never run.
//!
//! | reference | product | what happened |
//! |---|---|---|
//! | CVE-2004-1161 | rssh | an option of a permitted command named a program, which was run |
//! | CVE-2004-1162 | scponly | the same |
//! | CVE-2005-4533, CVE-2007-6415 | scponly | such an option passed the filter, being joined with others |
//! | CVE-2012-2251, CVE-2012-2252 | rssh | the same in other spellings that the command's parser takes |
//! | CVE-2012-3478 | rssh | environment variables in the command line reached the program |
//! | CVE-2019-3463 | rssh | an option made the command read another configuration, which named a program |
//! | CVE-2019-1000018 | rssh | an option of the form KEY=VALUE named a program |
//! | CVE-2020-15778 | OpenSSH scp | a shell at the other end read what stood in a name |
//! | CVE-2019-14889 | libssh | the same by a location that was not quoted |
//! | CVE-2017-8386 | git-shell | a permitted word's help opened a pager, from which a shell was run |
//!
//! This server runs no command and has no list of permitted ones, so any command shows as much as those of the advisories: the
//! ones here are made up, and hold nothing that was written to pass a filter.

use std::process::Stdio;

use crate::advisories::ground;
use crate::ground::Ground;
use crate::sides::jail;

/// Gives the command as sshd does, to a forced command and to a login shell, and sees to it that nothing came of it.
#[track_caller]
fn nothing_runs(commands: &[&str]) {
    let ground = ground();
    ground
        .base
        .file("run", "#!/bin/sh\ntouch \"$(dirname \"$0\")/jail/ran\"\n");
    ground.base.chmod("run", 0o755);
    let before = ground.snapshot();
    for command in commands {
        let base = ground.base.root().to_str().unwrap();
        let command = command
            .replace("RUN", &format!("{base}/run"))
            .replace("RAN", &format!("{base}/jail/ran"));
        let forced = jail(&ground, &["--root", "BASE/jail"]).env("SSH_ORIGINAL_COMMAND", &command);
        refused(&ground, &command, forced);
        let shell = jail(&ground, &["--root", "BASE/jail", "-c", &command]);
        refused(&ground, &command, shell);
    }
    assert_eq!(
        before.differences(&ground.snapshot()),
        [""; 0],
        "{commands:?}"
    );
}

#[track_caller]
fn refused(ground: &Ground, command: &str, launch: crate::support::Launch) {
    let ran = launch.run(Stdio::null(), Stdio::piped());
    assert_eq!(ran.status.code(), Some(1), "{command}: {ran:?}");
    assert_eq!(ran.stdout, b"", "{command}");
    let words = ran.stderr_text();
    assert!(words.contains("restricted to SFTP"), "{command}: {words}");
    assert!(!ground.base.has("jail/ran"), "{command} was run");
}

#[test]
fn options_that_name_a_program_run_none_as_in_cve_2004_1161_and_cve_2004_1162() {
    nothing_runs(&["tool -p RUN f", "tool --program RUN f", "RUN", "RUN f"]);
}

#[test]
fn spellings_of_such_options_run_nothing_as_in_cve_2005_4533_cve_2007_6415_and_cve_2012_2251() {
    // CVE-2012-2252 is of the same kind.
    nothing_runs(&[
        "tool -vpRUN f",
        "tool -vp RUN f",
        "tool --program=RUN f",
        "tool -- --program=RUN",
        "tool '-p' \"RUN\" f",
    ]);
}

#[test]
fn variables_in_the_command_set_nothing_as_in_cve_2012_3478() {
    nothing_runs(&[
        "VARIABLE=RUN tool",
        "VARIABLE=RUN sftp-server",
        "env VARIABLE=RUN sftp-server",
    ]);
}

#[test]
fn no_configuration_is_named_by_the_client_as_in_cve_2019_3463_and_cve_2019_1000018() {
    nothing_runs(&["tool -o Program=RUN f", "tool -oProgram=RUN", "tool -f RUN"]);
}

#[test]
fn no_shell_reads_a_name_as_in_cve_2020_15778_and_cve_2019_14889() {
    let words = [
        "`touch RAN`",
        "$(touch RAN)",
        "; touch RAN",
        "| touch RAN",
        "& touch RAN",
        "|| touch RAN",
        "> RAN",
        "\ntouch RAN",
    ];
    for program in ["tool f", "sftp-server"] {
        let commands = words.map(|words| format!("{program} {words}"));
        nothing_runs(&commands.each_ref().map(String::as_str));
    }
}

#[test]
fn help_opens_no_pager_as_in_cve_2017_8386() {
    nothing_runs(&["tool --help", "tool '--help'", "help", "man sftp-server"]);
}
