//! Listing one directory, and walking a tree of them.

use std::io;

use crate::client::{Client, Field, NAME, OPENDIR, READDIR, STATUS, u32_at};
use crate::fixture::Fixture;

/// What a listing held; the names only where it is verified.
pub(crate) struct Listed {
    pub(crate) count: u32,
    names: Vec<Vec<u8>>,
}

pub(crate) fn list(client: &mut Client, folder: &str, verify: bool) -> io::Result<Listed> {
    let handle = client.open(OPENDIR, &[Field::Bytes(folder.as_bytes())])?;
    let mut listed = Listed {
        count: 0,
        names: Vec::new(),
    };
    loop {
        client.request(READDIR, &[Field::Bytes(&handle)]);
        client.flush()?;
        let reply = client.reply()?;
        if reply.kind == STATUS {
            assert_eq!(
                u32_at(&client.body(&reply)?, 0),
                1,
                "a listing ends with EOF"
            );
            break;
        }
        assert_eq!(reply.kind, NAME, "READDIR refused");
        let mut seen = 0;
        if verify {
            let body = client.body(&reply)?;
            let mut names = names(&body);
            seen = names.len() as u32;
            listed.names.append(&mut names);
            assert_eq!(seen, u32_at(&body, 0), "the count of a NAME");
        } else {
            let mut head = Vec::with_capacity(4);
            client.skip(4, |part| head.extend(part))?;
            seen += u32_at(&head, 0);
            client.skip(reply.length - 4, |_| {})?;
        }
        listed.count += seen;
    }
    client.close(&handle)?;
    if verify {
        listed.names.sort();
        listed.names.dedup();
        assert_eq!(
            listed.names.len() as u32,
            listed.count,
            "a name listed twice"
        );
    }
    Ok(listed)
}

/// The filenames of a NAME response whose body, from the count on, is `body`.
fn names(body: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut at = 4;
    while at < body.len() {
        let length = u32_at(body, at) as usize;
        names.push(body[at + 4..at + 4 + length].to_vec());
        at += 4 + length;
        at += 4 + u32_at(body, at) as usize;
        // Size, owner, permissions and times are always there; OpenSSH and ours send nothing more.
        assert_eq!(u32_at(body, at), 0x0f, "attrs in a listing");
        at += 32;
    }
    names
}

pub(crate) fn walk(client: &mut Client, fixture: &Fixture, verify: bool) -> io::Result<()> {
    let top = fixture.tree()?;
    let mut entries = list(client, top, verify)?.count;
    for outer in 0..fixture.size.files / 100 {
        let folder = format!("{top}/{outer:03}");
        entries += list(client, &folder, verify)?.count;
        for inner in 0..100 {
            entries += list(client, &format!("{folder}/{inner:02}"), verify)?.count;
        }
    }
    let folders = fixture.size.files;
    // Every directory has `.` and `..`, the inner ones two files, and each but the top is an entry itself.
    assert_eq!(
        entries,
        2 + 3 * (folders / 100) + 5 * folders,
        "entries of the tree"
    );
    Ok(())
}
