//! The order of start-up on one screen, and the exit status.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};

use sftp_server::cli::{Jail, Request, Settings};
use sftp_server::config;
use sftp_server::fs::{self, SetUp, View};
use sftp_server::identity::{self, Login};
use sftp_server::launch::{self, Launch, Patience, Refusal};
use sftp_server::log::{self, Event, Facility, Level, Target};
use sftp_server::sandbox::{self, Missing, Report, Tree, limits};
use sftp_server::session::flow::greeting::Greeting;
use sftp_server::session::flow::serve::{End, Error, serve};
use sftp_server::session::flow::{ending, signals};
use sftp_server::session::{Session, cause};

fn main() -> ExitCode {
    limits::close_inherited();
    let login = Login::of_process();
    match config::read(std::env::args_os().collect(), &login) {
        Ok(Request::Serve(settings)) => ExitCode::from(run(*settings, Rc::new(login))),
        Ok(Request::Print(text)) => print(&text, 0),
        Ok(Request::Report { text, status }) => print(&text, status),
        Err(error) => {
            let mut message = error.to_string();
            if message.contains(Errno::EMFILE.desc()) {
                if let Some(cause) = limits::too_few_descriptors() {
                    message = format!("{message}; {cause}");
                }
            }
            if error.is_logged() {
                message = log::one_line(&message);
                log::init(Level::Error, Target::Syslog(Facility::AUTH));
                let level = if error.exit_status() == 1 {
                    Level::Error
                } else {
                    Level::Fatal
                };
                log::emit(level, || Event::Complaint {
                    level,
                    text: message.clone(),
                });
            }
            log::say(&match error.meant() {
                Some(meant) => format!("{message}; {meant}"),
                None => message,
            });
            ExitCode::from(error.exit_status())
        }
    }
}

fn print(text: &str, status: u8) -> ExitCode {
    // Whoever stopped reading has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(status)
}

fn run(settings: Settings, login: Rc<Login>) -> u8 {
    log::init(settings.log_level, settings.log_target);
    for text in settings.complaints {
        log::emit(Level::Error, || Event::Complaint {
            level: Level::Error,
            text,
        });
    }
    if let Some(message) = limits::too_few_descriptors() {
        return fail(&message);
    }
    let mut view = match view(settings.jail, &login) {
        Ok(view) => view,
        Err(error) => return fail(&error.to_string()),
    };
    let launch = Launch {
        shell: settings.command,
        original: std::env::var_os("SSH_ORIGINAL_COMMAND"),
        program: std::env::args_os().next().unwrap_or_default(),
        terminal: std::io::stdin().is_terminal(),
        by_sshd: std::env::var_os("SSH_CONNECTION").is_some(),
    };
    if let Err(unheard) = launch.heard() {
        return fail(&unheard.to_string());
    }
    let (greeting, refusal) = match launch.patience() {
        Ok(patience) => greeting(patience),
        Err(refusal) => return refuse(refusal),
    };
    let Some(address) = client_address() else {
        log::emit(Level::Info, || Event::SessionClosed {
            user: login.user().to_vec(),
            address: connection().into_vec(),
        });
        return 255;
    };
    log::emit(Level::Info, || Event::SessionOpened {
        user: login.user().to_vec(),
        address: address.clone(),
    });

    if let Some(mask) = settings.umask {
        umask(Mode::from_bits_truncate(mask));
    }
    if let Some(path) = settings.start_directory {
        if let Err(error) = view.start_at(&path) {
            if view.trees().is_some() {
                // Not the home: who asked for another place is not to upload there.
                let _ = view.start_at("/".as_ref());
            }
            let path = path.into_os_string().into_vec();
            log::emit(Level::Error, || Event::StartDirectory {
                path,
                cause: match error {
                    fs::Error::Kernel(errno) => cause(errno),
                    error => error.to_string(),
                },
            });
        }
    }
    if settings.policy.keep_setuid {
        view.keep_bits();
    }
    if settings.policy.rules.judge_anything() {
        let rules = Arc::clone(&settings.policy.rules);
        let modes = rules.modes;
        if let Err(errno) = view.ask(rules, modes) {
            return fail(&format!("cannot open /: {}", cause(errno)));
        }
        if settings.policy.rules.atomic_upload {
            view.upload_atomically();
        }
    }
    match lock(settings.sandbox, &view, settings.policy.read_only) {
        Ok(report) => {
            if let Some(why) = config::crippled(&report) {
                return fail(&why);
            }
            if !report.keeps_out_of_memory() {
                view.guard_processes();
            }
        }
        Err(missing) => return fail(&missing.to_string()),
    }
    let session = Session::new(
        view,
        settings.policy,
        Rc::clone(&login),
        address.clone(),
        settings.force_file_mode,
    );
    let end = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let end = runtime.block_on(serve(session, greeting));
            // What it holds goes with the process.
            std::mem::forget(runtime);
            end
        }
        Err(error) => return fail(&format!("cannot start the runtime: {error}")),
    };

    let status = match &end {
        Ok(End::Client | End::Signal(_) | End::Idle | End::Expired) => 0,
        Ok(End::NotSftp | End::Silence) => refuse(refusal),
        Err(Error::Oversized(_)) => 11,
        Err(error @ (Error::Signals(_) | Error::Channel(_))) => fail(&error.to_string()),
        // The log has been told.
        Err(Error::BeforeInit(_) | Error::Input(_) | Error::Output(_)) => 1,
    };
    log::emit(Level::Info, || Event::SessionClosed {
        user: login.user().to_vec(),
        address,
    });
    // Nobody says anything any more.
    ending::let_go();
    if let Ok(End::Signal(signal)) = end {
        signals::die_by(signal);
    }
    status
}

/// The tree that the client will see.
fn view(jail: Option<Jail>, login: &Login) -> Result<View, SetUp> {
    match jail {
        None => Ok(View::host()),
        Some(jail) => config::view(&jail, login),
    }
}

/// Locks the process in, once what lies outside has been opened and read.
fn lock(mode: sandbox::Mode, view: &View, read_only: bool) -> Result<Report, Missing> {
    let trees = view.trees().map(|trees| {
        identity::warm();
        log::time::warm();
        let trees = trees.into_iter();
        let trees = trees.map(|(top, writable)| Tree {
            top,
            writable: writable && !read_only,
        });
        trees.collect::<Vec<_>>()
    });
    let report = sandbox::enter(mode, trees.as_deref())?;
    log::emit(Level::Info, || Event::Locked {
        report: report.to_string(),
    });
    Ok(report)
}

/// How long the first request may take, and the line for a client that means something else.
fn greeting(patience: Patience) -> (Greeting, Refusal) {
    match patience {
        Patience::Unlimited => (Greeting::default(), Refusal(None)),
        Patience::Announced => (
            Greeting {
                announce: Some((Duration::from_secs(3), launch::WAITING.to_owned())),
                limit: Some(Duration::from_secs(120)),
                strict: true,
            },
            Refusal(None),
        ),
        Patience::Short(refusal) => (
            Greeting {
                announce: None,
                limit: Some(Duration::from_secs(3)),
                strict: true,
            },
            refusal,
        ),
    }
}

/// The client's address, as sshd tells it; none where that makes no sense.
fn client_address() -> Option<Vec<u8>> {
    if std::env::var_os("SSH_CONNECTION").is_none() {
        return Some(b"UNKNOWN".to_vec());
    }
    let value = connection().into_vec();
    let blank = value.iter().position(|byte| *byte == b' ');
    if blank.is_none() {
        log::emit(Level::Error, || Event::MalformedConnection {
            value: value.clone(),
        });
    }
    Some(value.get(..blank?)?.to_vec())
}

fn connection() -> OsString {
    std::env::var_os("SSH_CONNECTION").unwrap_or_default()
}

/// Refuses in words; the exit status.
fn refuse(refusal: Refusal) -> u8 {
    log::say(&refusal.to_string());
    log::emit(Level::Info, || Event::RefusedLaunch { command: refusal.0 });
    1
}

/// Says why the program cannot go on; the exit status.
fn fail(message: &str) -> u8 {
    let message = &log::one_line(message);
    log::say(&format!("sftp-server: {message}"));
    log::emit(Level::Error, || Event::Complaint {
        level: Level::Error,
        text: message.to_owned(),
    });
    1
}
