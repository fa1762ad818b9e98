//! Self-protection, generated: what would turn a locked key into a shell is refused by every way, and `--no-protect` lifts it.
//!
//! Every writing request goes by every way to two sessions on equal trees, one with `--no-protect`. Whatever changes
//! a protected thing in that one must be refused in the other, in those words, and leave it as it is.

use crate::ground::{Node, Plan};
use crate::home::{Home, PROTECTED, START_FILES, refused};
use crate::probes::{Effect, OURS, PAIRS, PROBES};
use crate::support::Snapshot;
use crate::support::wire::{Packet, Reply};

/// Two equal homes, one of them unprotected.
struct Twins {
    locked: Home,
    open: Home,
    /// The home below the ground.
    home: &'static str,
    first: Snapshot,
    cells: usize,
    biting: usize,
    wrong: Vec<String>,
}

impl Twins {
    /// The home is `home` below the ground; `flags` make the view, with `BASE` for the ground's place.
    fn new(home: &'static str, flags: &[&str], plan: &Plan) -> Self {
        let locked = Home::new(home, flags, plan);
        let unprotected = [flags, &["--no-protect"]].concat();
        let open = Home::new(home, &unprotected, plan);
        Self {
            first: locked.ground.snapshot(),
            locked,
            open,
            home,
            cells: 0,
            biting: 0,
            wrong: Vec::new(),
        }
    }

    fn cell(&mut self, label: &str, several: bool, run: &dyn Fn(&mut Home) -> Vec<Reply>) {
        self.cells += 1;
        run(&mut self.open);
        let without = self.open.ground.snapshot();
        let replies = run(&mut self.locked);
        let with = self.locked.ground.snapshot();
        let changes = self.area(&self.first).differences(&self.area(&with));
        if !changes.is_empty() {
            self.wrong
                .push(format!("{label} changed: {}", changes.join("; ")));
        }
        if self.area(&without) != self.area(&self.first) {
            self.biting += 1;
            // Of several changes the first failure is told, which may be another.
            if !several && !replies.iter().any(refused) {
                self.wrong
                    .push(format!("{label} was answered by {replies:?}"));
            }
        }
        self.open.ground.repair(&without, &self.first);
        self.locked.ground.repair(&with, &self.first);
    }

    /// The protected things alone. A link more or less to a file is no change of it.
    fn area(&self, snapshot: &Snapshot) -> Snapshot {
        let mut area = snapshot.clone();
        area.entries.retain(|path, entry| {
            entry.nlink = 0;
            let below = path.strip_prefix(self.home.as_bytes());
            below.is_some_and(|below| is_protected(below.strip_prefix(b"/").unwrap_or(b"")))
        });
        area
    }

    fn every_probe(&mut self, ways: &[String]) {
        for way in ways {
            let probes = PROBES.iter().chain(OURS);
            for probe in probes.filter(|probe| probe.effect != Effect::Never) {
                let several = probe.effect == Effect::Perhaps;
                self.cell(&format!("{} \"{way}\"", probe.name), several, &|home| {
                    let mut replies = Vec::new();
                    let mut call = |packet: Packet| {
                        let reply = home.server.call(&packet);
                        replies.push(reply.clone());
                        reply
                    };
                    (probe.run)(&mut call, way.as_bytes());
                    replies
                });
            }
        }
    }

    fn every_pair(&mut self, ones: &[String], twos: &[String]) {
        for one in ones {
            for two in twos {
                for (name, pair) in PAIRS {
                    let packet = pair(one.as_bytes(), two.as_bytes());
                    self.cell(&format!("{name} \"{one}\" \"{two}\""), false, &|home| {
                        vec![home.server.call(&packet)]
                    });
                }
            }
        }
    }

    #[track_caller]
    fn report(self, name: &str) {
        let Self { cells, biting, .. } = self;
        println!("{name}: {cells} cells, {biting} would have changed what is protected");
        assert!(biting > 50, "the cells do not bite");
        let count = self.wrong.len();
        let shown = self.wrong[..count.min(60)].join("\n");
        assert!(count == 0, "{count} cells are wrong:\n{shown}");
    }
}

/// `path` is below the home.
fn is_protected(path: &[u8]) -> bool {
    PROTECTED.iter().any(|name| {
        let rest = path.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

/// A root with what the probes name, and in it, or beside it, a home with every second of the protected names.
pub(crate) fn plan(home: &str) -> Plan {
    let mut plan: Plan = Vec::new();
    let mut add = |path: String, node: Node| {
        if !plan.iter().any(|(known, _)| known == path.as_bytes()) {
            plan.push((path.into_bytes(), node));
        }
    };
    for (end, _) in home.match_indices('/').chain([(home.len(), "")]) {
        add(home[..end].to_owned(), Node::Dir(0o755));
    }
    add("jail".into(), Node::Dir(0o755));
    for top in ["jail", home] {
        for dir in ["d", "empty", "withssh", "conf", "conf/fish"] {
            add(format!("{top}/{dir}"), Node::Dir(0o755));
        }
        for file in [
            "f",
            "source",
            "plain",
            "withssh/authorized_keys",
            "conf/fish/config.fish",
        ] {
            add(format!("{top}/{file}"), Node::File(b"ordinary", 0o644));
        }
    }
    for dir in [
        ".ssh",
        ".ssh/sub",
        ".config",
        ".config/fish",
        ".config/systemd",
        ".config/systemd/user",
    ] {
        add(format!("{home}/{dir}"), Node::Dir(0o755));
    }
    for file in [
        ".ssh/authorized_keys",
        ".ssh/sub/x",
        ".config/fish/config.fish",
        ".config/systemd/user/x.service",
        ".config/other",
    ] {
        add(format!("{home}/{file}"), Node::File(b"as it was", 0o644));
    }
    for file in START_FILES.iter().step_by(2) {
        add(format!("{home}/{file}"), Node::File(b"as it was", 0o644));
    }
    for (name, target) in LINKS {
        add(format!("{home}/{name}"), Node::Link(target.to_vec()));
    }
    plan
}

const LINKS: &[(&str, &[u8])] = &[
    ("l_profile", b".profile"),
    ("l_absent", b".bashrc"),
    ("l_ssh", b".ssh"),
    ("l_keys", b".ssh/authorized_keys"),
    ("l_new_key", b"d/../.ssh/new"),
    ("l_chain", b"l_ssh"),
    ("l_config", b".config"),
    ("l_here", b"."),
    ("l_start", b".config/autostart"),
];

/// Ways to protected things in a home that is seen at `top` (empty: at `/`), and to the home.
fn ways(top: &str) -> Vec<String> {
    let mut ways: Vec<String> = PROTECTED
        .iter()
        .map(|name| format!("{top}/{name}"))
        .collect();
    for way in [
        ".ssh/",
        ".ssh/.",
        ".ssh/new",
        ".ssh/authorized_keys",
        ".ssh/sub",
        ".ssh/sub/x",
        ".ssh/sub/../authorized_keys",
        "d/../.profile",
        "././/.profile",
        "../../../../.profile",
        ".config",
        ".config/fish/config.fish",
        ".config/fish/new",
        ".config/systemd/user/x.service",
        ".config/systemd/user/default.target.wants",
        ".config/autostart/new",
        "l_profile",
        "l_absent",
        "l_ssh",
        "l_ssh/",
        "l_ssh/authorized_keys",
        "l_ssh/new",
        "l_keys",
        "l_new_key",
        "l_chain/sub/x",
        "l_config/fish/config.fish",
        "l_config/environment.d",
        "l_here/.profile",
        "l_start",
        "",
    ] {
        ways.push(format!("{top}/{way}"));
    }
    ways
}

#[test]
fn nothing_that_is_protected_changes_where_the_home_is_the_root() {
    let mut twins = Twins::new("jail", &["--root", "BASE/jail"], &plan("jail"));
    twins.every_probe(&ways(""));
    let from = [
        "/plain",
        "/withssh",
        "/conf",
        "/.profile",
        "/.ssh",
        "/.config",
    ]
    .map(String::from);
    twins.every_pair(&from, &ways(""));
    twins.report("home as root");
}

#[test]
fn nothing_that_is_protected_changes_where_the_home_is_deep_in_the_root() {
    let home = "jail/top/home";
    let mut twins = Twins::new(home, &["--root", "BASE/jail"], &plan(home));
    twins.every_probe(&ways("/top/home"));
    twins.every_probe(&["/top".into(), "/top/".into(), "/top/home".into()]);
    let from = [
        "/top",
        "/top/home",
        "/top/home/plain",
        "/top/home/withssh",
        "/top/home/conf",
        "/plain",
        "/withssh",
    ];
    let mut to = ways("/top/home");
    to.extend(["/away", "/top", "/top/away", "/top/home/away"].map(String::from));
    twins.every_pair(&from.map(String::from), &to);
    twins.report("home below the root");
}

#[test]
fn nothing_that_is_protected_changes_where_the_home_is_bound() {
    let flags = ["--root", "BASE/jail", "--bind", "/h=BASE/ext"];
    let mut twins = Twins::new("ext", &flags, &with_mount_point(plan("ext"), "jail/h"));
    twins.every_probe(&ways("/h"));
    let from = [
        "/h",
        "/h/plain",
        "/h/withssh",
        "/h/conf",
        "/h/.ssh",
        "/h/.config",
    ]
    .map(String::from);
    twins.every_pair(&from, &ways("/h"));
    twins.report("home bound");
}

#[test]
fn nothing_that_is_protected_changes_where_parts_of_the_home_are_bound() {
    let flags = [
        "--root",
        "BASE/outer/inbox",
        "--bind",
        "/s=BASE/outer/.ssh",
        "--bind",
        "/c=BASE/outer/.config",
        "--bind",
        "/fish=BASE/outer/.config/fish",
    ];
    let mut plan = plan("outer");
    plan.push((b"outer/inbox".to_vec(), Node::Dir(0o755)));
    for dir in ["d", "empty", "s", "c", "fish"] {
        plan.push((format!("outer/inbox/{dir}").into_bytes(), Node::Dir(0o755)));
    }
    for file in ["f", "source"] {
        plan.push((
            format!("outer/inbox/{file}").into_bytes(),
            Node::File(b"ordinary", 0o644),
        ));
    }
    let mut twins = Twins::new("outer", &flags, &plan);
    let ways = [
        "/s",
        "/s/",
        "/s/new",
        "/s/authorized_keys",
        "/s/sub",
        "/s/sub/x",
        "/c/fish",
        "/c/fish/config.fish",
        "/c/environment.d",
        "/c/autostart",
        "/c/systemd/user/x.service",
        "/fish",
        "/fish/config.fish",
        "/fish/new",
    ]
    .map(String::from);
    twins.every_probe(&ways);
    let from = [
        "/s/authorized_keys",
        "/s/sub/x",
        "/c/other",
        "/fish/config.fish",
    ]
    .map(String::from);
    twins.every_pair(&from, &ways);
    twins.report("parts of the home bound");
}

fn with_mount_point(mut plan: Plan, at: &str) -> Plan {
    plan.push((at.into(), Node::Dir(0o755)));
    plan
}
