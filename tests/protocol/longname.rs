//! Long names: as `ls -l` prints them, and byte for byte as OpenSSH's server does, side by side in the same directory.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Launch, OPENSSH, Tree, show};

const DAY: i64 = 86_400;

fn now() -> i64 {
    i64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap()
}

/// A directory with what a long name can have trouble with.
fn zoo() -> (Tree, UnixListener) {
    let tree = Tree::new();
    tree.dir("dir/sub");
    tree.fifo("fifo");
    tree.link("link", "target");
    tree.link("dangling-link-with-a-long-name", "x".repeat(500));
    let listener = UnixListener::bind(tree.at("socket")).unwrap();
    for mode in (0..0o10000)
        .step_by(0o111)
        .chain([0o1000, 0o2000, 0o4000, 0o7000, 0o7111, 0o6777, 0o7777])
    {
        let name = format!("mode-{mode:04o}");
        tree.file(&name, "");
        tree.chmod(&name, mode);
    }
    for mode in [0o1777, 0o2755, 0o3700, 0o700, 0] {
        let name = format!("dir-{mode:04o}");
        tree.dir(&name);
        tree.chmod(&name, mode);
    }
    for size in [0, 1, 9_999_999, 99_999_999, 100_000_000, 5_000_000_000_000] {
        let path = tree.file(format!("size-{size}"), "");
        std::fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(size)
            .unwrap();
    }
    // Half a year is where the clock time gives way to the year; an hour on either side keeps clear of the seconds
    // that pass between two listings. The future has no clock time.
    let half_year = 365 * DAY / 2;
    let times = [
        0,
        -1,
        -DAY * 365 * 40,
        1_000_000_000,
        0x7fff_ffff,
        0xffff_ffff,
        0x1_0000_0005,
    ];
    let relative = [
        -3600,
        3600,
        -half_year + 3600,
        -half_year - 3600,
        -DAY,
        DAY,
        DAY * 400,
        -DAY * 30,
        -DAY * 100,
    ];
    for time in times
        .into_iter()
        .chain(relative.map(|offset| now() + offset))
    {
        let name = format!("time-{time}");
        tree.file(&name, "");
        tree.times(&name, time, time);
    }
    for month in 0..12 {
        let name = format!("month-{month}");
        tree.file(&name, "");
        tree.times(&name, 0, 1_577_836_800 + month * 31 * DAY);
    }
    for name in [
        &b"\xff\xfe"[..],
        b"new\nline",
        b" leading",
        b"trailing ",
        b"tab\there",
        "caf\u{e9}".as_bytes(),
        b"%s",
    ] {
        tree.file(name, "");
    }
    tree.file("n".repeat(255), "");
    for n in 0..12 {
        std::fs::hard_link(tree.at("size-1"), tree.at(format!("hard-link-{n}"))).unwrap();
    }
    if nix::unistd::geteuid().is_root() {
        for (uid, gid) in [
            (65534, 65534),
            (1, 2),
            (4_000_000_000, 123_456_789),
            (0, 4_294_967_294),
        ] {
            let path = tree.file(format!("owner-{uid}-{gid}"), "");
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
        }
    }
    (tree, listener)
}

fn longnames(launch: Launch, path: &str) -> BTreeMap<String, String> {
    let names = launch.connect().list(path);
    // Others come and go in the directory above.
    let steady = names.iter().filter(|name| name.filename != b"..");
    steady
        .map(|name| (show(&name.filename), show(&name.longname)))
        .collect()
}

#[test]
fn long_names_are_openssh_s_byte_for_byte_in_every_time_zone() {
    let (tree, _listener) = zoo();
    for zone in [
        "UTC",
        "Europe/Berlin",
        "America/St_Johns",
        "Pacific/Auckland",
        "XYZ-3:17",
        "",
        ":nonsense",
    ] {
        let under_test = longnames(Launch::new(&tree).env("TZ", zone), ".");
        let openssh = longnames(Launch::program(OPENSSH, &tree).env("TZ", zone), ".");
        assert_eq!(under_test.len(), openssh.len());
        for (name, longname) in &openssh {
            assert_eq!(&under_test[name], longname, "{name} with TZ={zone:?}");
        }
    }
}

#[test]
fn a_tz_that_is_a_rule_or_makes_no_sense_is_read_as_glibc_reads_it() {
    let tree = Tree::new();
    for step in 1..14 {
        let time = now() - step * (13 * DAY + 3601);
        tree.file(format!("{time}"), "");
        tree.times(format!("{time}"), time, time);
    }
    for zone in [
        // Rules, those of Israel and Greenland with hours that POSIX does not have.
        "EST5EDT4,M3.2.0/2,M11.1.0/2",
        "NZST-12NZDT",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "ACST-9:30ACDT,M10.1.0,M4.1.0/3",
        "IST-2IDT,M3.4.4/26,M10.5.0",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "EST5EDT,0/0,J365/25",
        "EST5EDT,J60/0,J300/24:30:15",
        "EST5EDT,60,300",
        ":CET-1CEST,M3.5.0,M10.5.0/3",
        "AAAAAAAAAAAAA3",
        // More than a clock has.
        "AAA30",
        "AAA-30",
        "AAA99999",
        "AAA5:99",
        "AAA5:30:99",
        // Names that are too short, or not closed.
        "AA3",
        "AA3BBB,M3.2.0,M11.1.0",
        "AAA3BB",
        "AAA3BB,M3.2.0,M11.1.0",
        "<a>3",
        "<+0>3",
        "<CET-1",
        "<C/T>-1",
        // What is left over, or missing.
        " AAA3",
        "AAA3 ",
        "AAA-3 ",
        "AAA3x",
        "AAA3:",
        "AAA",
        "AAA+",
        "5",
        ",",
        "::CET-1",
        "EST5EDT,",
        "EST5EDT ",
        "EST5EDT,x",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,",
        "EST5EDT,M3.2.0,x",
        "EST5EDT,M3.2.0/,M11.1.0",
        "EST5EDT,M3.2.0/x,M11.1.0",
        "EST5EDT,M3.2.0,M11.1.0x",
        "EST5EDTM3.2.0,M11.1.0",
        "EST5EDT,366,300",
        // No files of zones.
        "Nowhere/Land",
        "Europe",
        "/etc/passwd",
        "/nonexistent",
    ] {
        let under_test = longnames(Launch::new(&tree).env("TZ", zone), ".");
        let openssh = longnames(Launch::program(OPENSSH, &tree).env("TZ", zone), ".");
        assert_eq!(under_test.len(), openssh.len());
        for (name, longname) in &openssh {
            // Where it takes no date from a rule, glibc changes its clocks twice in the first hours of a year.
            if !longname.contains("Dec 31") && !longname.contains("Jan  1") {
                assert_eq!(&under_test[name], longname, "{name} with TZ={zone:?}");
            }
        }
    }
}

#[test]
fn a_year_for_which_a_long_name_has_no_room_is_left_out() {
    // A file system in memory keeps any time.
    let tree = Tree::below("/dev/shm");
    for time in [
        253_402_300_799,
        253_402_300_800,
        1_000_000_000_000,
        i64::MAX / 2,
        -62_135_596_801,
        -93_692_592_000,
        -93_724_128_001,
        i64::MIN / 2,
    ] {
        tree.file(format!("{time}"), "");
        tree.times(format!("{time}"), time, time);
    }
    let under_test = longnames(Launch::new(&tree), ".");
    let openssh = longnames(Launch::program(OPENSSH, &tree), ".");
    assert_eq!(under_test, openssh);
    assert_eq!(under_test.len(), 9, "with the directory itself");
}

#[test]
fn long_names_without_tz_use_the_host_s_local_time_as_openssh_does() {
    let (tree, _listener) = zoo();
    let bare = |launch: Launch| longnames(launch.env_clear(), ".");
    assert_eq!(
        bare(Launch::new(&tree)),
        bare(Launch::program(OPENSSH, &tree))
    );
}

#[test]
fn long_names_in_dev_and_proc_are_openssh_s() {
    let tree = Tree::new();
    let host = ["/dev", "/proc", "/etc", "/usr"];
    for path in ["/dev", "/proc/sys/kernel", "/etc", "/usr/bin", "/"] {
        let under_test = longnames(Launch::new(&tree).host(&host), path);
        let openssh = longnames(Launch::program(OPENSSH, &tree), path);
        for (name, longname) in &openssh {
            // What comes and goes on a running host is not the point.
            if let Some(ours) = under_test.get(name) {
                let steady = |line: &str| {
                    line.split_whitespace()
                        .take(1)
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                };
                assert_eq!(steady(ours), steady(longname), "{path}/{name}");
                assert_eq!(
                    ours.len(),
                    longname.len(),
                    "{path}/{name}: {ours:?} {longname:?}"
                );
            }
        }
    }
}

/// Without OpenSSH as the judge. The mode has a blank after it, where strmode(3) leaves room for the `+` of an ACL.
#[test]
fn a_long_name_tells_type_mode_links_owner_size_and_date() {
    let tree = Tree::new();
    tree.file("a name", "content");
    tree.chmod("a name", 0o4751);
    tree.times("a name", 0, 1_234_567_890);
    tree.dir("dir");
    tree.link("link", "a name");
    let names = longnames(Launch::new(&tree), ".");
    let user = |id: u32| {
        nix::unistd::User::from_uid(id.into())
            .unwrap()
            .map_or(id.to_string(), |user| user.name)
    };
    let group = |id: u32| {
        nix::unistd::Group::from_gid(id.into())
            .unwrap()
            .map_or(id.to_string(), |group| group.name)
    };
    let (uid, gid) = (
        nix::unistd::geteuid().as_raw(),
        nix::unistd::getegid().as_raw(),
    );
    let expected = format!(
        "-rwsr-x--x    1 {:8} {:8} {:>8} Feb 13  2009 a name",
        user(uid),
        group(gid),
        7
    );
    assert_eq!(names["a name"], expected);
    assert!(
        names["dir"].starts_with("drwxr-xr-x    2 "),
        "{}",
        names["dir"]
    );
    assert!(
        names["link"].starts_with("lrwxrwxrwx    1 ") && names["link"].ends_with(" link"),
        "{}",
        names["link"]
    );
}
