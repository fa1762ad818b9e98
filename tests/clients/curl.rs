//! curl, by libssh2. It cannot walk a tree or make hard links, and it knows RENAME alone; renames, modes, times and links are
//! commands (`-Q`) around a transfer.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::ground::*;

pub(crate) fn curl(ground: &Ground) -> Command {
    let sshd = &ground.sshd;
    // curl looks up known hosts in the home.
    let ssh = ground.local.join(".ssh");
    if !ssh.exists() {
        fs::create_dir(&ssh).unwrap();
        fs::copy(sshd.known_hosts(), ssh.join("known_hosts")).unwrap();
    }
    let mut curl = Command::new("curl");
    curl.args([
        "--disable",
        "--silent",
        "--show-error",
        "--user",
        &format!("{}:", sshd.account().name),
        "--key",
    ])
    .arg(sshd.user_key())
    .arg("--pubkey")
    .arg(sshd.user_key().with_extension("pub"))
    .env("HOME", &ground.local);
    curl
}

/// The address of a file at the server's side, every odd byte in hexadecimal.
pub(crate) fn url(ground: &Ground, path: &Path) -> String {
    let mut url = format!("sftp://127.0.0.1:{}", ground.sshd.port);
    for &byte in seen(path).as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url += &format!("%{byte:02X}");
        }
    }
    url
}

/// A path in a command, quoted as curl reads it.
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

/// Runs commands by `-Q` before a listing of the remote directory.
fn commands(ground: &Ground, commands: &[String]) -> Command {
    let mut curl = curl(ground);
    for command in commands {
        curl.args(["--quote", command]);
    }
    curl.arg(url(ground, &ground.remote) + "/");
    curl
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let (mut put, mut get) = (curl(&ground), curl(&ground));
    for length in LENGTHS {
        let to = url(&ground, &ground.remote.join(format!("{length}")));
        put.arg("--upload-file")
            .arg(ground.keep(format!("{length}"), &data(length as u64, length)))
            .arg(&to);
        get.arg("--output")
            .arg(ground.local.join(format!("{length}.back")))
            .arg(&to);
    }
    succeed(&mut put);
    succeed(&mut get);
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
    let file = ground.plant("file", &data(50, 100_000));
    succeed(
        curl(&ground)
            .arg("--upload-file")
            .arg(ground.keep("file", b"short"))
            .arg(url(&ground, &file)),
    );
    assert_bytes(&file, b"short");
}

#[test]
fn transfers_continue_where_the_part_ends_and_parts_are_got() {
    let ground = Ground::new();
    let whole = data(51, 1_000_000);
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
    succeed(
        curl(&ground)
            .args(["--continue-at", "-", "--upload-file"])
            .arg(&here)
            .arg(url(&ground, &there)),
    );
    succeed(
        curl(&ground)
            .args(["--continue-at", "-", "--output"])
            .arg(&part)
            .arg(url(&ground, &source)),
    );
    assert_bytes(&there, &marked);
    assert_bytes(&part, &marked);
    let output = succeed(
        curl(&ground)
            .args(["--range", "123456-223455"])
            .arg(url(&ground, &source)),
    );
    assert!(output.stdout == whole[123_456..223_456]);
}

#[test]
fn an_upload_is_appended_and_comes_from_a_stream() {
    let ground = Ground::new();
    let (first, second) = (data(52, 100_000), data(53, 70_000));
    let file = ground.plant("log", &first);
    succeed(
        curl(&ground)
            .args(["--append", "--upload-file"])
            .arg(ground.keep("more", &second))
            .arg(url(&ground, &file)),
    );
    assert_bytes(&file, &[first, second.clone()].concat());
    let stream = Stdio::from(fs::File::open(ground.local.join("more")).unwrap());
    let to = ground.remote.join("streamed");
    let output = run(
        curl(&ground)
            .args(["--upload-file", "-"])
            .arg(url(&ground, &to)),
        stream,
    );
    assert!(output.status.success(), "{output:?}");
    assert_bytes(&to, &second);
}

#[test]
fn commands_rename_link_and_set_modes_and_times() {
    let ground = Ground::new();
    let (old, file) = (
        ground.plant("old", b"x"),
        ground.remote.join("it's \"new\""),
    );
    let (soft, dir) = (ground.remote.join("soft"), ground.remote.join("dir"));
    succeed(&mut commands(
        &ground,
        &[
            format!("rename {} {}", quoted(&old), quoted(&file)),
            format!("chmod 640 {}", quoted(&file)),
            format!("mtime \"Sun, 09 Sep 2001 01:46:47 GMT\" {}", quoted(&file)),
            // Some builds of libssh2 call a link that was made a failure, with OpenSSH's server too: the disk decides.
            format!("*ln \"some where\" {}", quoted(&soft)),
            format!("mkdir {}", quoted(&dir)),
        ],
    ));
    assert!(!old.exists() && dir.is_dir());
    assert_bytes(&file, b"x");
    assert_mode(&file, 0o640);
    assert_mtime(&file, 1_000_000_007);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    succeed(&mut commands(
        &ground,
        &[
            format!("rm {}", quoted(&file)),
            format!("rm {}", quoted(&soft)),
            format!("rmdir {}", quoted(&dir)),
        ],
    ));
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), 0);
}

#[test]
fn rename_onto_an_existing_file_is_refused() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let said = fail(&mut commands(
        &ground,
        &[format!("rename {} {}", quoted(&old), quoted(&new))],
    ));
    assert!(said.contains("rename command failed"), "{said}");
    assert_bytes(&new, b"new");
    assert_bytes(&old, b"old");
}

#[test]
fn missing_directories_are_made_and_times_are_kept_on_the_way_down() {
    let ground = Ground::new();
    let file = ground.remote.join("a/b c/file");
    succeed(
        curl(&ground)
            .args(["--ftp-create-dirs", "--upload-file"])
            .arg(ground.keep("file", b"x"))
            .arg(url(&ground, &file)),
    );
    assert_bytes(&file, b"x");
    set_mtime(&file, 1_000_000_007);
    let back = ground.local.join("back");
    succeed(
        curl(&ground)
            .args(["--remote-time", "--output"])
            .arg(&back)
            .arg(url(&ground, &file)),
    );
    assert_mtime(&back, 1_000_000_007);
}

#[test]
fn odd_names_are_put_and_got() {
    let ground = Ground::new();
    let (mut put, mut get) = (curl(&ground), curl(&ground));
    // Without --globoff curl would expand patterns in local names too.
    put.arg("--globoff");
    get.arg("--globoff");
    for (number, name) in odd_names().iter().enumerate() {
        let to = url(&ground, &ground.remote.join(name));
        put.arg("--upload-file")
            .arg(ground.keep(format!("{number}"), name.as_bytes()))
            .arg(&to);
        get.arg("--output")
            .arg(ground.local.join(format!("{number}.back")))
            .arg(&to);
    }
    succeed(&mut put);
    succeed(&mut get);
    for (number, name) in odd_names().iter().enumerate() {
        assert_bytes(&ground.remote.join(name), name.as_bytes());
        assert_bytes(
            &ground.local.join(format!("{number}.back")),
            name.as_bytes(),
        );
    }
}

#[test]
fn a_thousand_files_are_listed_by_name_and_at_length() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    symlink("nowhere", dir.join("zz-link")).unwrap();
    let at = url(&ground, &dir) + "/";
    let short =
        String::from_utf8(succeed(curl(&ground).args(["--list-only", &at])).stdout).unwrap();
    let mut listed: Vec<&str> = short.lines().filter(|name| name.ends_with('x')).collect();
    listed.sort();
    assert_eq!(listed, names);
    let long = String::from_utf8(succeed(curl(&ground).arg(&at)).stdout).unwrap();
    assert_eq!(
        long.lines()
            .filter(|line| line.starts_with("-rw") && line.ends_with('x'))
            .count(),
        1000
    );
    assert!(
        long.lines()
            .any(|line| line.starts_with("lrwx") && line.ends_with("zz-link -> nowhere")),
        "{long}"
    );
}

#[test]
fn a_missing_file_is_told_from_a_forbidden_one_by_the_exit_status() {
    let ground = Ground::new();
    let missing = run(
        curl(&ground).arg(url(&ground, &ground.remote.join("none"))),
        Stdio::null(),
    );
    assert_eq!(missing.status.code(), Some(78), "{missing:?}");
    let file = ground.plant("forbidden", b"x");
    set_mode(&file, 0);
    let mut forbidden = curl(&ground);
    forbidden.arg(url(&ground, &file));
    // CURLE_REMOTE_ACCESS_DENIED
    assert_eq!(run(&forbidden, Stdio::null()).status.code(), Some(9));
}
