//! Who is logged in, and what users and groups are called.

mod files;
mod names;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub use names::{Answers, Names, Question, Unasked, home_at_hand, home_of, warm};

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, chdir, getegid, getgid, getgrouplist, getgroups, getuid, setgid,
    setgroups, setuid,
};

/// The account that a session runs for: that of the real uid, from passwd, or, where that knows nothing of the uid, from
/// the environment.
///
/// The name service is asked when name or home are first needed, since it may be on another host: with `--root` before
/// the locks, otherwise perhaps never.
#[derive(Debug)]
pub struct Login {
    uid: Uid,
    environment: Environment,
    /// Whether the environment of this process is that of the account.
    is_at_home: bool,
    account: OnceCell<Account>,
}

/// What the environment says of the user; the locks drop it.
#[derive(Clone, Debug)]
struct Environment {
    user: Option<OsString>,
    logname: Option<OsString>,
    home: Option<OsString>,
}

impl Login {
    /// The account of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            uid: getuid(),
            environment: Environment {
                user: variable("USER"),
                logname: variable("LOGNAME"),
                home: variable("HOME"),
            },
            is_at_home: true,
            account: OnceCell::new(),
        }
    }

    /// Its name; the uid in digits where it has none.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        &self.account().name
    }

    /// The same, without a question to the name service: the uid in digits where it was not asked before.
    #[must_use]
    pub fn user_at_hand(&self) -> Cow<'_, [u8]> {
        match self.account.get() {
            Some(account) => Cow::Borrowed(&account.name),
            None => Cow::Owned(self.uid.to_string().into_bytes()),
        }
    }

    /// The account of this name, as passwd has it.
    ///
    /// # Errors
    /// Why nobody could be asked.
    pub fn named(name: &OsStr) -> nix::Result<Option<Self>> {
        let account = user_by_name(name.as_bytes())?;
        Ok(account.map(|account| Self {
            uid: Uid::from_raw(account.uid),
            environment: Environment {
                user: None,
                logname: None,
                home: None,
            },
            is_at_home: false,
            account: OnceCell::from(account),
        }))
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(self.user())
    }

    /// Its login shell.
    #[must_use]
    pub fn shell(&self) -> &Path {
        &self.account().shell
    }

    /// The absolute path in a variable of its environment, of a length that somebody may have typed.
    #[must_use]
    pub fn path_in(&self, variable: &str) -> Option<PathBuf> {
        let value = std::env::var_os(variable).filter(|value| value.len() <= LONGEST_PATH);
        let path = value.filter(|_| self.is_at_home).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    }

    /// Becomes this account for good, with all of its groups, if the process is not it already.
    ///
    /// # Errors
    /// `EPERM` for who is not root.
    pub fn become_it(&self) -> nix::Result<()> {
        if self.uid == getuid() {
            return Ok(());
        }
        let gid = Gid::from_raw(self.account().gid);
        setgroups(&self.gids()?)?;
        setgid(gid)?;
        setuid(self.uid)
    }

    /// Enters its home directory, as sshd does before it starts a session; where that cannot be, `/`.
    pub fn go_home(&self) {
        if chdir(self.home()).is_err() {
            // Without it a relative path leads nowhere, as in the session.
            let _ = chdir("/");
        }
    }

    /// Its home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.account().home
    }

    /// The home directories of all names of its uid: whoever logs in by one of them has the rights of the others.
    #[must_use]
    pub fn homes(&self) -> Vec<PathBuf> {
        let mut homes = vec![self.home().to_path_buf()];
        for home in files::homes_of(self.uid()) {
            if !homes.contains(&home) {
                homes.push(home);
            }
        }
        // Who has none is let in at the root, or not at all.
        homes.retain(|home| home.is_absolute());
        homes
    }

    /// The real uid.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// Why the name is perhaps another one than the environment's, which counts where nobody else has told one.
    #[must_use]
    pub fn unsure(&self) -> Option<&'static str> {
        self.account().unsure
    }

    /// Whether anybody has told where its home is.
    #[must_use]
    pub fn has_home(&self) -> bool {
        let account = self.account();
        account.listed || self.environment.home.is_some()
    }

    /// The groups of this account.
    fn gids(&self) -> nix::Result<Vec<Gid>> {
        let Some(account) = user_by_name(self.user())? else {
            return Ok(Vec::new());
        };
        let own = Gid::from_raw(account.gid);
        if STATIC {
            let listed = files::groups_of(&account.name)?.into_iter();
            let listed = listed.map(Gid::from_raw);
            return Ok(std::iter::once(own).chain(listed).collect());
        }
        let name = CString::new(account.name).unwrap_or_default();
        getgrouplist(&name, own)
    }

    fn account(&self) -> &Account {
        let ask = || self.environment.account_of(self.uid);
        self.account.get_or_init(ask)
    }

    /// What asks the name service for the account, which may take as long as it likes; none where that was done.
    #[must_use]
    pub fn unasked(&self) -> Option<impl FnOnce() -> Account + Send + use<>> {
        let (environment, uid) = (self.environment.clone(), self.uid);
        let unasked = self.account.get().is_none();
        unasked.then_some(move || environment.account_of(uid))
    }

    /// Takes note of what was answered.
    pub fn learn(&self, account: Account) {
        let _ = self.account.set(account);
    }
}

impl Environment {
    fn account_of(&self, uid: Uid) -> Account {
        match self.among_names_of(uid) {
            Ok(Some(known)) => known,
            Ok(None) => {
                let doubt = files::are_final(b"passwd:", "/etc/passwd").err();
                // Where there is no passwd at all, nobody expects a word of it.
                self.account(uid, doubt.filter(|why| *why != Errno::ENOENT.desc()))
            }
            Err(Errno::ENOENT) => self.account(uid, None),
            Err(errno) => self.account(uid, Some(errno.desc())),
        }
    }

    /// The entry in passwd. Where a uid has several names, that in `USER` or `LOGNAME` counts, if it is one of them.
    fn among_names_of(&self, uid: Uid) -> nix::Result<Option<Account>> {
        let uid = uid.as_raw();
        let first = user_by_uid(uid)?;
        let is_named = |user: &Account| {
            let name = self.user.as_ref();
            name.is_some_and(|name| name.as_bytes() == user.name)
        };
        if first.as_ref().is_some_and(is_named) {
            return Ok(first);
        }
        for name in [&self.user, &self.logname].into_iter().flatten() {
            let named = user_by_name(name.as_bytes())?;
            if let Some(named) = named.filter(|named| named.uid == uid) {
                return Ok(Some(named));
            }
        }
        Ok(first)
    }

    /// What it says itself.
    fn account(&self, uid: Uid, unsure: Option<&'static str>) -> Account {
        let user = self.user.as_ref().or(self.logname.as_ref()).cloned();
        let home = self.home.as_ref().map(PathBuf::from);
        Account {
            name: user.unwrap_or_else(|| uid.to_string().into()).into_vec(),
            uid: uid.as_raw(),
            gid: getgid().as_raw(),
            home: home.unwrap_or_else(|| PathBuf::from("/")),
            shell: or_sh(PathBuf::new()),
            listed: false,
            unsure,
        }
    }
}

/// A line of passwd(5), wherever the name service has it from.
#[derive(Debug)]
pub struct Account {
    name: Vec<u8>,
    uid: u32,
    gid: u32,
    home: PathBuf,
    shell: PathBuf,
    /// Whether passwd has it.
    listed: bool,
    unsure: Option<&'static str>,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name.into_bytes(),
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir,
            shell: or_sh(user.shell),
            listed: true,
            unsure: None,
        }
    }
}

/// What an empty field of passwd(5) means.
fn or_sh(shell: PathBuf) -> PathBuf {
    match shell.as_os_str().is_empty() {
        true => PathBuf::from("/bin/sh"),
        false => shell,
    }
}

/// The login shells that shells(5) lists; none where there is no such file.
#[must_use]
pub fn shells() -> Option<Vec<PathBuf>> {
    files::shells()
}

fn user_by_uid(uid: u32) -> nix::Result<Option<Account>> {
    if STATIC {
        return files::user(|_, number| number == uid);
    }
    Ok(User::from_uid(Uid::from_raw(uid))?.map(Account::from))
}

fn user_by_name(name: &[u8]) -> nix::Result<Option<Account>> {
    if STATIC {
        return files::user(|known, _| known == name);
    }
    let Ok(name) = std::str::from_utf8(name) else {
        return Ok(None);
    };
    Ok(User::from_name(name)?.map(Account::from))
}

fn group_by_gid(gid: u32) -> nix::Result<Option<Vec<u8>>> {
    if STATIC {
        return files::group(gid);
    }
    let group = Group::from_gid(Gid::from_raw(gid))?;
    Ok(group.map(|group| group.name.into_bytes()))
}

/// What the groups are called that this process is in, as far as they have a name.
///
/// # Errors
/// Why a group's name could not be had: then nobody knows which groups they are. In words.
pub fn groups() -> Result<Vec<Vec<u8>>, &'static str> {
    let mut gids = getgroups().map_err(Errno::desc)?;
    let own = getegid();
    if !gids.contains(&own) {
        gids.push(own);
    }
    let mut names = Vec::new();
    for gid in gids {
        match group_by_gid(gid.as_raw()).map_err(Errno::desc)? {
            Some(name) => names.push(name),
            None => files::are_final(b"group:", "/etc/group")?,
        }
    }
    Ok(names)
}

/// Whether a user is called `name`.
///
/// # Errors
/// Why nobody could be asked.
pub fn is_user(name: &[u8]) -> nix::Result<bool> {
    Ok(user_by_name(name)?.is_some())
}

/// Whether a group is called `name`.
///
/// # Errors
/// Why nobody could be asked.
pub fn is_group(name: &[u8]) -> nix::Result<bool> {
    if STATIC {
        return files::is_group(name);
    }
    match std::str::from_utf8(name) {
        Ok(name) => Ok(Group::from_name(name)?.is_some()),
        Err(_) => Ok(false),
    }
}

/// Nobody is called so.
#[derive(Debug, thiserror::Error)]
#[error("no such user")]
pub struct NoSuchUser(pub Vec<u8>);

/// The user whose home a path begins at, if it names one.
#[must_use]
pub fn tilde_of(path: &[u8]) -> Option<&[u8]> {
    let named = path.strip_prefix(b"~")?;
    let user = named.split(|byte| *byte == b'/').next()?;
    (!user.is_empty()).then_some(user)
}

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

/// Names come from the files alone then.
const STATIC: bool = cfg!(target_feature = "crt-static");
/// A path that a manager or a user has written is shorter.
const LONGEST_PATH: usize = 1024;
