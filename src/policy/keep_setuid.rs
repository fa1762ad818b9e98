//! `--keep-setuid`: with a root, without it no file gets bits that make it more than a file.

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// With --root: leave the setuid, setgid and sticky bits that a client asks for on files
    #[arg(long)]
    pub keep_setuid: bool,
}
