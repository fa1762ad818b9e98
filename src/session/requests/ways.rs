//! The two ways of a request: at once, by the session's own thread; or beside others, by any, which leaves what is to be done with its result
//! to the session. What a request does is said once, for both.
//!
//! Requests run beside others while storage is slow: what a session does on fast storage costs nothing for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use crate::fs::{Answer, Error, File, View};
use crate::protocol::Handle;
use crate::session::Session;
use crate::session::answers::response::{Finish, Later, Response, Work};
use crate::session::answers::status::Status;
use crate::session::overlap::lesson::Lesson;
use crate::session::overlap::pipeline::{Admitted, MOST};
use crate::session::overlap::touch::Touch;

/// By whom a request is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Way {
    /// By the session, at once.
    Here,
    /// By whichever thread, beside others. What it was admitted for is touched until the answer is ready.
    Beside,
}

/// A request that was begun: what is left to be done of it, or its answer.
pub(super) fn admitted(
    id: u32,
    lesson: Lesson,
    weight: usize,
    result: Result<Response, Status>,
) -> Admitted {
    match result {
        Ok(Response::Later(Later(work))) => Admitted {
            id,
            lesson,
            weight,
            work,
        },
        result => Admitted {
            id,
            lesson,
            weight: 0,
            work: Box::new(move || finish(|_| result)),
        },
    }
}

/// What is left to the session when the work is done.
pub(in crate::session) fn finish<F>(finish: F) -> Finish
where
    F: FnOnce(&mut Session) -> Result<Response, Status> + Send + 'static,
{
    Box::new(finish)
}

/// Whether a request failed only because others had taken the last descriptors: alone it would not have.
pub(super) fn lacks_descriptors<T>(result: &Answer<T>) -> bool {
    matches!(result, Err(Error::Kernel(Errno::EMFILE | Errno::ENFILE)))
}

impl Session {
    /// What needs nothing but the view. Done twice, where descriptors lacked, it does what it does once.
    pub(super) fn with_view<F>(&self, way: Way, act: F) -> Result<Response, Status>
    where
        F: Fn(&View) -> Answer<Response> + Send + 'static,
    {
        match way {
            Way::Beside => Ok(Response::Later(Later(self.with_view_beside(act)))),
            Way::Here => match act(&self.view) {
                Err(Error::Long) => Ok(Response::Later(Later(self.with_view_beside(act)))),
                result => Ok(result?),
            },
        }
    }

    fn with_view_beside<F>(&self, act: F) -> Work
    where
        F: Fn(&View) -> Answer<Response> + Send + 'static,
    {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            let result = act(&view);
            finish(move |session| match result {
                Err(Error::Long) => session.with_view(Way::Beside, act),
                result if lacks_descriptors(&result) => session.with_view(Way::Here, act),
                result => Ok(result?),
            })
        })
    }

    /// The same, here, of a path that may lead to where requests wait.
    pub(super) fn with_path(
        &self,
        path: PathBuf,
        act: fn(&View, &Path) -> Answer<Response>,
    ) -> Result<Response, Status> {
        let far = self.view.has_remote() == Some(true) && !self.view.is_near(&path);
        let way = if far { Way::Beside } else { Way::Here };
        self.with_view(way, move |view| act(view, &path))
    }

    /// What needs nothing but an open file.
    pub(super) fn with_file<F>(&self, way: Way, handle: Handle, act: F) -> Result<Response, Status>
    where
        F: FnOnce(&File) -> Answer<Response> + Send + 'static,
    {
        let file = self.handles.shared_file(handle);
        let file = file.ok_or_else(Status::bad_handle)?;
        match way {
            Way::Here => Ok(act(file)?),
            Way::Beside => {
                let file = Arc::clone(file);
                Ok(Response::later(move || {
                    let result = act(&file);
                    // Before the handle can be closed.
                    drop(file);
                    finish(move |_| Ok(result?))
                }))
            }
        }
    }

    /// What the session does itself, when all requests before have been answered.
    pub(super) fn in_turn<F>(&mut self, way: Way, act: F) -> Result<Response, Status>
    where
        F: FnOnce(&mut Session) -> Result<Response, Status> + Send + 'static,
    {
        match way {
            Way::Here => act(self),
            Way::Beside => Ok(Response::later(move || finish(act))),
        }
    }

    /// What a request touches that looks at the content of the file behind `handle`.
    pub(in crate::session) fn touches_content(&self, handle: Handle) -> Option<Touch> {
        let (slot, open) = self.handles.open_file(handle)?;
        let file = open.file.id();
        Some(Touch::Read { slot, file })
    }

    /// The same of its attributes.
    pub(in crate::session) fn touches_attributes(&self, handle: Handle) -> Option<Touch> {
        let (slot, open) = self.handles.open_file(handle)?;
        let file = open.file.id();
        Some(Touch::Attributes { slot, file })
    }

    /// Whether there are descriptors for what requests under way may still open, for a moment or for the client.
    pub(in crate::session) fn has_room(&mut self) -> bool {
        self.handles.room() > MOST
    }
}
