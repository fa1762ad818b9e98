//! What the rules of SPEC §7 mean, said of effects alone: which request has which, and which rule forbids it.
//!
//! It knows no packets and no code of the server. What a request does where no rule forbids it is taken from a session
//! without rules: [`Verdict::Free`] means the same reply and the same disk.

use crate::effects::Effect;
use crate::ground::{DIR_MODE, FILE_MODE, OTHER};
use crate::operations::{ASKED_DIR, ASKED_FILE};
use crate::support::wire::pflags;
use crate::words::{At, Attr, By, Handled, Kind, Object, Op, Target, Thing, Way};

/// A rule as a flag gives it; the order is the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    ReadOnly,
    NoOverwrite,
    NoDelete,
    AppendOnly,
    DropBox,
    Hide,
    Deny,
    FileMode,
    DirMode,
    ForceFilePerms,
    Umask,
    IgnoreSize,
    IgnorePerms,
    IgnoreTimes,
    IgnoreOwner,
    MaxFileSize,
    ReserveFree,
}

/// One outcome that is right; where SPEC leaves it open there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As without rules
    Free,
    /// This code and this text, and nothing changed
    Refused(u32, String),
    /// As an absent name answers, byte for byte, and nothing changed
    AsAbsent,
    /// OK, and nothing changed
    Ignored,
    /// As without rules, without the names that the session may not know
    OwnNames,
    VisibleNames,
}

/// The greatest size in bytes that `--max-file-size` allows here.
const MAX_SIZE: u64 = 20;
/// The object that a request acts on: the link itself where it is named by one that is not followed.
pub(crate) fn seen(op: Op, object: Object, way: Way) -> Thing {
    let mut thing = object.thing();
    if way == Way::Link && op.stays() {
        thing = Thing {
            kind: Kind::Link,
            own: false,
            size: 0,
            named: false,
        };
    }
    if object == Object::Fresh && matches!(op, Op::Open(_)) {
        return Object::Absent.thing();
    }
    if object == Object::Link && !op.stays() {
        thing = Thing {
            kind: Kind::File,
            size: OTHER.len() as u64,
            ..thing
        };
    }
    if way == Way::Hard {
        // A rule of names knows nothing of another name.
        thing.named = false;
    }
    thing
}

/// The mode that the rules give to what a request makes, if they have a say.
pub(crate) fn mode_of_new(rules: &[Rule], op: Op, object: Object) -> Option<u32> {
    let given = |rule| rules.contains(&rule);
    match op {
        // The client's mode counts where no rule is exact.
        Op::Open(_) | Op::CopyFile(..) | Op::CopyFileOnto(_)
            if given(Rule::FileMode) || given(Rule::ForceFilePerms) =>
        {
            Some(FILE_MODE)
        }
        // A copy asks for the mode of what it is a copy of.
        Op::CopyFile(..) if given(Rule::Umask) => Some(object.mode() & !0o042),
        Op::CopyFileOnto(_) if given(Rule::Umask) => Some(FILE_MODE & !0o042),
        Op::Mkdir if given(Rule::DirMode) => Some(DIR_MODE),
        Op::Open(_) if given(Rule::Umask) => Some(ASKED_FILE & !0o042),
        // Beside what is exact the umask is another one, and a directory still gets it.
        Op::Mkdir if given(Rule::Umask) => {
            let exact = given(Rule::FileMode) || given(Rule::ForceFilePerms);
            Some(ASKED_DIR & !(if exact { 0o046 } else { 0o042 }))
        }
        _ => None,
    }
}

/// All outcomes that the rules allow, and what is refused if the handle itself is.
pub(crate) fn judge(rules: &[Rule], op: Op, object: Object, way: Way) -> Vec<Verdict> {
    let thing = seen(op, object, way);
    // What may not be known is no matter of any other rule.
    let (conceal, rest): (Vec<Rule>, Vec<Rule>) = rules
        .iter()
        .partition(|rule| matches!(rule, Rule::Hide | Rule::DropBox));
    let (early, late): (Vec<Rule>, Vec<Rule>) = rest
        .iter()
        .partition(|rule| (**rule as u8) < Rule::DropBox as u8);
    let mut right = Vec::new();
    // That nothing changes is said before anyone looks what there is.
    if rules.contains(&Rule::ReadOnly) {
        let some = verdicts(Rule::ReadOnly, op, thing, object, way);
        if !some.contains(&Verdict::Free) {
            return some;
        }
        right.extend(some);
    }
    for rule in &conceal {
        let some = verdicts(*rule, op, thing, object, way);
        if matches!(some[0], Verdict::AsAbsent | Verdict::Refused(2, _)) {
            right.retain(|verdict| *verdict != Verdict::Free);
            return [right, some].concat();
        }
        // A directory may be known, and may answer so all the same.
        if some.contains(&Verdict::AsAbsent) {
            right.push(Verdict::AsAbsent);
        }
    }
    // Of the two files of a copy the source comes first, whatever the rule.
    if matches!(op, Op::CopyFile(..)) && rules.contains(&Rule::Deny) && thing.named {
        right.extend(verdicts(Rule::Deny, op, thing, object, way));
    }
    for rule in early.iter().chain(&conceal).chain(&late) {
        let some = verdicts(*rule, op, thing, object, way);
        if some != [Verdict::Free] {
            let open = some.contains(&Verdict::Free);
            right.extend(some);
            if !open {
                right.retain(|verdict| *verdict != Verdict::Free);
                return right;
            }
        }
    }
    right.push(Verdict::Free);
    // To set the size that a file has changes nothing but its times; where a rule watches, these may stay as well.
    if let Op::Setstat(Attr::Same) | Op::Handled(_, Handled::Fsetstat(Attr::Same)) = op {
        right.push(Verdict::Ignored);
    }
    right
}

/// What one rule says, by itself.
fn verdicts(rule: Rule, op: Op, thing: Thing, object: Object, way: Way) -> Vec<Verdict> {
    let denied = |flag: &str| Verdict::Refused(3, format!("Permission denied: {flag}"));
    let effects = op.effects(thing);
    let any = |test: &dyn Fn(&Effect) -> bool| effects.iter().any(test);
    // What fails anyway may be refused as well, by a rule that would forbid it.
    let fails = |own: bool| {
        any(&|effect| matches!(effect, Effect::WouldReplace { own: whose } if own || !*whose))
    };
    let opens = |flags: u32| matches!(op, Op::Open(given) if given & flags != 0);
    let creator = matches!(op, Op::Handled(By::Creator, _));
    let sets = |attr: &[Attr]| match op {
        Op::Setstat(given) | Op::Lsetstat(given) => attr.contains(&given),
        Op::Handled(_, Handled::Fsetstat(given)) => attr.contains(&given),
        _ => false,
    };
    let size = |attr: Attr| match attr {
        Attr::Less => thing.size.saturating_sub(4),
        Attr::Same => thing.size,
        _ => thing.size + 20,
    };
    // How long the file is after what is put there, if that makes it longer.
    let grown = |effect: &Effect| {
        match effect {
            Effect::Put {
                append: true,
                length,
                ..
            } => Some(thing.size + length),
            Effect::Put { at, length, .. } => Some(match at {
                At::Start => *length,
                At::Inside => 3 + length,
                At::End => thing.size + length,
                At::Beyond => thing.size + 5 + length,
            }),
            Effect::Size(attr) => Some(size(*attr)),
            // It begins with nothing.
            Effect::Fill { length } => return Some(*length).filter(|length| *length > 0),
            _ => None,
        }
        .filter(|end| *end > thing.size)
    };
    // Such a handle writes nothing: that fails without rules, and may be refused for its length as well.
    let vain = matches!(
        op,
        Op::Handled(By::Reader, Handled::Write(_) | Handled::Copy(_))
    );
    let in_vain = |refused| match vain {
        true => vec![refused, Verdict::Free],
        false => vec![Verdict::Free],
    };
    match rule {
        Rule::ReadOnly => {
            let reads =
                |effect: &Effect| matches!(effect, Effect::Reveal | Effect::List | Effect::Read);
            // Whether a file that is only read may be opened with CREAT, SPEC leaves to -R of before.
            match any(&|effect| !reads(effect)) || creator {
                true => vec![denied("--read-only")],
                false if opens(pflags::CREAT) => vec![denied("--read-only"), Verdict::Free],
                false => vec![Verdict::Free],
            }
        }
        Rule::NoOverwrite => no_overwrite(&effects, creator, denied("--no-overwrite")),
        Rule::NoDelete => {
            match any(&|effect| match effect {
                Effect::Unname => !thing.own,
                Effect::Replace { own } => !own,
                _ => false,
            }) {
                true => vec![denied("--no-delete")],
                false if fails(false) => vec![denied("--no-delete"), Verdict::Free],
                false => vec![Verdict::Free],
            }
        }
        Rule::AppendOnly => {
            match any(&|effect| match effect {
                Effect::Cut | Effect::Replace { .. } => true,
                Effect::Put { at, append, .. } => !append && *at != At::End,
                Effect::Size(attr) => *attr != Attr::Same,
                Effect::Unname => !thing.own,
                _ => false,
            }) {
                true => vec![denied("--append-only")],
                false if fails(true) => vec![denied("--append-only"), Verdict::Free],
                false => vec![Verdict::Free],
            }
        }
        Rule::DropBox => drop_box(
            op,
            thing,
            object,
            way,
            &effects,
            creator,
            denied("--drop-box"),
        ),
        Rule::Hide if thing.named => match op.makes() {
            true => vec![Verdict::Refused(2, "No such file".to_owned())],
            false => vec![Verdict::AsAbsent],
        },
        Rule::Hide if object == Object::Here && op == Op::List => vec![Verdict::VisibleNames],
        Rule::Deny if thing.named => match op {
            Op::Lstat => vec![Verdict::Free],
            Op::Stat | Op::Realpath | Op::Readlink | Op::Statvfs => {
                vec![denied("--deny"), Verdict::Free]
            }
            _ => vec![denied("--deny")],
        },
        // What a link to what is hidden leads to makes no difference to a RENAME: the name is taken.
        Rule::Hide if way == Way::Link && object.thing().named && op == Op::RenameOnto => {
            vec![Verdict::Free]
        }
        // A directory is not copied, whatever stands where the copy was to be.
        Rule::Hide
            if matches!(op, Op::CopyFile(Target::EmptyDir, _)) && thing.kind == Kind::Dir =>
        {
            vec![
                Verdict::Refused(2, "No such file".to_owned()),
                Verdict::Free,
            ]
        }
        Rule::Hide if op.target() == Some(Target::EmptyDir) => {
            vec![Verdict::Refused(2, "No such file".to_owned())]
        }
        Rule::Deny if op.target() == Some(Target::EmptyDir) => vec![denied("--deny")],
        Rule::Hide | Rule::Deny => vec![Verdict::Free],
        Rule::FileMode if sets(&[Attr::Perms]) && thing.kind == Kind::File => ignored(),
        // A link has no permissions to set: that fails without rules.
        Rule::FileMode if sets(&[Attr::Perms]) && thing.kind == Kind::Link => {
            vec![Verdict::Ignored, Verdict::Free]
        }
        Rule::DirMode if sets(&[Attr::Perms]) && thing.kind == Kind::Dir => ignored(),
        Rule::FileMode | Rule::DirMode => vec![Verdict::Free],
        // Of what is made they say the mode, and nothing else.
        Rule::ForceFilePerms | Rule::Umask => vec![Verdict::Free],
        Rule::IgnoreSize if sets(&[Attr::Less, Attr::Same, Attr::More]) => ignored(),
        Rule::IgnorePerms if sets(&[Attr::Perms]) => ignored(),
        Rule::IgnoreTimes if sets(&[Attr::Times]) => ignored(),
        Rule::IgnoreOwner if sets(&[Attr::Owner]) => ignored(),
        Rule::IgnoreSize | Rule::IgnorePerms | Rule::IgnoreTimes | Rule::IgnoreOwner => {
            vec![Verdict::Free]
        }
        Rule::MaxFileSize => {
            let text = "Failure: File too large (--max-file-size)";
            let refused = Verdict::Refused(4, text.to_owned());
            match any(&|effect| grown(effect).is_some_and(|end| end > MAX_SIZE)) {
                true => vec![refused],
                false => in_vain(refused),
            }
        }
        Rule::ReserveFree => {
            let text = "Failure: No space left on device (--reserve-free)";
            let refused = Verdict::Refused(4, text.to_owned());
            // Bytes in the place of others need no space; SPEC says nothing of them.
            let puts = |effect: &Effect| matches!(effect, Effect::Put { .. });
            match any(&|effect| grown(effect).is_some()) {
                true => vec![refused],
                false if any(&puts) => vec![refused, Verdict::Free],
                false => in_vain(refused),
            }
        }
    }
}

fn ignored() -> Vec<Verdict> {
    vec![Verdict::Ignored]
}

fn no_overwrite(effects: &[Effect], creator: bool, refused: Verdict) -> Vec<Verdict> {
    let refuses = |effect: &Effect| match effect {
        Effect::ToWrite | Effect::Cut | Effect::Replace { .. } => true,
        Effect::Put { .. } => !creator,
        Effect::Size(attr) => !creator && *attr != Attr::Same,
        _ => false,
    };
    // To set the size that a file has changes nothing; SPEC says nothing of it here.
    let same = |effect: &Effect| match effect {
        Effect::Size(Attr::Same) => !creator,
        Effect::WouldReplace { .. } => true,
        _ => false,
    };
    match effects.iter().any(refuses) {
        true => vec![refused],
        false if effects.iter().any(same) => vec![refused, Verdict::Free],
        false => vec![Verdict::Free],
    }
}

fn drop_box(
    op: Op,
    thing: Thing,
    object: Object,
    way: Way,
    effects: &[Effect],
    creator: bool,
    refused: Verdict,
) -> Vec<Verdict> {
    let hidden = Verdict::AsAbsent;
    let mut right = match (thing.kind, op) {
        (_, Op::Symlink | Op::HardlinkOnto) => vec![refused],
        (_, Op::Hardlink(_)) if thing.own => vec![refused],
        (Kind::Absent, Op::Hardlink(_)) => vec![refused, Verdict::Free],
        (Kind::Absent, _) => vec![Verdict::Free],
        // A walk goes along another's link, and REALPATH tells where it came to.
        (Kind::Link | Kind::File, Op::Realpath) if object == Object::Link => {
            vec![hidden, Verdict::Free]
        }
        // Neither a file nor a link of another's is there, but its name is taken.
        (Kind::File | Kind::Link, _) if !thing.own && op.makes() => vec![refused],
        (Kind::File | Kind::Link, _) if !thing.own => vec![hidden],
        (Kind::Dir, Op::Stat | Op::Lstat) if !thing.own => vec![Verdict::Free],
        (Kind::Dir, Op::List) if !thing.own => vec![Verdict::OwnNames],
        // A directory on the way is no secret, and SPEC names neither of these.
        (Kind::Dir, Op::Realpath | Op::Statvfs | Op::Read | Op::Open(_) | Op::Handled(..))
        | (Kind::Dir, Op::CopyFile(..) | Op::CopyFileOnto(_))
            if !thing.own =>
        {
            vec![Verdict::Free, hidden, refused]
        }
        // It is not copied, whatever stands there.
        (Kind::Dir, Op::CopyFile(..)) => vec![Verdict::Free],
        (_, Op::CopyFile(Target::Other, _) | Op::CopyFile(Target::Dangling, false)) => {
            vec![refused]
        }
        (_, Op::CopyFile(Target::EmptyDir, _)) => vec![Verdict::Free, hidden, refused],
        // Of another's link to nothing, see below.
        (_, Op::CopyFile(Target::Dangling, true)) => vec![hidden, Verdict::Free],
        // It has no size to set, with rules and without.
        (Kind::Dir, Op::Setstat(Attr::Less | Attr::Same | Attr::More)) if !thing.own => {
            vec![hidden, Verdict::Free]
        }
        (Kind::Dir, Op::RenameOnto | Op::PosixRenameOnto | Op::Mkdir) if !thing.own => {
            vec![refused]
        }
        (Kind::Dir, _) if !thing.own => vec![hidden],
        (Kind::Dir, Op::CopyFileOnto(_)) => vec![refused, Verdict::Free],
        (_, Op::Rename(Target::Other | Target::Dangling | Target::EmptyDir)) => vec![refused],
        (_, Op::PosixRename(Target::Other | Target::Dangling | Target::EmptyDir)) => {
            vec![refused]
        }
        _ => no_overwrite(effects, creator, refused),
    };
    // A link of another's leads there: SPEC does not say whether such a link may be walked through.
    if matches!(way, Way::Link | Way::DirLink) {
        right.push(Verdict::AsAbsent);
    }
    right
}
