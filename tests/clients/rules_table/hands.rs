//! How each client does the deeds of a day: in one session what it can do in one, each by itself where it cannot go on after a failure.

use std::process::{Command, Output, Stdio};

use super::day::{Deed, HALF};
use crate::curl::{self, curl};
use crate::ground::*;
use crate::lftp::{self, lftp};
use crate::psftp::{self, psftp};
use crate::rclone::{self, rclone};
use crate::scp;
use crate::script::{Client, Script};
use crate::sftp::{self, sftp};
use crate::sshfs::Mount;
use Deed::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hand {
    Sftp,
    Scp,
    Rclone,
    Sshfs,
    Lftp,
    Paramiko,
    Asyncssh,
    Ssh2,
    Psftp,
    Curl,
    Erlang,
    Perl,
    Phpseclib,
}

impl Hand {
    pub(crate) const ALL: [Self; 13] = [
        Self::Paramiko,
        Self::Asyncssh,
        Self::Ssh2,
        Self::Rclone,
        Self::Scp,
        Self::Curl,
        Self::Sshfs,
        Self::Lftp,
        Self::Sftp,
        Self::Psftp,
        Self::Erlang,
        Self::Perl,
        Self::Phpseclib,
    ];

    /// What it can do, in the order in which it does it.
    pub(crate) fn deeds(self) -> &'static [Deed] {
        match self {
            Self::Sftp | Self::Psftp => &[
                Put, Tree, Get, Look, LookBack, Secret, Over, Resume, Rename, Remove, Chmod,
            ],
            Self::Lftp => &[
                Put, Tree, Rest, Get, Look, LookBack, Secret, Over, Resume, Rename, Remove, Chmod,
            ],
            Self::Scp => &[Put, Tree, Get, Secret, Over],
            Self::Rclone => &[
                Put, Tree, Rest, Get, Look, LookBack, Secret, Over, Rename, Remove,
            ],
            Self::Sshfs
            | Self::Paramiko
            | Self::Asyncssh
            | Self::Ssh2
            | Self::Erlang
            | Self::Perl
            | Self::Phpseclib => &[
                Put, Tree, Get, Look, LookBack, Secret, Over, Resume, Append, Rename, Remove, Chmod,
            ],
            Self::Curl => &[
                Put, Get, Look, Secret, Over, Resume, Append, Rename, Remove, Chmod,
            ],
        }
    }

    /// Does all that it can; what it said.
    pub(crate) fn work(self, ground: &Ground) -> String {
        match self {
            Self::Sftp => said(run(&by_sftp(ground), Stdio::null())),
            Self::Psftp => said(run(&by_psftp(ground), Stdio::null())),
            Self::Lftp => said(run(&by_lftp(ground), Stdio::null())),
            Self::Curl => said(run(&by_curl(ground), Stdio::null())),
            Self::Sshfs => by_sshfs(ground),
            Self::Scp | Self::Rclone => {
                let one_by_one = self.deeds().iter().map(|&deed| {
                    let command = match self {
                        Self::Scp => by_scp(ground, deed),
                        _ => by_rclone(ground, deed),
                    };
                    said(run(&command, Stdio::null()))
                });
                one_by_one.collect()
            }
            Self::Paramiko => by_script(ground, self, Client::Paramiko),
            Self::Asyncssh => by_script(ground, self, Client::Asyncssh),
            Self::Ssh2 => by_script(ground, self, Client::Ssh2),
            Self::Erlang => by_script(ground, self, Client::Erlang),
            Self::Perl => by_script(ground, self, Client::Perl),
            Self::Phpseclib => by_script(ground, self, Client::Phpseclib),
        }
    }
}

/// All that a client said, without its commands where it echoes them.
fn said(output: Output) -> String {
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).replace('\0', "\n");
    let lines = text.lines().filter(|line| !line.starts_with("sftp>"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn by_sftp(ground: &Ground) -> Command {
    let line = |command: &str, here: &str, there: &str| {
        let mut line = sftp::line(command, &[&ground.local.join(here)]);
        line.extend(sftp::line("", &[&ground.remote.join(there)]));
        line
    };
    let on = |command: &str, names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| ground.remote.join(name)).collect();
        let paths: Vec<_> = paths.iter().map(|path| path.as_path()).collect();
        sftp::line(command, &paths)
    };
    let get = |there: &str, here: &str| {
        let mut line = sftp::line("-get", &[&ground.remote.join(there)]);
        line.extend(sftp::line("", &[&ground.local.join(here)]));
        line
    };
    sftp(
        ground,
        &[
            line("-put", "new", "new"),
            line("-put -R", "tree", "tree"),
            get("there", "there.back"),
            on("-ls -1", &["shelf"]),
            on("-ls -1", &["tree"]),
            get("shelf/b.hid", "secret.back"),
            line("-put", "over", "over"),
            line("-reput", "half", "half"),
            on("-rename", &["old", "moved"]),
            on("-rm", &["gone"]),
            on("-chmod 4750", &["modes"]),
        ],
    )
}

fn by_psftp(ground: &Ground) -> Command {
    let (here, there) = (
        |name: &str| ground.local.join(name),
        |name: &str| ground.remote.join(name),
    );
    let line = psftp::line;
    let mut psftp = psftp(
        ground,
        &[
            line("put", &[&here("new"), &there("new")]),
            line("put -r", &[&here("tree"), &there("tree")]),
            line("get", &[&there("there"), &here("there.back")]),
            line("ls", &[&there("shelf")]),
            line("ls", &[&there("tree")]),
            line("get", &[&there("shelf/b.hid"), &here("secret.back")]),
            line("put", &[&here("over"), &there("over")]),
            line("reput", &[&here("half"), &there("half")]),
            line("mv", &[&there("old"), &there("moved")]),
            line("del", &[&there("gone")]),
            line("chmod 4750", &[&there("modes")]),
        ],
    );
    psftp.arg("-be");
    psftp
}

fn by_lftp(ground: &Ground) -> Command {
    let here = |name: &str| lftp::quoted(&ground.local.join(name));
    let there = |name: &str| lftp::quoted(&ground.remote.join(name));
    lftp(
        ground,
        &[
            "set cmd:fail-exit no".to_owned(),
            format!("put {} -o {}", here("new"), there("new")),
            format!("mirror -R {} {}", here("tree"), there("tree")),
            format!("mirror -R --continue {} {}", here("rest"), there("rest")),
            format!("get {} -o {}", there("there"), here("there.back")),
            format!("cls -1 {}", there("shelf")),
            format!("cls -1 {}", there("tree")),
            format!("get {} -o {}", there("shelf/b.hid"), here("secret.back")),
            format!("put {} -o {}", here("over"), there("over")),
            format!("put -c {} -o {}", here("half"), there("half")),
            format!("mv {} {}", there("old"), there("moved")),
            format!("rm {}", there("gone")),
            format!("chmod 4750 {}", there("modes")),
        ]
        .join("; "),
    )
}

fn by_scp(ground: &Ground, deed: Deed) -> Command {
    let (here, there) = (
        |name: &str| ground.local.join(name),
        |name: &str| ground.remote.join(name),
    );
    let mut scp = ground.sshd.scp();
    match deed {
        Put => scp.arg(here("new")).arg(scp::to(&there("new"))),
        Tree => scp.arg("-r").arg(here("tree")).arg(scp::to(&there("tree"))),
        Get => scp.arg(scp::from(&there("there"))).arg(here("there.back")),
        Secret => scp
            .arg(scp::from(&there("shelf/b.hid")))
            .arg(here("secret.back")),
        Over => scp.arg(here("over")).arg(scp::to(&there("over"))),
        _ => unreachable!("scp cannot {deed:?}"),
    };
    scp
}

fn by_rclone(ground: &Ground, deed: Deed) -> Command {
    let here = |name: &str| ground.local.join(name).into_os_string();
    let there = |name: &str| rclone::there(&ground.remote.join(name));
    let mut rclone = rclone(ground);
    // Another connection is another session, to which the first one's files are foreign.
    rclone.args(["--transfers", "1", "--checkers", "1"]);
    let (verb, operands) = match deed {
        Put => ("copyto", vec![here("new"), there("new")]),
        Tree => ("copy", vec![here("tree"), there("tree")]),
        Rest => ("copy", vec![here("rest"), there("rest")]),
        Get => ("copyto", vec![there("there"), here("there.back")]),
        Look => ("lsf", vec![there("shelf")]),
        LookBack => ("lsf", vec![there("tree")]),
        Secret => ("copyto", vec![there("shelf/b.hid"), here("secret.back")]),
        Over => ("copyto", vec![here("over"), there("over")]),
        Rename => ("moveto", vec![there("old"), there("moved")]),
        Remove => ("deletefile", vec![there("gone")]),
        _ => unreachable!("rclone cannot {deed:?}"),
    };
    rclone.arg(verb).args(operands);
    rclone
}

fn by_sshfs(ground: &Ground) -> String {
    let mount = Mount::new(ground);
    let script = format!(
        "cp ../new new; cp -r ../tree tree; cat there >../there.back; ls shelf; ls tree; cat shelf/b.hid >../secret.back
         cp ../over over; dd if=../half of=half bs={HALF} seek=1 skip=1 conv=notrunc status=none
         cat ../more >>log; mv old moved; rm -f gone; chmod 4750 modes"
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(mount.join(""));
    let output = run(&shell, Stdio::null());
    // Undone: what is closed late is closed now.
    drop(mount);
    said(output)
}

fn by_curl(ground: &Ground) -> Command {
    let mut all = Command::new("curl");
    let mut next = |more: &dyn Fn(&mut Command)| {
        let mut one = curl(ground);
        more(&mut one);
        if all.get_args().len() > 0 {
            all.arg("--next");
        } else {
            all.env("HOME", &ground.local);
        }
        all.args(one.get_args());
    };
    let here = |name: &str| ground.local.join(name);
    let there = |name: &str| curl::url(ground, &ground.remote.join(name));
    let mut put = |options: &[&str], name: &str, to: &str| {
        next(&|curl| {
            curl.args(options)
                .arg("--upload-file")
                .arg(here(name))
                .arg(there(to));
        });
    };
    put(&[], "new", "new");
    put(&[], "over", "over");
    put(&["--continue-at", "-"], "half", "half");
    put(&["--append"], "more", "log");
    for (from, to) in [("there", "there.back"), ("shelf/b.hid", "secret.back")] {
        next(&|curl| {
            curl.arg("--output").arg(here(to)).arg(there(from));
        });
    }
    next(&|curl| {
        curl.arg("--list-only").arg(there("shelf") + "/");
    });
    let quoted = |name: &str| curl::quoted(&ground.remote.join(name));
    for command in [
        format!("rename {} {}", quoted("old"), quoted("moved")),
        format!("rm {}", quoted("gone")),
        format!("chmod 4750 {}", quoted("modes")),
    ] {
        next(&|curl| {
            let listing = there("shelf") + "/";
            curl.args(["--quote", &command, "--list-only"]).arg(listing);
        });
    }
    all
}

fn by_script(ground: &Ground, hand: Hand, client: Client) -> String {
    let (here, there) = (
        |name: &str| ground.local.join(name),
        |name: &str| ground.remote.join(name),
    );
    let tree = if hand == Hand::Ssh2 {
        "-put-dir"
    } else {
        "-put-tree"
    };
    let script = Script::new()
        .then("-put", &[&here("new"), &there("new")])
        .then(tree, &[&here("tree"), &there("tree")])
        .then("-get", &[&there("there"), &here("there.back")])
        .then("-list", &[&there("shelf")])
        .then("-list", &[&there("tree")])
        .then("-get", &[&there("shelf/b.hid"), &here("secret.back")])
        .then("-put", &[&here("over"), &there("over")])
        .then("-resume-put", &[&here("half"), &there("half")])
        .then("-append", &[&here("more"), &there("log")])
        .then("-rename", &[&there("old"), &there("moved")])
        .then("-remove", &[&there("gone")])
        .then("-chmod", &["4750".as_ref(), &there("modes")]);
    said(run(&script.command(ground, client), Stdio::null()))
}
