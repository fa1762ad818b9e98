//! Names from passwd(5) and group(5) alone, for the static program, and where nobody is to be waited for; and shells(5).
//!
//! glibc would load the modules that nsswitch.conf(5) names, and into a static program it can load none: libnss_systemd
//! crashes it as soon as a uid stands in no file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::Account;

/// The first entry of passwd for which `is` holds; it is given name and uid.
///
/// # Errors
/// Why passwd cannot be read.
pub(super) fn user(is: impl Fn(&[u8], u32) -> bool) -> nix::Result<Option<Account>> {
    entry("/etc/passwd", |fields| {
        let [name, _, uid, gid, _, home, rest @ ..] = fields else {
            return None;
        };
        let (uid, gid) = (number(uid)?, number(gid)?);
        is(name, uid).then(|| Account {
            name: name.to_vec(),
            uid,
            gid,
            home: PathBuf::from(OsStr::from_bytes(home)),
            shell: super::or_sh(PathBuf::from(OsStr::from_bytes(
                rest.first().copied().unwrap_or_default(),
            ))),
            listed: true,
            unsure: None,
        })
    })
}

/// The home directories of all entries for this uid.
pub(super) fn homes_of(uid: u32) -> Vec<PathBuf> {
    let text = std::fs::read("/etc/passwd").unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    let homes = lines.filter_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [_, _, known, _, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (number(known) == Some(uid)).then(|| PathBuf::from(OsStr::from_bytes(home)))
    });
    homes.collect()
}

/// Whether the files know what there is to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Nobody else is asked.
    FilesAlone,
    /// Others are asked for whom they do not know.
    FilesFirst,
    /// Others are asked first.
    Others,
}

/// That of users, and that of groups, as nsswitch.conf(5) has it. A name service cache daemon is asked before all others.
pub(super) fn orders() -> [Order; 2] {
    if super::STATIC {
        return [Order::FilesAlone; 2];
    }
    if Path::new(NSCD).exists() {
        return [Order::Others; 2];
    }
    let text = std::fs::read("/etc/nsswitch.conf").unwrap_or_default();
    [b"passwd:".as_slice(), b"group:"].map(|database| order(&text, database))
}

/// The services of a database, and what is done between them; none where the line is missing.
fn services<'t>(text: &'t [u8], database: &[u8]) -> Option<&'t [u8]> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let services = lines.find_map(|line| line.trim_ascii_start().strip_prefix(database))?;
    services.split(|byte| *byte == b'#').next()
}

/// Whether it is certain that somebody is unknown whom the C library did not find. It asks the next service where one fails, and
/// tells of the last one's failure alone.
///
/// # Errors
/// What may have kept the name back, in words.
pub(super) fn are_final(database: &[u8], file: &str) -> Result<(), &'static str> {
    if super::STATIC {
        return Ok(());
    }
    let text = std::fs::read("/etc/nsswitch.conf").unwrap_or_default();
    let services = services(&text, database).unwrap_or(b"files");
    for service in services.split(u8::is_ascii_whitespace) {
        match service {
            b"files" | b"compat" => drop(read(file).map_err(Errno::desc)?),
            // These answer from this host alone; and a word in brackets is none.
            b"" | b"systemd" | b"mymachines" | b"altfiles" | b"extrausers" => {}
            [b'[', ..] => {}
            _ if service.ends_with(b"]") || service.contains(&b'=') => {}
            _ => return Err("a service of nsswitch.conf(5) may be away"),
        }
    }
    Ok(())
}

fn order(text: &[u8], database: &[u8]) -> Order {
    let Some(services) = services(text, database) else {
        // As the C library has it.
        return Order::FilesAlone;
    };
    let mut words = services.split(u8::is_ascii_whitespace);
    let mut next = || words.find(|word| !word.is_empty());
    match (next(), next()) {
        (Some(b"files"), None) => Order::FilesAlone,
        // What was found may be looked for further on all the same.
        (Some(b"files"), Some([b'[', ..])) if !merges(services) => Order::Others,
        (Some(b"files"), Some(_)) => Order::FilesFirst,
        _ => Order::Others,
    }
}

/// Whether the only action is to add the members of a group that others know.
fn merges(services: &[u8]) -> bool {
    let open = services.iter().filter(|byte| **byte == b'[').count();
    let services = services.to_ascii_lowercase();
    let mut words = services.split(u8::is_ascii_whitespace);
    open == 1 && words.any(|word| word == b"[success=merge]")
}

const NSCD: &str = "/var/run/nscd/socket";

/// What the group `gid` is called.
///
/// # Errors
/// Why the file of groups cannot be read.
pub(super) fn group(gid: u32) -> nix::Result<Option<Vec<u8>>> {
    entry("/etc/group", |fields| match fields {
        [name, _, number_of, ..] if number(number_of) == Some(gid) => Some(name.to_vec()),
        _ => None,
    })
}

/// Whether a group is called so.
///
/// # Errors
/// Why the file of groups cannot be read.
pub(super) fn is_group(name: &[u8]) -> nix::Result<bool> {
    let found = entry("/etc/group", |fields| {
        (fields.first() == Some(&name)).then_some(())
    });
    Ok(found?.is_some())
}

/// The groups that list a user.
///
/// # Errors
/// Why the file of groups cannot be read.
pub(super) fn groups_of(user: &[u8]) -> nix::Result<Vec<u32>> {
    let text = read("/etc/group")?;
    let lines = text.split(|byte| *byte == b'\n');
    let groups = lines.filter_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [_, _, gid, members, ..] = fields.as_slice() else {
            return None;
        };
        let mut members = members.split(|byte| *byte == b',');
        members.any(|name| name == user).then(|| number(gid))?
    });
    Ok(groups.collect())
}

/// The lines of shells(5).
pub(super) fn shells() -> Option<Vec<PathBuf>> {
    let text = std::fs::read("/etc/shells").ok()?;
    let lines = text.split(|byte| *byte == b'\n');
    let shells = lines.filter(|line| line.starts_with(b"/"));
    Some(
        shells
            .map(|line| PathBuf::from(OsStr::from_bytes(line)))
            .collect(),
    )
}

fn entry<T>(path: &str, find: impl Fn(&[&[u8]]) -> Option<T>) -> nix::Result<Option<T>> {
    let text = read(path)?;
    let mut lines = text.split(|byte| *byte == b'\n');
    Ok(lines.find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        find(&fields)
    }))
}

fn read(path: &str) -> nix::Result<Vec<u8>> {
    let failed = |error: std::io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    std::fs::read(path).map_err(failed)
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Order, order};

    #[test]
    fn the_files_are_final_where_nobody_else_is_asked_before_them() {
        for (line, known) in [
            ("", Order::FilesAlone),
            ("passwd: files", Order::FilesAlone),
            ("passwd:\tfiles # sss", Order::FilesAlone),
            ("passwd: files systemd sss", Order::FilesFirst),
            ("passwd: files [SUCCESS=merge] systemd", Order::FilesFirst),
            ("passwd: files [SUCCESS=continue] sss", Order::Others),
            ("passwd: files [ success = continue ] sss", Order::Others),
            ("passwd: sss files", Order::Others),
            ("passwd: compat", Order::Others),
            ("passwd:", Order::Others),
        ] {
            let text = format!("# passwd: nis\n{line}\ngroup: nis\n");
            assert_eq!(order(text.as_bytes(), b"passwd:"), known, "{line}");
        }
    }
}
