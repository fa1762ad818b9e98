//! The tree that the client sees, and what is done in it: plain functions over descriptors, errno unchanged.
//!
//! Knows nothing of packets, sessions or policies. [`View`] is the only door: it turns a client's path into a directory
//! descriptor and a name, and everything acts on these.

mod acts;
mod error;
mod judging;
mod kernel;
mod view;

pub use acts::copy::{CopyEnd, CopyError};
pub use acts::dir::{Dir, Listed, Listing};
pub use acts::file::File;
pub use acts::names::Figures;
pub use acts::pipe::{Pipe, WIDE, unread, widen};
pub use error::{Answer, Error, Refusal, Result};
pub(crate) use error::{again, close};
pub use judging::judge::{Deed, Effect, Judge, Verdict, Writing};
pub use judging::protect::{Guarded, Trace};
pub use judging::rights::rights;
pub use kernel::identity::Identity;
pub use kernel::made::{Kept, Made};
pub use kernel::opening::OpenHow;
pub use kernel::patience::{hurry, patiently};
pub use kernel::place::{Id as FileId, is_regular};
pub use kernel::stat::{FileStat, Follow};
pub use kernel::trial::{Trial, Way, inherited_umask};
pub use kernel::trusted::{Untrusted, read_trusted, stands};
pub use view::setup::{Bind, SetUp};
pub use view::{Modes, View};
