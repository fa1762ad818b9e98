//! The known holes of this field that concern commands, one test each: what the client asks for is never run.
//!
//! | reference | product | what happened |
//! |---|---|---|
//! | CVE-2004-1161 | rssh | `scp -S`, `rdist -P` and `rsync` options named a program, which was run |
//! | CVE-2004-1162 | scponly | the same by unison's `-rshcmd` and `-sshcmd` |
//! | CVE-2005-4533 | scponly | options joined as getopt allows (`-rSprogram`) passed the filter |
//! | CVE-2007-6415 | scponly | the same by `scp -F` and `-o` |
//! | CVE-2012-2251, CVE-2012-2252 | rssh | the same by rsync's `-e`, `--rsh` and behind `--` |
//! | CVE-2012-3478 | rssh | environment variables in the command line reached the program |
//! | CVE-2019-3463 | rssh | the same by rsync's `--daemon` with its own configuration, and by popt's |
//! | CVE-2019-1000018 | rssh | the same by scp's `-o ProxyCommand` |
//! | CVE-2020-15778 | OpenSSH scp | backquotes in a destination were run by the shell at the other end |
//! | CVE-2019-14889 | libssh | the same by a location that was not quoted |
//! | CVE-2017-8386 | git-shell | a permitted word with `--help` opened a pager, from which a shell was run |

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
    nothing_runs(&[
        "scp -S RUN -t /",
        "scp -S RUN localhost:f f",
        "rsync -e RUN localhost:f f",
        "rsync --server --rsync-path=RUN . /",
        "rdist -P RUN -c f localhost",
        "unison -server -rshcmd RUN",
        "unison -server -sshcmd RUN",
    ]);
}

#[test]
fn joined_options_run_nothing_as_in_cve_2005_4533_and_cve_2007_6415() {
    nothing_runs(&[
        "scp -rSRUN -t /",
        "scp -tSRUN /",
        "scp -FRUN -t /",
        "scp -oProxyCommand=RUN -f /f",
        "scp -vrS RUN localhost:f f",
    ]);
}

#[test]
fn rsync_runs_nothing_as_in_cve_2012_2251_cve_2012_2252_and_cve_2019_3463() {
    nothing_runs(&[
        "rsync --server -e RUN . /",
        "rsync --server --rsh=RUN . /",
        "rsync --server -- --rsh=RUN . /",
        "rsync --server --daemon --config=RUN .",
        "rsync --server -eRUN.sfLs . /",
    ]);
}

#[test]
fn variables_in_the_command_set_nothing_as_in_cve_2012_3478() {
    nothing_runs(&[
        "BASH_ENV=RUN scp -t /",
        "PATH=/tmp:$PATH sftp-server; RUN",
        "env LD_PRELOAD=RUN sftp-server",
    ]);
}

#[test]
fn a_proxy_command_is_not_run_as_in_cve_2019_1000018() {
    nothing_runs(&[
        "scp -o ProxyCommand=RUN -t /",
        "scp -o 'ProxyCommand RUN' localhost:f f",
        "scp -oPermitLocalCommand=yes -oLocalCommand=RUN localhost:f f",
    ]);
}

#[test]
fn no_shell_reads_a_name_as_in_cve_2020_15778_and_cve_2019_14889() {
    nothing_runs(&[
        "scp -t `touch RAN`",
        "scp -t '`touch RAN`'",
        "scp -t $(touch RAN)",
        "scp -t 'x'; touch RAN; '",
        "scp -f /f | touch RAN",
        "scp -t /x\ntouch RAN",
        "scp -t /x&touch RAN",
        "scp -t >RAN",
        "sftp-server; touch RAN",
        "sftp-server `touch RAN`",
        "sftp-server\ntouch RAN",
        "sftp-server || touch RAN",
        "/usr/lib/openssh/sftp-server>RAN",
    ]);
}

#[test]
fn help_opens_no_pager_as_in_cve_2017_8386() {
    nothing_runs(&[
        "git-upload-pack '--help'",
        "git-receive-pack '--help'",
        "scp --help",
        "man sftp-server",
        "less /f",
        "vi",
    ]);
}
