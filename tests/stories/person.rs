//! Somebody with an account and no privilege: a home, start files, a secret, and the keys that they let in.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Input, Ran, run};
use crate::support::Tree;
use crate::support::examples::adapted;
use crate::support::sshd::{Account, HOST, Sshd};
use crate::support::{program, under_test};

/// What stands in every file that no key may reach.
pub(crate) const SECRET: &str = "the secret that stays";

/// An account whose sshd is run by itself, with `~/.ssh/authorized_keys`.
pub(crate) struct Person {
    pub(crate) sshd: Sshd,
}

impl Person {
    /// `keys` is what they write into authorized_keys: an example, each of whose lines gets a key of its own. See [`Person::key`].
    pub(crate) fn new(keys: &str) -> Self {
        let config = "Match all\n AuthorizedKeysFile .ssh/authorized_keys";
        let person = Self {
            sshd: Sshd::ordinary_with("internal-sftp", config, ""),
        };
        let account = person.sshd.account();
        assert_ne!(
            account.uid, 0,
            "these stories are those of an ordinary user"
        );
        assert!(
            account.home.starts_with(person.place()),
            "a throwaway user asks for root"
        );
        furnish(account);
        person.dir(".ssh");
        person.authorize(keys);
        person
    }

    /// Writes authorized_keys again.
    pub(crate) fn authorize(&self, keys: &str) {
        self.authorize_as_it_stands(&self.sshd.place().expand(&adapted(keys)));
    }

    /// The same with the path of the server that the example names.
    pub(crate) fn authorize_as_it_stands(&self, keys: &str) {
        let mut lines = String::new();
        for (number, line) in keys
            .lines()
            .filter(|line| line.starts_with("command="))
            .enumerate()
        {
            let (options, _) = line.split_once(" ssh-ed25519 ").expect("a key's line");
            let public = self.key(number).with_extension("pub");
            lines += &format!("{options} {}", fs::read_to_string(public).unwrap());
        }
        assert_ne!(lines, "", "{keys}");
        self.file(".ssh/authorized_keys", &lines);
    }

    /// The private key of a line of authorized_keys, made when it is first asked for.
    pub(crate) fn key(&self, number: usize) -> PathBuf {
        let path = self.place().join(format!("key{number}"));
        if !path.exists() {
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]);
            run(make.arg(&path), Input::Null).success();
        }
        path
    }

    /// For `-F`: as the holder of a key.
    pub(crate) fn config_of(&self, number: usize) -> PathBuf {
        let config = fs::read_to_string(self.sshd.client_config()).unwrap();
        let user_key = self.sshd.user_key();
        let key = self.key(number);
        let path = key.with_extension("config");
        let config = config.replace(user_key.to_str().unwrap(), key.to_str().unwrap());
        fs::write(&path, config).unwrap();
        path
    }

    /// `ssh`, `sftp` or `scp` of the holder of a key.
    pub(crate) fn client(&self, program: &str, number: usize) -> Command {
        let mut command = Command::new(program);
        command.arg("-F").arg(self.config_of(number));
        command
    }

    /// A batch of `sftp`, begun in `local`. A line that begins with `-` may fail.
    pub(crate) fn sftp(&self, number: usize, local: &Tree, commands: &str) -> Ran {
        let batch = self.place().join("batch");
        fs::write(&batch, commands).unwrap();
        let mut sftp = self.client("sftp", number);
        sftp.current_dir(local).arg("-b").arg(batch).arg(HOST);
        run(&mut sftp, Input::Null)
    }

    pub(crate) fn place(&self) -> &Path {
        self.sshd.place().path()
    }

    pub(crate) fn home(&self) -> &Path {
        &self.sshd.account().home
    }

    /// A directory of theirs, by its path from home.
    pub(crate) fn dir(&self, path: &str) -> PathBuf {
        let path = self.home().join(path);
        self.sshd.account().make_dir(&path);
        path
    }

    /// A file of theirs, by its path from home.
    pub(crate) fn file(&self, path: &str, content: &str) -> PathBuf {
        file(self.sshd.account(), path, content)
    }

    /// A copy of the program in their home, as one has it who cannot install any.
    pub(crate) fn install(&self, path: &str) -> PathBuf {
        let to = self.home().join(path);
        program::install(under_test(), &to);
        let account = self.sshd.account();
        lchown(&to, Some(account.uid), Some(account.gid)).unwrap();
        to
    }
}

/// What a home holds that no key may reach: start files, a secret.
pub(crate) fn furnish(account: &Account) {
    file(account, ".profile", "# the start file of a shell\n");
    file(account, ".bashrc", "# the start file of a shell\n");
    file(account, "secret", SECRET);
}

pub(crate) fn file(account: &Account, path: &str, content: &str) -> PathBuf {
    let path = account.home.join(path);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    lchown(&path, Some(account.uid), Some(account.gid)).unwrap();
    path
}

/// All that stands at and beneath some paths: kind, mode, owner, inode, change of content or attributes, content.
pub(crate) fn survey(tops: &[&Path]) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut todo: Vec<PathBuf> = tops.iter().map(|top| top.to_path_buf()).collect();
    while let Some(path) = todo.pop() {
        let Ok(stat) = fs::symlink_metadata(&path) else {
            continue;
        };
        let content = if stat.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            todo.extend(entries.map(|entry| entry.unwrap().path()));
            String::new()
        } else if stat.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            format!("{:?}", fs::read(&path).unwrap())
        };
        let facts = format!(
            "{:o} {}:{} {} {}.{} {content}",
            stat.mode(),
            stat.uid(),
            stat.gid(),
            stat.ino(),
            stat.ctime(),
            stat.ctime_nsec()
        );
        found.insert(path, facts);
    }
    assert!(!found.is_empty(), "nothing stands at {tops:?}");
    found
}

/// Fails where the secret has come into `local`.
#[track_caller]
pub(crate) fn nothing_leaked(local: &Tree) {
    for (path, facts) in survey(&[local.root()]) {
        assert!(!facts.contains(SECRET), "{} has it", path.display());
    }
}
