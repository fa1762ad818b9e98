//! Two replies to one operation: equal, once what cannot be equal is masked.

use crate::operation::Operation;
use crate::support::wire::{Attrs, Name, Reply};
use crate::support::{Entry, Snapshot, show};

/// What differs between the two sessions by the nature of things.
pub(crate) struct Mask {
    /// The temporary directory of each tree, ours first; the two are of one length
    pub(crate) roots: [Vec<u8>; 2],
    /// When the trees were made; what happened since then happened "now"
    pub(crate) since: i64,
}

/// Stands for any time since the trees were made.
const NOW: u32 = 0x7777_7777;

impl Mask {
    /// A reply with times of this run, the tree's place and what others do to the disk taken out.
    pub(crate) fn reply(&self, side: usize, operation: &Operation, reply: &Reply) -> Reply {
        match reply.clone() {
            Reply::Attrs(attrs) => Reply::Attrs(self.attrs(attrs)),
            Reply::Names(names) => {
                let mut names: Vec<Name> = names
                    .into_iter()
                    .map(|name| self.name(side, name))
                    .collect();
                names.sort_by(|one, two| one.filename.cmp(&two.filename));
                Reply::Names(names)
            }
            Reply::Extended(bytes) => Reply::Extended(extended(operation, bytes)),
            Reply::Handle(_) => Reply::Handle(Vec::new()),
            other => other,
        }
    }

    fn attrs(&self, mut attrs: Attrs) -> Attrs {
        let time = |time| {
            if i64::from(time) >= self.since && i64::from(time) < self.since + 86_400 {
                NOW
            } else {
                time
            }
        };
        attrs.times = attrs.times.map(|(atime, mtime)| (time(atime), time(mtime)));
        attrs
    }

    fn name(&self, side: usize, mut name: Name) -> Name {
        let recent = name.attrs.times.is_some_and(|(_, mtime)| {
            self.attrs(Attrs::NONE.times(0, mtime)).times == Some((0, NOW))
        });
        name.attrs = self.attrs(name.attrs);
        // The date is the last column before the name, twelve bytes wide.
        let date = name.longname.len().checked_sub(name.filename.len() + 13);
        if let (true, Some(date)) = (recent, date) {
            name.longname[date..date + 12].copy_from_slice(b"[right now] ");
        }
        if name.longname == name.filename {
            name.longname = self.path(side, name.longname);
        }
        name.filename = self.path(side, name.filename);
        name
    }

    /// A path or a link's target, with the tree's place taken out.
    fn path(&self, side: usize, mut path: Vec<u8>) -> Vec<u8> {
        let root = &self.roots[side];
        if path.starts_with(root) {
            path.splice(..root.len(), *b"ROOT");
        }
        path
    }

    /// The whole disk, masked as the replies are.
    pub(crate) fn disk(&self, side: usize, snapshot: Snapshot) -> Snapshot {
        let entries = snapshot.entries.into_iter().map(|(path, entry)| {
            let seconds = entry.mtime.0;
            let recent = (self.since..self.since + 86_400).contains(&seconds);
            let mtime = (if recent { i64::from(NOW) } else { seconds }, 0);
            let target = entry.target.clone().map(|target| self.path(side, target));
            // A link's length is that of its target, and the two places are of one length.
            (
                path,
                Entry {
                    mtime,
                    target,
                    ..entry
                },
            )
        });
        Snapshot {
            entries: entries.collect(),
        }
    }
}

/// The figures that move while others write to the same disk, and the promise of handles, which differs on purpose.
fn extended(operation: &Operation, mut bytes: Vec<u8>) -> Vec<u8> {
    let fields: &[usize] = match operation {
        Operation::Statvfs(_) | Operation::Fstatvfs(_) => &[3, 4, 6, 7],
        Operation::Limits => &[3],
        _ => &[],
    };
    for field in fields {
        if let Some(place) = bytes.get_mut(field * 8..field * 8 + 8) {
            place.fill(0);
        }
    }
    bytes
}

/// Equal: the same kind of reply with the same content. Of a status text, ours begins with theirs. An access time is
/// that of the last read, and the two do not read equally often to answer the same.
pub(crate) fn equal(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Status(ours), Reply::Status(theirs)) => {
            ours.code == theirs.code
                && ours.text.starts_with(&theirs.text)
                && ours.language == theirs.language
        }
        (Reply::Attrs(ours), Reply::Attrs(theirs)) => equal_attrs(ours, theirs),
        (Reply::Names(ours), Reply::Names(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| {
                    (&ours.filename, &ours.longname) == (&theirs.filename, &theirs.longname)
                        && equal_attrs(&ours.attrs, &theirs.attrs)
                })
        }
        _ => ours == theirs,
    }
}

fn equal_attrs(ours: &Attrs, theirs: &Attrs) -> bool {
    let mut ours = ours.clone();
    if let (Some((ours, _)), Some((theirs, _))) = (&mut ours.times, theirs.times) {
        if *ours == NOW || theirs == NOW {
            *ours = theirs;
        }
    }
    ours == *theirs
}

/// A reply for a message, cut to a bearable length.
pub(crate) fn brief(reply: &Reply) -> String {
    let text = match reply {
        Reply::Data(data) => format!(
            "{} bytes of data: {}",
            data.len(),
            show(&data[..data.len().min(40)])
        ),
        Reply::Names(names) => {
            let lines = names
                .iter()
                .map(|name| format!("\n      {} {:?}", show(&name.longname), name.attrs));
            format!("{} names{}", names.len(), lines.collect::<String>())
        }
        other => format!("{other:?}"),
    };
    text.chars().take(6000).collect()
}
