//! Two replies to one request: equal, once what cannot be equal is masked.

use crate::ground::{BAIT_SIZE, BAIT_TIME, Ground, NOW, recent, replace};
use crate::support::show;
use crate::support::wire::{Attrs, Name, Packet, Reply, kind};

/// A reply with the ground's place, times of this run and figures that move taken out.
///
/// An access time is that of the last read, and the two sides do not read equally often.
pub(crate) fn masked(packet: &Packet, reply: &Reply, ground: &Ground) -> Reply {
    match reply.clone() {
        Reply::Attrs(attrs) => Reply::Attrs(masked_attrs(attrs)),
        Reply::Names(names) => {
            let mut names: Vec<Name> = names.into_iter().map(masked_name).collect();
            if packet.kind == kind::READLINK {
                let base = ground.path();
                for name in &mut names {
                    name.filename = replace(&name.filename, &base, b"BASE");
                    name.longname = replace(&name.longname, &base, b"BASE");
                }
            }
            names.sort_by(|one, two| one.filename.cmp(&two.filename));
            Reply::Names(names)
        }
        Reply::Extended(mut bytes) => {
            // f_bfree, f_bavail, f_ffree, f_favail
            for field in [3, 4, 6, 7] {
                if let Some(place) = bytes.get_mut(field * 8..field * 8 + 8) {
                    place.fill(0);
                }
            }
            Reply::Extended(bytes)
        }
        Reply::Handle(_) => Reply::Handle(Vec::new()),
        other => other,
    }
}

fn masked_attrs(mut attrs: Attrs) -> Attrs {
    assert_ne!(attrs.size, Some(BAIT_SIZE), "the size of bait");
    if let Some((_, mtime)) = attrs.times {
        assert_ne!(i64::from(mtime), BAIT_TIME, "the time of bait");
        attrs.times = Some((0, u32::try_from(recent(i64::from(mtime))).unwrap()));
    }
    attrs
}

fn masked_name(mut name: Name) -> Name {
    if name.filename == b"proc" {
        // The oracle's own.
        name.longname.clear();
        name.attrs = Attrs::NONE;
    }
    name.attrs = masked_attrs(name.attrs);
    let is_recent = name.attrs.times == Some((0, NOW as u32));
    // The date is the last column before the name, twelve bytes wide.
    let date = name.longname.len().checked_sub(name.filename.len() + 13);
    if let (true, Some(date)) = (is_recent, date) {
        name.longname[date..date + 12].copy_from_slice(b"[right now] ");
    }
    name
}

/// The same kind of reply with the same content; of a status text, ours begins with theirs.
pub(crate) fn equal(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Status(ours), Reply::Status(theirs)) => {
            ours.code == theirs.code && ours.text.starts_with(&theirs.text)
        }
        _ => ours == theirs,
    }
}

/// A reply for a message, cut to a bearable length.
pub(crate) fn brief(reply: &Reply) -> String {
    let text = match reply {
        Reply::Names(names) => {
            let lines = names
                .iter()
                .map(|name| format!("{:?} {}; ", show(&name.filename), show(&name.longname)));
            format!("{} names: {}", names.len(), lines.collect::<String>())
        }
        Reply::Data(data) => format!("data: {}", show(&data[..data.len().min(40)])),
        Reply::Status(status) => format!("status {} \"{}\"", status.code, status.text),
        other => format!("{other:?}"),
    };
    text.chars().take(1500).collect()
}
