//! The table: a test a rule.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::day::Deed::*;
use super::day::Fate::*;
use super::day::files;
use super::hands::Hand::*;
use super::row::{After, Row};
use crate::ground::*;
use crate::support::is_jailed;

/// How clients tell of PERMISSION_DENIED, of NO_SUCH_FILE, and of FAILURE in an upload. Some see the last only by the size at the end.
const DENIED: &[&str] = &["permission denied"];
const ABSENT: &[&str] = &["no such file", "not found", "does not exist"];
const FAILED: &[&str] = &[
    "failure",
    "input/output error",
    "error in the ssh layer",
    "size mismatch",
];

#[test]
fn without_a_rule_every_deed_is_done() {
    Row {
        also: Some(|after| {
            if after.can(Chmod) {
                let bits = if is_jailed() { 0o750 } else { 0o4750 };
                assert_mode(&after.there("modes"), bits);
            }
        }),
        ..Row::default()
    }
    .play();
}

#[test]
fn read_only_lets_every_client_read() {
    Row {
        rule: "--read-only",
        refused: &[
            Put, Tree, Rest, LookBack, Over, Resume, Append, Rename, Remove, Chmod,
        ],
        words: DENIED,
        ..Row::default()
    }
    .play();
}

#[test]
fn no_overwrite_takes_what_is_new() {
    Row {
        rule: "--no-overwrite",
        refused: &[Over, Resume, Append],
        words: DENIED,
        // What it may not open it removes, and opens that anew.
        but: &[(Perl, Over, Done)],
        ..Row::default()
    }
    .play();
}

#[test]
fn no_overwrite_and_no_delete_take_what_is_new_and_keep_the_rest() {
    Row {
        rule: "--no-overwrite --no-delete",
        refused: &[Over, Resume, Append, Rename, Remove],
        words: DENIED,
        ..Row::default()
    }
    .play();
}

#[test]
fn no_delete_keeps_every_name() {
    Row {
        rule: "--no-delete",
        refused: &[Rename, Remove],
        words: DENIED,
        ..Row::default()
    }
    .play();
}

#[test]
fn append_only_resumes_and_appends() {
    Row {
        rule: "--append-only",
        refused: &[Over, Rename, Remove],
        words: DENIED,
        ..Row::default()
    }
    .play();
}

#[test]
fn a_drop_box_takes_what_is_new_and_shows_ones_own() {
    Row {
        rule: "--drop-box",
        refused: &[
            Get, Look, Secret, Over, Resume, Append, Rename, Remove, Chmod,
        ],
        words: DENIED,
        // To look back it makes another session, to which what it sent is foreign.
        but: &[(Rclone, LookBack, Not)],
        ..Row::default()
    }
    .play();
}

#[test]
fn what_is_hidden_is_absent_and_all_else_works() {
    Row {
        rule: "--hide *.hid",
        refused: &[Secret],
        words: ABSENT,
        also: Some(|after| assert!(!after.said.contains("c.hid"), "{}", after.said)),
        ..Row::default()
    }
    .play();
}

#[test]
fn what_is_denied_is_listed_and_refused_and_all_else_works() {
    Row {
        rule: "--deny *.hid",
        refused: &[Secret],
        words: DENIED,
        also: Some(|after| assert_eq!(after.said.contains("c.hid"), after.can(Look))),
        ..Row::default()
    }
    .play();
}

/// What a client has made: the new file, and what is in the tree.
fn made(after: &After) -> Vec<std::path::PathBuf> {
    let mut made = vec![after.there("new")];
    if after.can(Tree) {
        made.extend(files(&after.there("tree")));
        assert_eq!(made.len(), 5);
    }
    made
}

#[test]
fn modes_that_are_given_stand_whatever_the_client_sets() {
    Row {
        rule: "--file-mode 0640 --dir-mode 0750",
        // It is told that the mode was set.
        left: &[(Chmod, Not)],
        also: Some(|after| {
            for path in made(after) {
                assert_mode(&path, 0o640);
            }
            if after.can(Tree) {
                for dir in ["tree", "tree/deep/deeper", "tree/hollow"] {
                    // An empty directory means nothing to it.
                    if after.there(dir).exists() || after.hand != Rclone {
                        assert_mode(&after.there(dir), 0o750);
                    }
                }
            }
            assert_mode(&after.there("over"), 0o644);
        }),
        ..Row::default()
    }
    .play();
}

#[test]
fn an_umask_takes_bits_away_until_the_client_sets_a_mode() {
    Row {
        rule: "--umask 027",
        also: Some(|after| {
            let mode = fs::metadata(after.there("new")).unwrap().mode() & 0o7777;
            // It sets 0666 on what it has opened.
            let set = if after.hand == Ssh2 {
                0o666
            } else {
                mode & 0o750
            };
            assert_eq!(mode, set, "{:?}", after.hand);
        }),
        ..Row::default()
    }
    .play();
}

#[test]
fn attributes_are_set_in_vain() {
    Row {
        rule: "--ignore-setstat size,perms,times,owner",
        left: &[(Chmod, Not)],
        // It writes over a file without truncating it, and sets the size at the end.
        but: &[(Scp, Over, Tail)],
        also: Some(|after| {
            for path in made(after) {
                assert!(fs::metadata(path).unwrap().mtime() > 1_500_000_000);
            }
        }),
        ..Row::default()
    }
    .play();
}

#[test]
fn atomic_uploads_take_their_place_whole() {
    Row {
        rule: "--atomic-upload",
        // scp opens without truncating: to the server that is a resume.
        also: Some(|after| assert_eq!(after.is_replaced(), after.hand != Scp, "{:?}", after.hand)),
        ..Row::default()
    }
    .play();
}

#[test]
fn a_spool_takes_what_is_new_whole() {
    Row {
        rule: "--atomic-upload --no-overwrite --no-delete",
        refused: &[Over, Resume, Append, Rename, Remove],
        words: DENIED,
        ..Row::default()
    }
    .play();
}

#[test]
fn an_atomic_upload_where_nothing_is_deleted_still_replaces() {
    Row {
        rule: "--atomic-upload --no-delete",
        refused: &[Rename, Remove],
        words: DENIED,
        ..Row::default()
    }
    .play();
}

#[test]
fn a_limit_that_is_not_reached_refuses_nothing() {
    Row {
        rule: "--max-file-size 120000 --reserve-free 1M --idle-timeout 5m --session-timeout 5m",
        ..Row::default()
    }
    .play();
}

#[test]
fn rates_make_everyone_wait_and_nothing_fail() {
    Row {
        rule: "--upload-rate 50K --download-rate 50K",
        // The content of one second passes at once.
        also: Some(|after| assert!(after.took > Duration::from_millis(1300), "{:?}", after.took)),
        ..Row::default()
    }
    .play();
}

#[test]
fn a_file_that_is_too_large_is_refused_in_words_and_its_beginning_stays() {
    Row {
        rule: "--max-file-size 80K",
        refused: &[Put, Resume],
        words: FAILED,
        left: &[(Put, Begun), (Resume, Begun)],
        but: &[
            // The whole of it is one WRITE.
            (Scp, Put, Empty),
            (Sftp, Put, Empty),
            (Asyncssh, Put, Empty),
            (Asyncssh, Resume, Not),
            (Ssh2, Resume, Not),
            // A resume that fails at once it cuts to where it knows that content arrived: to nothing.
            (Sftp, Resume, Empty),
            // It removes what it has not uploaded wholly.
            (Rclone, Put, Not),
        ],
        ..Row::default()
    }
    .play();
}

#[test]
fn nothing_is_written_into_what_is_reserved_but_files_are_truncated() {
    Row {
        rule: "--reserve-free 8000T",
        refused: &[Put, Tree, Rest, Over, Resume, Append],
        words: FAILED,
        left: &[(Put, Empty), (Tree, Begun), (Rest, Begun), (Over, Empty)],
        but: &[
            // In the place of the old content, nothing grows.
            (Scp, Over, Done),
            (Rclone, Put, Not),
            (Rclone, Tree, Empty),
            (Rclone, LookBack, Not),
            // At the first failure they leave the tree.
            (Psftp, LookBack, Not),
            (Paramiko, LookBack, Not),
            (Asyncssh, LookBack, Not),
            (Erlang, LookBack, Not),
            (Perl, LookBack, Not),
            (Phpseclib, LookBack, Not),
            (Rclone, Rest, Not),
            (Rclone, Over, Gone),
            (Sftp, Resume, Empty),
        ],
        ..Row::default()
    }
    .play();
}

#[test]
fn an_atomic_upload_that_is_refused_on_the_way_leaves_what_was_there() {
    Row {
        rule: "--reserve-free 8000T --atomic-upload",
        refused: &[Put, Tree, Rest, Over, Resume, Append],
        words: FAILED,
        left: &[(Tree, Empty), (LookBack, Not)],
        but: &[
            (Scp, Over, Done),
            (Rclone, Over, Gone),
            (Sftp, Resume, Empty),
        ],
        ..Row::default()
    }
    .play();
}

#[test]
fn an_upload_that_fails_leaves_what_was_there_where_no_client_can_remove_it() {
    Row {
        rule: "--reserve-free 8000T --atomic-upload --no-delete",
        refused: &[Put, Tree, Rest, Over, Resume, Append, Rename, Remove],
        words: FAILED,
        left: &[(Tree, Empty), (LookBack, Not)],
        but: &[(Scp, Over, Done), (Sftp, Resume, Empty)],
        ..Row::default()
    }
    .play();
}

#[test]
fn a_resume_that_fails_cuts_nothing_where_files_only_grow() {
    Row {
        rule: "--reserve-free 8000T --append-only",
        refused: &[Put, Tree, Rest, Over, Resume, Append, Rename, Remove],
        words: FAILED,
        left: &[(Put, Empty), (Tree, Begun), (Rest, Begun)],
        but: &[
            (Rclone, Put, Not),
            (Rclone, Tree, Empty),
            (Rclone, Rest, Not),
            (Rclone, LookBack, Not),
            (Psftp, LookBack, Not),
            (Paramiko, LookBack, Not),
            (Asyncssh, LookBack, Not),
            (Erlang, LookBack, Not),
            (Perl, LookBack, Not),
            (Phpseclib, LookBack, Not),
        ],
        ..Row::default()
    }
    .play();
}

#[test]
fn two_handles_are_enough() {
    Row {
        rule: "--max-handles 2",
        ..Row::default()
    }
    .play();
}

#[test]
fn set_id_bits_are_kept_where_a_flag_keeps_them() {
    Row {
        rule: "--keep-setuid",
        jailed: true,
        also: Some(|after| {
            if after.can(Chmod) {
                assert_mode(&after.there("modes"), 0o4750);
            }
        }),
        ..Row::default()
    }
    .play();
}
