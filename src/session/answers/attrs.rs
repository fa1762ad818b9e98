//! ATTRS: what the kernel tells of a file, and what a client changes of it.

use crate::fs::{Answer, Error, FileStat};
use crate::log::{self, Event, Level};
use crate::protocol::Attrs;
use crate::session::answers::response::Response;

/// The attributes of version 3. Times that its 32 bits cannot hold are clamped.
#[must_use]
pub fn from_stat(stat: &FileStat) -> Attrs {
    Attrs {
        size: Some(stat.st_size as u64),
        owner: Some((stat.st_uid, stat.st_gid)),
        permissions: Some(stat.st_mode),
        times: Some((clamp(stat.st_atime), clamp(stat.st_mtime))),
        extended: Vec::new(),
    }
}

/// One of the changes that SETSTAT and its like make.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Bytes.
    Size(u64),
    /// Mode, octal.
    Permissions(u32),
    /// Seconds since the Epoch.
    Times(u32, u32),
    /// Uid and gid.
    Owner(u32, u32),
}

/// The log lines of the changes that `attrs` asks for.
pub fn log_changes(path: &[u8], attrs: &Attrs) {
    let path = || path.to_vec();
    if let Some(size) = attrs.size {
        log::emit(Level::Info, || Event::SetSize { path: path(), size });
    }
    if let Some(mode) = attrs.permissions {
        log::emit(Level::Info, || Event::SetMode { path: path(), mode });
    }
    if let Some((_, mtime)) = attrs.times {
        log::emit(Level::Info, || Event::SetModtime {
            path: path(),
            mtime,
        });
    }
    if let Some((uid, gid)) = attrs.owner {
        log::emit(Level::Info, || Event::SetOwner {
            path: path(),
            uid,
            gid,
        });
    }
}

/// Makes the changes that `attrs` asks for, in the order size, permissions, times, owner; goes on after a failure and reports the first one.
///
/// # Errors
/// The first failure.
pub fn set(attrs: &Attrs, apply: impl FnMut(Change) -> Answer<()>) -> Answer<Response> {
    let times = attrs.times;
    let changes = [
        attrs.size.map(Change::Size),
        attrs.permissions.map(Change::Permissions),
        times.map(|(atime, mtime)| Change::Times(atime, mtime)),
        attrs.owner.map(|(uid, gid)| Change::Owner(uid, gid)),
    ];
    // Each is made, whatever became of those before it. Where one takes long, all are made again.
    let made: Vec<_> = changes.into_iter().flatten().map(apply).collect();
    if made.contains(&Err(Error::Long)) {
        return Err(Error::Long);
    }
    made.into_iter().collect::<Answer<()>>()?;
    Ok(Response::Ok)
}

fn clamp(seconds: i64) -> u32 {
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::clamp;

    #[test]
    fn times_are_clamped_not_wrapped() {
        assert_eq!(clamp(-1), 0);
        assert_eq!(clamp(i64::from(u32::MAX) + 1), u32::MAX);
        assert_eq!(clamp(1_000_000_000), 1_000_000_000);
    }
}
