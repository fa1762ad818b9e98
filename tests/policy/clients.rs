//! What clients send for one upload, packet by packet, and what the rules make of it. The clients themselves are in `stories/recipes.rs`.

use crate::support::wire::code::{NO_SUCH_FILE, OK, PERMISSION_DENIED};
use crate::support::wire::pflags::{APPEND, CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::{Attrs, Reply, Server, Tree, request};

fn session(tree: &Tree, flags: &[&str]) -> Server {
    let root = tree.root().display().to_string();
    Server::with(tree, ["--root", &root].iter().chain(flags))
}

/// WinSCP: to a name of its own, onto the real one, and then the times.
fn winscp(server: &mut Server, name: &str, content: &str) -> u32 {
    let part = format!("{name}.filepart");
    // It looks what is there first.
    server.call(&request::lstat(name));
    server.call(&request::lstat(&part));
    let open = request::open(
        &part,
        WRITE | CREAT | TRUNC,
        &Attrs::NONE.permissions(0o644),
    );
    let handle = match server.call(&open) {
        Reply::Handle(handle) => handle,
        refused => return refused.code(),
    };
    server.ok(&request::write(&handle, 0, content));
    server.close(&handle);
    let renamed = server.code(&request::rename(&part, name));
    if renamed == OK {
        let times = Attrs::NONE.times(1_000_000_000, 1_000_000_000);
        server.ok(&request::setstat(name, &times));
    }
    renamed
}

#[test]
fn winscp_uploads_by_a_filepart_under_each_rule_that_takes_new_files() {
    for flags in [
        &["--no-overwrite"][..],
        &["--no-delete"],
        &["--no-overwrite", "--no-delete"],
        &["--append-only"],
        &["--drop-box"],
        &["--drop-box", "--file-mode", "0640"],
        &["--atomic-upload", "--no-overwrite"],
    ] {
        let tree = Tree::new();
        tree.file("taken", "another's");
        let mut server = session(&tree, flags);
        assert_eq!(winscp(&mut server, "new", "content"), OK, "{flags:?}");
        assert_eq!(tree.read("new"), b"content", "{flags:?}");
        let meta = tree.meta("new");
        let modified = meta.modified().unwrap();
        let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(modified.as_secs(), 1_000_000_000, "{flags:?}");
        // And where the name is taken, it stays what it was.
        assert_ne!(winscp(&mut server, "taken", "content"), OK, "{flags:?}");
        assert_eq!(tree.read("taken"), b"another's", "{flags:?}");
    }
}

#[test]
fn winscp_does_not_finish_the_filepart_of_an_earlier_session_where_names_or_content_stay() {
    for (flag, resumed, renamed) in [
        ("--no-overwrite", PERMISSION_DENIED, OK),
        ("--no-delete", OK, PERMISSION_DENIED),
        ("--append-only", OK, PERMISSION_DENIED),
        ("--drop-box", PERMISSION_DENIED, NO_SUCH_FILE),
        ("--atomic-upload", OK, OK),
    ] {
        let tree = Tree::new();
        tree.file("new.filepart", "the first half, ");
        let mut server = session(&tree, &[flag]);
        let open = request::open("new.filepart", WRITE | CREAT, &Attrs::NONE);
        let content = match server.call(&open) {
            Reply::Handle(handle) => {
                server.ok(&request::write(&handle, 16, "the second"));
                server.close(&handle);
                assert_eq!(resumed, OK, "{flag}");
                "the first half, the second"
            }
            refused => {
                assert_eq!(refused.code(), resumed, "{flag}");
                "the first half, "
            }
        };
        let code = server.code(&request::rename("new.filepart", "new"));
        assert_eq!(code, renamed, "{flag}");
        let stands = if renamed == OK { "new" } else { "new.filepart" };
        assert_eq!(tree.read(stands), content.as_bytes(), "{flag}");
        assert_eq!(tree.has("new"), renamed == OK, "{flag}");
    }
}

#[test]
fn an_editor_that_saves_over_its_file_is_refused_and_the_file_stays() {
    let tree = Tree::new();
    for (flags, flag) in [
        (&["--no-overwrite"][..], "--no-overwrite"),
        (&["--no-delete"], "--no-delete"),
        (&["--append-only"], "--append-only"),
    ] {
        tree.file("text", "the text");
        let mut server = session(&tree, flags);
        let handle = server.open("text.new", WRITE | CREAT | EXCL);
        server.ok(&request::write(&handle, 0, "the other text"));
        server.close(&handle);
        let saved = server.call(&request::posix_rename("text.new", "text"));
        assert_eq!(saved.status().text, format!("Permission denied: {flag}"));
        // By hand: away with the old one, then the new one in its place.
        let removed = server.code(&request::remove("text"));
        assert_eq!(
            removed,
            if flag == "--no-overwrite" {
                OK
            } else {
                PERMISSION_DENIED
            }
        );
        assert_eq!(tree.has("text"), removed != OK);
        server.ok(&request::remove("text.new"));
    }
}

#[test]
fn a_directory_with_what_is_hidden_or_denied_beneath_cannot_be_renamed_away_from_the_pattern() {
    for flag in ["--hide", "--deny"] {
        let tree = Tree::new();
        tree.dir("a/b");
        tree.file("a/b/secret", "secret");
        tree.dir("x/b");
        tree.file("x/b/secret", "public there");
        let mut server = session(&tree, &[flag, "/a/b/secret"]);
        let before = tree.snapshot();
        for (old, new) in [("a", "c"), ("a/b", "c"), ("a/b", "a/c")] {
            for packet in [request::rename(old, new), request::posix_rename(old, new)] {
                let reply = server.call(&packet);
                assert_eq!(
                    reply.code(),
                    PERMISSION_DENIED,
                    "{flag}: {old} to {new}: {reply:?}"
                );
            }
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
        // After the rename the pattern would match: nothing comes out, and nothing goes in.
        tree.dir("free");
        let reply = server.call(&request::rename("x/b", "a/b2"));
        assert_eq!(reply.code(), OK, "{flag}: beside the pattern");
        let denied = server.code(&request::open("a/b/secret", READ, &Attrs::NONE));
        let expected = if flag == "--hide" {
            NO_SUCH_FILE
        } else {
            PERMISSION_DENIED
        };
        assert_eq!(denied, expected, "{flag}");
        server.ok(&request::rename("free", "d"));
    }
}

#[test]
fn a_link_that_matches_is_hidden_itself_and_leads_nowhere() {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("dir/file", "content");
    tree.link("secret", "dir");
    for flag in ["--hide", "--deny"] {
        let mut server = session(&tree, &[flag, "secret"]);
        let code = if flag == "--hide" {
            NO_SUCH_FILE
        } else {
            PERMISSION_DENIED
        };
        assert_eq!(
            server.code(&request::open("secret/file", READ, &Attrs::NONE)),
            code
        );
        assert_eq!(server.code(&request::opendir("secret")), code);
        assert_eq!(server.code(&request::remove("secret")), code);
        assert_eq!(server.code(&request::symlink("x", "secret")), code);
        let listed: Vec<_> = server
            .list(".")
            .into_iter()
            .map(|name| name.filename)
            .collect();
        assert_eq!(listed.contains(&b"secret".to_vec()), flag == "--deny");
        let target = server.call(&request::readlink("secret"));
        assert_eq!(target.code(), code, "{flag}");
    }
    assert_eq!(tree.target("secret"), b"dir");
}

#[test]
fn set_id_bits_are_left_to_files_by_a_flag_alone() {
    let tree = Tree::new();
    for (flags, bits) in [(&[][..], 0), (&["--keep-setuid"], 0o6000)] {
        let mut server = session(&tree, flags);
        let perms = Attrs::NONE.permissions(0o6755);
        let open = request::open("program", WRITE | CREAT, &perms);
        let handle = server.call(&open).handle().to_vec();
        assert_eq!(tree.mode("program"), 0o755 | bits, "{flags:?}: OPEN");
        tree.chmod("program", 0o644);
        server.ok(&request::fsetstat(&handle, &perms));
        assert_eq!(tree.mode("program"), 0o755 | bits, "{flags:?}: FSETSTAT");
        server.close(&handle);
        tree.chmod("program", 0o644);
        server.ok(&request::setstat("program", &perms));
        assert_eq!(tree.mode("program"), 0o755 | bits, "{flags:?}: SETSTAT");
        server.ok(&request::remove("program"));
    }
}

#[test]
fn a_resume_goes_on_at_the_end_and_nowhere_else() {
    let tree = Tree::new();
    tree.file("part", "the first ");
    let mut server = session(&tree, &["--append-only"]);
    // `reput` of sftp, and a client that counts for itself.
    let handle = server.open("part", WRITE | CREAT | APPEND);
    server.ok(&request::write(&handle, 0, "half, "));
    server.close(&handle);
    let handle = server.open("part", WRITE);
    assert_eq!(
        server.code(&request::write(&handle, 15, "x")),
        PERMISSION_DENIED
    );
    server.ok(&request::write(&handle, 16, "and the second"));
    assert_eq!(
        server.code(&request::write(&handle, 31, "x")),
        PERMISSION_DENIED
    );
    server.close(&handle);
    assert_eq!(tree.read("part"), b"the first half, and the second");
}

#[test]
fn a_request_that_is_refused_by_its_name_names_the_long_flag() {
    let tree = Tree::new();
    tree.file("file", "content");
    for (flags, flag) in [
        (["-P", "remove"], "--deny-requests"),
        (["-p", "stat"], "--allow-requests"),
        (["-R", "-R"], "--read-only"),
    ] {
        let mut server = session(&tree, &flags);
        let reply = server.call(&request::remove("file"));
        assert_eq!(reply.status().text, format!("Permission denied: {flag}"));
        assert_eq!(tree.read("file"), b"content");
    }
}

#[test]
fn what_anothers_link_holds_is_not_told_in_a_drop_box() {
    let tree = Tree::new();
    tree.file("secret-name", "theirs");
    tree.link("link", "secret-name");
    let mut server = Server::with(&tree, ["--root", ".", "--drop-box"]);
    let told =
        |server: &mut Server, path: &str| server.call(&request::realpath(path)).name().to_vec();
    assert_eq!(told(&mut server, "link"), b"/link");
    assert_eq!(told(&mut server, "absent"), b"/absent");
    assert_eq!(server.code(&request::readlink("link")), 2);
    assert_eq!(server.code(&request::readlink("absent")), 2);
}

/// rclone with several streams, mscp: the first connection makes the file and sets its size, each of the others opens it for its own piece.
#[test]
fn an_upload_by_several_connections_is_refused_where_a_rule_knows_own_files_or_looks_at_the_end() {
    for (flag, sized, opened, left) in [
        ("--no-overwrite", OK, PERMISSION_DENIED, 20),
        ("--drop-box", OK, NO_SUCH_FILE, 20),
        // There it is not even sized, and a piece that begins behind the end is refused.
        ("--append-only", PERMISSION_DENIED, OK, 0),
        ("--no-delete", OK, OK, 20),
    ] {
        let tree = Tree::new();
        let mut first = session(&tree, &[flag]);
        let handle = first.open("up", WRITE | CREAT | TRUNC);
        let size = request::fsetstat(&handle, &Attrs::NONE.size(20));
        assert_eq!(first.code(&size), sized, "{flag}");
        let mut second = session(&tree, &[flag]);
        match second.call(&request::open("up", WRITE, &Attrs::NONE)) {
            Reply::Handle(piece) => {
                assert_eq!(opened, OK, "{flag}");
                let written = second.code(&request::write(&piece, 10, "2nd piece!"));
                let allowed = flag == "--no-delete";
                assert_eq!(written == OK, allowed, "{flag}: {written}");
            }
            refused => assert_eq!(refused.code(), opened, "{flag}"),
        }
        first.close(&handle);
        let content = tree.read("up");
        assert_eq!(content.len(), left, "{flag}");
        let zeros = content.iter().all(|byte| *byte == 0);
        assert_eq!(zeros, flag != "--no-delete", "{flag}: nothing but zeros");
    }
}
