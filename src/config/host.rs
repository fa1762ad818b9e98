//! What `check` finds on the host: the shell, the directories, and the locks that the kernel gives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use super::report::{Protected, Report, Weight};
use crate::cli::Settings;
use crate::fs::{Follow, View, rights};
use crate::identity::{self, Login};
use crate::sandbox::{self, Tree};

/// Why no session is possible behind these locks, if a tracer makes it so.
///
/// The locks close the memory of an ordinary user's process to others of that user, and proot(1) writes paths there: every call with a path
/// fails by `EFAULT` then. strace(1) and proot(1) run by root are no hindrance.
#[must_use]
pub fn crippled(report: &sandbox::Report) -> Option<String> {
    let tracer = report.tracer()?;
    let stat = View::host().stat(Path::new("/"), Follow::Yes);
    stat.err().filter(|error| *error == Errno::EFAULT.into())?;
    let error = Errno::EFAULT.desc();
    Some(format!(
        "cannot use paths: {error}; {tracer} traces this process, and the locks keep its memory from that: \
         start it outside of proot, or take --sandbox off"
    ))
}

impl Report {
    /// Whether sshd can start the program by the user's shell.
    pub(super) fn shell(&mut self, login: &Login) {
        let shell = login.shell();
        let name = shell.file_name().unwrap_or_default();
        let shown = shell.display();
        let user = self.user.clone();
        let remedy = format!(
            "usermod -s /bin/sh {user}; or make this program the login shell, which gives SFTP alone"
        );
        let own = std::env::current_exe().ok();
        let stands = View::host().stat(shell, Follow::Yes);
        let runs = stands.is_ok_and(|stat| stat.st_mode & 0o111 != 0);
        if runs && (own.as_deref() == Some(shell) || name == "sftp-server") {
            return self.add(
                Weight::Note,
                format!("the shell is {shown}: SFTP alone"),
                "",
            );
        }
        if name == "nologin" || name == "false" {
            let what = format!("the shell is {shown}: sshd starts a subsystem through it, in vain");
            return self.add(Weight::Error, what, remedy);
        }
        if !runs {
            let what = format!("the shell {shown} cannot be run: sshd lets nobody in with it");
            return self.add(Weight::Error, what, remedy);
        }
        if identity::shells().is_some_and(|shells| !shells.iter().any(|known| known == shell)) {
            let what = format!("the shell {shown} is not in /etc/shells: pam_shells refuses it");
            self.add(Weight::Warning, what, "add it to /etc/shells");
        }
    }

    /// The view of this user, and the locks around it.
    pub(super) fn tree(&mut self, settings: Settings, login: &Login) {
        let mut view = View::host();
        if let Some(jail) = &settings.jail {
            match super::view(jail, login) {
                Ok(locked) => view = locked,
                Err(error) => {
                    let (what, remedy) = error.in_two();
                    return self.add(Weight::Error, what, remedy);
                }
            }
            let binds = jail.binds.iter().map(|bind| (&bind.dir, bind.read_only));
            for (dir, read_only) in std::iter::once((&jail.root, jail.read_only)).chain(binds) {
                self.way(dir, login);
                let read_only = read_only || settings.policy.read_only;
                self.rights(dir, read_only);
                self.disk(dir, read_only, jail.protect);
            }
        } else if !settings.policy.read_only {
            let what = "no root: who may write can change start files, and so run commands";
            let remedy = "give a root, or read-only, or a ChrootDirectory of sshd";
            self.add(Weight::Note, what, remedy);
        }
        self.defaults(&settings, &view, login);
        let rules = Arc::clone(&settings.policy.rules);
        if rules.judge_anything() {
            let modes = rules.modes;
            if let Err(errno) = view.ask(rules, modes) {
                let what = format!("cannot open /: {}", errno.desc());
                return self.add(Weight::Error, what, "mount /proc");
            }
        }
        if let Some(jail) = &settings.jail {
            self.keys(&view, login, jail.protect);
            self.protected(&view);
        }
        if let Some(path) = &settings.start_directory {
            if let Err(error) = view.start_at(path) {
                let what = format!("cannot start in \"{}\": {error}", path.display());
                let remedy = "create it, or correct start-directory; the session starts elsewhere";
                self.add(Weight::Warning, what, remedy);
            }
        }
        self.locks(&settings, &view);
    }

    /// Whether a client can do there what it will try first.
    fn rights(&mut self, dir: &Path, read_only: bool) {
        let (lists, writes) = rights(dir);
        let dir = dir.display();
        if !lists {
            let what = format!("this user may not list \"{dir}\", but enter it");
            self.add(
                Weight::Warning,
                what,
                "allow it (chmod or chgrp, +r), if clients are to list it",
            );
        }
        if !writes && !read_only {
            let what = format!("this user may not write in \"{dir}\": nothing can be put there");
            self.add(
                Weight::Note,
                what,
                "allow it (chown, chgrp or chmod, +w), if it is to take uploads",
            );
        }
    }

    /// Whether somebody else could exchange a directory before the session starts.
    fn way(&mut self, dir: &Path, login: &Login) {
        let host = View::host();
        let Ok(dir) = host.canonical(dir) else {
            return;
        };
        let mut above: Vec<PathBuf> = dir.ancestors().skip(1).map(Path::to_path_buf).collect();
        above.reverse();
        for above in above {
            let Ok(stat) = host.stat(&above, Follow::Yes) else {
                continue;
            };
            let foreign = stat.st_uid != 0 && stat.st_uid != login.uid();
            let open = stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0;
            if foreign || open {
                let what = format!(
                    "\"{}\" can be written by others, who can exchange \"{}\"",
                    above.display(),
                    dir.display()
                );
                let remedy = format!("chown root, chmod go-w \"{}\"", above.display());
                return self.add(Weight::Warning, what, remedy);
            }
        }
    }

    /// Whether the client sees what could let it in elsewhere.
    fn keys(&mut self, view: &View, login: &Login, protect: bool) {
        let host = login.home().join(".ssh");
        let Ok(real) = View::host().stat(&host, Follow::Yes) else {
            return;
        };
        let path = view.home(login.home()).join(".ssh");
        let seen = view.stat(&path, Follow::Yes);
        let same =
            |seen: crate::fs::FileStat| (seen.st_dev, seen.st_ino) == (real.st_dev, real.st_ino);
        if !seen.is_ok_and(same) {
            return;
        }
        if !protect {
            let what = "no-protect: the client can write .ssh and start files, and so run commands";
            self.add(Weight::Warning, what, "leave it out");
        }
        // A drop box lists the directory, and shows nothing of it.
        if view.opendir(&path).is_ok() && !self.is_on("drop-box") {
            let what = format!(
                "\"{}\" lies within the root and can be read",
                host.display()
            );
            let remedy = "private keys in there can be fetched; hide it (hide = [\".ssh\"]), or take a root beneath the home";
            self.add(Weight::Warning, what, remedy);
        }
    }

    /// What is protected, where links lead to it, and which ways others can change.
    fn protected(&mut self, view: &View) {
        for trace in view.traces().unwrap_or_default() {
            let path = trace.path.display();
            for dir in &trace.open {
                let what = format!(
                    "\"{path}\" leads through \"{}\", where others can exchange names: that is not protected",
                    dir.display()
                );
                let remedy =
                    "chown it to this user or root, chmod go-w; or lead no link through it";
                self.add(Weight::Warning, what, remedy);
            }
            self.protected.push(Protected {
                path: path.to_string(),
                leads: (trace.leads != trace.path).then(|| trace.leads.display().to_string()),
                stands: trace.stands,
            });
        }
    }

    /// Which locks the kernel gives. The last thing: afterwards they hold.
    fn locks(&mut self, settings: &Settings, view: &View) {
        if settings.sandbox == sandbox::Mode::Off {
            let remedy = "take auto, if nothing is to be debugged";
            return self.add(Weight::Warning, "sandbox: off, nothing is locked", remedy);
        }
        let trees = view.trees().map(|trees| {
            let trees = trees.into_iter();
            let trees = trees.map(|(top, writable)| Tree {
                top,
                writable: writable && !settings.policy.read_only,
            });
            trees.collect::<Vec<_>>()
        });
        let held = sandbox::enter(sandbox::Mode::Auto, trees.as_deref());
        let Ok(held) = held else {
            return;
        };
        self.add(Weight::Note, held.to_string(), "");
        if let Some(why) = crippled(&held) {
            let (what, remedy) = why.split_once(": start").unwrap_or((&why, ""));
            self.add(Weight::Error, what, format!("start{remedy}"));
        }
        if let Some(missing) = held.missing() {
            let weight = match settings.sandbox {
                sandbox::Mode::Require => Weight::Error,
                _ => Weight::Warning,
            };
            let (what, remedy) = match missing.split_once("; ") {
                Some((what, remedy)) => (what, remedy),
                None => (&*missing, "take a kernel that has it"),
            };
            self.add(weight, format!("sandbox: {what}"), remedy);
        }
    }
}
