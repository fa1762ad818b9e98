//! The command line: OpenSSH's letters with OpenSSH's strictness, each with a long name, and what they mean.

mod error;
mod line;
mod paths;
mod split;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, CommandFactory, Parser};

use crate::fs::Bind;
use crate::identity::Login;
use crate::log::{Facility, Level, Target};
use crate::policy::{self, Policy, Rules};
use crate::sandbox;
use crate::session::requests::ROWS;
pub use error::Error;
pub use line::{Line, question, word};

/// What was typed.
#[derive(Debug, Default, Parser)]
#[command(
    name = "sftp-server",
    version,
    about = "The server side of SFTP, on standard input and output; started by sshd",
    after_help = SUBCOMMANDS,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
struct Typed {
    /// Directory in which the session starts [tokens: %d and %h home, %u user, %U uid, %%; ~ and ~user]
    #[arg(short = 'd', long, value_name = "DIR", action = ArgAction::Append, allow_hyphen_values = true)]
    start_directory: Vec<OsString>,

    /// Log to standard error instead of syslog
    #[arg(short = 'e', long)]
    log_stderr: bool,

    /// Syslog facility [default: AUTH]
    #[arg(short = 'f', long, value_name = "FACILITY", action = ArgAction::Append, allow_hyphen_values = true)]
    log_facility: Vec<OsString>,

    /// What is logged: QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3 [default: ERROR]
    #[arg(short = 'l', long, value_name = "LEVEL", action = ArgAction::Append, allow_hyphen_values = true)]
    log_level: Vec<OsString>,

    /// Exact mode of files that are created, octal, whatever client and umask say; directories are left alone
    #[arg(short = 'm', long, value_name = "MODE", action = ArgAction::Append, allow_hyphen_values = true)]
    force_file_perms: Vec<OsString>,

    /// Requests that are refused, separated by commas
    #[arg(short = 'P', long, value_name = "REQUESTS", action = ArgAction::Append, allow_hyphen_values = true)]
    deny_requests: Vec<OsString>,

    /// Requests that alone are allowed, separated by commas
    #[arg(short = 'p', long, value_name = "REQUESTS", action = ArgAction::Append, allow_hyphen_values = true)]
    allow_requests: Vec<OsString>,

    /// Print what can be denied or allowed: `-Q requests`
    #[arg(short = 'Q', long, value_name = "FEATURE", allow_hyphen_values = true)]
    query: Option<OsString>,

    /// Read-only: whatever would change something is refused
    #[arg(short = 'R', long)]
    read_only: bool,

    /// The client's /: it reaches this directory and nothing else [:ro: nothing in it changes; tokens as above]
    #[arg(long, value_name = "DIR[:ro]", allow_hyphen_values = true)]
    root: Option<OsString>,

    /// Another directory, in the client's view at VIRTUAL; may be repeated [:ro: nothing in it changes; tokens as above]
    #[arg(long, value_name = "VIRTUAL=DIR[:ro]", action = ArgAction::Append, allow_hyphen_values = true)]
    bind: Vec<OsString>,

    /// With --root: let the client change .ssh and the start files of shells, too
    #[arg(long)]
    no_protect: bool,

    #[command(flatten)]
    policy: policy::Args,

    /// Configuration file, in place of /etc/ssh/sftp_server.toml [tokens as above]
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        conflicts_with = "no_config"
    )]
    config: Option<OsString>,

    /// Read no configuration file
    #[arg(long)]
    no_config: bool,

    /// Umask of the session, octal
    #[arg(short = 'u', long, value_name = "UMASK", action = ArgAction::Append, allow_hyphen_values = true)]
    umask: Vec<OsString>,

    /// Locks of the kernel: what it has, all or no session, or none [auto|require|off]
    #[arg(long, value_name = "MODE", default_value = "auto")]
    sandbox: sandbox::Mode,

    /// As a login shell: the rest is what the client asked for, never options
    #[arg(short = 'c', long, value_name = "COMMAND", allow_hyphen_values = true)]
    command: Option<OsString>,

    /// Print a short usage to standard error and exit 1, as OpenSSH does
    #[arg(short = 'h')]
    usage: bool,

    /// Print this help
    #[arg(long)]
    help: bool,

    /// Print the version
    #[arg(long)]
    version: bool,
}

const SUBCOMMANDS: &str = "\
As the first word, instead of serving, with any of these options and --user NAME, --address ADDRESS, --json:
  check                      Print the settings of a session and where each comes from, and what is wrong on this host
  explain REQUEST [PATH]...  Tell whether a request would be allowed, and by which rule it would not";

/// What it means.
#[derive(Debug)]
pub struct Settings {
    /// Where a session starts, if not where the program was started.
    pub start_directory: Option<PathBuf>,
    /// What the client is locked into; none for the host's tree.
    pub jail: Option<Jail>,
    /// How much is logged.
    pub log_level: Level,
    /// Where to.
    pub log_target: Target,
    /// The mode of files that are created.
    pub force_file_mode: Option<u32>,
    /// The umask.
    pub umask: Option<u32>,
    /// What may run.
    pub policy: Policy,
    /// How the process is locked.
    pub sandbox: sandbox::Mode,
    /// What the client asked for, as the text after `-c`.
    pub command: Option<OsString>,
    /// Mistakes that later options made good; logged as errors.
    pub complaints: Vec<String>,
}

/// What the client is locked into.
#[derive(Debug)]
pub struct Jail {
    /// The client's `/`.
    pub root: PathBuf,
    /// Whether nothing in it may change.
    pub read_only: bool,
    /// What else is in the view.
    pub binds: Vec<Bind>,
    /// Whether `.ssh` and start files stay as they are.
    pub protect: bool,
    /// The configuration file, which stays as it is as well.
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug)]
pub enum Request {
    /// Serve a session.
    Serve(Box<Settings>),
    /// Print this and exit 0.
    Print(String),
    /// What was found: print it and exit so.
    Report {
        /// For standard output.
        text: String,
        /// The exit status.
        status: u8,
    },
}

/// What a line without any flag asks for. That is the usual one of sshd_config, and each session would wait for a parser that has
/// nothing to parse.
///
/// # Errors
/// What cannot be, in words.
pub fn bare(program: Option<&OsString>, login: &Login) -> Result<Request, Error> {
    request(&program_name(program), Typed::default(), None, login)
}

/// Every flag there is, as the parser knows it.
#[must_use]
pub fn flags() -> clap::Command {
    Typed::command()
}

/// What the options ask for. What is fatal comes first: that which prints and ends is the last option, and names for the log
/// are looked up behind it.
fn request(
    program: &str,
    typed: Typed,
    command: Option<OsString>,
    login: &Login,
) -> Result<Request, Error> {
    let values = values(&typed, login)?;
    if typed.usage {
        return Err(Error::Usage {
            text: usage_text(program),
            flag: None,
        });
    }
    if typed.help {
        return Ok(Request::Print(Typed::command().render_help().to_string()));
    }
    if typed.version {
        return Ok(Request::Print(format!(
            "sftp-server-rs {}\n",
            env!("CARGO_PKG_VERSION")
        )));
    }
    if let Some(feature) = &typed.query {
        return query(feature).map(Request::Print);
    }
    let settings = settings(typed, values, command, login)?;
    Ok(Request::Serve(Box::new(settings)))
}

/// The values of options that are fatal where they make no sense.
struct Values {
    start_directory: Option<PathBuf>,
    force_file_mode: Option<u32>,
    umask: Option<u32>,
    denylist: Option<String>,
    allowlist: Option<String>,
}

fn values(typed: &Typed, login: &Login) -> Result<Values, Error> {
    let mut start = None;
    for path in &typed.start_directory {
        start = Some(paths::start_directory(path, login)?);
    }
    let mut umask = None;
    for text in &typed.umask {
        umask = Some(octal(text).ok_or_else(|| Error::Umask(text.to_string_lossy().into_owned()))?);
    }
    let mut force_file_mode = None;
    for text in &typed.force_file_perms {
        force_file_mode =
            Some(octal(text).ok_or_else(|| Error::FileMode(text.to_string_lossy().into_owned()))?);
    }
    Ok(Values {
        start_directory: start,
        force_file_mode,
        umask,
        denylist: once(&typed.deny_requests, Error::DeniedTwice)?,
        allowlist: once(&typed.allow_requests, Error::AllowedTwice)?,
    })
}

fn settings(
    typed: Typed,
    values: Values,
    command: Option<OsString>,
    login: &Login,
) -> Result<Settings, Error> {
    let mut complaints = Vec::new();
    // OpenSSH looks at the last one alone, and logs what it did not know.
    let levels = typed.log_level.iter().map(|name| name.to_string_lossy());
    let mut log_level = Ok(Level::Error);
    for name in levels {
        log_level = name.parse().map_err(|_| Error::LogLevel(name.into_owned()));
        complaints.extend(log_level.as_ref().err().map(ToString::to_string));
    }
    let mut facility = Ok(Facility::AUTH);
    for name in typed.log_facility.iter().map(|name| name.to_string_lossy()) {
        facility = name
            .parse()
            .map_err(|_| Error::LogFacility(name.into_owned()));
        complaints.extend(facility.as_ref().err().map(ToString::to_string));
    }
    for (flag, list) in [
        ("deny-requests", &values.denylist),
        ("allow-requests", &values.allowlist),
    ] {
        let list = list.iter().filter(|list| !list.is_empty());
        let names = list.flat_map(|list| list.split(','));
        let unknown = names.filter(|name| !requests().any(|known| known == *name));
        complaints.extend(unknown.map(|name| format!("--{flag}: there is no request \"{name}\"")));
    }
    let log_level = log_level?;
    let jail = paths::jail(typed.root, typed.bind, !typed.no_protect, login)?;
    Ok(Settings {
        start_directory: values.start_directory,
        jail,
        log_level,
        log_target: if typed.log_stderr {
            Target::Stderr
        } else {
            Target::Syslog(facility?)
        },
        force_file_mode: values.force_file_mode,
        umask: values.umask,
        policy: Policy {
            read_only: typed.read_only,
            denylist: values.denylist,
            allowlist: values.allowlist,
            rules: Arc::new(Rules::new(&typed.policy)?),
            rates: typed.policy.rates.read()?,
            timeouts: typed.policy.timeouts.read()?,
            max_handles: typed.policy.max_handles.limit()?,
            keep_setuid: typed.policy.keep_setuid.keep_setuid,
        },
        sandbox: typed.sandbox,
        command,
        complaints,
    })
}

fn once(lists: &[OsString], twice: Error) -> Result<Option<String>, Error> {
    match lists {
        [] => Ok(None),
        [list] => Ok(Some(list.to_string_lossy().into_owned())),
        _ => Err(twice),
    }
}

/// As strtol(3) with base 8 reads it: blanks and a sign in front are allowed. 0 to 0777.
fn octal(text: &OsStr) -> Option<u32> {
    let text = text.to_str()?;
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let highest = if text.starts_with('-') { 0 } else { 0o777 };
    if !digits.starts_with(|first: char| first.is_digit(8)) {
        return None;
    }
    u32::from_str_radix(digits, 8)
        .ok()
        .filter(|mode| *mode <= highest)
}

fn query(feature: &OsStr) -> Result<String, Error> {
    if !feature.eq_ignore_ascii_case("requests") {
        return Err(Error::Query);
    }
    Ok(requests().map(|name| format!("{name}\n")).collect())
}

/// What `-Q requests` prints, and the lists of requests name.
pub fn requests() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.operation.name)
}

fn usage_text(program: &str) -> String {
    format!(
        "usage: {program} [-ehR] [-d start_directory] [-f log_facility] [-l log_level]\n\
         \t[-m file_mode] [-P denied_requests] [-p allowed_requests] [-u umask]\n\
         \t[--root directory [--bind /name=directory] [--no-protect]] [--sandbox mode]\n\
         \t[--config file | --no-config] [rule ...]\n\
         \x20      {program} check [flags] [--user name] [--address address] [--json]\n\
         \x20      {program} explain [flags] [--user name] [--address address] [--json]\n\
         \t\trequest [path ...]\n\
         \x20      {program} -Q protocol_feature\n\
         \x20      {program} --help | --version"
    )
}

fn program_name(argument: Option<&OsString>) -> String {
    let name = argument
        .map(|argument| argument.to_string_lossy().into_owned())
        .unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::octal;

    #[test]
    fn umasks_are_read_as_strtol_reads_them() {
        for (text, value) in [
            ("022", Some(0o22)),
            (" +22", Some(0o22)),
            ("0", Some(0)),
            ("-0", Some(0)),
            ("\x0b\t7", Some(7)),
            ("777", Some(0o777)),
        ] {
            assert_eq!(octal(text.as_ref()), value, "{text}");
        }
        for text in [
            "",
            "9",
            "-1",
            "-",
            "+-1",
            "01777",
            "022x",
            "0x12",
            "++1",
            "99999999999999999999",
        ] {
            assert_eq!(octal(text.as_ref()), None, "{text}");
        }
    }
}
