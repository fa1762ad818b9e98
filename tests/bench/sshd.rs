//! Ours beside other servers behind a real sshd: what the server's side of a transfer costs altogether.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run fails by panicking"
)]
#![allow(dead_code, reason = "the other benchmarks use the rest")]

mod client;
mod fixture;
mod listing;
mod machine;
mod options;
mod plot;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod turns;
mod work;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::ExitCode;

use nix::unistd::geteuid;

use client::Client;
use fixture::{Fixture, Size};
use options::Options;
use report::Report;
use support::sshd::{HOST, Sshd};
use turns::{Workload, compare};
use work::Work;

const USAGE: &str = r#"usage: cargo bench --bench sshd -- [--quick] [--pairs N] [--socketpair] [--one-processor] [--dir DIR] [--json FILE] [--svg FILE]
           [--ours SERVER] [--theirs SERVER]... [WORKLOAD...]

Runs each WORKLOAD (all, if none is named) through a throwaway sshd on 127.0.0.1 with ours and with other servers as its
subsystems in turn, after a pass that compares every byte and is not measured. Ends with a Markdown table of the medians.
CPU is that of one connection, from the login to the last response: all processes of sshd that serve it, privileged or
not, and the server. ssh, which carries the requests, is not in it. The system counts in hundredths of a second, for which
--quick is short. If root runs this, sshd is root's and a throwaway user logs in; otherwise it is an ordinary user's.
"#;

const WORKLOADS: &[Workload] = &[
    (
        "get",
        "get through sshd, 32 KiB × 64 outstanding",
        Work::Get {
            length: 32_768,
            window: 64,
        },
    ),
    (
        "put",
        "put through sshd, 32 KiB × 64",
        Work::Put {
            length: 32_768,
            window: 64,
        },
    ),
];

/// OpenSSH's own first choice differs from version to version, and costs more than the server.
const CIPHER: &str = "aes128-gcm@openssh.com";

fn main() -> ExitCode {
    let names: Vec<&str> = WORKLOADS.iter().map(|(name, ..)| *name).collect();
    turns::main(USAGE, &names, [Size::FULL, Size::QUICK], run)
}

fn run(options: &Options, fixture: &Fixture, report: &mut Report) -> io::Result<()> {
    let sshd = sshd(options, fixture)?;
    let config = sshd.client_config().display().to_string();
    let session = |server: usize| {
        let uploads = fixture.top().join("uploads");
        if uploads.exists() {
            chown(uploads, Some(sshd.account().uid), Some(sshd.account().gid))?;
        }
        let subsystem = subsystem(server);
        let ssh = ["ssh", "-F", &config, "-c", CIPHER, "-s", HOST, &subsystem];
        let ssh = ssh.map(str::to_owned);
        Client::start(&ssh, fixture.top(), options.transport)
    };
    let finish = |client: Client| {
        let cpu = sshd.cpu();
        client.finish()?;
        sshd.wait_for_connections();
        Ok(cpu)
    };
    compare(options, fixture, report, WORKLOADS, session, finish)
}

/// An sshd that has every server as a subsystem, started in the directory of the files.
fn sshd(options: &Options, fixture: &Fixture) -> io::Result<Sshd> {
    let top = fixture.top().display();
    let mut lines = String::new();
    for (n, server) in options.servers.iter().enumerate() {
        let (name, arguments) = (subsystem(n), server.command[1..].join(" "));
        lines += &format!("Subsystem {name} cd {top} && exec {{dir}}/{name} {arguments}\n");
    }
    let sshd = if geteuid().is_root() {
        Sshd::root("", &lines, "")
    } else {
        Sshd::ordinary_with("", &lines, "")
    };
    for (n, server) in options.servers.iter().enumerate() {
        // The checkout may lie where only its owner gets.
        let copy = sshd.place().path().join(subsystem(n));
        fs::copy(Path::new(&server.command[0]), &copy)?;
        fs::set_permissions(copy, Permissions::from_mode(0o755))?;
    }
    Ok(sshd)
}

fn subsystem(server: usize) -> String {
    format!("server-{server}")
}
