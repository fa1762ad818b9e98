//! What this session made: objects, whatever becomes of their names.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::fs::{Deed, Identity};

/// The objects that the session made, the last ones where they are too many.
#[derive(Debug, Default)]
pub struct Own(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    known: HashSet<Identity>,
    /// The oldest first.
    order: VecDeque<Identity>,
}

impl Own {
    /// Takes note of an object that the session has made.
    pub fn add(&self, made: Identity) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if own.known.insert(made) {
            own.order.push_back(made);
        }
        if own.order.len() > MOST {
            if let Some(oldest) = own.order.pop_front() {
                own.known.remove(&oldest);
            }
        }
    }

    /// The session has made it, and put it in the place of another's.
    pub fn remove(&self, object: Identity) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.known.remove(&object);
    }

    /// Whether the object of a deed is one of them.
    #[must_use]
    pub fn has(&self, deed: &Deed<'_>) -> bool {
        deed.identity().is_some_and(|object| self.is(object))
    }

    /// Whether this object is one of them.
    #[must_use]
    pub fn is(&self, object: Identity) -> bool {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.known.contains(&object)
    }
}

/// What a session made before these counts as foreign: that forbids more, never less.
const MOST: usize = 100_000;
