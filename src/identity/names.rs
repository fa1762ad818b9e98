//! What users and groups are called, as far as nobody has to be waited for; and the questions to those who may keep us waiting.
//!
//! | asked                             | waits                                                                    |
//! |-----------------------------------|--------------------------------------------------------------------------|
//! | what was answered before          | no                                                                       |
//! | passwd(5), group(5)               | no; where nsswitch.conf(5) has them first and no nscd runs, it is final  |
//! | sssd, userdb, nscd, other modules | as long as they like: never by a thread that has others to listen to     |

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::files::{self, Order};
use super::{STATIC, group_by_gid, user_by_name, user_by_uid};

/// Names by numbers; none for those who have no name.
type Known = HashMap<u32, Option<Box<[u8]>>>;

/// Names of users and groups; each is asked for once, as long as a client does not ask for thousands.
#[derive(Debug, Default)]
pub struct Names {
    users: Known,
    groups: Known,
    order: OnceCell<[Order; 2]>,
}

/// Only those may know who may keep us waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unasked;

/// Numbers whose names are asked for.
#[derive(Clone, Debug, Default)]
pub struct Question {
    users: HashSet<u32>,
    groups: HashSet<u32>,
}

/// What was answered.
#[derive(Debug, Default)]
pub struct Answers {
    users: Known,
    groups: Known,
}

impl Names {
    /// What the user `uid` is called, if it has a name.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn user(&mut self, uid: u32) -> Result<Option<&[u8]>, Unasked> {
        let [order, _] = *self.order.get_or_init(files::orders);
        let name = |uid| {
            let user = files::user(|_, number| number == uid).ok()??;
            Some(user.name.into())
        };
        at_hand(&mut self.users, uid, order, name)
    }

    /// What the group `gid` is called, if it has a name.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn group(&mut self, gid: u32) -> Result<Option<&[u8]>, Unasked> {
        let [_, order] = *self.order.get_or_init(files::orders);
        let name = |gid| files::group(gid).ok()?.map(Into::into);
        at_hand(&mut self.groups, gid, order, name)
    }

    /// Those of these numbers that have not been answered before.
    #[must_use]
    pub fn lacking(&self, users: &[u32], groups: &[u32]) -> Question {
        let lacks = |known: &Known, numbers: &[u32]| {
            let lacking = numbers.iter().filter(|number| !known.contains_key(number));
            lacking.copied().collect()
        };
        Question {
            users: lacks(&self.users, users),
            groups: lacks(&self.groups, groups),
        }
    }

    /// Takes those out of a question that nobody has to be waited for.
    pub fn answer_few(&mut self, question: &mut Question) {
        if question.len() > FEW {
            return;
        }
        question.users.retain(|uid| self.user(*uid).is_err());
        question.groups.retain(|gid| self.group(*gid).is_err());
    }

    /// What has been answered before of these numbers.
    #[must_use]
    pub fn answered(&self, users: &[u32], groups: &[u32]) -> Answers {
        let of = |known: &Known, numbers: &[u32]| {
            let answered = numbers.iter();
            let answered =
                answered.filter_map(|number| Some((*number, known.get(number)?.clone())));
            answered.collect()
        };
        Answers {
            users: of(&self.users, users),
            groups: of(&self.groups, groups),
        }
    }

    /// Takes note of answers, as far as there is room.
    pub fn learn(&mut self, answers: &Answers) {
        for (known, new) in [
            (&mut self.users, &answers.users),
            (&mut self.groups, &answers.groups),
        ] {
            if known.len() + new.len() > MAX_KNOWN {
                known.clear();
            }
            let new = new.iter().take(MAX_KNOWN);
            known.extend(new.map(|(number, name)| (*number, name.clone())));
        }
    }
}

fn at_hand(
    known: &mut Known,
    number: u32,
    order: Order,
    by_files: impl Fn(u32) -> Option<Box<[u8]>>,
) -> Result<Option<&[u8]>, Unasked> {
    if !known.contains_key(&number) {
        let found = match order {
            Order::Others => return Err(Unasked),
            Order::FilesFirst => Some(by_files(number).ok_or(Unasked)?),
            Order::FilesAlone => by_files(number),
        };
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(number, found);
    }
    Ok(known.get(&number).and_then(Option::as_deref))
}

impl Question {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.users.len() + self.groups.len()
    }

    /// Asks the name service, which may take as long as it likes, for one number after the other. Whom it cannot answer for has no name.
    #[must_use]
    pub fn ask(&self) -> Answers {
        let user = |uid| Some(user_by_uid(uid).ok()??.name.into());
        let group = |gid| group_by_gid(gid).ok()?.map(Into::into);
        Answers {
            users: self.users.iter().map(|uid| (*uid, user(*uid))).collect(),
            groups: self.groups.iter().map(|gid| (*gid, group(*gid))).collect(),
        }
    }
}

impl Answers {
    /// What the user `uid` is called; empty where it has no name.
    #[must_use]
    pub fn user(&self, uid: u32) -> &[u8] {
        name(&self.users, uid)
    }

    /// What the group `gid` is called; empty where it has no name.
    #[must_use]
    pub fn group(&self, gid: u32) -> &[u8] {
        name(&self.groups, gid)
    }

    /// Adds those of others.
    pub fn extend(&mut self, others: Self) {
        self.users.extend(others.users);
        self.groups.extend(others.groups);
    }
}

fn name(known: &Known, number: u32) -> &[u8] {
    let name = known.get(&number).and_then(Option::as_deref);
    name.unwrap_or_default()
}

/// The home directory of the user called `name`, as passwd has it. The name service may take as long as it likes.
#[must_use]
pub fn home_of(name: &[u8]) -> Option<PathBuf> {
    user_by_name(name).ok()?.map(|user| user.home)
}

/// The same, where nobody has to be waited for.
///
/// # Errors
/// [`Unasked`].
pub fn home_at_hand(name: &[u8]) -> Result<Option<PathBuf>, Unasked> {
    let [order, _] = files::orders();
    let home = || Some(files::user(|known, _| known == name).ok()??.home);
    match order {
        Order::Others => Err(Unasked),
        Order::FilesFirst => Ok(Some(home().ok_or(Unasked)?)),
        Order::FilesAlone => Ok(home()),
    }
}

/// Has the C library load what it names users and groups by, while it still may.
///
/// It does so module by module, the next one when those before do not know somebody; so nobody is asked for here.
pub fn warm() {
    const NOBODY: u32 = u32::MAX;
    if !STATIC {
        let _ = user_by_uid(NOBODY);
        let _ = group_by_gid(NOBODY);
    }
}

const MAX_KNOWN: usize = 4096;
/// So many numbers are looked up in the files by a thread that has others to listen to.
const FEW: usize = 16;
