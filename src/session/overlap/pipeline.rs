//! What overlaps: requests that run at the same time, where nobody can see in which order they ran.
//!
//! Responses leave in the order of the requests, and the outcome is that of one request after another. So a request begins only when
//! it conflicts with none of those before it that have not been answered yet ([`Touch::conflicts`]).
//!
//! | beside                 | names looked up | reading a file | writing a file        | listing a directory | changing names |
//! |------------------------|-----------------|----------------|-----------------------|---------------------|----------------|
//! | names followed         | yes             | yes            | yes, but no attribute | yes                 | no             |
//! | names looked up        | yes             | yes            | if sent later         | yes                 | no             |
//! | reading a file         |                 | yes            | another file          | yes                 | content alone  |
//! | writing a file         | no              |                | another file or range | no                  | no             |
//! | listing a directory    |                 |                | if sent later         | another handle      | no             |
//! | changing names         |                 |                |                       |                     | no             |
//!
//! Names are followed where nothing is told of the file behind them: READLINK, REALPATH, OPENDIR, statvfs, in a jail OPEN for reading. Which file
//! it is that a name is looked up for is not known before, by links it can be any. A WRITE to a file of this host that is sent later need not wait:
//! what its file was like is kept, and told where the name leads to it ([`Pipeline::admits_past_looks`]).
//!
//! To change names frees room that a WRITE may want. CLOSE goes beside what concerns neither its handle nor, if that could write, its file or
//! any name. Files are created beside each other. Whoever asks what users are called touches no file. All else runs alone.
//!
//! What a rule says of a change may depend on all changes before it, so where there are rules each change runs alone, but for writing a file.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::lessons::Lesson;
use super::pool::Pool;
use crate::fs::FileId;
use crate::protocol::StatusCode;
use crate::session::answers::status::Status;
use crate::session::{Response, Session};

/// What a request looks at or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Anything.
    Alone,
    /// What users are called, and where they are at home: no file.
    Names,
    /// Names, and whether what they lead to may be opened; nothing that writing to a file changes.
    Follow,
    /// Names, and the attributes of what they lead to.
    Look,
    /// The content of a file.
    Read {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
    },
    /// The attributes of a file, of which one is how many names it has.
    Attributes {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
    },
    /// Names, and what they lead to.
    Change,
    /// The attributes of a file are set, its length among them.
    Set {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
    },
    /// A part of the content of a file.
    Write {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
        /// In bytes; all of it where the handle appends.
        range: Range<u64>,
    },
    /// The place in a directory up to which a handle has listed it, and the attributes of its entries.
    List {
        /// The slot of the handle.
        slot: u32,
    },
    /// A file that is made, if it is not there; otherwise it is opened when all before are answered. Where two names turn out to be one file, it
    /// is empty yet, and who made it cannot be seen: of its mode the owner has reading and writing.
    Create {
        /// Octal.
        mode: u32,
    },
    /// Two files, one of them read and all of the other written.
    Copy {
        /// The slot of the handle to read from.
        from_slot: u32,
        /// The file to read.
        from: FileId,
        /// The slot of the handle to write to.
        to_slot: u32,
        /// The file to write.
        to: FileId,
    },
    /// A handle that ends.
    Close {
        /// Its slot.
        slot: u32,
        /// The file that it could write; closing may do what writing has put off.
        written: Option<FileId>,
    },
}

impl Touch {
    /// Whether it could be seen which of the two was carried out first.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self.halves(), other.halves()) {
            (Some(halves), _) => halves.iter().any(|half| half.conflicts(other)),
            (None, Some(halves)) => halves.iter().any(|half| self.conflicts(half)),
            (None, None) => self.precludes(other) || other.precludes(self),
        }
    }

    /// Whether it changes nothing but what the client is told.
    #[must_use]
    pub fn looks(&self) -> bool {
        matches!(
            self,
            Self::Names
                | Self::Follow
                | Self::Look
                | Self::Read { .. }
                | Self::Attributes { .. }
                | Self::List { .. }
        )
    }

    /// Whether it tells attributes of what names lead to.
    #[must_use]
    pub fn tells(&self) -> bool {
        matches!(self, Self::Look | Self::List { .. })
    }

    /// A copy is a READ and a WRITE.
    fn halves(&self) -> Option<[Self; 2]> {
        let Self::Copy {
            from_slot,
            from,
            to_slot,
            to,
        } = *self
        else {
            return None;
        };
        Some([
            Self::Read {
                slot: from_slot,
                file: from,
            },
            Self::Write {
                slot: to_slot,
                file: to,
                range: 0..u64::MAX,
            },
        ])
    }

    fn slot(&self) -> Option<u32> {
        match self {
            Self::Alone
            | Self::Names
            | Self::Follow
            | Self::Look
            | Self::Change
            | Self::Create { .. }
            | Self::Copy { .. } => None,
            Self::Read { slot, .. }
            | Self::Attributes { slot, .. }
            | Self::Set { slot, .. }
            | Self::Write { slot, .. }
            | Self::List { slot }
            | Self::Close { slot, .. } => Some(*slot),
        }
    }

    /// One half of the table; the other half is its mirror.
    fn precludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Alone, _) => true,
            (Self::Names, _) | (_, Self::Names) => false,
            (Self::Create { mode }, Self::Create { mode: other }) => mode != other,
            (Self::Create { .. }, _) => true,
            (Self::Close { slot, .. }, _) if other.slot() == Some(*slot) => true,
            (Self::Change, Self::Read { .. } | Self::Close { written: None, .. }) => false,
            (Self::Change, _) => true,
            // All of its content, and whether it may be opened.
            (&Self::Set { slot, file }, other) => {
                let written = Some(file);
                *other == Self::Follow || Self::Close { slot, written }.precludes(other)
            }
            (
                Self::Close {
                    written: Some(file),
                    ..
                },
                Self::Set { file: other, .. },
            )
            | (Self::Write { file, .. }, Self::Set { file: other, .. }) => file == other,
            (
                Self::Close {
                    written: Some(_), ..
                },
                Self::Follow,
            ) => true,
            (
                Self::Write { .. }
                | Self::Close {
                    written: Some(_), ..
                },
                Self::Look | Self::List { .. },
            ) => true,
            (
                Self::Write { file, .. },
                Self::Read { file: read, .. } | Self::Attributes { file: read, .. },
            )
            | (
                Self::Close {
                    written: Some(file),
                    ..
                },
                Self::Read { file: read, .. }
                | Self::Attributes { file: read, .. }
                | Self::Write { file: read, .. },
            ) => file == read,
            (Self::Close { written, .. }, Self::Close { written: other, .. }) => {
                written.is_some() && written == other
            }
            (
                Self::Write { file, range, .. },
                Self::Write {
                    file: other,
                    range: with,
                    ..
                },
            ) => file == other && range.start < with.end && with.start < range.end,
            (Self::List { slot }, Self::List { slot: other }) => slot == other,
            _ => false,
        }
    }
}

/// The part of a request that may wait: on any thread. It leaves what is to be done with its result.
pub type Work = Box<dyn FnOnce() -> Finish + Send>;
/// The rest, in the session, when all requests before have been answered.
pub type Finish = Box<dyn FnOnce(&mut Session) -> Result<Response, Status> + Send>;

/// A request that was admitted.
pub(in crate::session) struct Request {
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
    pub(in crate::session) fn begin(&mut self, request: Request, touch: Touch, slow: bool) {
        let Request {
            id,
            lesson,
            weight,
            work,
        } = request;
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
