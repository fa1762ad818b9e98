//! Where a home directory of the host lies in the view: told by the texts of paths alone, since to look at a home may wait for another host,
//! and would tell what exists outside of the view.

use std::path::{Component, Path, PathBuf};

use super::jail::Jail;
use super::{Kind, View};

impl View {
    /// The path in the view of a home directory of the host; the root where it is not in the view. Nothing is looked at.
    #[must_use]
    pub fn home(&self, host: &Path) -> PathBuf {
        let jail = match &self.kind {
            Kind::Jail(jail) if !self.judging.host => jail,
            Kind::Host(_) | Kind::Jail(_) => return host.to_path_buf(),
        };
        let seen = match &jail.own {
            Some(own) if own.host == host => own.seen.clone(),
            _ => jail.by_text(host),
        };
        let hidden = |path: &PathBuf| {
            let path = path.as_os_str().as_encoded_bytes();
            self.judge()
                .is_some_and(|judge| judge.pass(path, false).is_err())
        };
        seen.filter(|path| !hidden(path))
            .unwrap_or_else(|| PathBuf::from("/"))
    }
}

impl Jail {
    /// Where a path of the host lies, by the paths of the root and the binds: as they were written, or as they were found to be.
    fn by_text(&self, host: &Path) -> Option<PathBuf> {
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        if !host.is_absolute() || !host.components().all(plain) {
            return None;
        }
        let texts = self.trees.iter().enumerate();
        let texts = texts.flat_map(|(index, tree)| {
            let texts = [tree.host.as_path(), tree.written.as_path()];
            texts.map(|text| (index, text))
        });
        let is_above = |text: &Path| text.is_absolute() && host.starts_with(text);
        let mut above: Vec<_> = texts.filter(|(_, text)| is_above(text)).collect();
        above.sort_by_key(|(_, text)| std::cmp::Reverse(text.components().count()));
        above.into_iter().find_map(|(index, text)| {
            let rest = host.strip_prefix(text).ok()?;
            let at = self.trees.get(index)?.path.join(rest);
            // Joined with nothing it would end on a slash.
            let at: PathBuf = at.components().collect();
            (self.shown_at(&at) == index).then_some(at)
        })
    }

    /// Which tree stands at a path of the view, by its text: the last one bound there or above.
    fn shown_at(&self, path: &Path) -> usize {
        let trees = self.trees.iter().enumerate();
        let above = trees.filter(|(_, tree)| path.starts_with(&tree.path));
        let nearest = above.max_by_key(|(index, tree)| (tree.path.components().count(), *index));
        nearest.map_or(0, |(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crate::fs::{Bind, View};

    #[test]
    fn a_home_is_found_by_its_text_in_the_tree_that_shows_it() {
        let bind = |at: &str, dir: &str| Bind {
            at: PathBuf::from(at),
            dir: PathBuf::from(dir),
            read_only: false,
        };
        let binds = [bind("/tmp", "/usr/share"), bind("/own", "/usr/lib")];
        let view = View::locked(Path::new("/"), false, &binds, Path::new("/var"), None).unwrap();
        for (host, seen) in [
            // Nothing need be there.
            ("/var/lib/nobody", "/var/lib/nobody"),
            ("/var/../etc", "/"),
            ("relative", "/"),
            ("", "/"),
            // A bind covers what the root has there.
            ("/tmp/x", "/"),
            ("/usr/share/x", "/tmp/x"),
            ("/usr/lib", "/own"),
            ("/usr/library", "/usr/library"),
            ("/var", "/var"),
        ] {
            assert_eq!(view.home(Path::new(host)), Path::new(seen), "{host}");
        }
    }
}
