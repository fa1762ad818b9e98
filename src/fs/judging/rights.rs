//! What the kernel would say of a deed, asked before it is done: for `check` and `explain`. A session does what it is asked to, and hears it then;
//! it asks where it does not try what would be refused in any case, so that the reason is the kernel's.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{AccessFlags, access, geteuid};
use rustix::fs::{Access, AtFlags, accessat};

use super::judge::{At, Deed, Effect};
use crate::fs::Result;

/// Whether this user may list a directory of the host, and whether it may put something into it.
#[must_use]
pub fn rights(dir: &Path) -> (bool, bool) {
    let may = |what| access(dir, what).is_ok();
    (may(AccessFlags::R_OK), may(AccessFlags::W_OK))
}

impl Deed<'_> {
    /// Whether the permissions of the file system let this process do it, as far as they can be asked for.
    ///
    /// # Errors
    /// What the call would fail with: `EACCES`, `EPERM`, `EROFS`.
    pub fn is_permitted(&self) -> Result<()> {
        match self.effect {
            Effect::Look => Ok(()),
            Effect::Alias => self.may_link(),
            Effect::Read | Effect::List => self.may(Access::READ_OK),
            Effect::Content | Effect::Truncate | Effect::Resize(_) => self.may(Access::WRITE_OK),
            // The name is taken, which is found first.
            Effect::Create | Effect::CreateLink if self.exists() => Ok(()),
            Effect::Create | Effect::CreateLink | Effect::MoveTo => self.may_change_names(),
            Effect::Move | Effect::Remove | Effect::Replace => {
                self.may_change_names()?;
                self.may_take_away()
            }
            // To whom a file may be given is another question.
            Effect::Permissions | Effect::Times | Effect::Owner => self.is_owners(),
        }
    }

    fn may(&self, what: Access) -> Result<()> {
        match self.at {
            // What a link holds anybody may read.
            At::Name(..) if self.is_link() => Ok(()),
            At::Name(dir, name) => {
                let name = if name.is_empty() { b"." } else { name };
                let asked = accessat(dir, name, what, AtFlags::empty());
                asked.map_err(|errno| Errno::from_raw(errno.raw_os_error()))
            }
            At::Open(_) => Ok(()),
        }
    }

    /// Whether names may come and go in the directory.
    fn may_change_names(&self) -> Result<()> {
        let Some(dir) = self.names else {
            return Ok(());
        };
        let asked = accessat(
            dir,
            ".",
            Access::WRITE_OK | Access::EXEC_OK,
            AtFlags::empty(),
        );
        asked.map_err(|errno| Errno::from_raw(errno.raw_os_error()))
    }

    /// Whether this name may: in a sticky directory only its owner's and one's own.
    fn may_take_away(&self) -> Result<()> {
        let (Some(dir), Some(there)) = (self.names, self.there) else {
            return Ok(());
        };
        let (user, dir) = (geteuid(), fstat(dir)?);
        let sticky = Mode::from_bits_truncate(dir.st_mode).contains(Mode::S_ISVTX);
        let own = [dir.st_uid, there.st_uid].contains(&user.as_raw());
        if sticky && !own && !user.is_root() {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// As `fs.protected_hardlinks` has it, which is on by default (proc_sys_fs(5)): one's own, or a file that one may read and write.
    fn may_link(&self) -> Result<()> {
        if self.is_directory() {
            return Err(Errno::EPERM);
        }
        match self.is_owners() {
            Err(_) if !self.is_link() => {
                let both = self.may(Access::READ_OK | Access::WRITE_OK);
                both.map_err(|_| Errno::EPERM)
            }
            owned => owned,
        }
    }

    fn is_owners(&self) -> Result<()> {
        let user = geteuid();
        let own = self.there.is_none_or(|there| there.st_uid == user.as_raw());
        if own || user.is_root() {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }
}
