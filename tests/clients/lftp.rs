//! lftp: it sends a whole upload before it reads a reply, and often leaves without CLOSE. It cannot append, and its `mv` onto
//! an existing target is a plain RENAME, which is refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::ground::*;
use crate::support::sshd::HOST;

pub(crate) fn lftp(ground: &Ground, commands: &str) -> Command {
    let settings = format!(
        "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set xfer:clobber yes; \
         set sftp:connect-program \"ssh -a -x -F {}\"; open sftp://{HOST}; ",
        ground.sshd.client_config().display()
    );
    let mut lftp = Command::new("lftp");
    // No ~/.lftprc, no history of ours.
    lftp.args(["--norc", "-c"])
        .arg(settings + commands)
        .env("HOME", &ground.local)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    lftp
}

fn play(ground: &Ground, commands: &str) -> Output {
    succeed(&mut lftp(ground, commands))
}

/// A path in quotes, as lftp reads them.
pub(crate) fn quoted(path: &Path) -> String {
    format!(
        "\"{}\"",
        seen(path)
            .to_str()
            .unwrap()
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
    )
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let mut commands = String::new();
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        let (there, back) = (
            ground.remote.join(format!("{length}")),
            ground.local.join(format!("{length}.back")),
        );
        commands += &format!(
            "put {} -o {}; get {} -o {}; ",
            quoted(&local),
            quoted(&there),
            quoted(&there),
            quoted(&back)
        );
    }
    play(&ground, &commands);
    for length in LENGTHS {
        assert_bytes(
            &ground.remote.join(format!("{length}")),
            &data(length as u64, length),
        );
        assert_bytes(
            &ground.local.join(format!("{length}.back")),
            &data(length as u64, length),
        );
    }
}

#[test]
fn put_over_a_longer_file_leaves_nothing_of_it() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(30, 100_000));
    let local = ground.keep("file", b"short");
    play(
        &ground,
        &format!("put {} -o {}", quoted(&local), quoted(&file)),
    );
    assert_bytes(&file, b"short");
}

#[test]
fn put_and_get_continue_where_the_part_ends() {
    let ground = Ground::new();
    let whole = data(31, 1_000_000);
    let mut marked = whole.clone();
    marked[..400_000].fill(b'#');
    let (here, there) = (
        ground.keep("up", &whole),
        ground.plant("up", &marked[..400_000]),
    );
    let (source, part) = (
        ground.plant("down", &whole),
        ground.keep("down", &marked[..400_000]),
    );
    play(
        &ground,
        &format!(
            "put -c {} -o {}; get -c {} -o {}",
            quoted(&here),
            quoted(&there),
            quoted(&source),
            quoted(&part)
        ),
    );
    assert_bytes(&there, &marked);
    assert_bytes(&part, &marked);
}

#[test]
fn a_download_in_segments_is_put_together() {
    let ground = Ground::new();
    let bytes = data(32, 4_000_003);
    let (file, back) = (ground.plant("file", &bytes), ground.local.join("back"));
    play(
        &ground,
        &format!("pget -n 4 {} -o {}", quoted(&file), quoted(&back)),
    );
    assert_bytes(&back, &bytes);
}

#[test]
fn rename_moves_to_a_free_name_and_is_refused_onto_a_file() {
    let ground = Ground::new();
    let (old, new, free) = (
        ground.plant("old", b"old"),
        ground.plant("new", b"new"),
        ground.remote.join("free"),
    );
    let said = fail(&mut lftp(
        &ground,
        &format!("mv {} {}", quoted(&old), quoted(&new)),
    ));
    assert!(said.contains("Failure"), "{said}");
    assert_bytes(&new, b"new");
    play(&ground, &format!("mv {} {}", quoted(&old), quoted(&free)));
    assert_bytes(&free, b"old");
    assert!(!old.exists());
}

#[test]
fn directories_are_made_and_removed() {
    let ground = Ground::new();
    let (dir, deep) = (ground.remote.join("dir"), ground.remote.join("a/b/c"));
    play(
        &ground,
        &format!("mkdir {}; mkdir -p {}", quoted(&dir), quoted(&deep)),
    );
    assert!(dir.is_dir() && deep.is_dir());
    ground.plant("a/b/file", b"");
    play(
        &ground,
        &format!(
            "rmdir {}; rm -r {}",
            quoted(&dir),
            quoted(&ground.remote.join("a"))
        ),
    );
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), 0);
}

#[test]
fn mirror_carries_odd_names_links_modes_and_times_both_ways() {
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &odd_names());
    grow_links(&tree);
    play(
        &ground,
        &format!("mirror -R {} {}", quoted(&tree), quoted(&to)),
    );
    assert_same_tree(&to, &tree, MODES);
    play(
        &ground,
        &format!("mirror {} {}", quoted(&to), quoted(&back)),
    );
    assert_same_tree(&back, &tree, MODES);
    for copy in [&to, &back] {
        for name in ["zero", "a/program", "a/b/c/d/deep"] {
            assert_mtime(
                &copy.join(name),
                fs::metadata(tree.join(name)).unwrap().mtime(),
            );
        }
    }
}

#[test]
fn odd_names_are_put_got_renamed_and_removed() {
    let ground = Ground::new();
    let mut commands = String::new();
    let passing = ground.remote.join("passing");
    fs::create_dir(ground.local.join("back")).unwrap();
    for name in odd_lines() {
        let (local, there) = (
            ground.keep(&name, name.as_bytes()),
            ground.remote.join(&name),
        );
        let (gone, back) = (
            ground.plant(format!("gone {name}"), b""),
            ground.local.join("back").join(&name),
        );
        commands += &format!(
            "put {} -o {}; mv {} {}; ",
            quoted(&local),
            quoted(&there),
            quoted(&there),
            quoted(&passing)
        );
        commands += &format!(
            "mv {} {}; get {} -o {}; ",
            quoted(&passing),
            quoted(&there),
            quoted(&there),
            quoted(&back)
        );
        commands += &format!("rm {}; ", quoted(&gone));
    }
    play(&ground, &commands);
    for name in odd_lines() {
        assert_bytes(&ground.remote.join(&name), name.as_bytes());
        assert_bytes(&ground.local.join("back").join(&name), name.as_bytes());
    }
    assert_eq!(
        fs::read_dir(&ground.remote).unwrap().count(),
        odd_lines().len()
    );
}

#[test]
fn chmod_links_and_the_time_of_a_put_reach_the_disk() {
    let ground = Ground::new();
    let file = ground.plant("file", b"x");
    let (soft, sent) = (ground.remote.join("soft"), ground.remote.join("sent"));
    let local = ground.keep("sent", b"x");
    set_mtime(&local, 1_000_000_007);
    play(
        &ground,
        &format!(
            "chmod 751 {}; ln -s \"some where\" {}; put {} -o {}",
            quoted(&file),
            quoted(&soft),
            quoted(&local),
            quoted(&sent)
        ),
    );
    assert_mode(&file, 0o751);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    assert_mtime(&sent, 1_000_000_007);
    // LINK came with version 6: over version 3 there is no hard link.
    let said = fail(&mut lftp(
        &ground,
        &format!(
            "ln {} {}",
            quoted(&file),
            quoted(&ground.remote.join("hard"))
        ),
    ));
    assert!(!ground.remote.join("hard").exists(), "{said}");
}

#[test]
fn a_thousand_files_are_listed_and_links_are_shown() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    symlink("nowhere", dir.join("zz-link")).unwrap();
    let output = play(&ground, &format!("cls -1 {0}; ls {0}", quoted(&dir)));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("-rw")).count(),
        1000
    );
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("lrwx")).count(),
        1,
        "{text}"
    );
    for name in &names {
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.ends_with(name.as_str()))
                .count(),
            2,
            "{name}"
        );
    }
}
