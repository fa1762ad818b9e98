//! What `check` tries in the root and the binds, and what each rule in force means on their file systems.

use std::path::Path;

use nix::errno::Errno;

use super::report::{Report, array, printable, quoted};
use crate::fs::{Trial, Way};

/// A directory of the host that the client sees, what its file system can do, and what that means for rules.
#[derive(Debug)]
pub(super) struct Disk {
    path: String,
    /// Or why it was not tried.
    found: Result<Trial, String>,
    /// By the rule's key.
    means: Vec<(&'static str, String)>,
}

impl Report {
    /// Tries what the file system of a directory can do, unless nothing may change there.
    pub(super) fn disk(&mut self, dir: &Path, read_only: bool, protects: bool) {
        let found = match read_only {
            true => Err("read-only for the client".to_owned()),
            false => Trial::of(dir).map_err(|errno| errno.desc().to_owned()),
        };
        let means = found.as_ref().map(|trial| self.means(trial, protects));
        let means = means.unwrap_or_default();
        self.disks.push(Disk {
            path: dir.display().to_string(),
            found,
            means,
        });
    }

    /// A line for each rule in force that depends on it.
    fn means(&self, trial: &Trial, protects: bool) -> Vec<(&'static str, String)> {
        let replaces = match trial.way() {
            Way::Renamed => "nothing is replaced, whatever other processes do meanwhile",
            Way::Linked => {
                "nothing is replaced, whatever other processes do meanwhile, but an empty directory by another"
            }
            Way::LookedFor => {
                "RENAME and copy-file can replace what another process puts there at the same moment"
            }
            Way::Refused(_) => {
                "nothing is replaced, since no file gets a new name by RENAME and copy-file"
            }
        };
        let own = match trial.birth {
            true => "what the session has made is known by inode number and time of birth",
            false => {
                "without times of birth, what the session has made counts as foreign once it cannot be told any more"
            }
        };
        let mode = match trial.chmod {
            Ok(true) => "modes are set as they are asked for",
            _ => "what is made is refused, unless the mount gives that mode by itself",
        };
        let pattern = match trial.folds {
            false => "names that differ by case are different, as patterns have it",
            true => {
                "patterns tell case apart and the file system does not: another spelling of the name passes them"
            }
        };
        let whole = match trial.way() {
            Way::Renamed | Way::Linked => {
                "a new file has its name when it is whole, and replaces nothing that appeared meanwhile"
            }
            Way::LookedFor => {
                "a new file has its name when it is whole, and can replace what another process puts there at that moment"
            }
            Way::Refused(_) => "a new file is refused when it is closed, after all of it was sent",
        };
        let rules: [(_, &[&str]); 9] = [
            ("no-overwrite", &[replaces, own]),
            ("no-delete", &[replaces, own]),
            ("append-only", &[replaces]),
            ("drop-box", &[replaces, own]),
            ("hide", &[pattern]),
            ("deny", &[pattern]),
            ("file-mode", &[mode]),
            ("dir-mode", &[mode]),
            ("atomic-upload", &[whole]),
        ];
        let in_force = rules.iter().filter(|(key, _)| self.is_in_force(key));
        let mut means: Vec<_> = in_force
            .map(|(key, lines)| (*key, lines.join("; ")))
            .collect();
        means.extend(names(trial.way()));
        if protects && trial.folds {
            let compared = "names are compared without regard to case";
            means.push(("self-protection", compared.to_owned()));
        }
        means
    }
}

/// What requests do that take a free name, where the kernel has no call for it; whatever rule is in force.
fn names(way: Way) -> Vec<(&'static str, String)> {
    match way {
        Way::Renamed => vec![],
        Way::Linked => vec![(
            "RENAME",
            "by link(2), so that a file has two names for a moment; a directory takes the place of an empty one that appears"
                .to_owned(),
        )],
        Way::LookedFor => vec![
            (
                "RENAME",
                "an empty file has the new name of a file first, so that other sessions write nothing there; what another \
                 program writes to it or puts there at that moment is lost; a directory takes the place of an empty one that appears"
                    .to_owned(),
            ),
            (
                "copy-file",
                "sessions take new names one after the other; what another program puts there at that moment is lost"
                    .to_owned(),
            ),
        ],
        Way::Refused(errno) => {
            let fails = format!("a file gets no new name: {}", errno.desc());
            vec![("RENAME", fails.clone()), ("copy-file", fails)]
        }
    }
}

impl Disk {
    /// Lines for people, each without its end.
    pub(super) fn text(&self) -> Vec<String> {
        let path = printable(&self.path);
        let trial = match &self.found {
            Ok(trial) => trial,
            Err(why) => return vec![format!("tried  \"{path}\": nothing: {why}")],
        };
        let can = |what: nix::Result<()>| match what {
            Ok(()) => "yes".to_owned(),
            Err(errno) => format!("no ({})", name(errno)),
        };
        let chmod = match trial.chmod {
            Ok(true) => "yes".to_owned(),
            Ok(false) => "no (it changes nothing)".to_owned(),
            Err(errno) => can(Err(errno)),
        };
        let mut lines = vec![format!(
            "tried  \"{path}\": RENAME_NOREPLACE {}, link {}, O_TMPFILE {}, chmod {chmod}, birth time {}, inode number {}, case {}",
            can(trial.rename),
            can(trial.link),
            can(trial.unnamed),
            if trial.birth { "yes" } else { "no" },
            if trial.number { "kept" } else { "changes" },
            if trial.folds { "folded" } else { "kept apart" },
        )];
        let means = self.means.iter();
        lines.extend(means.map(|(key, meaning)| format!("       {key}: {meaning}")));
        lines
    }

    /// An object of JSON.
    pub(super) fn json(&self) -> String {
        let path = quoted(&self.path);
        let trial = match &self.found {
            Ok(trial) => trial,
            Err(why) => {
                let why = quoted(why);
                return format!("{{\"path\":{path},\"tried\":false,\"why\":{why}}}");
            }
        };
        let means = self.means.iter().map(|(key, meaning)| {
            let (key, meaning) = (quoted(key), quoted(meaning));
            format!("{{\"key\":{key},\"text\":{meaning}}}")
        });
        format!(
            "{{\"path\":{path},\"tried\":true,\"rename_noreplace\":{},\"link\":{},\"o_tmpfile\":{},\"chmod\":{},\"birth_time\":{},\
             \"inode_kept\":{},\"folds_case\":{},\"means\":{}}}",
            trial.rename.is_ok(),
            trial.link.is_ok(),
            trial.unnamed.is_ok(),
            trial.chmod == Ok(true),
            trial.birth,
            trial.number,
            trial.folds,
            array(means)
        )
    }
}

/// `EINVAL`: the table of errno(3) says more to who looks for it than its words.
fn name(errno: Errno) -> String {
    format!("{errno:?}")
}
