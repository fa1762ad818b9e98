//! Every rule × every request × every object × every way to name it × with and without `--root`, and pairs of rules.
//!
//! A cell is played twice: in a session without rules, once for all, and in one with them. [`model`](crate::model) says which
//! outcomes are right; the reply and the disk say which one it was.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::cells::{Cell, cells, ways};
use crate::ground::{Ground, State};
use crate::model::{Rule, Verdict, judge, mode_of_new, seen};
use crate::operations::{Answer, perform};
use crate::words::{By, Handled, Kind, Object, Op, Place, Way};

/// The flags of rules as the matrix gives them.
fn flags(rules: &[Rule]) -> Vec<&'static str> {
    let each = rules.iter().flat_map(|rule| flag(*rule, rules));
    each.copied().collect()
}

/// What beats another beats a value that would be seen: such a value cannot stand alone, since all cells begin alike.
fn flag(rule: Rule, among: &[Rule]) -> &'static [&'static str] {
    let exact = among.contains(&Rule::FileMode) || among.contains(&Rule::ForceFilePerms);
    match rule {
        Rule::ReadOnly => &["--read-only"],
        Rule::NoOverwrite => &["--no-overwrite"],
        Rule::NoDelete => &["--no-delete"],
        Rule::AppendOnly => &["--append-only"],
        Rule::DropBox => &["--drop-box"],
        Rule::Hide => &["--hide", "foreign", "--hide", "fdi?", "--hide", "f?mpty"],
        Rule::Deny => &["--deny", "foreign", "--deny", "fdir", "--deny", "f?mp*"],
        Rule::FileMode => &["--file-mode", "0604"],
        Rule::DirMode => &["--dir-mode", "0711"],
        Rule::ForceFilePerms if among.contains(&Rule::FileMode) => &["-m", "0666"],
        Rule::ForceFilePerms => &["--force-file-perms", "0604"],
        Rule::Umask if exact => &["-u", "046"],
        Rule::Umask => &["--umask", "042"],
        Rule::IgnoreSize => &["--ignore-setstat", "size"],
        Rule::IgnorePerms => &["--ignore-setstat", "perms"],
        Rule::IgnoreTimes => &["--ignore-setstat", "times"],
        Rule::IgnoreOwner => &["--ignore-setstat", "owner"],
        Rule::MaxFileSize => &["--max-file-size", "20"],
        Rule::ReserveFree => &["--reserve-free", "1000000T"],
    }
}

/// A session without rules did this.
#[derive(Clone)]
struct Plain {
    before: State,
    answer: Answer,
    after: State,
}

/// What sessions without rules did in each cell, asked once.
fn plain(place: Place, cells: &[Cell]) -> HashMap<Cell, Plain> {
    static KNOWN: Mutex<Option<HashMap<(Place, Cell), Plain>>> = Mutex::new(None);
    let mut known = KNOWN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let known = known.get_or_insert_default();
    let mut ground = None;
    let mut found = HashMap::new();
    // What an absent object answers is needed as well.
    for (op, object, way) in cells.iter().copied() {
        let absent = [Some(op), op.opener()].into_iter().flatten();
        for cell in absent
            .flat_map(|op| {
                [
                    (op, object, way),
                    (op, Object::Absent, way),
                    (op, Object::Absent, Way::Plain),
                ]
            })
            .filter(|(_, object, way)| ways(*object).contains(way))
        {
            let plain = known.entry((place, cell)).or_insert_with(|| {
                let ground = renewed(&mut ground, place, &[], true);
                let before = ground.prepare();
                let answer = perform(ground, cell.0, cell.1, cell.2);
                let (after, _) = ground.look();
                Plain {
                    before,
                    answer,
                    after,
                }
            });
            found.insert(cell, plain.clone());
        }
    }
    found
}

fn renewed<'a>(
    ground: &'a mut Option<Ground>,
    place: Place,
    flags: &[&str],
    makes: bool,
) -> &'a mut Ground {
    if ground.as_ref().is_none_or(Ground::is_old) {
        *ground = Some(Ground::new(place, flags, makes));
    }
    ground.as_mut().expect("it was just made")
}

/// Plays all cells under these flags, and says of each that did not come out as the rules have it what was wrong.
fn play(rules: &[Rule], given: &[&str], place: Place, wholly: bool) -> Vec<String> {
    let makes = !given
        .iter()
        .any(|flag| ["--read-only", "--reserve-free"].contains(flag));
    let cells: Vec<Cell> = cells(wholly)
        .into_iter()
        .filter(|(_, object, _)| makes || *object != Object::Fresh)
        .collect();
    let plain = plain(place, &cells);
    let (mut ground, mut wrong) = (None, Vec::new());
    for (op, object, way) in cells {
        let ground = renewed(&mut ground, place, given, makes);
        let before = ground.prepare();
        let answer = perform(ground, op, object, way);
        let (after, changes) = ground.look();
        let played = Played {
            rules,
            cell: (op, object, way),
            plain: &plain,
            answer,
            after,
            changes,
        };
        let first = &played.free(op).before;
        assert_eq!(
            &before, first,
            "{rules:?}: the cell begins as it does without rules"
        );
        if let Err(why) = played.check() {
            wrong.push(format!(
                "{rules:?} {place:?} {op:?} {object:?} {way:?}: {why}"
            ));
        }
    }
    wrong
}

/// A cell that was played under rules.
struct Played<'a> {
    rules: &'a [Rule],
    cell: Cell,
    plain: &'a HashMap<Cell, Plain>,
    answer: Answer,
    after: State,
    changes: Vec<String>,
}

impl Played<'_> {
    fn free(&self, op: Op) -> &Plain {
        let (_, object, way) = self.cell;
        &self.plain[&(op, object, way)]
    }

    fn check(&self) -> Result<(), String> {
        let (mut op, object, way) = self.cell;
        if let Some(opener) = op.opener() {
            let right = judge(self.rules, opener, object, way);
            if self.answer.unopened {
                op = opener;
            } else if !right.contains(&Verdict::Free) {
                return Err(format!("the handle was given, right is {right:?}"));
            }
        }
        let right = judge(self.rules, op, object, way);
        if right.iter().any(|verdict| self.is(op, verdict)) {
            return Ok(());
        }
        let free = self.free(op);
        Err(format!(
            "answered {:?}, changed {:?}; right is {right:?}; without rules {:?}",
            self.answer.words, self.changes, free.answer.words
        ))
    }

    /// True where this verdict is what happened.
    fn is(&self, op: Op, verdict: &Verdict) -> bool {
        let (_, object, way) = self.cell;
        let free = self.free(op);
        let same = self.answer.words == free.answer.words;
        match verdict {
            Verdict::Free => same && self.after == self.expected(op),
            Verdict::Refused(code, text) => {
                let refused = self.answer.status.as_ref() == Some(&(*code, text.clone()));
                // What fails anyway may say why it fails without a rule, but not where that tells what is hidden.
                let strict = *code == 2 || text.ends_with("--drop-box") && op.meets_foreign();
                let failed = same && !free.answer.is_success() && !strict;
                (refused || failed) && self.is_untouched()
            }
            Verdict::AsAbsent => {
                // Absent is then the link, or the second name.
                let itself = way == Way::Hard || way == Way::Link && op.stays();
                let way = if itself { Way::Plain } else { way };
                let absent = &self.plain[&(op, Object::Absent, way)].answer;
                // By name and by link, REALPATH says its own name.
                let names = [object, Object::Absent]
                    .map(|object| [Some(object.name()), object.link(), object.hard()]);
                let mut names: Vec<_> = names.into_iter().flatten().flatten().collect();
                // One may begin as another does.
                names.sort_by_key(|name| std::cmp::Reverse(name.len()));
                let plainly = |words: &str| {
                    let names = names.iter().filter(|name| !name.is_empty());
                    names.fold(words.to_owned(), |words, name| words.replace(name, "@"))
                };
                let linked = op == Op::Realpath && way == Way::DirLink && object == Object::Here;
                if linked && self.answer.words.ends_with("/here") {
                    return self.is_untouched();
                }
                plainly(&self.answer.words) == plainly(&absent.words) && self.is_untouched()
            }
            Verdict::Ignored => {
                let kept = self
                    .answer
                    .status
                    .as_ref()
                    .is_some_and(|(code, _)| *code == 0);
                let failed = same && !free.answer.is_success();
                (kept || failed) && self.is_untouched()
            }
            Verdict::OwnNames | Verdict::VisibleNames => {
                let mut names = free.answer.names.clone().unwrap_or_default();
                names.retain(|name| match verdict {
                    Verdict::OwnNames => {
                        [".", "..", "own", "ownhard", "own2", "owndir"].contains(&name.as_str())
                    }
                    _ => !["foreign", "fdir", "fempty"].contains(&name.as_str()),
                });
                self.answer.names.as_ref() == Some(&names) && self.is_untouched()
            }
        }
    }

    /// What stands on the disk without rules, with the modes and times that the rules give to what is made.
    fn expected(&self, op: Op) -> State {
        let free = self.free(op);
        let mut expected = free.after.clone();
        let made = expected
            .iter_mut()
            .filter(|(name, _)| !free.before.contains_key(*name));
        for (_, entry) in made {
            if let Some(mode) = mode_of_new(self.rules, op, self.cell.1) {
                entry.mode = mode;
            }
        }
        let copies = matches!(op, Op::CopyFile(..) | Op::CopyFileOnto(_));
        if copies && self.rules.contains(&Rule::IgnoreTimes) {
            // What is copied then is of now.
            for (name, entry) in &mut expected {
                if free.before.get(name) != Some(&*entry) {
                    entry.mtime = (0, 0);
                }
            }
        }
        expected
    }

    /// True where nothing is different, but for the file whose handle the request had to have.
    fn is_untouched(&self) -> bool {
        let (_, object, way) = self.cell;
        if object == Object::Fresh && !self.answer.unopened {
            let looked = Op::Handled(By::Creator, Handled::Fstat);
            return self.after == self.plain[&(looked, object, way)].after;
        }
        self.changes.is_empty()
    }
}

fn all_hold(rules: &[Rule]) {
    let given = flags(rules);
    let single = rules.len() == 1;
    let mut wrong = play(rules, &given, Place::Root, single);
    if single {
        wrong.extend(play(rules, &given, Place::Host, false));
        wrong.extend(play(rules, &given, Place::Bind, false));
    }
    let shown = wrong.iter().take(60).map(|line| format!("\n{line}"));
    assert!(
        wrong.is_empty(),
        "{} cells are wrong:{}",
        wrong.len(),
        shown.collect::<String>()
    );
}

#[test]
fn read_only_lets_nothing_change() {
    all_hold(&[Rule::ReadOnly]);
}

#[test]
fn no_overwrite_keeps_the_content_of_what_exists() {
    all_hold(&[Rule::NoOverwrite]);
}

#[test]
fn no_delete_lets_no_name_disappear() {
    all_hold(&[Rule::NoDelete]);
}

#[test]
fn append_only_lets_files_grow_at_their_end_alone() {
    all_hold(&[Rule::AppendOnly]);
}

#[test]
fn a_drop_box_knows_own_objects_alone() {
    all_hold(&[Rule::DropBox]);
}

#[test]
fn what_is_hidden_answers_as_absent() {
    all_hold(&[Rule::Hide]);
}

#[test]
fn what_is_denied_is_neither_read_nor_touched() {
    all_hold(&[Rule::Deny]);
}

#[test]
fn modes_are_exact_and_stay() {
    all_hold(&[Rule::FileMode]);
    all_hold(&[Rule::DirMode]);
}

#[test]
fn modes_of_files_are_forced_and_a_umask_takes_bits_from_all() {
    all_hold(&[Rule::ForceFilePerms]);
    all_hold(&[Rule::Umask]);
}

#[test]
fn attributes_that_are_ignored_are_answered_and_left() {
    for rule in [
        Rule::IgnoreSize,
        Rule::IgnorePerms,
        Rule::IgnoreTimes,
        Rule::IgnoreOwner,
    ] {
        all_hold(&[rule]);
    }
}

#[test]
fn no_file_grows_past_its_greatest_size() {
    all_hold(&[Rule::MaxFileSize]);
}

#[test]
fn no_file_takes_what_stays_free() {
    all_hold(&[Rule::ReserveFree]);
}

#[test]
fn of_two_rules_each_holds() {
    for pair in PAIRS {
        all_hold(pair);
    }
}

const PAIRS: &[&[Rule]] = &[
    &[Rule::NoOverwrite, Rule::NoDelete],
    &[Rule::NoDelete, Rule::AppendOnly],
    &[Rule::NoOverwrite, Rule::AppendOnly],
    &[Rule::NoDelete, Rule::DropBox],
    &[Rule::AppendOnly, Rule::DropBox],
    &[Rule::DropBox, Rule::FileMode],
    &[Rule::DropBox, Rule::MaxFileSize],
    &[Rule::DropBox, Rule::Hide],
    &[Rule::ReadOnly, Rule::Hide],
    &[Rule::NoOverwrite, Rule::Hide],
    &[Rule::NoOverwrite, Rule::Deny],
    &[Rule::Hide, Rule::Deny],
    &[Rule::NoOverwrite, Rule::IgnoreSize],
    &[Rule::ReadOnly, Rule::IgnorePerms],
    &[Rule::Deny, Rule::IgnoreTimes],
    &[Rule::FileMode, Rule::DirMode],
    &[Rule::FileMode, Rule::ForceFilePerms],
    &[Rule::FileMode, Rule::Umask],
    &[Rule::ForceFilePerms, Rule::Umask],
    &[Rule::ForceFilePerms, Rule::DirMode],
    &[Rule::DirMode, Rule::Umask],
    &[Rule::DropBox, Rule::ForceFilePerms],
    &[Rule::ForceFilePerms, Rule::IgnorePerms],
    &[Rule::AppendOnly, Rule::MaxFileSize],
    &[Rule::MaxFileSize, Rule::ReserveFree],
];

#[test]
fn the_matrix_notices_a_rule_that_is_not_there() {
    let single = [
        Rule::ReadOnly,
        Rule::NoOverwrite,
        Rule::NoDelete,
        Rule::AppendOnly,
        Rule::DropBox,
        Rule::Hide,
        Rule::Deny,
        Rule::FileMode,
        Rule::DirMode,
        Rule::ForceFilePerms,
        Rule::Umask,
        Rule::IgnoreSize,
        Rule::IgnorePerms,
        Rule::IgnoreTimes,
        Rule::IgnoreOwner,
        Rule::MaxFileSize,
        Rule::ReserveFree,
    ];
    let plain = plain(Place::Root, &cells(false));
    for rule in single {
        // What a session without rules did, held against the rule.
        let mut wrong = 0;
        for (op, object, way) in cells(false) {
            let free = &plain[&(op, object, way)];
            let changed = free.before != free.after;
            let played = Played {
                rules: &[rule],
                cell: (op, object, way),
                plain: &plain,
                answer: free.answer.clone(),
                after: free.after.clone(),
                changes: changed.then(String::new).into_iter().collect(),
            };
            wrong += usize::from(played.check().is_err());
        }
        assert!(wrong > 0, "{rule:?} makes no difference");
        println!("{rule:?}: {wrong} cells differ");
    }
    for pair in PAIRS {
        let [one, other] = pair else {
            panic!("a pair is two")
        };
        for (left, rule) in [(one, other), (other, one)] {
            // Where one says it all, the other is not missed.
            let implied = matches!(
                (left, rule),
                (Rule::AppendOnly, Rule::NoDelete)
                    | (Rule::ReadOnly, Rule::IgnorePerms)
                    | (Rule::Hide, Rule::Deny)
                    | (Rule::FileMode, Rule::ForceFilePerms)
            );
            let wrong = play(pair, &flags(&[*left]), Place::Root, false);
            assert!(
                implied || !wrong.is_empty(),
                "{rule:?} is not missed in {pair:?}"
            );
        }
    }
}

#[test]
fn the_matrix_holds_something_of_each_kind() {
    let of = |kind| {
        cells(true)
            .into_iter()
            .filter(|(op, object, way)| seen(*op, *object, *way).kind == kind)
            .count()
    };
    for kind in [Kind::Absent, Kind::File, Kind::Dir, Kind::Link] {
        assert!(of(kind) > 100, "{} cells of {kind:?}", of(kind));
    }
}
