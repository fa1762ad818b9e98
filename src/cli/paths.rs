//! Directories on the command line: `~`, tokens, and what `--root` and `--bind` are made of.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::{Error, Jail};
use crate::fs::Bind;
use crate::identity::{self, Login};

/// `-d`: a path in the client's view.
pub(super) fn start_directory(typed: &OsStr, login: &Login) -> Result<PathBuf, Error> {
    expand(typed.as_bytes(), login).map_err(|why| Error::StartDirectory {
        path: typed.to_string_lossy().into_owned(),
        why,
    })
}

/// `--config`: a path of the host.
pub(super) fn config(typed: &OsStr, login: &Login) -> Result<PathBuf, Error> {
    let path = match typed.as_bytes() {
        b"" => Err("it names no file"),
        bytes => expand(bytes, login),
    };
    path.map_err(|why| Error::Config {
        path: typed.to_string_lossy().into_owned(),
        why,
    })
}

/// `--root` and `--bind`.
pub(super) fn jail(
    root: Option<OsString>,
    binds: Vec<OsString>,
    protect: bool,
    login: &Login,
) -> Result<Option<Jail>, Error> {
    let Some(root) = root else {
        return match binds.is_empty() {
            true => Ok(None),
            false => Err(Error::BindWithoutRoot),
        };
    };
    let (root, read_only) = directory("--root", &root, root.as_bytes(), login)?;
    let binds = binds.iter().map(|typed| bind(typed, login));
    Ok(Some(Jail {
        root,
        read_only,
        binds: binds.collect::<Result<_, _>>()?,
        protect,
        config: None,
    }))
}

fn bind(typed: &OsStr, login: &Login) -> Result<Bind, Error> {
    let error = |why| Error::Jail {
        flag: "--bind",
        value: typed.to_string_lossy().into_owned(),
        why,
    };
    let bytes = typed.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=');
    let equals = equals.ok_or_else(|| error("it is written VIRTUAL=DIR or VIRTUAL=DIR:ro"))?;
    let (at, dir) = bytes.split_at(equals);
    if !at.starts_with(b"/") {
        return Err(error("the place in the view begins with a slash"));
    }
    let at = tokens(at, login).map_err(error)?;
    let (dir, read_only) = directory("--bind", typed, dir.get(1..).unwrap_or_default(), login)?;
    Ok(Bind { at, dir, read_only })
}

/// A directory of the host, and whether `:ro` stands behind it.
fn directory(
    flag: &'static str,
    typed: &OsStr,
    dir: &[u8],
    login: &Login,
) -> Result<(PathBuf, bool), Error> {
    let error = |why| Error::Jail {
        flag,
        value: typed.to_string_lossy().into_owned(),
        why,
    };
    let (dir, read_only) = match dir.strip_suffix(b":ro") {
        Some(dir) => (dir, true),
        None => (dir, false),
    };
    if dir.is_empty() {
        return Err(error("it names no directory"));
    }
    Ok((expand(dir, login).map_err(error)?, read_only))
}

/// Replaces `~` or `~user` at the start, and the tokens in what follows it.
fn expand(typed: &[u8], login: &Login) -> Result<PathBuf, &'static str> {
    if !typed.starts_with(b"~") {
        return tokens(typed, login);
    }
    let slash = typed.iter().position(|byte| *byte == b'/');
    let (tilde, below) = typed.split_at(slash.unwrap_or(typed.len()));
    let home = match tilde {
        b"~" => home(login)?,
        _ => identity::expand_tilde(tilde, login.home(), identity::home_of)
            .map_err(|_| "no such user")?,
    };
    let mut path = home.into_os_string();
    path.push(tokens(below, login)?);
    Ok(path.into())
}

/// The user's home, which may become the root: `/`, as a session without a home starts there, would be the whole host.
fn home(login: &Login) -> Result<PathBuf, &'static str> {
    match login.has_home() {
        true => Ok(login.home().to_path_buf()),
        false => Err("neither passwd nor HOME says where the user's home is"),
    }
}

fn tokens(typed: &[u8], login: &Login) -> Result<PathBuf, &'static str> {
    let mut path = Vec::new();
    let mut rest = typed.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            path.push(*byte);
            continue;
        }
        match rest.next() {
            Some(b'%') => path.push(b'%'),
            Some(b'd' | b'h') => path.extend_from_slice(home(login)?.as_os_str().as_bytes()),
            // Where passwd has no name, the environment's counts: it may not lead elsewhere.
            Some(b'u') => match login.user() {
                b"" | b"." | b".." => return Err("%u is no name of a directory"),
                user if user.contains(&b'/') => return Err("%u is no name of a directory"),
                user => path.extend_from_slice(user),
            },
            Some(b'U') => path.extend_from_slice(login.uid().to_string().as_bytes()),
            Some(_) => return Err("unknown token; %d, %h, %u, %U and %% are known"),
            None => return Err("a single % at its end"),
        }
    }
    Ok(PathBuf::from(OsString::from_vec(path)))
}
