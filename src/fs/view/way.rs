//! The directories that a walk came through: few are open at once, and `..` leads back to each at little cost.
//!
//! A descriptor cannot be had by `..`, which leads to where the directory has been moved meanwhile. So a directory that was closed is opened
//! again by its name, from the nearest one above it that is still open. Open are those whose depth is a multiple of 1, 16, 256 or 4096,
//! of each kind the two deepest: whoever goes up a level opens some ten directories again on average, however deep the way is.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::step::Step;
use crate::fs::Answer;
use crate::fs::kernel::place::Dirfd;

/// Closes what is not to stay open once the last of `steps` has been opened.
pub(in crate::fs) fn close_far(steps: &mut [Step<'_>]) {
    let Some(top) = steps.len().checked_sub(1).filter(|top| *top > 0) else {
        return;
    };
    let mut grain = 1;
    while top % grain == 0 {
        // The third of its kind from here.
        if let Some(far) = top.checked_sub(2 * grain).filter(|far| !stays(*far, top)) {
            if let Some(step) = steps.get_mut(far) {
                close(step);
            }
        }
        grain *= BASE;
    }
}

/// Opens the last of `steps`, if it was closed on the way.
pub(in crate::fs) fn reopen(steps: &mut [Step<'_>]) -> Answer<()> {
    let open = steps.iter().rposition(|step| step.fd.is_some());
    let open = open.unwrap_or_default();
    let top = steps.len().saturating_sub(1);
    for index in open + 1..=top {
        let (before, step) = steps.split_at_mut(index);
        let (Some(parent), Some(step)) = (before.last_mut(), step.first_mut()) else {
            continue;
        };
        let from = parent.fd.as_ref().ok_or(Errno::ENOENT)?;
        let dir = openat(from.as_fd(), step.name.as_slice(), WAY, Mode::empty())?;
        step.fd = Some(Dirfd::Opened(dir));
        if index > open + 1 && !stays(index - 1, top) {
            close(parent);
        }
    }
    Ok(())
}

/// Whether the directory at depth `index` stays open while the walk is at depth `top`.
fn stays(index: usize, top: usize) -> bool {
    let grain = grain(index);
    index / grain + 1 >= top / grain
}

/// The largest power of the base that a depth is a multiple of.
fn grain(depth: usize) -> usize {
    let mut grain = 1;
    while depth % (grain * BASE) == 0 && grain * BASE <= depth {
        grain *= BASE;
    }
    grain
}

/// What the view holds stays open anyway.
fn close(step: &mut Step<'_>) {
    if matches!(step.fd, Some(Dirfd::Opened(_))) {
        step.fd = None;
    }
}

/// How a directory on the way is opened.
pub(in crate::fs) const WAY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
/// How many directories on the way are open at once: two of each kind, down to the depth that a walk can reach.
pub(in crate::fs) const OPEN: usize = 8;
const BASE: usize = 16;

#[cfg(test)]
mod tests {
    use super::{OPEN, stays};
    use crate::fs::view::step::MAX_STEPS;

    /// The depths that are open in a walk which goes as `way` says: down, or up; and how many were opened.
    fn walk(way: impl Iterator<Item = bool>) -> (usize, usize) {
        let (mut top, mut opened, mut most) = (0_usize, 0, 0);
        let mut open = vec![0_usize];
        for down in way {
            if down {
                top += 1;
                open.push(top);
                opened += 1;
                let mut grain = 1;
                while top % grain == 0 {
                    let far = top.checked_sub(2 * grain);
                    open.retain(|depth| Some(*depth) != far || *depth == 0 || stays(*depth, top));
                    grain *= super::BASE;
                }
            } else {
                top = top.saturating_sub(1);
                open.retain(|depth| *depth <= top);
                let from = open.last().copied().unwrap_or_default();
                opened += top - from;
                open.extend((from + 1..=top).filter(|depth| *depth == top || stays(*depth, top)));
            }
            most = most.max(open.len() - 1);
        }
        (opened, most)
    }

    #[test]
    fn whoever_goes_down_and_up_again_opens_few_directories_and_has_few_open() {
        let half = MAX_STEPS / 2;
        let straight = (0..MAX_STEPS).map(|step| step < half);
        // Up and down again and again, so many levels at a time.
        let zigzag =
            |levels: usize| (0..MAX_STEPS).map(move |step| step < half || step / levels % 2 == 1);
        for (opened, most) in [walk(straight)]
            .into_iter()
            .chain([1, 2, 15, 16, 17, 255, 256, 257, 511, 512].map(|levels| walk(zigzag(levels))))
        {
            assert!(opened <= 24 * MAX_STEPS, "{opened}");
            assert!(most <= OPEN, "{most}");
        }
    }
}
