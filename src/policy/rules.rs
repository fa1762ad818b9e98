//! All rules together: what was asked for, and the one verdict.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;

use super::drop_box::{self, Finding};
use super::glob::Glob;
use super::ignore_setstat::Ignored;
use super::modes;
use super::own::Own;
use super::{
    Args, Invalid, append_only, deny, hide, max_file_size, no_delete, no_overwrite, reserve_free,
};
use crate::fs::{Answer, Deed, Effect, Identity, Judge, Made, Modes, Refusal, Verdict, Writing};

/// What the rules forbid, and what the session made, which some of them leave to it.
#[derive(Debug, Default)]
pub struct Rules {
    no_overwrite: bool,
    no_delete: bool,
    append_only: bool,
    drop_box: bool,
    hide: Vec<Glob>,
    deny: Vec<Glob>,
    /// Whether files take their place when they are closed.
    pub atomic_upload: bool,
    /// The modes of what is created.
    pub modes: Modes,
    ignored: Ignored,
    max_file_size: Option<u64>,
    reserve_free: Option<u64>,
    own: Own,
}

impl Rules {
    /// Those that the flags ask for.
    ///
    /// # Errors
    /// The first flag whose value makes no sense.
    pub fn new(args: &Args) -> Result<Self, Invalid> {
        Ok(Self {
            no_overwrite: args.no_overwrite.no_overwrite,
            no_delete: args.no_delete.no_delete,
            append_only: args.append_only.append_only,
            drop_box: args.drop_box.drop_box,
            hide: globs("--hide", &args.hide.hide)?,
            deny: globs("--deny", &args.deny.deny)?,
            modes: modes::read(&args.modes, args.keep_setuid.keep_setuid)?,
            ignored: Ignored::new(&args.ignore_setstat)?,
            atomic_upload: args.atomic_upload.atomic_upload,
            max_file_size: args.max_file_size.limit()?,
            reserve_free: args.reserve_free.limit()?,
            own: Own::default(),
        })
    }

    /// Whether any of them has a say. Without one nobody is asked.
    #[must_use]
    pub fn judge_anything(&self) -> bool {
        let Self {
            no_overwrite,
            no_delete,
            append_only,
            drop_box,
            hide,
            deny,
            modes,
            ignored,
            atomic_upload,
            max_file_size,
            reserve_free,
            own: _,
        } = self;
        *no_overwrite
            || *no_delete
            || *append_only
            || *drop_box
            || !hide.is_empty()
            || !deny.is_empty()
            || modes.file.is_some()
            || modes.dir.is_some()
            || ignored.any()
            || *atomic_upload
            || max_file_size.is_some()
            || reserve_free.is_some()
    }

    /// Whether what may be written depends on what else is.
    #[must_use]
    pub fn reserves(&self) -> bool {
        self.reserve_free.is_some()
    }

    /// The flag by which this is answered and not done.
    #[must_use]
    pub fn leaves(&self, deed: &Deed<'_>) -> Option<&'static str> {
        match deed.is_directory() {
            _ if self.ignored.leaves(deed) => Some("--ignore-setstat"),
            _ if !modes::leaves(self.modes, deed) => None,
            true => Some("--dir-mode"),
            false => Some("--file-mode"),
        }
    }

    /// Whether it matters who made an object.
    fn goes_by_own(&self) -> bool {
        self.no_delete || self.append_only || self.drop_box
    }

    /// The first rule that forbids any of this, in the order of the manual's table.
    fn forbid(&self, deeds: &[Deed<'_>]) -> Answer<()> {
        let refuse = |flag| Err(Refusal::Forbidden(flag).into());
        let any = |forbids: &dyn Fn(&Deed<'_>) -> bool| deeds.iter().any(forbids);
        let finds = |deed| drop_box::judge(deed, &self.own);
        let mut findings = deeds.iter().filter(|_| self.drop_box).map(finds);
        let box_finds = findings.find(|finding| *finding != Finding::Nothing);
        // Before any word that would tell that there is something.
        if box_finds == Some(Finding::Absent) {
            return Err(Errno::ENOENT.into());
        }
        if self.no_overwrite && any(&no_overwrite::forbids) {
            return refuse("--no-overwrite");
        }
        if self.no_delete && any(&|deed| no_delete::forbids(deed, &self.own)) {
            return refuse("--no-delete");
        }
        if self.append_only && any(&|deed| append_only::forbids(deed, &self.own)) {
            return refuse("--append-only");
        }
        if box_finds == Some(Finding::Refused) {
            return refuse("--drop-box");
        }
        if any(&|deed| hide::forbids(&self.hide, deed)) {
            return refuse("--hide");
        }
        if any(&|deed| deny::forbids(&self.deny, deed)) {
            return refuse("--deny");
        }
        if let Some(limit) = self.max_file_size {
            if any(&|deed| max_file_size::forbids(limit, deed)) {
                return Err(TOO_LARGE.into());
            }
        }
        if let Some(reserve) = self.reserve_free {
            if any(&|deed| reserve_free::forbids(reserve, deed)) {
                return Err(NO_SPACE.into());
            }
        }
        Ok(())
    }
}

impl Judge for Rules {
    fn judge(&self, deeds: &[Deed<'_>]) -> Answer<Verdict> {
        self.forbid(deeds)?;
        let left = deeds.iter().any(|deed| self.leaves(deed).is_some());
        // Where files only grow, to set the size that a file has would cut off what another process appends meanwhile.
        let idle = |deed: &Deed<'_>| match deed.effect {
            Effect::Resize(size) => deed.size() == Some(size),
            _ => false,
        };
        Ok(if left || deeds.iter().any(idle) {
            Verdict::Leave
        } else {
            Verdict::Go
        })
    }

    fn pass(&self, path: &[u8], link: bool) -> Answer<()> {
        if hide::hides(&self.hide, path) {
            return Err(Errno::ENOENT.into());
        }
        if link && hide::hides(&self.deny, path) {
            return Err(Refusal::Forbidden("--deny").into());
        }
        Ok(())
    }

    fn lists(&self, path: &[u8], identity: &dyn Fn() -> Option<Identity>) -> bool {
        if hide::hides(&self.hide, path) {
            return false;
        }
        !self.drop_box || identity().is_some_and(|object| self.own.is(object))
    }

    fn conceals(&self) -> bool {
        self.drop_box || !self.hide.is_empty()
    }

    fn confines(&self) -> bool {
        let keeps = self.no_overwrite || self.no_delete || self.append_only;
        keeps || self.drop_box || !self.hide.is_empty() || !self.deny.is_empty()
    }

    fn shows_only_own(&self) -> bool {
        self.drop_box
    }

    fn write(&self, writing: &Writing, free: &dyn Fn() -> Option<u64>) -> Answer<()> {
        if self.append_only && append_only::forbids_writing(writing) {
            return Err(Refusal::Forbidden("--append-only").into());
        }
        if let Some(limit) = self.max_file_size {
            if max_file_size::forbids_writing(limit, writing) {
                return Err(TOO_LARGE.into());
            }
        }
        if let Some(reserve) = self.reserve_free {
            if reserve_free::forbids_writing(reserve, writing, free) {
                return Err(NO_SPACE.into());
            }
        }
        Ok(())
    }

    fn longest(&self) -> Option<u64> {
        self.max_file_size
    }

    fn reserve(&self) -> u64 {
        self.reserve_free.unwrap_or_default()
    }

    fn appends_only(&self) -> bool {
        self.append_only
    }

    fn goes_by_object(&self, deeds: &[Deed<'_>]) -> bool {
        let own = self.goes_by_own();
        deeds.iter().any(|deed| {
            let ends_a_name =
                matches!(deed.effect, Effect::Remove | Effect::Move | Effect::Replace);
            own && ends_a_name
                || hide::forbids_directories(&self.hide, deed)
                || hide::forbids_directories(&self.deny, deed)
        })
    }

    fn gone(&self, object: Identity) {
        self.own.remove(object);
    }

    fn made(&self, object: Made) {
        self.own.add(object);
    }

    fn keeps(&self) -> usize {
        match self.goes_by_own() {
            true => self.own.most_kept(),
            false => 0,
        }
    }

    fn owns(&self, object: Identity) -> bool {
        self.own.is(object)
    }

    fn replaced(&self, object: Made, old: Option<Identity>) {
        if old.is_some_and(|old| self.own.is(old)) {
            self.own.add(object);
        } else {
            self.own.remove(object.identity);
        }
        // It had one name.
        if let Some(old) = old {
            self.own.remove(old);
        }
    }
}

fn globs(flag: &'static str, typed: &[OsString]) -> Result<Vec<Glob>, Invalid> {
    let read = |text: &OsString| {
        let glob = Glob::new(text.as_bytes());
        glob.map_err(|why| Invalid::new(flag, &text.to_string_lossy(), why))
    };
    typed.iter().map(read).collect()
}

const TOO_LARGE: Refusal = Refusal::Limit(Errno::EFBIG, "--max-file-size");
const NO_SPACE: Refusal = Refusal::Limit(Errno::ENOSPC, "--reserve-free");
