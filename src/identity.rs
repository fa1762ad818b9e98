//! Who is logged in, and what users and groups are called.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getuid};

/// The account that a session runs for.
#[derive(Clone, Debug)]
pub struct Login {
    /// Its name; the uid in digits where it has none.
    pub user: OsString,
    /// Its home directory.
    pub home: PathBuf,
    /// The real uid.
    pub uid: u32,
}

impl Login {
    /// The account of the real uid: from passwd, or, where that knows nothing of the uid, from the environment.
    ///
    /// Where a uid has several names, that in `USER` or `LOGNAME` counts, if it is one of them.
    #[must_use]
    pub fn of_process() -> Self {
        let uid = getuid();
        let named = |variable| {
            let name = std::env::var(variable).ok()?;
            User::from_name(&name).ok()?.filter(|user| user.uid == uid)
        };
        let first = User::from_uid(uid).ok().flatten();
        let is_named = |user: &User| {
            std::env::var_os("USER").is_some_and(|name| name.as_bytes() == user.name.as_bytes())
        };
        let user = match first {
            Some(user) if is_named(&user) => Some(user),
            first => named("USER").or_else(|| named("LOGNAME")).or(first),
        };
        match user {
            Some(user) => Self {
                user: user.name.into(),
                home: user.dir,
                uid: uid.as_raw(),
            },
            None => Self::from_environment(uid),
        }
    }

    fn from_environment(uid: Uid) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            user: variable("USER")
                .or_else(|| variable("LOGNAME"))
                .unwrap_or_else(|| uid.to_string().into()),
            home: variable("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from),
            uid: uid.as_raw(),
        }
    }
}

/// The home directory of the user called `name`, as passwd has it.
#[must_use]
pub fn home_of(name: &[u8]) -> Option<PathBuf> {
    let name = std::str::from_utf8(name).ok()?;
    User::from_name(name).ok()?.map(|user| user.dir)
}

/// Nobody is called so.
#[derive(Debug, thiserror::Error)]
#[error("no such user")]
pub struct NoSuchUser(pub Vec<u8>);

/// Replaces `~` at the start of `path` by `own`, and `~user` by what `home_of` says of that user.
///
/// # Errors
/// [`NoSuchUser`].
pub fn expand_tilde(
    path: &[u8],
    own: &Path,
    home_of: impl FnOnce(&[u8]) -> Option<PathBuf>,
) -> Result<PathBuf, NoSuchUser> {
    let Some(named) = path.strip_prefix(b"~") else {
        return Ok(PathBuf::from(OsStr::from_bytes(path)));
    };
    let slash = named.iter().position(|byte| *byte == b'/');
    let (user, below) = named.split_at(slash.unwrap_or(named.len()));
    let home = if user.is_empty() {
        own.to_path_buf()
    } else {
        home_of(user).ok_or_else(|| NoSuchUser(user.to_vec()))?
    };
    let mut expanded = home.into_os_string();
    expanded.push(OsStr::from_bytes(below));
    Ok(expanded.into())
}

/// Names of users and groups; each is asked for once, as long as a client does not ask for thousands.
#[derive(Debug, Default)]
pub struct Names {
    users: HashMap<u32, Option<Box<[u8]>>>,
    groups: HashMap<u32, Option<Box<[u8]>>>,
}

impl Names {
    /// What the user `uid` is called, if it has a name.
    pub fn user(&mut self, uid: u32) -> Option<&[u8]> {
        let name = |uid| {
            let user = User::from_uid(Uid::from_raw(uid)).ok()??;
            Some(OsString::from(user.name).into_vec().into())
        };
        make_room(&mut self.users);
        self.users
            .entry(uid)
            .or_insert_with(|| name(uid))
            .as_deref()
    }

    /// What the group `gid` is called, if it has a name.
    pub fn group(&mut self, gid: u32) -> Option<&[u8]> {
        let name = |gid| {
            let group = Group::from_gid(Gid::from_raw(gid)).ok()??;
            Some(OsString::from(group.name).into_vec().into())
        };
        make_room(&mut self.groups);
        self.groups
            .entry(gid)
            .or_insert_with(|| name(gid))
            .as_deref()
    }
}

/// Has the C library load what it names users and groups by, while it still may.
///
/// It does so module by module, the next one when those before do not know somebody; so nobody is asked for here.
pub fn warm() {
    if cfg!(target_feature = "crt-static") {
        // glibc can load no module into a static program: libnss_systemd crashes it.
        return;
    }
    const NOBODY: u32 = u32::MAX;
    let _ = User::from_uid(Uid::from_raw(NOBODY));
    let _ = Group::from_gid(Gid::from_raw(NOBODY));
}

fn make_room<T>(known: &mut HashMap<u32, T>) {
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
}

const MAX_KNOWN: usize = 4096;
