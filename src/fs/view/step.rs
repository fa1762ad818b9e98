//! A directory on the way of a walk.

use std::os::fd::AsFd;

use super::jail::{Jail, Start};
use crate::fs::kernel::place::Dirfd;

/// A directory on the way.
#[derive(Debug)]
pub(in crate::fs) struct Step<'v> {
    /// None where too many were open: it is opened again by its name when `..` leads back to it.
    pub(in crate::fs) fd: Option<Dirfd<'v>>,
    pub(in crate::fs) tree: usize,
    /// Its name in the step before; empty for the root.
    pub(in crate::fs) name: Vec<u8>,
}

impl<'v> Step<'v> {
    pub(in crate::fs) fn root(jail: &'v Jail) -> Self {
        Self::into_tree(jail, 0, Vec::new())
    }

    /// Into the tree bound at `name`.
    pub(in crate::fs) fn into_tree(jail: &'v Jail, tree: usize, name: Vec<u8>) -> Self {
        Self {
            fd: jail.tree_fd(tree).map(Dirfd::Held),
            tree,
            name,
        }
    }
}

impl Start {
    pub(in crate::fs) fn step<'v>(&'v self, jail: &'v Jail) -> Step<'v> {
        let held = self.fd.as_ref().map(AsFd::as_fd);
        Step {
            fd: held.or(jail.tree_fd(self.tree)).map(Dirfd::Held),
            tree: self.tree,
            name: self.name.clone(),
        }
    }
}

/// The path in the view of the last of some steps; empty for the root.
pub(in crate::fs) fn join(steps: &[Step<'_>]) -> Vec<u8> {
    let mut path = Vec::new();
    for step in steps.iter().skip(1) {
        path.push(b'/');
        path.extend_from_slice(&step.name);
    }
    path
}

/// limits.h; a path has one byte less, for its NUL.
pub(in crate::fs) const PATH_MAX: usize = 4096;
/// So many components are walked at most, those of links among them.
pub(in crate::fs) const MAX_STEPS: usize = 8192;
