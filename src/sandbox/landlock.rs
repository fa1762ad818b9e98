//! Landlock: the trees with just the rights that the policy grants; no other process's memory, no TCP, no signals and
//! abstract sockets to others.
//!
//! What a kernel lacks is left out; [`Held`] tells. Rules are by descriptor, and a union up the host's tree: where a
//! read-only bind lies beneath a writable tree on the host, the kernel grants writing, and the view alone refuses it.
//! Not restricted by any ABI: stat(2), chmod(2), chown(2), utimensat(2), `O_PATH`; nor, by those known here, connect(2) to a
//! socket that has a path.
//!
//! Source: landlock(7).

use std::fmt;

use ::landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use super::Tree;

/// What the kernel holds us to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The newest ABI that the kernel and we know; 0 where there is no Landlock.
    pub abi: u8,
    /// Whether file access is restricted.
    pub files: bool,
}

impl Held {
    /// ABI 1 would refuse every rename and link to another directory, so it is not used.
    pub(super) fn of(abi: u8, trees: bool) -> Self {
        Self {
            abi,
            files: trees && abi >= 2,
        }
    }

    fn parts(self) -> Vec<&'static str> {
        let parts = [
            // Whoever is restricted at all looks into no process that is not.
            (self.abi >= 2, "ptrace"),
            (self.files, "fs"),
            (self.abi >= 4, "net"),
            (self.abi >= 6, "scope"),
        ];
        let held = parts.into_iter().filter(|(held, _)| *held);
        held.map(|(_, part)| part).collect()
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts().as_slice() {
            [] => f.write_str("no landlock"),
            parts => write!(f, "landlock ABI {} ({})", self.abi, parts.join(", ")),
        }
    }
}

/// Restricts this thread as far as the kernel can.
#[must_use]
pub fn restrict(trees: Option<&[Tree<'_>]>) -> Held {
    // An error is of a kernel that promised more than it does; then nothing is held.
    match trees {
        Some(trees) => within(trees),
        None => anywhere(),
    }
    .unwrap_or_default()
}

fn within(trees: &[Tree<'_>]) -> Result<Held, RulesetError> {
    let ruleset = unless_abi_1()?
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    let status = allow(ruleset, trees)?.restrict_self()?;
    Ok(Held::of(abi(status.landlock), true))
}

fn anywhere() -> Result<Held, RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced && abi(status.landlock) >= 2 {
        // ABI 2 and 3 restrict files alone: a rule that allows all keeps us out of other processes at least.
        let ruleset = unless_abi_1()?.create()?;
        if let Ok(top) = PathFd::new("/") {
            let all = PathBeneath::new(top, AccessFs::Refer);
            ruleset.add_rule(all)?.restrict_self()?;
        }
    }
    Ok(Held::of(abi(status.landlock), false))
}

/// A ruleset that is none where the kernel cannot allow renames to other directories.
fn unless_abi_1() -> Result<Ruleset, RulesetError> {
    Ok(Ruleset::default()
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort))
}

fn abi(status: LandlockStatus) -> u8 {
    match status {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u8,
        _ => 0,
    }
}

fn allow(mut ruleset: RulesetCreated, trees: &[Tree<'_>]) -> Result<RulesetCreated, RulesetError> {
    for tree in trees {
        let rights = if tree.writable {
            READING | CHANGING
        } else {
            READING
        };
        ruleset = ruleset.add_rule(PathBeneath::new(tree.top, rights))?;
    }
    for (path, _) in NAME_SERVICE {
        if let Ok(file) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(file, READING))?;
        }
    }
    Ok(ruleset)
}

/// What this file was written for. A newer one may restrict more (sockets that have a path), which is to be thought about first.
const KNOWN: ABI = ABI::V7;

const READING: BitFlags<AccessFs> = ::landlock::make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// All that changes a tree but making devices. FIFOs and sockets cannot be made, seccomp sees to that; the right to
/// make them is also that to rename those which are there. Never: execute, and ioctl(2) on devices.
const CHANGING: BitFlags<AccessFs> = ::landlock::make_bitflags!(AccessFs::{
    WriteFile | Truncate | RemoveFile | RemoveDir | MakeReg | MakeDir | MakeSym | MakeFifo | MakeSock | Refer
});

/// What is read of the host, beside the trees, to name users and groups; the view never leads a client there.
///
/// Rules hold for the file that is there now: where one is replaced later (`useradd` does so), those whom the old one did not know
/// are shown by number until the next session.
const NAME_SERVICE: &[(&str, &str)] = &[
    (
        "/etc/nsswitch.conf",
        "read again by the C library when it changes",
    ),
    ("/etc/passwd", "\"files\", read at each look-up"),
    ("/etc/group", "\"files\", read at each look-up"),
    (
        "/run/systemd/userdb",
        "\"systemd\", the list of sockets to ask",
    ),
    ("/etc/userdb", "\"systemd\", users as files"),
    ("/run/userdb", "\"systemd\", users as files"),
    ("/run/host/userdb", "\"systemd\", users as files"),
    ("/usr/local/lib/userdb", "\"systemd\", users as files"),
    ("/usr/lib/userdb", "\"systemd\", users as files"),
    (
        "/var/lib/sss/mc",
        "\"sss\", the cache that sssd shares and replaces",
    ),
];
