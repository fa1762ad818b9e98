//! The workloads: what is asked of a server between two looks at the clock. Each counts every reply and every byte of it;
//! with `verify`, in a pass that is not measured, it compares them too.

use std::io;

use crate::client::{
    ATTRS, CLOSE, Client, DATA, Field, HANDLE, OPEN, READ, Reply, STAT, STATUS, u32_at,
};
use crate::fixture::{Fixture, SMALL, small_name, upload_folder};
use crate::listing::{list, walk};
use crate::machine::find_memory;

/// What the page cache takes beside the bytes of a file.
const ROOM: u64 = 64 * 1024 * 1024;

/// `window` is how many requests are outstanding, for files how many files are under way.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Get {
        length: u32,
        window: usize,
    },
    GetFiles {
        window: usize,
    },
    List {
        times: u32,
    },
    Put {
        length: u32,
        window: usize,
    },
    PutFiles {
        window: usize,
        folders: u32,
    },
    ReadAnywhere {
        length: u32,
        window: usize,
    },
    Stat {
        deep: bool,
        window: usize,
    },
    /// One file after the other, where Stat asks about the same one.
    StatEach {
        window: usize,
    },
    Walk,
}

impl Work {
    /// Makes the files that this needs; not measured.
    pub(crate) fn prepare(self, fixture: &Fixture) -> io::Result<()> {
        match self {
            Work::Get { .. } | Work::ReadAnywhere { .. } => fixture.large().map(drop),
            Work::GetFiles { .. } | Work::StatEach { .. } => fixture.small().map(drop),
            Work::List { .. } => fixture.listing().map(drop),
            Work::Put { .. } => {
                fixture.uploads(1)?;
                find_memory(fixture.size.bytes + ROOM);
                Ok(())
            }
            Work::PutFiles { folders, .. } => fixture.uploads(folders),
            Work::Stat { .. } => fixture.deep().map(drop),
            Work::Walk => fixture.tree().map(drop),
        }
    }

    pub(crate) fn run(
        self,
        client: &mut Client,
        fixture: &Fixture,
        verify: bool,
    ) -> io::Result<()> {
        match self {
            Work::Get { length, window } => get(client, fixture, length, window, verify),
            Work::GetFiles { window } => files(client, fixture, window, verify, None),
            Work::List { times } => (0..times).try_for_each(|_| {
                let found = list(client, fixture.listing()?, verify)?;
                assert_eq!(found.count, fixture.size.entries + 2, "entries listed");
                Ok(())
            }),
            Work::Put { length, window } => put(client, fixture, length, window, verify),
            Work::PutFiles { window, folders } => {
                files(client, fixture, window, verify, Some(folders))
            }
            Work::ReadAnywhere { length, window } => {
                read_anywhere(client, fixture, length, window, verify)
            }
            Work::Stat { deep, window } => stat(client, fixture, deep, window, verify),
            Work::StatEach { window } => stat_each(client, fixture, window, verify),
            Work::Walk => walk(client, fixture, verify),
        }
    }
}

/// Keeps `window` of `total` requests outstanding. `send` queues or sends the nth; `receive` reads the response to the nth.
/// OpenSSH's server and ours answer in the order of the requests, which gesftpserver does not and the draft does not ask for.
fn pipeline(
    client: &mut Client,
    total: u64,
    window: usize,
    mut send: impl FnMut(&mut Client, u64) -> io::Result<u32>,
    mut receive: impl FnMut(&mut Client, u64, &Reply) -> io::Result<()>,
) -> io::Result<()> {
    let (mut sent, mut received, mut first) = (0, 0, 0);
    let mut answered = vec![false; total as usize];
    while received < total {
        while sent < total && sent - received < window as u64 {
            let id = send(client, sent)?;
            if sent == 0 {
                first = id;
            }
            sent += 1;
        }
        client.flush()?;
        // All that is here already is taken before more is asked for, so that requests travel together.
        loop {
            let reply = client.reply()?;
            let n = u64::from(reply.id.wrapping_sub(first));
            assert!(n < sent, "a response to what was not asked");
            let again = std::mem::replace(&mut answered[n as usize], true);
            assert!(!again, "a second response to one request");
            receive(client, n, &reply)?;
            received += 1;
            if received == sent || !client.has_more() {
                break;
            }
        }
    }
    Ok(())
}

fn get(
    client: &mut Client,
    fixture: &Fixture,
    length: u32,
    window: usize,
    verify: bool,
) -> io::Result<()> {
    let handle = client.open(OPEN, &open_fields(fixture.large()?.as_bytes(), READING))?;
    let (size, step) = (fixture.size.bytes, u64::from(length));
    let send = |client: &mut Client, n| {
        let fields = [
            Field::Bytes(&handle),
            Field::U64(n * step),
            Field::U32(length),
        ];
        Ok(client.request(READ, &fields))
    };
    pipeline(
        client,
        size.div_ceil(step),
        window,
        send,
        |client, n, reply| {
            data(
                client,
                fixture,
                reply,
                n * step,
                step.min(size - n * step) as usize,
                verify,
            )
        },
    )?;
    client.close(&handle)
}

/// READs of one file at offsets that no read-ahead foresees.
fn read_anywhere(
    client: &mut Client,
    fixture: &Fixture,
    length: u32,
    window: usize,
    verify: bool,
) -> io::Result<()> {
    let handle = client.open(OPEN, &open_fields(fixture.large()?.as_bytes(), READING))?;
    let blocks = fixture.size.bytes / u64::from(length);
    let offset = |n: u64| {
        let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        scattered % blocks * u64::from(length)
    };
    let send = |client: &mut Client, n| {
        let fields = [
            Field::Bytes(&handle),
            Field::U64(offset(n)),
            Field::U32(length),
        ];
        Ok(client.request(READ, &fields))
    };
    pipeline(
        client,
        u64::from(fixture.size.reads),
        window,
        send,
        |client, n, reply| data(client, fixture, reply, offset(n), length as usize, verify),
    )?;
    client.close(&handle)
}

/// Reads a DATA response of exactly `length` bytes.
fn data(
    client: &mut Client,
    fixture: &Fixture,
    reply: &Reply,
    offset: u64,
    length: usize,
    verify: bool,
) -> io::Result<()> {
    assert_eq!(
        (reply.kind, reply.length),
        (DATA, length + 4),
        "a READ answered otherwise"
    );
    client.skip(4, |_| {})?;
    let mut at = offset;
    client.skip(length, |part| {
        assert!(
            !verify || part == fixture.expected(at, part.len()),
            "wrong bytes at {at}"
        );
        at += part.len() as u64;
    })
}

fn put(
    client: &mut Client,
    fixture: &Fixture,
    length: u32,
    window: usize,
    verify: bool,
) -> io::Result<()> {
    let name = "uploads/large";
    let handle = client.open(OPEN, &open_fields(name.as_bytes(), WRITING))?;
    let (size, step) = (fixture.size.bytes, u64::from(length));
    let send = |client: &mut Client, n| {
        let data = fixture.expected(n * step, step.min(size - n * step) as usize);
        client.write(&handle, n * step, data)
    };
    pipeline(
        client,
        size.div_ceil(step),
        window,
        send,
        |client, _, reply| ok(client, reply),
    )?;
    client.close(&handle)?;
    if verify {
        let stored = std::fs::read(fixture.top().join(name))?;
        assert_eq!(stored.len() as u64, size, "bytes stored");
        for (n, part) in stored.chunks(length as usize).enumerate() {
            assert!(
                part == fixture.expected(n as u64 * step, part.len()),
                "wrong bytes in block {n}"
            );
        }
    }
    Ok(())
}

/// Small files: OPEN, one READ or WRITE, CLOSE. The three of one file wait for each other, `window` files go on at once.
/// `upload` is into how many folders they go.
fn files(
    client: &mut Client,
    fixture: &Fixture,
    window: usize,
    verify: bool,
    upload: Option<u32>,
) -> io::Result<()> {
    let total = fixture.size.files;
    let name = |n| match upload {
        Some(folders) => small_name(&upload_folder(n, folders), n),
        None => small_name("small", n),
    };
    let flags = upload.map_or(READING, |_| WRITING);
    let (mut started, mut done) = (0, 0);
    // In the order of the requests, and mostly of the responses: the id, which file, and what was asked about it.
    let mut outstanding = std::collections::VecDeque::new();
    while done < total {
        while started < total && outstanding.len() < window {
            let id = client.request(OPEN, &open_fields(name(started).as_bytes(), flags));
            outstanding.push_back((id, started, Step::Open));
            started += 1;
        }
        client.flush()?;
        while !outstanding.is_empty() {
            let reply = client.reply()?;
            let answered = outstanding.iter().position(|(id, ..)| *id == reply.id);
            let (_, file, step) = answered
                .and_then(|at| outstanding.remove(at))
                .expect("a response to what was asked");
            match step {
                Step::Open => {
                    assert_eq!(reply.kind, HANDLE, "OPEN refused");
                    let handle = client.body(&reply)?.split_off(4);
                    let id = if upload.is_some() {
                        client.write(&handle, 0, fixture.expected(u64::from(file), SMALL))?
                    } else {
                        let fields = [Field::Bytes(&handle), Field::U64(0), Field::U32(32_768)];
                        client.request(READ, &fields)
                    };
                    outstanding.push_back((id, file, Step::Move(handle)));
                }
                Step::Move(handle) => {
                    if upload.is_some() {
                        ok(client, &reply)?;
                    } else {
                        data(client, fixture, &reply, u64::from(file), SMALL, verify)?;
                    }
                    let id = client.request(CLOSE, &[Field::Bytes(&handle)]);
                    outstanding.push_back((id, file, Step::Close));
                }
                Step::Close => {
                    ok(client, &reply)?;
                    done += 1;
                }
            }
            if !client.has_more() {
                break;
            }
        }
    }
    if verify && upload.is_some() {
        for n in 0..total {
            let stored = std::fs::read(fixture.top().join(name(n)))?;
            assert!(
                stored == fixture.expected(u64::from(n), SMALL),
                "file {n} differs"
            );
        }
    }
    Ok(())
}

enum Step {
    Open,
    Move(Vec<u8>),
    Close,
}

fn stat(
    client: &mut Client,
    fixture: &Fixture,
    deep: bool,
    window: usize,
    verify: bool,
) -> io::Result<()> {
    let deep_name = fixture.deep()?;
    let name = if deep { deep_name.as_str() } else { "deep" };
    // One at a time is slower by far, and its figure no better for more of them.
    let total = if window == 1 {
        fixture.size.stats / 4
    } else {
        fixture.size.stats
    };
    let send = |client: &mut Client, _| Ok(client.request(STAT, &[Field::Bytes(name.as_bytes())]));
    pipeline(
        client,
        u64::from(total),
        window,
        send,
        |client, _, reply| {
            assert_eq!(reply.kind, ATTRS, "STAT refused");
            if verify && deep {
                // Flags, then the size: "deep" has four letters.
                assert_eq!(client.body(reply)?[4..12], [0, 0, 0, 0, 0, 0, 0, 4]);
                return Ok(());
            }
            client.skip(reply.length, |_| {})
        },
    )
}

fn stat_each(
    client: &mut Client,
    fixture: &Fixture,
    window: usize,
    verify: bool,
) -> io::Result<()> {
    let (folder, files) = (fixture.small()?, u64::from(fixture.size.files));
    let send = |client: &mut Client, n| {
        let name = small_name(folder, (n % files) as u32);
        Ok(client.request(STAT, &[Field::Bytes(name.as_bytes())]))
    };
    let total = u64::from(fixture.size.stats);
    pipeline(client, total, window, send, |client, _, reply| {
        assert_eq!(reply.kind, ATTRS, "STAT refused");
        let body = client.body(reply)?;
        // Flags, then the size.
        assert!(!verify || u32_at(&body, 8) == SMALL as u32, "a wrong size");
        Ok(())
    })
}

fn ok(client: &mut Client, reply: &Reply) -> io::Result<()> {
    let body = client.body(reply)?;
    assert_eq!(
        (reply.kind, u32_at(&body, 0)),
        (STATUS, 0),
        "not OK: {:?}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

fn open_fields(name: &[u8], flags: u32) -> [Field<'_>; 3] {
    [Field::Bytes(name), Field::U32(flags), Field::U32(0)]
}

const READING: u32 = 0x01;
/// WRITE, CREAT and TRUNC.
const WRITING: u32 = 0x1a;
