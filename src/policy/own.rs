//! What this session made: objects, whatever becomes of their names.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, getrlimit};

use crate::fs::{Deed, Identity, Kept, Made};

/// The objects that the session made, the last ones where they are too many.
#[derive(Debug)]
pub struct Own {
    known: Mutex<Known>,
    /// How many are kept by descriptors.
    most_kept: usize,
}

impl Default for Own {
    fn default() -> Self {
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
        let share = usize::try_from(descriptors / SHARE);
        Self {
            known: Mutex::default(),
            most_kept: share.map_or(MOST_KEPT, |share| share.min(MOST_KEPT)),
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    objects: HashMap<Identity, Object>,
    /// The oldest first.
    order: BTreeMap<u64, Identity>,
    /// The same of those that are kept by descriptors.
    kept: BTreeMap<u64, Identity>,
    next: u64,
}

#[derive(Debug)]
struct Object {
    number: u64,
    kept: Option<Arc<Kept>>,
}

impl Known {
    fn remove(&mut self, object: Identity) {
        if let Some(known) = self.objects.remove(&object) {
            self.order.remove(&known.number);
            self.kept.remove(&known.number);
        }
    }

    /// Forgets what is past the bounds.
    fn shrink(&mut self, most_kept: usize) {
        while self.order.len() > MOST {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            self.remove(*oldest);
        }
        while self.kept.len() > most_kept {
            let Some((_, oldest)) = self.kept.first_key_value() else {
                break;
            };
            self.remove(*oldest);
        }
    }
}

impl Own {
    /// How many objects are kept by descriptors, where nothing else tells them from what comes after them. An eighth of what the process may
    /// have open at most.
    #[must_use]
    pub fn most_kept(&self) -> usize {
        self.most_kept
    }

    /// Takes note of an object that the session has made. One that could not be kept, where it has to be, is not known again.
    pub fn add(&self, made: Made) {
        let mut own = self.lock();
        own.remove(made.identity);
        if made.kept.is_none() && !made.identity.is_certain() {
            return;
        }
        let number = own.next;
        own.next += 1;
        own.order.insert(number, made.identity);
        if made.kept.is_some() {
            own.kept.insert(number, made.identity);
        }
        let kept = made.kept.map(Arc::new);
        own.objects.insert(made.identity, Object { number, kept });
        own.shrink(self.most_kept);
    }

    /// It is gone, or the session has put it in the place of another's.
    pub fn remove(&self, object: Identity) {
        self.lock().remove(object);
    }

    /// Whether the object of a deed is one of them.
    #[must_use]
    pub fn has(&self, deed: &Deed<'_>) -> bool {
        deed.identity().is_some_and(|object| self.is(object))
    }

    /// Whether this object is one of them. One that is kept is asked whether it is still there: another may have its number by now.
    #[must_use]
    pub fn is(&self, object: Identity) -> bool {
        let kept = match self.lock().objects.get(&object) {
            None => return false,
            Some(known) => known.kept.clone(),
        };
        kept.is_none_or(|kept| {
            let stands = kept.stands();
            if !stands {
                self.remove(object);
            }
            stands
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session made before these counts as foreign: that forbids more, never less.
const MOST: usize = 100_000;
/// The same of what is kept by descriptors.
const MOST_KEPT: usize = 128;
const SHARE: u64 = 8;
