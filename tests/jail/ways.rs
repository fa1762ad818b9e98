//! Every way to name a thing in the jail, or outside of it.

use crate::plan::{BOUND_LINKS, LINKS, odd_names};

/// Every way in the root; `BASE` stands for the ground's path on the host.
pub(crate) fn in_root() -> Vec<Vec<u8>> {
    let mut ways: Vec<Vec<u8>> = PLAIN.iter().map(|way| way.to_vec()).collect();
    for (name, _) in LINKS {
        ways.push(format!("/{name}").into_bytes());
    }
    for name in [
        "l_d",
        "l_absd",
        "l_slash",
        "l_dot",
        "l_dotdot",
        "l_root",
        "l_outd",
        "l_reld",
        "l_chain",
        "l_chain_in",
    ] {
        for behind in [
            "/",
            "/.",
            "/..",
            "/f",
            "/secret",
            "/new",
            "/../f",
            "/../outside/secret",
        ] {
            ways.push(format!("/{name}{behind}").into_bytes());
        }
    }
    for name in [
        "l_f",
        "l_missing",
        "l_loop",
        "l_out",
        "l_out_new",
        "l_prefixd",
        "l_up",
    ] {
        for behind in ["/", "/.", "/..", "/x"] {
            ways.push(format!("/{name}{behind}").into_bytes());
        }
    }
    for way in [
        "/k2",
        "/k1",
        "/dot/k1",
        "/k1/f",
        "/dot/k1/f",
        "/k1/",
        "/dot/k1/",
        "/k1/new",
        "/dot/k1/new",
        "/k1/..",
    ] {
        ways.push(way.into());
    }
    for name in odd_names() {
        ways.push([b"/d/", &name[..]].concat());
    }
    ways.extend(long());
    ways
}

const PLAIN: &[&[u8]] = &[
    b"",
    b".",
    b"..",
    b"/",
    b"/.",
    b"/..",
    b"//",
    b"/../..",
    b"../../../../../../../../../../../../..",
    b"f",
    b"./f",
    b"../f",
    b"d/f",
    b"work",
    b"../work",
    b"../../outside/secret",
    b"../outside/new",
    b"/f",
    b"///f",
    b"//d//f",
    b"/../../../../../../../../f",
    b"/../outside",
    b"/../outside/secret",
    b"/../outside/new",
    b"/../jail-not/secret",
    b"/d/../../outside/secret",
    b"/d/../../../../../../../../../../../../usr/lib/os-release",
    b"BASE",
    b"BASE/",
    b"BASE/outside",
    b"BASE/outside/",
    b"BASE/outside/secret",
    b"BASE/outside/new",
    b"/BASE/outside",
    b"/BASE/outside/secret",
    b"//BASE/outside/new",
    b"./BASE/outside/secret",
    b"BASE/jail",
    b"BASE/jail/f",
    b"BASE/jail/../outside/secret",
    b"/usr/lib/os-release",
    b"/root",
    b"/f/",
    b"/f/.",
    b"/f/..",
    b"/f/../d",
    b"/f/x",
    b"/other",
    b"/file0",
    b"/missing",
    b"/missing/",
    b"/missing/x",
    b"/missing/../f",
    b"/missing/..",
    b"/d",
    b"/d/",
    b"/d/.",
    b"/d/..",
    b"/d/../d",
    b"/d/../../d/f",
    b"/d/f",
    b"/d/new",
    b"/d/new/",
    b"/d/empty",
    b"/d/empty/",
    b"/d/empty/.",
    b"/d/g/h/../../../f",
    b"/d/./g/.//h/f",
    b"/empty",
    b"/fixed",
    b"/fixed/new",
    b"/none",
    b"/none/",
    b"/none/.",
    b"/none/..",
    b"/none/x",
    b"/none/../f",
    b"/search",
    b"/search/new",
    b"/search/..",
    b"/cover",
    b"/cover/under",
    b"~",
    b"~/f",
    b"~root",
];

fn long() -> Vec<Vec<u8>> {
    let pad = |count: usize, tail: &[u8]| [b"/.".repeat(count), tail.to_vec()].concat();
    let with =
        |length: usize, tail: &[u8]| [b"/".repeat(length - tail.len()), tail.to_vec()].concat();
    vec![
        [b"/d/".to_vec(), b"m".repeat(255)].concat(),
        [b"/d/".to_vec(), b"m".repeat(256)].concat(),
        [b"/d/".to_vec(), b"m".repeat(256), b"/../f".to_vec()].concat(),
        [b"/d/".to_vec(), b"m".repeat(255), b"/../f".to_vec()].concat(),
        b"/to_slashes".to_vec(),
        b"/to_dots".to_vec(),
        b"/to_long_name".to_vec(),
        b"/to_slashes/x".to_vec(),
        with(4095, b"f"),
        with(4096, b"f"),
        with(5000, b"f"),
        with(4095, b"d/new"),
        with(4096, b"d/new"),
        pad(2040, b"/../f"),
        [b"/d/..".repeat(800), b"/f".to_vec()].concat(),
        [b"/d/..".repeat(900), b"/f".to_vec()].concat(),
        [b"/l_d/..".repeat(39), b"/f".to_vec()].concat(),
        [b"/l_d/..".repeat(40), b"/f".to_vec()].concat(),
        [b"/l_d/..".repeat(41), b"/f".to_vec()].concat(),
        b"/../".repeat(1000),
    ]
}

/// Every way through a bind.
pub(crate) fn in_binds() -> Vec<Vec<u8>> {
    let mut ways = Vec::new();
    for at in ["/b", "/r", "/b/ro", "/r/rw", "/cover"] {
        for behind in BEHIND {
            ways.push(format!("{at}{behind}").into_bytes());
        }
        for (name, _) in BOUND_LINKS {
            ways.push(format!("{at}/{name}").into_bytes());
        }
        for name in ["l_upd", "l_absd", "l_outd", "d/l_out"] {
            for behind in ["/", "/..", "/f", "/secret", "/new"] {
                ways.push(format!("{at}/{name}{behind}").into_bytes());
            }
        }
    }
    for way in [
        "/l_to_b",
        "/l_to_b/",
        "/l_to_b/..",
        "/l_to_b/new",
        "/l_to_b_f",
        "/l_to_r_d",
        "/l_to_r_d/f",
        "/l_to_r_d/new",
        "/l_to_b_out",
        "/l_through_b",
    ] {
        ways.push(way.into());
    }
    ways
}

const BEHIND: &[&str] = &[
    "",
    "/",
    "/.",
    "/..",
    "/../f",
    "/../..",
    "/../../outside/secret",
    "/../ext-not/secret",
    "/f",
    "/f/",
    "/f/..",
    "/new",
    "/new/",
    "/d",
    "/d/f",
    "/d/..",
    "/d/../..",
    "/d/../../f",
    "/d/new",
    "/empty",
    "/missing/../f",
];

/// Those of which every one meets every other, in requests of two paths.
pub(crate) const CORE: &[&[u8]] = &[
    b"",
    b".",
    b"..",
    b"/",
    b"/f",
    b"/f/",
    b"/other",
    b"/d",
    b"/d/",
    b"/d/.",
    b"/d/..",
    b"/d/empty",
    b"/d/g/h",
    b"/empty",
    b"/missing",
    b"/missing/",
    b"/missing/x",
    b"/d/new",
    b"/fixed/new",
    b"/none/x",
    b"/l_f",
    b"/l_d",
    b"/l_d/",
    b"/l_d/f",
    b"/l_d/new",
    b"/l_missing",
    b"/l_missing_abs",
    b"/l_loop",
    b"/l_out",
    b"/l_out_new",
    b"/l_outd/secret",
    b"/l_outd/new",
    b"/l_rel_new",
    b"/../outside/secret",
    b"BASE/outside/secret",
    b"BASE/outside/new",
    b"/dot/k1/new",
];

/// The same with binds.
pub(crate) const CORE_BOUND: &[&[u8]] = &[
    b"/b",
    b"/b/",
    b"/b/..",
    b"/b/f",
    b"/b/d",
    b"/b/d/f",
    b"/b/empty",
    b"/b/new",
    b"/b/ro",
    b"/b/ro/f",
    b"/b/ro/d",
    b"/b/ro/new",
    b"/b/l_up",
    b"/b/l_up_new",
    b"/b/l_not",
    b"/b/l_not_new",
    b"/b/l_outd/secret",
    b"/r",
    b"/r/f",
    b"/r/d",
    b"/r/new",
    b"/r/rw",
    b"/r/rw/f",
    b"/r/rw/new",
    b"/cover",
    b"/cover/under",
    b"/cover/f",
    b"/f",
    b"/d",
    b"/empty",
    b"/missing",
    b"/l_to_b",
];
