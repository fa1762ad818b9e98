//! What overlaps: requests that run at the same time, where nobody can see in which order they ran.
//!
//! Responses leave in the order of the requests, and the outcome is that of one request after another. So a request begins only when
//! it conflicts with none of those before it that have not been answered yet ([`Touch::conflicts`]).
//!
//! What a rule says of a change may depend on all changes before it, so where there are rules each change runs alone, but for writing a file.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::oneshot::{self};

use super::lesson::Lesson;
use super::pool::Pool;
use super::touch::Touch;
use crate::protocol::StatusCode;
use crate::session::Session;
use crate::session::answers::response::{Finish, Work};
use crate::session::answers::status::Status;

/// A request that was admitted.
pub(in crate::session) struct Admitted {
    /// For the response.
    pub(in crate::session) id: u32,
    /// What can be learned from it.
    pub(in crate::session) lesson: Lesson,
    /// Bytes that it holds or will hold.
    pub(in crate::session) weight: usize,
    /// What is to be done.
    pub(in crate::session) work: Work,
}

/// Requests that have begun and are not answered yet, in their order.
#[derive(Default)]
pub struct Pipeline {
    begun: VecDeque<Begun>,
    /// Bytes that they hold or will hold.
    weight: usize,
    /// Those that were forgotten and are under way, as far as they use a handle.
    left: Vec<Left>,
    pool: Pool,
}

type Running = oneshot::Receiver<(Finish, Duration)>;

/// One of them.
struct Begun {
    id: u32,
    lesson: Lesson,
    touch: Touch,
    weight: usize,
    state: State,
}

/// A request that is not to be answered any more.
struct Left {
    /// That of its handle.
    slot: u32,
    running: Running,
}

enum State {
    Done(Finish, Duration),
    Running(Running),
}

/// One that can be answered.
pub(in crate::session) struct Done {
    /// Of the request.
    pub(in crate::session) id: u32,
    /// What can be learned from it.
    pub(in crate::session) lesson: Lesson,
    /// What it touches.
    pub(in crate::session) touch: Touch,
    /// What its work has taken.
    pub(in crate::session) took: Duration,
    /// What is left to do.
    pub(in crate::session) finish: Finish,
}

impl Pipeline {
    /// Whether no request is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// Whether a request that touches this may begin beside those under way.
    #[must_use]
    pub fn admits(&self, touch: &Touch) -> bool {
        self.has_room() && !self.begun.iter().any(|begun| begun.touch.conflicts(touch))
    }

    /// The same of a WRITE that need not wait for what only looks.
    #[must_use]
    pub fn admits_past_looks(&self, touch: &Touch) -> bool {
        let begun = self.begun.iter().map(|begun| &begun.touch);
        self.has_room()
            && !begun
                .filter(|begun| !begun.tells())
                .any(|begun| begun.conflicts(touch))
    }

    /// Whether one is under way that tells attributes of names.
    pub(in crate::session) fn tells(&self) -> bool {
        self.begun.iter().any(|begun| begun.touch.tells())
    }

    fn has_room(&self) -> bool {
        self.begun.len() < MOST && self.weight < MOST_BYTES
    }

    /// Forgets those under way that change nothing: nobody will read an answer. Whether none is under way then.
    pub(in crate::session) fn abandon(&mut self) -> bool {
        for begun in std::mem::take(&mut self.begun) {
            if !begun.touch.looks() {
                self.begun.push_back(begun);
                continue;
            }
            self.weight -= begun.weight;
            if let (Some(slot), State::Running(running)) = (begun.touch.slot(), begun.state) {
                self.left.push(Left { slot, running });
            }
        }
        self.is_empty()
    }

    /// Whether one that was forgotten still uses the handle in this slot.
    pub(in crate::session) fn still_uses(&mut self, slot: u32) -> bool {
        self.left
            .retain_mut(|left| matches!(left.running.try_recv(), Err(TryRecvError::Empty)));
        self.left.iter().any(|left| left.slot == slot)
    }

    /// Begins a request that was admitted: by a thread of the pool where `slow`, otherwise at once.
    pub(in crate::session) fn begin(&mut self, admitted: Admitted, touch: Touch, slow: bool) {
        let Admitted {
            id,
            lesson,
            weight,
            work,
        } = admitted;
        let state = if slow {
            self.start(work)
        } else {
            State::of(work)
        };
        self.weight += weight;
        self.begun.push_back(Begun {
            id,
            lesson,
            touch,
            weight,
            state,
        });
    }

    fn start(&mut self, work: Work) -> State {
        let (sender, receiver) = oneshot::channel();
        let task = Box::new(move || {
            let begun = Instant::now();
            let finish = work();
            // Nobody waits for it any more where the session has ended.
            let _ = sender.send((finish, begun.elapsed()));
        });
        match self.pool.run(task) {
            Ok(()) => {}
            Err(task) => crate::fs::patiently(task),
        }
        State::Running(receiver)
    }

    /// Drops what no thread is at; it fails.
    pub(in crate::session) fn begin_nothing_more(&mut self) {
        self.pool.shut();
    }

    /// Waits until the first request can be answered; where none is to be answered, until one that was forgotten is done, if there is one.
    pub async fn first(&mut self) {
        let Some(first) = self.begun.front_mut() else {
            return poll_fn(|context| self.poll_left(context)).await;
        };
        if let State::Running(receiver) = &mut first.state {
            let (finish, took) = receiver.await.unwrap_or_else(|_| lost());
            first.state = State::Done(finish, took);
        }
    }

    fn poll_left(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let before = self.left.len();
        self.left
            .retain_mut(|left| Pin::new(&mut left.running).poll(context).is_pending());
        match self.left.len() == before && before > 0 {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    /// The first request, if it can be answered.
    pub(in crate::session) fn ready(&mut self) -> Option<Done> {
        let first = self.begun.front_mut()?;
        if let State::Running(receiver) = &mut first.state {
            let (finish, took) = match receiver.try_recv() {
                Ok(result) => result,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Closed) => lost(),
            };
            first.state = State::Done(finish, took);
        }
        let first = self.begun.pop_front()?;
        self.weight -= first.weight;
        let State::Done(finish, took) = first.state else {
            return None;
        };
        Some(Done {
            id: first.id,
            lesson: first.lesson,
            touch: first.touch,
            took,
            finish,
        })
    }

    /// Goes on with the request that was the first.
    pub(in crate::session) fn go_on(&mut self, id: u32, lesson: Lesson, touch: Touch, work: Work) {
        let state = self.start(work);
        self.begun.push_front(Begun {
            id,
            lesson,
            touch,
            weight: 0,
            state,
        });
    }
}

impl State {
    fn of(work: Work) -> Self {
        let begun = Instant::now();
        let finish = work();
        Self::Done(finish, begun.elapsed())
    }
}

/// What stands for a result that never came: the thread has panicked, or the request was dropped.
fn lost() -> (Finish, Duration) {
    let finish = Box::new(|_: &mut Session| Err(Status::new(StatusCode::Failure)));
    (finish, Duration::ZERO)
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begun = self.begun.iter().map(|begun| (begun.id, &begun.touch));
        f.debug_map().entries(begun).finish()
    }
}

/// So many requests are under way at most.
pub const MOST: usize = 256;
/// In bytes: what they may hold of content.
const MOST_BYTES: usize = 2 * 1024 * 1024;
