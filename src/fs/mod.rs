//! The tree that the client sees, and what is done in it: plain functions over descriptors, errno unchanged.
//!
//! Knows nothing of packets, sessions or policies. [`View`] is the only door: it turns a client's path into a directory
//! descriptor and a name, and everything acts on these.

mod act;
mod aside;
mod copy;
mod dir;
mod direct;
mod dress;
mod entries;
mod error;
mod exact;
mod file;
mod file_limit;
mod held;
mod home;
mod identity;
mod jail;
mod judge;
mod linked;
mod linkless;
mod made;
mod mounts;
mod moving;
mod near;
mod open;
mod opening;
mod ops;
mod own;
mod patience;
mod pipe;
mod place;
mod point;
mod procfs;
mod protect;
mod rename;
mod resolve;
mod rights;
mod served;
mod setup;
mod stat;
mod step;
mod trial;
mod trusted;
mod unlisted;
mod upload;
mod verdict;
mod view;
mod way;

pub use copy::{CopyEnd, CopyError};
pub use dir::{Dir, Listed, Listing};
pub use error::{Answer, Error, Refusal, Result};
pub use file::File;
pub use identity::Identity;
pub use judge::{Deed, Effect, Judge, Verdict, Writing};
pub use made::{Kept, Made};
pub use opening::OpenHow;
pub use ops::Figures;
pub use patience::{hurry, patiently};
pub use pipe::{Pipe, WIDE, unread, widen};
pub use place::{Id as FileId, is_regular};
pub use protect::{Guarded, Trace};
pub use rights::rights;
pub use setup::{Bind, SetUp};
pub use stat::{FileStat, Follow};
pub use trial::{Trial, Way, inherited_umask};
pub use trusted::{Untrusted, read_trusted, stands};
pub use view::{Modes, View};

pub(crate) use error::{again, close};
