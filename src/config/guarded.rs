//! What a session must not change of itself: the homes that its user logs in to, this program, and the file that configures it.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::cli::Jail;
use crate::fs::{Follow, Guarded, SetUp, View};
use crate::identity::Login;

/// The view of a session that is locked in.
///
/// # Errors
/// The step that failed, the path, and a remedy.
pub fn view(jail: &Jail, login: &Login) -> Result<View, SetUp> {
    let guarded = jail.protect.then(|| guarded(jail, login));
    View::locked(
        &jail.root,
        jail.read_only,
        &jail.binds,
        login.home(),
        guarded,
    )
}

fn guarded(jail: &Jail, login: &Login) -> Guarded {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let files = jail.config.iter().map(|file| here.join(file));
    let mut programs = programs(&here, login);
    programs.sort();
    programs.dedup();
    let homes = login.homes();
    let named = |(variable, begin): &(&str, &'static str)| Some((*begin, login.path_in(variable)?));
    // At its usual place it is protected anyway.
    let is_usual = |begin: &str, dir: &Path| {
        let usual = begin.rsplit_once('/').map_or("", |(usual, _)| usual);
        homes.iter().any(|home| *dir == home.join(usual))
    };
    let moved = MOVING.iter().filter_map(named);
    let moved = moved.filter(|(begin, dir)| !is_usual(begin, dir)).collect();
    let replacing = REPLACING.iter().filter_map(|name| login.path_in(name));
    Guarded {
        programs,
        files: files.collect(),
        replacing: replacing.collect(),
        moved,
        homes,
    }
}

/// The paths by which this program was started: by its first argument, as a shell finds that, and by the file that the kernel runs.
fn programs(here: &Path, login: &Login) -> Vec<PathBuf> {
    let mut programs: Vec<PathBuf> = std::env::current_exe().into_iter().collect();
    let typed = std::env::args_os().next().unwrap_or_default().into_vec();
    // A login shell is started by the path in passwd, and told no more than its name.
    programs.push(here.join(login.shell()));
    if typed.contains(&b'/') {
        programs.push(here.join(OsStr::from_bytes(&typed)));
        return programs;
    }
    let searched = std::env::var_os("PATH").unwrap_or_default();
    let name = OsStr::from_bytes(typed.strip_prefix(b"-").unwrap_or(&typed));
    if name.is_empty() {
        return programs;
    }
    for dir in std::env::split_paths(&searched) {
        let path = here.join(dir).join(name);
        // Where a shell looks first, nothing else must appear either.
        let stands = View::host().stat(&path, Follow::Yes);
        let found = stands
            .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o100_000 && stat.st_mode & 0o111 != 0);
        programs.push(path);
        if found {
            break;
        }
    }
    programs
}

/// Variables by which programs find elsewhere what stands in a home, and how the names of that begin: zsh(1), the XDG base directories.
const MOVING: [(&str, &str); 5] = [
    ("ZDOTDIR", ".z"),
    ("XDG_CONFIG_HOME", ".config/"),
    ("XDG_DATA_HOME", ".local/share/"),
    ("XDG_STATE_HOME", ".local/state/"),
    ("XDG_CACHE_HOME", ".cache/"),
];
/// Variables that name what programs obey in place of a file or directory of the home: sh(1), bash(1), readline(3), gpg(1).
const REPLACING: [&str; 4] = ["ENV", "BASH_ENV", "INPUTRC", "GNUPGHOME"];
