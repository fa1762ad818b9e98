//! The work of requests that run beside others, in a form that any thread can do, and what is left to the session.
//!
//! They are the same requests as in [`super::dispatch`] and [`super::transfer`], where each runs at once. They come here while storage is slow:
//! what a session does on fast storage costs nothing for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use nix::errno::Errno;

use super::copy;
use super::copy_file::{self, COPY_FILE};
use super::dispatch::{self, REQUESTS, Run};
use super::extended::{self, COPY_DATA, FSTATVFS, FSYNC};
use super::transfer::{self, Asked};
use crate::fs::{Answer, Error, File, Follow, View};
use crate::log;
use crate::protocol::{
    Handle, MAX_NAMES, Malformed, Packet, Payload, Read, StatusCode, WirePath, kind, request_id,
};
use crate::session::answers::status::Status;
use crate::session::handles::{Entry, OpenFile};
use crate::session::overlap::later::Later;
use crate::session::overlap::lessons::extension;
use crate::session::overlap::pipeline::{Finish, Request, Work};
use crate::session::{Response, Session};

impl Session {
    /// Begins the request in `packet`, which touches what it was admitted for: this may still answer it without any work.
    pub(in crate::session) fn begin(&mut self, packet: &Packet<'_>) -> Request {
        let lesson = self.lesson(packet);
        let (Some(kind), Ok((id, payload))) = (packet.kind, request_id(packet.body)) else {
            return Request {
                id: 0,
                lesson,
                weight: 0,
                work: done(Err(Malformed.into())),
            };
        };
        let request = REQUESTS.iter().find(|request| request.kind == kind);
        let operation = match request {
            Some(request) => Some(request.operation),
            None => extension(payload).map(|(extension, _)| extension.operation),
        };
        let permitted = operation.map_or(Ok(()), |operation| self.policy.permit(operation));
        let work = match in_turn(packet) {
            Some(work) => Ok((work, 0)),
            None => permitted
                .map_err(Status::from)
                .and_then(|()| self.work(kind, id, payload)),
        };
        let (work, weight) = work.unwrap_or_else(|status| (done(Err(status)), 0));
        Request {
            id,
            lesson,
            weight,
            work,
        }
    }

    fn work(&mut self, kind: u8, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let weightless = |work| Ok((work, 0));
        match kind {
            kind::STAT => {
                let path = dispatch::asked_stat(id, payload)?;
                weightless(self.look(dispatch::stat_of(path, Follow::Yes)))
            }
            kind::LSTAT => {
                let path = dispatch::asked_lstat(id, payload)?;
                weightless(self.look(dispatch::stat_of(path, Follow::No)))
            }
            kind::READLINK => {
                let path = dispatch::asked_readlink(id, payload)?;
                weightless(self.look(dispatch::target_of(path)))
            }
            kind::REALPATH => {
                let path = dispatch::asked_realpath(id, payload)?;
                weightless(self.look(dispatch::canonical_of(path)))
            }
            kind::OPENDIR => {
                let path = dispatch::asked_opendir(id, payload)?;
                self.handles.check_room()?;
                self.handles.begin_opening();
                weightless(self.opendir(path))
            }
            kind::OPEN => {
                let asked = transfer::asked_open(self, id, payload)?;
                self.handles.check_room()?;
                self.handles.begin_opening();
                // Where there are rules it comes in its turn anyway.
                weightless(match self.view.is_judged() {
                    true => self.open_in_turn(asked),
                    false => self.open(asked),
                })
            }
            kind::READ => self.read(id, payload),
            kind::WRITE => self.write(id, payload),
            kind::FSTAT => {
                let file = dispatch::asked_fstat(self, id, payload)?;
                weightless(Box::new(move || {
                    let stat = file.told();
                    finish(move |_| Ok(Response::Attrs(stat?)))
                }))
            }
            kind::FSETSTAT => {
                let (file, attrs) = dispatch::asked_fsetstat(self, id, payload)?;
                weightless(Box::new(move || {
                    let result = dispatch::set_by_handle(&file, &attrs);
                    drop(file);
                    finish(move |_| Ok(result?))
                }))
            }
            kind::READDIR => self.readdir(id, payload),
            kind::CLOSE => weightless(self.close(id, payload)?),
            kind::EXTENDED => weightless(self.extended(id, payload)?),
            _ => {
                let request = REQUESTS.iter().find(|request| request.kind == kind);
                weightless(self.anywhere(request.map(|request| request.run), id, payload)?)
            }
        }
    }

    /// A request that needs nothing but the view.
    fn anywhere(&self, run: Option<Run>, id: u32, payload: Payload<'_>) -> Result<Work, Status> {
        match run {
            Some(Run::Anywhere(asked)) => Ok(self.look(asked(id, payload)?)),
            Some(Run::Here(_)) | None => Err(Status::new(StatusCode::OpUnsupported)),
        }
    }

    /// A request that looks something up, and is answered by what comes of it.
    fn look<F>(&self, look: F) -> Work
    where
        F: Fn(&View) -> Answer<Response> + Send + 'static,
    {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            let result = look(&view);
            finish(move |session| match result {
                Err(Error::Long) => Ok(Response::Later(Later(session.look(look)))),
                result if lacks_descriptors(&result) => session.look_now(look),
                result => Ok(result?),
            })
        })
    }

    /// The same at once, unless it takes long.
    pub(in crate::session) fn look_now<F>(&self, look: F) -> Result<Response, Status>
    where
        F: Fn(&View) -> Answer<Response> + Send + 'static,
    {
        match look(&self.view) {
            Err(Error::Long) => Ok(Response::Later(Later(self.look(look)))),
            result => Ok(result?),
        }
    }

    /// The same of a path that may lead to where requests wait.
    pub(in crate::session) fn look_at(
        &self,
        path: PathBuf,
        look: fn(&View, &Path) -> Answer<Response>,
    ) -> Result<Response, Status> {
        let far = self.view.has_remote() == Some(true) && !self.view.is_near(&path);
        let look = move |view: &View| look(view, &path);
        match far {
            true => Ok(Response::Later(Later(self.look(look)))),
            false => self.look_now(look),
        }
    }

    fn opendir(&self, path: WirePath) -> Work {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            let dir = view.opendir(path.as_path());
            finish(move |session| {
                let dir = if lacks_descriptors(&dir) {
                    session.view.opendir(path.as_path())
                } else {
                    dir
                };
                if let Err(Error::Long) = dir {
                    return Ok(Response::Later(Later(session.opendir(path))));
                }
                session.handles.end_opening();
                Ok(dispatch::opened(session, dir?, path))
            })
        })
    }

    /// An OPENDIR that takes long.
    pub(in crate::session) fn opendir_later(&mut self, path: WirePath) -> Later {
        self.handles.begin_opening();
        Later(self.opendir(path))
    }

    fn open(&self, asked: Asked) -> Work {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            // Beside others only what is new is created: it is nothing that others under way could have open.
            let file = view.open(asked.path.as_path(), asked.how.only_new());
            if let Ok(file) = &file {
                // Requests on it ask for this, in the session's own thread.
                let _ = file.id();
            }
            finish(move |session| {
                // It is there already, or something else is the matter: now it is this request's turn.
                let again = file.is_err() && asked.how.creates();
                if again || lacks_descriptors(&file) || matches!(file, Err(Error::Long)) {
                    return Ok(Response::Later(Later(session.open_in_turn(asked))));
                }
                session.handles.end_opening();
                Ok(asked.opened(session, file?))
            })
        })
    }

    /// An OPEN before which all others have been answered.
    fn open_in_turn(&self, asked: Asked) -> Work {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            let file = view.open(asked.path.as_path(), asked.how);
            if let Ok(file) = &file {
                let _ = file.id();
            }
            finish(move |session| {
                session.handles.end_opening();
                Ok(asked.opened(session, file?))
            })
        })
    }

    /// An OPEN that takes long.
    pub(in crate::session) fn open_later(&mut self, asked: Asked) -> Later {
        self.handles.begin_opening();
        Later(self.open_in_turn(asked))
    }

    fn read(&mut self, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let (read, most) = transfer::asked_read(self, id, payload)?;
        let Read { handle, offset, .. } = read;
        let (_, open) = self.open_file(handle).ok_or_else(Status::bad_handle)?;
        let file = Arc::clone(&open.file);
        // Made here, and not by the threads: a C library keeps what each of them has freed.
        let room = vec![0; most];
        let work = Box::new(move || {
            let data = read_at(&file, offset, room);
            // Before the handle can be closed.
            drop(file);
            finish(move |session| transfer::have_read(session, id, &read, most, data))
        });
        Ok((work, most))
    }

    fn write(&mut self, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let write = transfer::asked_write(self, id, payload)?;
        let (handle, offset, data) = (write.handle, write.offset, write.data.to_vec());
        let (_, open) = self.open_file(handle).ok_or_else(Status::bad_handle)?;
        let file = Arc::clone(&open.file);
        let (weight, len) = (data.len(), data.len());
        let work = Box::new(move || {
            let result = transfer::write_to(&file, offset, &data);
            drop((file, data));
            finish(move |session| transfer::have_written(session, handle, len, result))
        });
        Ok((work, weight))
    }

    fn readdir(&mut self, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let handle = dispatch::asked_readdir(self, id, payload)?;
        Ok((self.listing(id, handle)?, MAX_NAMES))
    }

    fn listing(&mut self, id: u32, handle: Handle) -> Result<Work, Status> {
        let open = self.handles.dir(handle).ok_or_else(Status::bad_handle)?;
        let dir = Arc::clone(&open.dir);
        Ok(Box::new(move || {
            let mut listed = dir.lock().unwrap_or_else(PoisonError::into_inner);
            listed.look_ahead(MAX_NAMES);
            drop(listed);
            drop(dir);
            finish(move |session| dispatch::list(session, id, handle, true))
        }))
    }

    /// A READDIR that takes long to find what is to be listed next.
    pub(in crate::session) fn listing_later(
        &mut self,
        id: u32,
        handle: Handle,
    ) -> Result<Response, Status> {
        let work = self.listing(id, handle)?;
        Ok(Response::Later(Later(work)))
    }

    /// A READDIR that has the names of users and groups asked for.
    pub(in crate::session) fn names_later(
        &mut self,
        id: u32,
        handle: Handle,
        (users, groups): (Vec<u32>, Vec<u32>),
    ) -> Response {
        let question = self.longnames.names.lacking(&users, &groups);
        let work = Box::new(move || {
            let answers = question.ask();
            finish(move |session| {
                session.longnames.names.learn(&answers);
                dispatch::list(session, id, handle, true)
            })
        });
        Response::Later(Later(work))
    }

    fn extended(&mut self, id: u32, payload: Payload<'_>) -> Result<Work, Status> {
        let (extension, payload) = extension(payload).ok_or(Malformed)?;
        if extension.wire == FSYNC.wire {
            let file = extended::asked_fsync(self, id, payload)?;
            return Ok(Box::new(move || {
                let synced = file.sync();
                drop(file);
                finish(move |_| {
                    synced?;
                    Ok(Response::Ok)
                })
            }));
        }
        if extension.wire == FSTATVFS.wire {
            let file = extended::asked_fstatvfs(self, id, payload)?;
            return Ok(Box::new(move || {
                let figures = extended::of_file(&file);
                drop(file);
                finish(move |_| Ok(figures?))
            }));
        }
        if extension.wire == COPY_FILE.wire {
            let asked = copy_file::asked(self, id, payload)?;
            let view = Arc::clone(&self.view);
            return Ok(Box::new(move || {
                let result = asked.copy(&view);
                finish(move |_| result.map(|()| Response::Ok))
            }));
        }
        if extension.wire != COPY_DATA.wire {
            return self.anywhere(Some(extension.run), id, payload);
        }
        let (request, copy) = copy::asked(self, id, payload)?;
        Ok(Box::new(move || {
            let (copied, result) = copy.run();
            finish(move |session| copy::answer(session, &request, copied, result))
        }))
    }

    fn close(&mut self, id: u32, payload: Payload<'_>) -> Result<Work, Status> {
        let entry = transfer::asked_close(self, id, payload)?;
        Ok(Box::new(move || {
            let Entry::File(mut open) = entry else {
                return finish(move |_| {
                    crate::session::log_close(&entry, false);
                    Ok(Response::Ok)
                });
            };
            let committed = transfer::commit(&mut open);
            let whole = log::tells_info() && open.was_read_to_its_end();
            let OpenFile { file, tally, .. } = open;
            let closed = transfer::end(file);
            finish(move |_| {
                crate::session::log_transfer(&tally, false, || whole);
                committed?;
                closed?;
                Ok(Response::Ok)
            })
        }))
    }
}

/// Whether a request failed only because others had taken the last descriptors: alone it would not have.
fn lacks_descriptors<T>(result: &Answer<T>) -> bool {
    matches!(result, Err(Error::Kernel(Errno::EMFILE | Errno::ENFILE)))
}

/// Fills `data` with what one read gives.
fn read_at(file: &File, offset: u64, mut data: Vec<u8>) -> Result<Vec<u8>, Errno> {
    let count = if data.is_empty() {
        file.check_offset(offset).map(|()| 0)
    } else {
        file.read_at(&mut data, offset)
    }?;
    data.truncate(count);
    Ok(data)
}

/// What is left to the session when the work is done.
pub(in crate::session) fn finish<F>(finish: F) -> Finish
where
    F: FnOnce(&mut Session) -> Result<Response, Status> + Send + 'static,
{
    Box::new(finish)
}

/// The work of what needs none before all others have been answered.
fn in_turn(packet: &Packet<'_>) -> Option<Work> {
    const ASIDE: [&str; 4] = [FSYNC.wire, FSTATVFS.wire, COPY_DATA.wire, COPY_FILE.wire];
    let (_, payload) = request_id(packet.body).ok()?;
    let (extension, _) = extension(payload).filter(|_| packet.kind == Some(kind::EXTENDED))?;
    let here = matches!(extension.run, Run::Here(_)) && !ASIDE.contains(&extension.wire);
    let body = here.then(|| packet.body.to_vec())?;
    Some(Box::new(move || {
        finish(move |session| {
            let (id, payload) = request_id(&body)?;
            session.run(kind::EXTENDED, id, payload)
        })
    }))
}

/// The work of what needs none.
fn done(result: Result<Response, Status>) -> Work {
    Box::new(move || finish(|_| result))
}
