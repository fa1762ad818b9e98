//! The plan of the house: which file of src takes names from which.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{Source, Uses};

/// The files of src by their modules, and what each names.
pub(crate) struct Plan {
    /// `session::flow` is session/flow/mod.rs or session/flow.rs.
    files: BTreeMap<Vec<String>, String>,
    uses: BTreeMap<String, Uses>,
}

impl Plan {
    pub(crate) fn of_src() -> Self {
        let mut plan = Self {
            files: BTreeMap::new(),
            uses: BTreeMap::new(),
        };
        for file in Source::all("src").filter(|file| file.name != "main.rs") {
            plan.files.insert(module(&file.name), file.name.clone());
            plan.uses.insert(file.name.clone(), Uses::of(&file.code()));
        }
        plan
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.uses.keys()
    }

    /// The other files from which `file` takes a name, by a `use` or where it stands. A name that a folder's face hands on is that of the
    /// file behind it; the face takes none by that.
    pub(crate) fn taken_by(&self, file: &str) -> BTreeSet<String> {
        let (own, uses) = (module(file), &self.uses[file]);
        let code = paths(&uses.rest);
        uses.taken
            .iter()
            .map(|path| path.split("::").collect())
            .chain(code)
            .filter_map(|path: Vec<&str>| self.resolve(&own, &path))
            .filter(|from| from != file)
            .collect()
    }

    /// The file in which what `path` names stands, as seen from the module `own`.
    fn resolve(&self, own: &[String], path: &[&str]) -> Option<String> {
        let mut module = own.to_vec();
        let mut rest = path;
        match *rest.first()? {
            "crate" | "sftp_server" => {
                module.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first() == Some(&"super") {
                    module.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                module.push(child.to_owned());
                self.files.get(&module)?;
                rest = &rest[1..];
            }
        }
        while let Some((next, behind)) = rest.split_first() {
            module.push((*next).to_owned());
            if !self.files.contains_key(&module) {
                module.pop();
                break;
            }
            rest = behind;
        }
        let file = self.files.get(&module)?;
        match rest.first().and_then(|name| self.handed_on(file, name)) {
            Some(path) => self.resolve(&module, &path),
            None => Some(file.clone()),
        }
    }

    /// The path of the name that a face hands on.
    fn handed_on(&self, file: &str, name: &str) -> Option<Vec<&str>> {
        let handed = self.uses[file].handed_on.iter();
        let mut paths = handed.map(|path| path.split("::").collect::<Vec<_>>());
        paths.find(|path| path.last() == Some(&name))
    }

    /// Files that take names from each other in a circle, each circle once.
    pub(crate) fn circles(&self) -> Vec<Vec<&String>> {
        let taken = self.names().map(|name| (name, self.taken_by(name)));
        let taken: BTreeMap<&String, BTreeSet<String>> = taken.collect();
        let reached = |from: &String| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(file) = next.pop() {
                let fresh = |other: &&String| seen.insert((*other).clone());
                let others = taken.get(&file).into_iter().flatten();
                next.extend(others.filter(fresh).cloned());
            }
            seen
        };
        let reached = self.names().map(|name| (name, reached(name)));
        let reached: BTreeMap<&String, BTreeSet<String>> = reached.collect();
        let mut circles = BTreeSet::new();
        for name in self.names().filter(|name| reached[name].contains(*name)) {
            let both =
                |other: &&String| reached[name].contains(*other) && reached[other].contains(name);
            circles.insert(self.names().filter(both).collect::<Vec<_>>());
        }
        circles.into_iter().collect()
    }
}

/// `session/flow/mod.rs` and `session/flow.rs` are `session::flow`.
fn module(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/');
    parts
        .filter(|part| *part != "mod" && *part != "lib")
        .map(str::to_owned)
        .collect()
}

/// Each `a::b::c` in `code`.
fn paths(code: &str) -> impl Iterator<Item = Vec<&str>> {
    let words = code.split(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter));
    words
        .filter(|word| word.contains("::") && !word.starts_with(':'))
        .map(|word| word.trim_end_matches(':').split("::").collect())
}
