//! A session whose user has a home of the test's making: `/etc/passwd` is one line, in namespaces of the session's own.

use std::ffi::OsStr;

use crate::ground::{Ground, Plan, ordinary, ours};
use crate::sides::as_ordinary;
use crate::support::wire::Reply;
use crate::support::{Launch, Server};

/// SPEC §5: in the home.
pub(crate) const START_FILES: [&str; 23] = [
    ".profile",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".login",
    ".cshrc",
    ".tcshrc",
    ".kshrc",
    ".pam_environment",
    ".forward",
    ".rhosts",
    ".shosts",
    ".k5login",
    ".k5users",
    ".ssh2",
    ".procmailrc",
];

/// All that is protected, with what is below it.
pub(crate) const PROTECTED: [&str; 28] = {
    let mut all = [""; 28];
    let mut at = 0;
    while at < START_FILES.len() {
        all[at] = START_FILES[at];
        at += 1;
    }
    all[23] = ".ssh";
    all[24] = ".config/fish";
    all[25] = ".config/systemd";
    all[26] = ".config/environment.d";
    all[27] = ".config/autostart";
    all
};

/// A server and the ground that holds its user's home.
pub(crate) struct Home {
    pub(crate) server: Server,
    pub(crate) ground: Ground,
}

impl Home {
    /// `home` is below the ground; in flags `BASE` stands for the ground's path.
    pub(crate) fn new(home: &str, flags: &[&str], plan: &Plan) -> Self {
        let ground = Ground::new(plan.clone(), &[b"jail", b"ext", b"outer"]);
        Self {
            server: Self::launch(&ground, home, flags).connect(),
            ground,
        }
    }

    pub(crate) fn launch(ground: &Ground, home: &str, flags: &[&str]) -> Launch {
        Self::launch_as(ground, &[("tester", home)], &[], ours(), flags)
    }

    /// The same with a line of passwd for each name and home of the uid, with mounts that only the session sees, and with `program`.
    pub(crate) fn launch_as(
        ground: &Ground,
        names: &[(&str, &str)],
        mounts: &[(&str, &str)],
        program: impl AsRef<OsStr>,
        flags: &[&str],
    ) -> Launch {
        let base = ground.base.root().to_str().unwrap();
        let (uid, gid) = ordinary();
        // Over the whole of /etc: a mount on the file alone goes when somebody on the host replaces that file, as useradd does.
        let etc = ground.beside("etc");
        std::fs::create_dir_all(&etc).unwrap();
        let line =
            |(name, home): &(&str, &str)| format!("{name}:x:{uid}:{gid}::{base}/{home}:/bin/sh\n");
        let passwd = names.iter().map(line).collect::<String>();
        std::fs::write(etc.join("passwd"), passwd).unwrap();
        let mounts = mounts.iter();
        let mounts: String = mounts
            .map(|(from, to)| format!("mount --bind '{base}/{from}' '{base}/{to}'\n"))
            .collect();
        let script = format!(
            "mount -t overlay -o \"lowerdir=$0:/etc\" overlay /etc\n{mounts}exec unshare --user --map-user={uid} --map-group={gid} \"$@\""
        );
        let flags: Vec<String> = flags
            .iter()
            .map(|flag| flag.replace("BASE", base))
            .collect();
        as_ordinary(Launch::program("unshare", &ground.base))
            .args(["--user", "--map-root-user", "--mount", "sh", "-ec", &script])
            .args([&etc])
            .args([program.as_ref()])
            .args(flags)
    }
}

/// True where a reply is the refusal of self-protection, in its words.
pub(crate) fn refused(reply: &Reply) -> bool {
    matches!(reply, Reply::Status(status)
        if status.code == 3 && status.text == "Permission denied: protected (--no-protect)")
}
