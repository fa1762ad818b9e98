//! The tree of the matrix: files, directories, links that lead in and out, and what is bound into it.

use crate::ground::{Node, Plan};
use crate::sides::{Bind, KIT_DIRS};

/// The binds of the matrix: writable and not, each within the other, and one over a directory that is not empty.
pub(crate) const BINDS: &[Bind] = &[
    bind("/b", "ext", false),
    bind("/r", "fixed", true),
    bind("/b/ro", "fixed2", true),
    bind("/r/rw", "ext2", false),
    bind("/cover", "ext3", false),
];

const fn bind(at: &'static str, source: &'static str, read_only: bool) -> Bind {
    Bind {
        at,
        source,
        read_only,
    }
}

/// The tree: `jail` is the root, `ext`, `ext2`, `ext3`, `fixed` and `fixed2` are to be bound into it.
pub(crate) fn plan() -> Plan {
    let mut plan = Planner(Vec::new());
    plan.dir("jail", 0o755);
    for dir in KIT_DIRS {
        plan.dir(&format!("jail/{dir}"), 0o755);
    }
    for at in ["b", "r", "cover"] {
        plan.dir(&format!("jail/{at}"), 0o755);
    }
    plan.file("jail/cover/under", b"covered", 0o644);
    plan.file("jail/f", b"inside f", 0o644);
    plan.file("jail/other", b"another", 0o600);
    plan.file("jail/source", b"to be copied", 0o644);
    plan.file("jail/file0", b"mode 0", 0);
    plan.dir("jail/none", 0);
    plan.dir("jail/search", 0o111);
    plan.dir("jail/empty", 0o755);
    plan.dir("jail/fixed", 0o555);
    plan.dir("jail/work", 0o755);
    plan.file("jail/work/f", b"work f", 0o644);
    plan.dir("jail/d", 0o755);
    plan.file("jail/d/f", b"d f", 0o644);
    plan.dir("jail/d/empty", 0o755);
    plan.dir("jail/d/g", 0o755);
    plan.dir("jail/d/g/h", 0o755);
    plan.file("jail/d/g/h/f", b"deep f", 0o644);
    for (name, target) in LINKS {
        plan.link(&format!("jail/{name}"), target);
    }
    // k1 is 40 links long: five in each of eight.
    plan.link("jail/dot", b".");
    for n in 1..8 {
        plan.link(
            &format!("jail/k{n}"),
            format!("dot/dot/dot/dot/k{}", n + 1).as_bytes(),
        );
    }
    plan.link("jail/k8", b"dot/dot/dot/dot/d");
    plan.link(
        "jail/to_slashes",
        &[b"/".repeat(4000), b"f".to_vec()].concat(),
    );
    plan.link(
        "jail/to_dots",
        &[b"../".repeat(1300), b"f".to_vec()].concat(),
    );
    plan.link("jail/to_long_name", &b"n".repeat(256));
    for name in odd_names() {
        plan.0
            .push(([b"jail/d/", &name[..]].concat(), Node::File(b"odd", 0o644)));
    }
    for source in ["ext", "ext2", "ext3", "fixed", "fixed2"] {
        plan.dir(source, 0o755);
        plan.file(&format!("{source}/f"), source.as_bytes(), 0o644);
        plan.dir(&format!("{source}/d"), 0o755);
        plan.file(&format!("{source}/d/f"), b"bound d f", 0o644);
        plan.dir(&format!("{source}/empty"), 0o755);
        for (name, target) in BOUND_LINKS {
            plan.link(&format!("{source}/{name}"), target);
        }
    }
    plan.dir("ext/ro", 0o755);
    plan.dir("fixed/rw", 0o755);
    plan.0
}

/// Links in the root.
pub(crate) const LINKS: &[(&str, &[u8])] = &[
    ("l_f", b"f"),
    ("l_d", b"d"),
    ("l_abs", b"/d/f"),
    ("l_absd", b"/d"),
    ("l_slash", b"d/"),
    ("l_fslash", b"f/"),
    ("l_dot", b"."),
    ("l_dotdot", b".."),
    ("l_root", b"/"),
    ("l_up", b"../../../../../../../../../../f"),
    ("l_missing", b"missing"),
    ("l_missing_abs", b"/d/missing"),
    ("l_missing_deep", b"missing/deeper"),
    ("l_loop", b"l_loop"),
    ("l_loop1", b"l_loop2"),
    ("l_loop2", b"l_loop1"),
    ("l_out", b"BASE/outside/secret"),
    ("l_outd", b"BASE/outside"),
    ("l_outd_slash", b"BASE/outside/"),
    ("l_out_new", b"BASE/outside/new"),
    ("l_rel", b"../outside/secret"),
    ("l_reld", b"../outside"),
    ("l_rel_new", b"../outside/new"),
    ("l_prefix", b"../jail-not/secret"),
    ("l_prefixd", b"BASE/jail-not"),
    ("l_prefix_new", b"BASE/jail-not/new"),
    ("l_chain", b"l_chain2"),
    ("l_chain2", b"d/l_chain3"),
    ("d/l_chain3", b"../l_outd"),
    ("l_chain_in", b"d/l_in2"),
    ("d/l_in2", b"../l_absd"),
    ("d/l_up", b"../f"),
    ("d/l_upup", b"../../../f"),
    ("d/l_upout", b"../../outside/secret"),
    ("d/g/l_abs", b"/l_d/f"),
    ("l_via_file", b"f/../d"),
    ("l_via_missing", b"missing/../d"),
    ("l_via_none", b"none/../d"),
    ("l_to_b", b"b"),
    ("l_to_b_f", b"/b/f"),
    ("l_to_r_d", b"r/d"),
    ("l_to_b_out", b"b/l_out"),
    ("l_through_b", b"b/../d/f"),
    ("l_host", b"/usr/lib/os-release"),
];

/// Links in each directory that is bound.
pub(crate) const BOUND_LINKS: &[(&str, &[u8])] = &[
    ("l_f", b"f"),
    ("l_up", b"../f"),
    ("l_upup", b"../../f"),
    ("l_upd", b"../d"),
    ("l_abs", b"/f"),
    ("l_absd", b"/d"),
    ("l_self", b"/b/d"),
    ("l_new", b"new"),
    ("l_up_new", b"../new"),
    ("l_out", b"BASE/outside/secret"),
    ("l_outd", b"../outside"),
    ("l_not", b"../ext-not/secret"),
    ("l_not_new", b"../ext-not/new"),
    ("d/l_upup", b"../../f"),
    ("d/l_out", b"../../outside/dir"),
    ("l_link", b"../l_out"),
    ("l_linkd", b"../l_d"),
];

pub(crate) fn odd_names() -> Vec<Vec<u8>> {
    vec![
        b"\xff\xfe".to_vec(),
        b"a\nb".to_vec(),
        b" ".to_vec(),
        b"-rf".to_vec(),
        b"*".to_vec(),
        b"...".to_vec(),
        b"\\d\\f".to_vec(),
        b"%64%66".to_vec(),
        b"N".repeat(255),
    ]
}

struct Planner(Plan);

impl Planner {
    fn dir(&mut self, path: &str, mode: u32) {
        self.0.push((path.into(), Node::Dir(mode)));
    }

    fn file(&mut self, path: &str, content: &'static [u8], mode: u32) {
        self.0.push((path.into(), Node::File(content, mode)));
    }

    fn link(&mut self, path: &str, target: &[u8]) {
        self.0.push((path.into(), Node::Link(target.to_vec())));
    }
}
