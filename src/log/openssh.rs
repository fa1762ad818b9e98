//! How an event reads in OpenSSH's log: the texts, the escapes, the prefixes, the lengths of lines.
//!
//! Source: sftp-server.c (texts), log.c (prefixes, lengths), vis(3) with `VIS_CSTYLE|VIS_NL|VIS_TAB|VIS_OCTAL` (escapes).

use std::io::Write;
use std::ops::Range;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::Context;

use super::event::{Event, Name, Trace};
use super::fit::fit;
use super::syslog::{Severity, Syslog};
use super::{Level, Target};

/// A tracing layer that writes events as OpenSSH's server writes them.
pub struct Layer {
    level: Level,
    sink: Sink,
}

enum Sink {
    Stderr,
    Syslog(Mutex<Syslog>),
}

impl Layer {
    /// A layer that writes what `level` asks for to `target`.
    #[must_use]
    pub fn new(level: Level, target: Target) -> Self {
        let sink = match target {
            Target::Stderr => Sink::Stderr,
            Target::Syslog(facility) => Sink::Syslog(Mutex::new(Syslog::open(facility))),
        };
        Self { level, sink }
    }

    fn write(&self, event: &Event) {
        if event.threshold() > self.level {
            return;
        }
        let level = event.level();
        match &self.sink {
            Sink::Stderr => {
                let mut line = line(event, prefix_on_stderr(level), STDERR_LINE);
                line.extend_from_slice(b"\r\n");
                super::syslog::write_stderr(&line);
            }
            Sink::Syslog(syslog) => {
                let Ok(mut syslog) = syslog.lock() else {
                    return;
                };
                if let Some(lines) = syslog.dropped() {
                    let dropped = line(&Event::Dropped { lines }, "", SYSLOG_LINE);
                    syslog.send(Severity::Info, &dropped);
                }
                let line = line(event, prefix_in_syslog(level), SYSLOG_LINE);
                syslog.send(severity(level), &line);
            }
        }
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        event.record(&mut Visitor(self));
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        use tracing::level_filters::LevelFilter;
        Some(match self.level {
            Level::Quiet => LevelFilter::OFF,
            Level::Fatal | Level::Error => LevelFilter::ERROR,
            Level::Info => LevelFilter::INFO,
            Level::Verbose => LevelFilter::DEBUG,
            Level::Debug1 | Level::Debug2 | Level::Debug3 => LevelFilter::TRACE,
        })
    }
}

struct Visitor<'a>(&'a Layer);

impl Visit for Visitor<'_> {
    fn record_error(&mut self, _: &Field, value: &(dyn std::error::Error + 'static)) {
        if let Some(event) = value.downcast_ref() {
            self.0.write(event);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

fn prefix_in_syslog(level: Level) -> &'static str {
    match level {
        Level::Fatal => "fatal: ",
        Level::Error => "error: ",
        level => prefix_on_stderr(level),
    }
}

fn prefix_on_stderr(level: Level) -> &'static str {
    match level {
        Level::Debug1 => "debug1: ",
        Level::Debug2 => "debug2: ",
        Level::Debug3 => "debug3: ",
        _ => "",
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Quiet | Level::Fatal => Severity::Critical,
        Level::Error => Severity::Error,
        Level::Info | Level::Verbose => Severity::Info,
        Level::Debug1 | Level::Debug2 | Level::Debug3 => Severity::Debug,
    }
}

/// The text of a line, escaped as OpenSSH does it, and shortened where that is longer than `limit`.
fn line(event: &Event, prefix: &str, limit: usize) -> Vec<u8> {
    let mut text = Text {
        raw: prefix.as_bytes().to_vec(),
        names: Vec::new(),
    };
    text.event(event);
    fit(&text.raw, &text.names, limit)
}

/// A line in the making.
struct Text {
    raw: Vec<u8>,
    /// Where in it names stand, and other words of which no length is certain.
    names: Vec<Range<usize>>,
}

/// Appends formatted text; names go in as bytes, by `quoted`.
macro_rules! add {
    ($text:expr, $($arg:tt)*) => {
        // Writing to a Vec cannot fail.
        { let _ = write!($text.raw, $($arg)*); }
    };
}

impl Text {
    fn quoted(&mut self, before: &str, name: &[u8], after: &str) {
        self.raw.extend_from_slice(before.as_bytes());
        let begin = self.raw.len();
        self.raw.extend_from_slice(name);
        self.names.push(begin..self.raw.len());
        self.raw.extend_from_slice(after.as_bytes());
    }

    /// As `quoted`; where there is no such handle, what C prints of a null pointer, as in OpenSSH's log.
    fn quoted_or_null(&mut self, before: &str, name: Option<&Name>, after: &str) {
        self.quoted(before, name.map_or(b"(null)", Vec::as_slice), after);
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::SessionOpened { user, address } => self.session("session opened", user, address),
            Event::SessionClosed { user, address } => self.session("session closed", user, address),
            Event::ClientVersion(version) => add!(self, "received client version {version}"),
            Event::Complaint { text, .. } => self.quoted("", text.as_bytes(), ""),
            Event::MalformedConnection { value } => {
                self.quoted("Malformed SSH_CONNECTION variable: \"", value, "\"")
            }
            Event::StartDirectory { path, cause } => {
                self.quoted("chdir to \"", path, "\" failed: ");
                add!(self, "{cause}");
            }
            Event::EndOfInput => add!(self, "read eof"),
            Event::OutputClosed => add!(self, "write eof"),
            Event::Idle { after } => {
                add!(self, "timeout: no request for {after:?} (--idle-timeout)")
            }
            Event::Expired { after } => {
                add!(
                    self,
                    "timeout: {after:?} since the start (--session-timeout)"
                )
            }
            Event::InputFailed { cause } => add!(self, "read: {cause}"),
            Event::OutputFailed { cause } => add!(self, "write: {cause}"),
            Event::Oversized { user, address } => {
                self.quoted("bad message from ", address, " local user ");
                self.quoted("", user, "");
            }
            Event::BeforeInit { request } => add!(self, "Received {request} request before init"),
            Event::Open { path, flags, mode } => {
                self.quoted("open \"", path, "\"");
                add!(self, " flags {flags} mode 0{mode:o}");
            }
            Event::Path { what, path, .. } => {
                add!(self, "{what} ");
                self.quoted("\"", path, "\"");
            }
            Event::TwoPaths { what, old, new } => {
                add!(self, "{what} ");
                self.quoted("old \"", old, "\" ");
                self.quoted("new \"", new, "\"");
            }
            Event::Mkdir { path, mode } => {
                self.quoted("mkdir name \"", path, "\"");
                add!(self, " mode 0{mode:o}");
            }
            Event::SetSize { path, size } => {
                self.quoted("set \"", path, "\"");
                add!(self, " size {size}");
            }
            Event::SetMode { path, mode } => {
                self.quoted("set \"", path, "\"");
                add!(self, " mode {mode:04o}");
            }
            Event::SetModtime { path, mtime } => {
                self.quoted("set \"", path, "\"");
                add!(
                    self,
                    " modtime {}",
                    super::time::local(i64::from(*mtime)).modtime()
                );
            }
            Event::SetOwner { path, uid, gid } => {
                self.quoted("set \"", path, "\"");
                add!(self, " owner {uid} group {gid}");
            }
            Event::UsersGroups { users, groups } => {
                add!(self, "users-groups-by-id: {users} users, {groups} groups");
            }
            Event::NoSuchUser { user } => self.quoted("tilde_expand: No such user ", user, ""),
            Event::UnknownExtension { request } => {
                self.quoted("Unknown extended request \"", cut(request), "\"");
            }
            Event::UnknownMessage { kind } => add!(self, "Unknown message {kind}"),
            Event::Close {
                forced,
                path,
                read,
                written,
            } => {
                self.quoted(
                    if *forced {
                        "forced close \""
                    } else {
                        "close \""
                    },
                    path,
                    "\"",
                );
                add!(self, " bytes read {read} written {written}");
            }
            Event::CloseDir { forced, path } => {
                let before = if *forced {
                    "forced closedir \""
                } else {
                    "closedir \""
                };
                self.quoted_or_null(before, path.as_ref(), "\"");
            }
            Event::Transfer {
                path,
                upload,
                complete,
                bytes,
                seconds,
            } => {
                let direction = if *upload { "upload" } else { "download" };
                let outcome = if *complete { "complete" } else { "aborted" };
                self.quoted("transfer \"", path, "\"");
                add!(
                    self,
                    " {direction} {outcome} bytes {bytes} seconds {seconds:.3}"
                );
            }
            Event::RefusedReadOnly { request } => {
                add!(self, "Refusing {request} request in read-only mode")
            }
            Event::RefusedDenied { request } => add!(self, "Refusing denylisted {request} request"),
            Event::RefusedNotAllowed { request } => {
                add!(self, "Refusing non-allowlisted {request} request")
            }
            Event::Allowed { request } => add!(self, "Permitting allowlisted {request} request"),
            Event::NotAdvertised { extension } => {
                add!(
                    self,
                    "compose_extension: refusing to advertise disallowed extension {extension}"
                );
            }
            Event::RefusedLaunch { command } => match command {
                Some(command) => self.quoted("not an SFTP session: \"", command, "\""),
                None => add!(self, "not an SFTP session: a login without a command"),
            },
            Event::SeekFailed {
                function,
                path,
                cause,
            } => {
                add!(self, "{function}: seek ");
                self.quoted("\"", path, "\": ");
                add!(self, "{cause}");
            }
            Event::TransferFailed {
                function,
                what,
                path,
                cause,
            } => {
                add!(self, "{function}: {what} ");
                self.quoted("\"", path, "\": ");
                add!(self, "{cause}");
            }
            Event::CopyOfNoFile => add!(self, "{COPY}: bad read or write fd"),
            Event::CopyOntoItself {
                from,
                from_id,
                to,
                to_id,
            } => {
                add!(self, "{COPY}: refusing to read/write same file: ");
                self.quoted("read \"", from, "\"");
                add!(self, " dev {} ino {}, ", from_id.0, from_id.1);
                self.quoted("write \"", to, "\"");
                add!(self, " dev {} ino {}", to_id.0, to_id.1);
            }
            Event::CopyFailed { what, cause } => {
                add!(self, "{COPY}: {what} failed");
                if let Some(cause) = cause {
                    add!(self, ": {cause}");
                }
            }
            // OpenSSH counts nothing of a piece that failed.
            Event::CopyCut { wanted, cause } => {
                add!(self, "{COPY}: write failed: 0 != {wanted}: {cause}");
            }
            Event::Status { code } => add!(self, "sent status {}", status_text(*code)),
            Event::Trace { line, .. } => self.trace(line),
            Event::Locked { report } => add!(self, "{report}"),
            Event::Dropped { lines } => {
                add!(self, "log: {lines} lines were dropped, nobody read them")
            }
        }
    }

    fn session(&mut self, what: &str, user: &[u8], address: &[u8]) {
        add!(self, "{what} for local user ");
        self.quoted("", user, " from [");
        self.quoted("", address, "]");
    }

    fn trace(&mut self, line: &Trace) {
        match line {
            Trace::AttrIgnored { name, len } => {
                self.quoted("Got file attribute \"", cut(name), "\"");
                add!(self, " len {len}");
            }
            // OpenSSH prints the number as unsigned here, and signed elsewhere.
            Trace::Close { id, slot } => add!(
                self,
                "request {id}: close handle {}",
                slot.0.unwrap_or(u32::MAX)
            ),
            Trace::CopyData {
                id,
                from,
                from_slot,
                offset,
                len,
                to,
                to_slot,
                to_offset,
            } => {
                add!(self, "request {id}: copy-data from ");
                self.quoted_or_null("\"", from.as_ref(), "\"");
                add!(self, " (handle {from_slot}) off {offset} len {len} to ");
                self.quoted_or_null("\"", to.as_ref(), "\"");
                add!(self, " (handle {to_slot}) off {to_offset}");
            }
            Trace::Expand { id, path } => {
                add!(self, "request {id}: expand, original ");
                self.quoted("\"", path, "\"");
            }
            Trace::Fstat { id, path, slot } => {
                add!(self, "request {id}: fstat ");
                self.quoted_or_null("\"", path.as_ref(), "\"");
                add!(self, " (handle {})", slot.0.unwrap_or(u32::MAX));
            }
            Trace::Fstatvfs { id, path, slot } => {
                add!(self, "request {id}: fstatvfs ");
                self.quoted_or_null("\"", path.as_ref(), "\"");
                add!(self, " (handle {})", slot.0.unwrap_or(u32::MAX));
            }
            Trace::Fsetstat { id, slot } => add!(self, "request {id}: fsetstat handle {slot}"),
            Trace::Fsync { id, slot } => add!(
                self,
                "request {id}: fsync (handle {})",
                slot.0.unwrap_or(u32::MAX)
            ),
            Trace::HomeDirectory { id, user } => {
                add!(self, "request {id}: home-directory ");
                self.quoted("\"", user, "\"");
            }
            Trace::IdsAsked { uids, gids } => add!(
                self,
                "process_extended_get_users_groups_by_id: uids len = {uids}, gids len = {gids}"
            ),
            Trace::IdNamed { what, id, name } => {
                add!(
                    self,
                    "process_extended_get_users_groups_by_id: {what} {id} => "
                );
                self.quoted("\"", name, "\"");
            }
            Trace::Lsetstat { id, path } => {
                add!(self, "request {id}: lsetstat name ");
                self.quoted("\"", path, "\"");
            }
            Trace::Open { id, pflags } => {
                add!(self, "request {id}: open flags {}", *pflags as i32)
            }
            Trace::Read {
                id,
                path,
                slot,
                offset,
                len,
            } => {
                add!(self, "request {id}: read ");
                self.quoted_or_null("\"", path.as_ref(), "\"");
                add!(self, " (handle {slot}) off {offset} len {len}");
            }
            Trace::ReadClamped { len, to } => add!(self, "read change len {len} to {to}"),
            Trace::Readdir { id, path, slot } => {
                add!(self, "request {id}: readdir ");
                self.quoted_or_null("\"", path.as_ref(), "\"");
                add!(self, " (handle {slot})");
            }
            Trace::Request { id, what } => add!(self, "request {id}: {what}"),
            Trace::SentAttrs { id, flags } => {
                add!(self, "request {id}: sent attrib have 0x{flags:x}")
            }
            Trace::SentData { id, len } => add!(self, "request {id}: sent data len {len}"),
            Trace::SentHandle { id, slot } => add!(self, "request {id}: sent handle {slot}"),
            Trace::SentNames { id, count } => add!(self, "request {id}: sent names count {count}"),
            Trace::SentStatus { id, code } => add!(self, "request {id}: sent status {code}"),
            Trace::Setstat { id, path } => {
                add!(self, "request {id}: setstat name ");
                self.quoted("\"", path, "\"");
            }
            Trace::Write {
                id,
                path,
                slot,
                offset,
                len,
            } => {
                add!(self, "request {id}: write ");
                self.quoted_or_null("\"", path.as_ref(), "\"");
                add!(self, " (handle {slot}) off {offset} len {len}");
            }
        }
    }
}

/// OpenSSH's function for copy-data, which its log names.
const COPY: &str = "process_extended_copy_data";

/// The first 100 bytes of a word that the client sends, as OpenSSH prints it, by `%.100s`. It cuts paths so as well, which are shown here.
fn cut(name: &[u8]) -> &[u8] {
    name.get(..100).unwrap_or(name)
}

/// OpenSSH's words for a status code.
#[must_use]
pub fn status_text(code: u32) -> &'static str {
    const TEXTS: [&str; 9] = [
        "Success",
        "End of file",
        "No such file",
        "Permission denied",
        "Failure",
        "Bad message",
        "No connection",
        "Connection lost",
        "Operation unsupported",
    ];
    TEXTS.get(code as usize).copied().unwrap_or("Unknown error")
}

/// How long a line is that log.c writes to stderr, its line end aside: it is made in 1024 bytes (`MSGBUFSIZ`), with CR LF and a NUL.
const STDERR_LINE: usize = 1024 - 3;
/// The same in syslog: `syslog(pri, "%.500s", …)`.
const SYSLOG_LINE: usize = 500;
