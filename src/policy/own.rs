//! What this session made: objects, whatever becomes of their names.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fs::{Deed, Identity};

/// The objects that the session made, the last ones where they are too many.
#[derive(Debug, Default)]
pub struct Own(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    /// Each with its number.
    known: HashMap<Identity, u64>,
    /// The oldest first.
    order: BTreeMap<u64, Identity>,
    next: u64,
}

impl Own {
    /// Takes note of an object that the session has made.
    pub fn add(&self, made: Identity) {
        let mut own = self.lock();
        let number = own.next;
        if let Some(before) = own.known.insert(made, number) {
            own.order.remove(&before);
        }
        own.order.insert(number, made);
        own.next += 1;
        if own.order.len() > MOST {
            if let Some((_, oldest)) = own.order.pop_first() {
                own.known.remove(&oldest);
            }
        }
    }

    /// It is gone, or the session has put it in the place of another's.
    pub fn remove(&self, object: Identity) {
        let mut own = self.lock();
        if let Some(number) = own.known.remove(&object) {
            own.order.remove(&number);
        }
    }

    /// Whether the object of a deed is one of them.
    #[must_use]
    pub fn has(&self, deed: &Deed<'_>) -> bool {
        deed.identity().is_some_and(|object| self.is(object))
    }

    /// Whether this object is one of them.
    #[must_use]
    pub fn is(&self, object: Identity) -> bool {
        self.lock().known.contains_key(&object)
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session made before these counts as foreign: that forbids more, never less.
const MOST: usize = 100_000;
