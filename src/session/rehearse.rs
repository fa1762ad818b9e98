//! A request judged as a session would judge it, and not carried out: for `explain`.
//!
//! It goes the way of every request. Only who is asked before anything is done says no in the end, and tells what was asked.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::Session;
use super::answers::status::Status;
use super::requests::{Asked, ROWS, Rehearsal, Row, Way};
use crate::fs::{
    self, Answer, Deed, Effect, Identity, Judge, Made, Modes, Refusal, Result as KernelResult,
    Verdict, View, Writing,
};
use crate::identity::Login;
use crate::policy::{Policy, Rules};
use crate::protocol::{OpenFlags, StatusCode};

/// What would become of a request.
#[derive(Debug)]
pub struct Rehearsed {
    /// What the client would be told of a refusal: the status code, and the words. None where the request would be carried out.
    pub refusal: Option<(u32, String)>,
    /// The flag by which something is kept from the client, which is told of no rule.
    pub silent: Option<&'static str>,
    /// The objects that it would touch, as far as it came.
    pub objects: Vec<Object>,
}

/// An object, and what would happen to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// In words.
    pub effect: &'static str,
    /// The canonical path in the view.
    pub path: Vec<u8>,
    /// What stands there: `file`, `directory`, `link`, or `nothing`.
    pub kind: &'static str,
    /// The flag by which it is answered and not done.
    pub left: Option<&'static str>,
}

/// There is no such request, or it takes another number of paths.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Unclear {
    #[error(
        "there is no request \"{0}\"; get, put and append are known, and what -Q requests prints"
    )]
    Request(String),
    #[error("{request} takes {wanted}")]
    Paths {
        request: String,
        wanted: &'static str,
    },
}

/// What would become of `request` in a fresh session.
///
/// # Errors
/// [`Unclear`]; as open(2) of `/`.
pub fn rehearse(
    mut view: View,
    policy: Policy,
    login: Rc<Login>,
    request: &str,
    paths: &[&[u8]],
) -> KernelResult<Result<Rehearsed, Unclear>> {
    let Some(steps) = Steps::of(request, paths) else {
        return Ok(Err(Unclear::Request(request.to_owned())));
    };
    let steps = match steps {
        Ok(steps) => steps,
        Err(wanted) => {
            let request = request.to_owned();
            return Ok(Err(Unclear::Paths { request, wanted }));
        }
    };
    let notes = Arc::new(Notes {
        rules: Arc::clone(&policy.rules),
        reads_first: matches!(steps.rehearsal, Rehearsal::Copies(_)),
        looks: view.looks_for_processes() || policy.rules.judge_anything(),
        objects: Mutex::default(),
        silent: Mutex::default(),
        too_long: Mutex::default(),
    });
    view.ask(Arc::<Notes>::clone(&notes), Modes::default())?;
    // A transfer begins by its OPEN; what follows is asked for when that was answered.
    let mut permitted = operations(request)
        .map(|row| policy.permit(row.operation))
        .collect::<Vec<_>>()
        .into_iter();
    let first = permitted.next().unwrap_or(Ok(()));
    let mut session = Session::new(view, policy, login, Vec::new(), None);
    let mut rehearsed = Rehearsed {
        refusal: None,
        silent: None,
        objects: Vec::new(),
    };
    if let Err(refused) = first {
        rehearsed.refusal = Some(words(&refused.into()));
        return Ok(Ok(rehearsed));
    }
    for fields in &steps.fields {
        let answered = Asked::rehearsed(steps.row, fields).run(&mut session, Way::Here);
        let noted = std::mem::take(&mut *lock(&notes.objects));
        let taken = noted.iter().any(|note| note.takes(steps.rehearsal));
        let noted = noted.into_iter();
        // What is there is not created.
        let touched = noted.filter(|note| !(note.effect == Effect::Create && note.exists));
        rehearsed.objects.extend(touched.map(|note| note.object));
        rehearsed.refusal = match answered {
            Err(status) if status.message.ends_with(REHEARSED) => {
                taken.then(|| words(&Status::because(StatusCode::Failure, "File exists")))
            }
            Err(status) => Some(words(&status)),
            Ok(_) => None,
        };
        if let Some((code, _)) = rehearsed.refusal {
            let absent = code == StatusCode::NoSuchFile as u32;
            rehearsed.silent = lock(&notes.silent).filter(|_| absent);
            return Ok(Ok(rehearsed));
        }
    }
    let refused = permitted.find_map(Result::err);
    rehearsed.refusal = refused.map(|refused| words(&refused.into()));
    Ok(Ok(rehearsed))
}

fn words(status: &Status) -> (u32, String) {
    (status.code as u32, status.message.clone().into_owned())
}

/// Who is asked in place of the rules: whatever they allow is not done, and noted.
#[derive(Debug)]
struct Notes {
    rules: Arc<Rules>,
    /// Whether the request opens a file to read from before it comes to what it changes.
    reads_first: bool,
    /// Whether a session looks for files by which processes are written to.
    looks: bool,
    objects: Mutex<Vec<Note>>,
    /// Who made something absent.
    silent: Mutex<Option<&'static str>>,
    /// What the rules said of so many bytes, before they were asked about the file.
    too_long: Mutex<Option<fs::Error>>,
}

#[derive(Debug)]
struct Note {
    object: Object,
    effect: Effect,
    exists: bool,
}

impl Note {
    /// Whether the name that the request would make is taken, so that the kernel refuses it.
    fn takes(&self, rehearsal: Rehearsal) -> bool {
        match self.effect {
            Effect::Create | Effect::CreateLink => {
                self.exists && !matches!(rehearsal, Rehearsal::Opens(_))
            }
            Effect::Replace => matches!(rehearsal, Rehearsal::Moves),
            _ => false,
        }
    }
}

impl Notes {
    /// A rule says that there is no such object.
    fn conceal<T>(&self, flag: &'static str, answer: Answer<T>) -> Answer<T> {
        if matches!(answer, Err(fs::Error::Kernel(Errno::ENOENT))) {
            *lock(&self.silent) = Some(flag);
        }
        answer
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Judge for Notes {
    fn judge(&self, deeds: &[Deed<'_>]) -> Answer<Verdict> {
        let verdict = self.conceal("--drop-box", self.rules.judge(deeds));
        let goes_on = verdict.is_ok();
        let notes = deeds.iter().map(|deed| Note {
            object: Object {
                effect: effect(deed.effect),
                path: match deed.path() {
                    b"" => b"/".to_vec(),
                    path => path.to_vec(),
                },
                kind: match deed {
                    deed if deed.is_directory() => "directory",
                    deed if deed.is_link() => "link",
                    deed if deed.exists() => "file",
                    _ => "nothing",
                },
                left: self.rules.leaves(deed).filter(|_| goes_on),
            },
            effect: deed.effect,
            exists: deed.exists(),
        });
        lock(&self.objects).extend(notes);
        if verdict? == Verdict::Go {
            for deed in deeds {
                if self.looks {
                    deed.spares_processes()?;
                }
                deed.is_permitted()?;
            }
            if self.reads_first && deeds.iter().all(|deed| deed.effect == Effect::Read) {
                return Ok(Verdict::Go);
            }
            if let Some(error) = *lock(&self.too_long) {
                return Err(error);
            }
        }
        Err(Refusal::Forbidden(REHEARSED).into())
    }

    fn pass(&self, path: &[u8], link: bool) -> Answer<()> {
        self.conceal("--hide", self.rules.pass(path, link))
    }

    fn lists(&self, path: &[u8], identity: &dyn Fn() -> Option<Identity>) -> bool {
        let listed = self.rules.lists(path, identity);
        // What is hidden is no more passed by than listed.
        if !listed {
            *lock(&self.silent) = Some("--drop-box");
        }
        listed
    }

    fn conceals(&self) -> bool {
        self.rules.conceals()
    }

    fn confines(&self) -> bool {
        self.rules.confines()
    }

    fn shows_only_own(&self) -> bool {
        self.rules.shows_only_own()
    }

    fn write(&self, writing: &Writing, free: &dyn Fn() -> Option<u64>) -> Answer<()> {
        let answer = self.rules.write(writing, free);
        *lock(&self.too_long) = answer.err();
        answer
    }

    fn reserve(&self) -> u64 {
        0
    }

    fn longest(&self) -> Option<u64> {
        self.rules.longest()
    }

    fn appends_only(&self) -> bool {
        self.rules.appends_only()
    }

    fn goes_by_object(&self, deeds: &[Deed<'_>]) -> bool {
        self.rules.goes_by_object(deeds)
    }

    fn gone(&self, _: Identity) {}

    fn made(&self, _: Made) {}

    fn keeps(&self) -> usize {
        0
    }

    fn owns(&self, object: Identity) -> bool {
        self.rules.owns(object)
    }

    fn replaced(&self, _: Made, _: Option<Identity>) {}
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Look => "is looked at",
        Effect::Read => "is read",
        Effect::List => "is listed",
        Effect::Content => "is written",
        Effect::Truncate => "is emptied",
        Effect::Resize(_) => "gets another size",
        Effect::Create => "is created",
        Effect::CreateLink => "is created as a link",
        Effect::Alias => "gets a second name",
        Effect::Move => "loses this name",
        Effect::MoveTo => "gets this name",
        Effect::Remove => "is removed",
        Effect::Replace => "is replaced",
        Effect::Permissions => "gets another mode",
        Effect::Times => "gets other times",
        Effect::Owner => "gets another owner",
    }
}

/// The rows of a request; of `get`, `put` and `append`, which are several.
fn operations(request: &str) -> impl Iterator<Item = &'static Row> {
    let names: &[&str] = match request {
        "get" => &["open", "read", "close"],
        "put" | "append" => &["open", "write", "close"],
        _ => &[],
    };
    let alone = names.is_empty().then(|| request.to_owned());
    let rows = ROWS.iter().copied();
    rows.filter(move |row| {
        let name = row.operation.name;
        names.contains(&name) || alone.as_deref() == Some(name)
    })
}

/// What a client sends for a request. What is asked by a handle is asked of what it would be open on.
struct Steps {
    row: &'static Row,
    rehearsal: Rehearsal,
    /// Of each packet.
    fields: Vec<Vec<u8>>,
}

impl Steps {
    /// None where there is no such request.
    ///
    /// # Errors
    /// How many paths it takes, in words.
    fn of(request: &str, paths: &[&[u8]]) -> Option<Result<Self, &'static str>> {
        let row = operations(request).next()?;
        let (row, rehearsal) = match (request, row.rehearsal) {
            ("put", _) => (row, Rehearsal::Opens(PUT)),
            ("append", _) => (row, Rehearsal::Opens(APPEND)),
            (_, Rehearsal::As(other)) => {
                let row = operations(other).next()?;
                (row, row.rehearsal)
            }
            (_, Rehearsal::Opens(pflags)) => (operations("open").next()?, Rehearsal::Opens(pflags)),
            (_, rehearsal) => (row, rehearsal),
        };
        let fields = fields(rehearsal, paths);
        Some(fields.map(|fields| Self {
            row,
            rehearsal,
            fields,
        }))
    }
}

/// The fields of each packet; or how many paths it would take.
fn fields(rehearsal: Rehearsal, paths: &[&[u8]]) -> Result<Vec<Vec<u8>>, &'static str> {
    let of = |paths: &[&[u8]], rest: &[u8]| {
        let mut fields = Vec::new();
        fields.extend(paths.iter().flat_map(|path| string(path)));
        fields.extend(rest);
        fields
    };
    let (wanted, fields) = match rehearsal {
        Rehearsal::Paths(count, rests) => {
            (count, rests.iter().map(|rest| of(paths, rest)).collect())
        }
        Rehearsal::Moves => (2, vec![of(paths, &[])]),
        Rehearsal::Copies(rest) => (2, vec![of(paths, rest)]),
        Rehearsal::Opens(pflags) => {
            let opens = paths.iter().zip(pflags).map(|(path, pflags)| {
                let attrs = [0; 4];
                of(&[path], &[pflags.to_be_bytes(), attrs].concat())
            });
            (pflags.len(), opens.collect())
        }
        // What touches no object; what another request stands for was asked before.
        Rehearsal::Nothing | Rehearsal::As(_) => (0, Vec::new()),
    };
    match wanted {
        wanted if wanted == paths.len() => Ok(fields),
        0 => Err("no path"),
        1 => Err("one path"),
        _ => Err("two paths"),
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

const PUT: &[u32] = &[OpenFlags::WRITE
    .union(OpenFlags::CREATE)
    .union(OpenFlags::TRUNCATE)
    .bits()];
const APPEND: &[u32] = &[OpenFlags::WRITE
    .union(OpenFlags::CREATE)
    .union(OpenFlags::APPEND)
    .bits()];
/// In no flag's place: no rule forbids it.
const REHEARSED: &str = "rehearsed";
