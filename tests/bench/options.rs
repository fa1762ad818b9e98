//! The command line of the benchmarks: which servers, which workloads, how often, and where the results go.

use std::path::{Path, PathBuf};

use crate::client::Transport;

/// What every benchmark says after its own words for `--help`.
const USAGE: &str = r#"
  --quick         a tenth of the work, to see that it works
  --pairs N       how often each server has its turn (5)
  --socketpair    one socket as stdin and stdout, as with sftp -D, in place of two pipes
  --dir DIR       where the files are made and removed ($TMPDIR)
  --one-processor  for client and server together, so that nobody waits for another processor to wake up
  --json FILE     one JSON line a run, which otherwise goes to stdout
  --svg FILE      the speeds beside the first other server, drawn: packaging/speed.svg is made so
  --ours SERVER   what stands for ours; a SERVER is a program and its flags in one word, started in the directory of the files
  --theirs SERVER  what ours is compared with, once or several times; OpenSSH's server and gesftpserver, where they are
                  installed. The price of a jail is told by
                  --ours "target/release/sftp-server --root ." --theirs target/release/sftp-server
"#;

/// What the figures of ours are compared with, in this order; the first is the one of README.
const KNOWN: [(&str, &str); 2] = [
    ("OpenSSH", "/usr/lib/openssh/sftp-server"),
    ("gesftpserver", "/usr/libexec/gesftpserver"),
];

pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) pairs: usize,
    pub(crate) transport: Transport,
    pub(crate) one_processor: bool,
    pub(crate) folder: PathBuf,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    /// Ours, and at least one other.
    pub(crate) servers: Vec<Server>,
    names: Vec<String>,
}

pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

impl Options {
    /// `head` is what the benchmark says of itself, `known` its workloads.
    ///
    /// # Errors
    /// The words to end with; they begin as `head` does where `--help` asked for them.
    pub(crate) fn parse(head: &str, known: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            quick: false,
            pairs: 5,
            transport: Transport::Pipes,
            one_processor: false,
            folder: std::env::temp_dir(),
            json: None,
            svg: None,
            servers: Vec::new(),
            names: Vec::new(),
        };
        let mut ours = server("ours", env!("CARGO_BIN_EXE_sftp-server"))?;
        let mut theirs = Vec::new();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                // cargo says so to every benchmark.
                "--bench" => {}
                "--help" | "-h" => return Err(format!("{head}{USAGE}")),
                "--quick" => options.quick = true,
                "--socketpair" => options.transport = Transport::Socketpair,
                "--one-processor" => options.one_processor = true,
                "--pairs" => {
                    options.pairs = value()?.parse().map_err(|_| "--pairs wants a number")?;
                }
                "--dir" => options.folder = value()?.into(),
                "--json" => options.json = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                "--ours" => ours = server("ours", &value()?)?,
                "--theirs" => {
                    let command = value()?;
                    theirs.push(server(&command, &command)?);
                }
                name if known.contains(&name) => options.names.push(word),
                _ => {
                    return Err(format!(
                        "no workload \"{word}\"; there are: {}",
                        known.join(" ")
                    ));
                }
            }
        }
        if options.pairs == 0 {
            return Err("--pairs wants at least 1".to_owned());
        }
        if theirs.is_empty() {
            let installed = |(_, program): &&(&str, &str)| Path::new(program).exists();
            for (name, program) in KNOWN.iter().filter(installed) {
                theirs.push(server(name, program)?);
            }
        }
        if theirs.is_empty() {
            return Err("no other server is installed: name one by --theirs".to_owned());
        }
        options.servers.push(ours);
        options.servers.append(&mut theirs);
        Ok(options)
    }

    /// Whether the workload `name` is to be run: all are, if none is named.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|n| n == name)
    }
}

/// A path is made absolute, as the server starts in another directory.
fn server(name: &str, command: &str) -> Result<Server, String> {
    let mut command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let program = command
        .first_mut()
        .ok_or("a SERVER has at least one word")?;
    if program.contains('/') {
        *program = std::fs::canonicalize(&program)
            .map_err(|error| format!("{program}: {error}"))?
            .to_string_lossy()
            .into_owned();
    }
    Ok(Server {
        name: name.to_owned(),
        command,
    })
}
