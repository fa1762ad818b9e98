//! `--atomic-upload`: a file that is new or truncated takes its place when it is closed. The view does it.

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Files that are new or truncated are written unseen, and take their place when they are closed
    #[arg(long)]
    pub atomic_upload: bool,
}
