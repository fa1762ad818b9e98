//! What the process gives up before the first packet, so that SFTP access never becomes code execution.
//!
//! In this order: [`limits`], then [`landlock`], then [`seccomp`]; each holds for the calling thread and for what it
//! starts, so all of it comes before any thread. What lies outside (log, names, time zone) has been read by then.
//! Knows nothing of sessions: it is given the trees that stay reachable, and tells what holds.

pub mod filter;
pub mod landlock;
pub mod limits;
pub mod seccomp;
pub mod tracer;

use std::fmt;
use std::os::fd::BorrowedFd;
use std::str::FromStr;

use nix::errno::Errno;

use self::landlock::Held;
use self::tracer::Tracer;

/// How much of it is asked for: `--sandbox`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// What the kernel has.
    #[default]
    Auto,
    /// [All that the promises rest on](Report::missing), or no session.
    Require,
    /// Nothing, for debugging.
    Off,
}

/// Neither `auto` nor `require` nor `off`.
#[derive(Debug, thiserror::Error)]
#[error("it is auto, require or off")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        match word {
            "auto" => Ok(Self::Auto),
            "require" => Ok(Self::Require),
            "off" => Ok(Self::Off),
            _ => Err(UnknownMode),
        }
    }
}

/// A tree that stays reachable: the root, or a bind.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    /// Its top.
    pub top: BorrowedFd<'a>,
    /// Whether the policy lets anything in it be changed.
    pub writable: bool,
}

/// What holds, and what does not and why. Its text is the line of the log.
#[derive(Debug)]
pub struct Report {
    mode: Mode,
    limits: Result<(), Errno>,
    landlock: Held,
    seccomp: Result<(), Errno>,
    trees: Trees,
    tracer: Option<Tracer>,
}

/// Which rights the trees ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trees {
    /// The host's tree, where the kernel restricts no file access of ours.
    Host,
    Writable,
    /// One of them at least is read-only.
    ReadOnly,
}

/// A session was refused, since less holds than `require` asks for.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock the session (--sandbox require): {0}")]
pub struct Missing(String);

/// Closes the locks; without `trees` file access is not restricted, all else is.
///
/// Code may be mapped without `trees` alone, where the name service can load a module when it first needs it; in a
/// static program never, since glibc cannot load them there: some crash it.
///
/// # Errors
/// [`Missing`], with [`Mode::Require`] alone. The process is then locked as far as it went, and can only end.
pub fn enter(mode: Mode, trees: Option<&[Tree<'_>]>) -> Result<Report, Missing> {
    let mut report = Report {
        mode,
        limits: Err(Errno::ECANCELED),
        landlock: Held::default(),
        seccomp: Err(Errno::ECANCELED),
        trees: match trees {
            None => Trees::Host,
            Some(trees) if trees.iter().all(|tree| tree.writable) => Trees::Writable,
            Some(_) => Trees::ReadOnly,
        },
        tracer: None,
    };
    if mode != Mode::Off {
        report.tracer = Tracer::of_process();
        report.limits = limits::set();
        report.landlock = landlock::restrict(trees);
        // The last, since it forbids the calls of the others.
        let modules = trees.is_none() && !cfg!(target_feature = "crt-static");
        report.seccomp = seccomp::load(modules);
    }
    match report.missing() {
        Some(what) if mode == Mode::Require => Err(Missing(what)),
        _ => Ok(report),
    }
}

impl Report {
    /// Whether the memory of processes, this one and others, is closed to an ordinary user's session.
    #[must_use]
    pub fn keeps_out_of_memory(&self) -> bool {
        self.limits.is_ok() && self.landlock.abi >= 2
    }

    /// Who traces this process, which the locks cannot keep from changing what its system calls do.
    #[must_use]
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// What lacks of that which `require` asks for, and the remedy.
    ///
    /// That is `no_new_privs` and seccomp, by which nothing is ever executed and no network is reached. With a root also
    /// Landlock: ABI 2 (Linux 5.19), without which no rename could cross directories; with a read-only tree ABI 3 (Linux 6.2),
    /// since before it an open for reading could truncate. What later ABIs add (TCP, signals, abstract sockets) is no
    /// condition: seccomp refuses networking and signals as well.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let remedy = "or take --sandbox auto";
        if let Err(errno) = self.limits {
            return Some(format!("no_new_privs: {errno}; {remedy}"));
        }
        let (needed, linux) = match self.trees {
            Trees::Host => (0, ""),
            Trees::Writable => (2, "5.19"),
            Trees::ReadOnly => (3, "6.2"),
        };
        if self.landlock.abi < needed || (needed > 0 && !self.landlock.files) {
            let has = match self.landlock.abi {
                0 => "no Landlock".to_owned(),
                abi => format!("Landlock ABI {abi}"),
            };
            return Some(format!(
                "this kernel has {has}, needed is ABI {needed}; boot Linux {linux} or later with landlock in lsm=, {remedy}"
            ));
        }
        let errno = self.seccomp.err()?;
        Some(format!(
            "seccomp: {errno}; it takes a kernel with CONFIG_SECCOMP_FILTER, {remedy}"
        ))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mode == Mode::Off {
            return f.write_str("sandbox: off");
        }
        let held = |name, result: Result<(), Errno>| match result {
            Ok(()) => format!("{name}, "),
            Err(_) => format!("no {name}, "),
        };
        write!(
            f,
            "sandbox: {}{}, {}",
            held("no_new_privs", self.limits),
            self.landlock,
            held("seccomp", self.seccomp).trim_end_matches(", ")
        )?;
        match &self.tracer {
            Some(tracer) => write!(f, "; traced by {tracer}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, Held, Mode, Report, Trees};

    /// A report of a kernel that has Landlock of this ABI.
    fn report(abi: u8, trees: Trees) -> Report {
        Report {
            mode: Mode::Auto,
            limits: Ok(()),
            landlock: Held::of(abi, trees != Trees::Host),
            seccomp: Ok(()),
            trees,
            tracer: None,
        }
    }

    #[test]
    fn the_line_says_what_holds_and_what_does_not() {
        let line = |abi, trees| report(abi, trees).to_string();
        assert_eq!(
            line(7, Trees::Writable),
            "sandbox: no_new_privs, landlock ABI 7 (ptrace, fs, net, scope), seccomp"
        );
        assert_eq!(
            line(4, Trees::Host),
            "sandbox: no_new_privs, landlock ABI 4 (ptrace, net), seccomp"
        );
        assert_eq!(
            line(3, Trees::Host),
            "sandbox: no_new_privs, landlock ABI 3 (ptrace), seccomp"
        );
        assert_eq!(
            line(1, Trees::Writable),
            "sandbox: no_new_privs, no landlock, seccomp"
        );
        let none = Report {
            limits: Err(Errno::ECANCELED),
            seccomp: Err(Errno::ENOSYS),
            ..report(0, Trees::Host)
        };
        assert_eq!(
            none.to_string(),
            "sandbox: no no_new_privs, no landlock, no seccomp"
        );
    }

    #[test]
    fn what_is_required_depends_on_the_trees() {
        for (abi, trees, enough) in [
            (0, Trees::Host, true),
            (0, Trees::Writable, false),
            (1, Trees::Writable, false),
            (2, Trees::Writable, true),
            (2, Trees::ReadOnly, false),
            (3, Trees::ReadOnly, true),
        ] {
            let missing = report(abi, trees).missing();
            assert_eq!(missing.is_none(), enough, "{abi} {trees:?}: {missing:?}");
        }
        let unfiltered = Report {
            seccomp: Err(Errno::EINVAL),
            ..report(7, Trees::Host)
        };
        assert!(unfiltered.missing().is_some());
        let privileged = Report {
            limits: Err(Errno::EPERM),
            ..report(7, Trees::Host)
        };
        assert!(privileged.missing().is_some());
    }
}
