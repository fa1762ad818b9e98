//! What a rule forbids, tried in two steps: another name or a copy is made first, a handle was open before, another session does the rest.
//!
//! Whatever is answered, the disk is what counts. The same attempts without the rule break what it promises, so that they would be noticed.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::second_steps::{Cell, Old, SECONDS, SIZE, TIME, contains, firsts};
use crate::support::{Server, Tree};

/// As many bytes as `--max-file-size` allows here.
const MOST: u64 = 20;

/// A rule, and whether a cell has kept it.
struct Row {
    flags: &'static [&'static str],
    /// What takes the rule away.
    without: &'static [&'static str],
    /// Whether a session can make anything.
    makes: bool,
    kept: fn(&Cell<'_>) -> bool,
}

const fn row(flags: &'static [&'static str], kept: fn(&Cell<'_>) -> bool) -> Row {
    Row {
        flags,
        without: &[],
        makes: true,
        kept,
    }
}

#[test]
fn nothing_changes_under_read_only() {
    let kept = |cell: &Cell<'_>| cell.before.differences(&cell.now()).is_empty();
    holds(&Row {
        makes: false,
        ..row(&["--read-only"], kept)
    });
}

#[test]
fn no_content_goes_and_no_name_is_taken_under_no_overwrite() {
    holds(&row(&["--no-overwrite"], |cell| {
        cell.all(|old| old.is_same() && (cell.stands(old) || cell.free.contains(old.name)))
    }));
}

#[test]
fn no_name_goes_under_no_delete() {
    // An upload and a copy over what is there are overwrites; own is not copied over anything.
    holds(&row(&["--no-delete"], |cell| {
        cell.all(|old| {
            let now = fs::read(cell.tree.at(cell.path(old.name)));
            now.is_ok_and(|now| !contains(&now, b"mine"))
        })
    }));
}

#[test]
fn files_grow_at_their_end_alone_under_append_only() {
    holds(&row(&["--append-only"], |cell| {
        cell.all(|old| {
            let now = old.now();
            let end = now.strip_prefix(old.content.as_bytes());
            cell.stands(old) && end.is_some_and(|end| !end.contains(&0))
        })
    }));
}

#[test]
fn what_is_another_s_is_neither_told_nor_touched_in_a_drop_box() {
    holds(&row(&["--drop-box"], |cell| {
        cell.all(|old| {
            cell.stands(old) && old.is_same() && old.is_dressed_the_same() && !cell.told(old)
        })
    }));
}

#[test]
fn what_is_hidden_is_neither_told_nor_touched() {
    holds(&row(&["--hide=secret"], |cell| cell.keeps_the_secret()));
}

#[test]
fn nor_is_what_is_denied() {
    holds(&row(&["--deny=secret"], |cell| cell.keeps_the_secret()));
}

#[test]
fn modes_are_the_rule_s() {
    holds(&row(&["--file-mode=0604", "--dir-mode=0711"], |cell| {
        let right = |(meta, path): &(Metadata, String)| {
            // What takes the place of a file has the mode of that.
            let mut replaced = cell.old.iter().filter(|old| cell.path(old.name) == *path);
            let mode = meta.mode() & 0o777;
            mode == if meta.is_dir() { 0o711 } else { 0o604 }
                || replaced.any(|old| old.before.mode() & 0o777 == mode)
        };
        // A new owner takes the setuid bit, whatever rule there is.
        let old = |old: &Old| (old.meta().mode() ^ old.before.mode()) & 0o3777 == 0;
        cell.old.iter().all(old) && cell.made().iter().all(right)
    }));
}

#[test]
fn what_is_ignored_of_setstat_is_set_in_no_way() {
    holds(&row(&["--ignore-setstat=size,perms,times,owner"], |cell| {
        cell.files().iter().all(|meta| {
            let attrs = meta.mtime() == TIME || meta.len() == SIZE || meta.uid() != 0;
            !attrs && meta.mode() & 0o777 != 0o777
        })
    }));
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    holds(&row(&["--max-file-size=20"], |cell| {
        cell.files().iter().all(|meta| meta.len() <= MOST)
    }));
}

#[test]
fn nothing_grows_where_nothing_is_free() {
    let kept = |cell: &Cell<'_>| {
        let new = cell.made();
        let empty = new.iter().all(|(meta, _)| meta.is_dir() || meta.len() == 0);
        empty && cell.all(|old| old.meta().len() <= old.before.len())
    };
    holds(&Row {
        makes: false,
        ..row(&["--reserve-free=900T"], kept)
    });
}

#[test]
fn no_file_gets_set_id_bits_unless_they_are_kept() {
    // The program alone is setuid, and nothing is setgid.
    let kept = |cell: &Cell<'_>| {
        let set = |meta: &Metadata| meta.mode() & 0o2000 != 0;
        let copy = |(meta, path): &(Metadata, String)| {
            *path == cell.path("copy") && meta.mode() & 0o7000 != 0
        };
        !cell.files().iter().any(set) && !cell.made().iter().any(copy)
    };
    holds(&Row {
        without: &["--keep-setuid"],
        ..row(&[], kept)
    });
}

/// Tries everything under a rule, and says that the same is noticed without it.
fn holds(row: &Row) {
    let wrong = play(row, row.flags);
    let count = wrong.len();
    assert!(
        wrong.is_empty(),
        "{:?}: {count}: {:#?}",
        row.flags,
        &wrong[..count.min(10)]
    );
    assert!(
        !play(row, row.without).is_empty(),
        "{:?}: nothing is noticed",
        row.flags
    );
}

/// The cells that have not kept the rule.
fn play(row: &Row, flags: &[&str]) -> Vec<String> {
    let memory = Path::new("/dev/shm");
    let tree = match memory.is_dir() {
        true => Tree::below(memory),
        false => Tree::new(),
    };
    let flags = [&["--root", "."], flags].concat();
    let sessions = || [Server::with(&tree, &flags), Server::with(&tree, &flags)];
    let (mut servers, mut wrong, mut count) = (sessions(), Vec::new(), 0);
    for first in 0..firsts("").len() {
        for second in SECONDS {
            for by in [0, 1] {
                count += 1;
                // What a session remembers to have made is bounded.
                if count % 50 == 0 {
                    servers = sessions();
                }
                let cell = Cell::play(&tree, &mut servers, (count, row.makes), (first, second, by));
                if !(row.kept)(&cell) {
                    let first = format!("{:?}", firsts("c")[first]);
                    wrong.push(format!("{first}, then {second} by session {by}"));
                }
                drop(cell);
                fs::remove_dir_all(tree.at(format!("c{count}"))).unwrap();
            }
        }
    }
    wrong
}
