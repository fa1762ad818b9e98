//! What the session made, where a new name makes it another object for all that its number tells.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::judge::Judge;
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::linked::Arrived;
use crate::fs::kernel::made::Made;

/// An object that the session made, and that a new name may make another one for all that its number tells.
#[derive(Clone, Copy)]
pub(in crate::fs) struct OwnMade<'j> {
    judge: &'j Arc<dyn Judge>,
    identity: Identity,
}

impl<'j> OwnMade<'j> {
    /// None of what is known anyway, and of what the session did not make. To be asked before it loses a name, by which it may be known.
    pub(in crate::fs) fn of(
        judge: Option<&'j Arc<dyn Judge>>,
        file: BorrowedFd<'_>,
    ) -> Option<Self> {
        let judge = judge.filter(|judge| judge.keeps() > 0)?;
        let identity = Identity::of(file)?;
        (!identity.is_certain() && judge.owns(identity)).then_some(Self { judge, identity })
    }

    /// Has the judge know it by what it is now.
    pub(in crate::fs) fn is_now(self, arrived: Arrived) {
        self.judge.gone(self.identity);
        if let Arrived::Itself(file) = arrived {
            if let Some(made) = Made::of(file) {
                self.judge.made(made);
            }
        }
    }
}
