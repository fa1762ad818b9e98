//! The end of a session whose client sent a packet that is too long: it is told what it is owed, and the log is told who it was.

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::Connection;
use crate::log::{self, Event, Level};

impl Connection {
    /// Answers what was served before, and logs the packet. What ends a session from outside ends this, too.
    pub(super) async fn end_oversized(&mut self) {
        let answered = timeout(LAST_WORDS, self.finish_all()).await;
        if !log::tells_errors() {
            return;
        }
        if !matches!(answered, Ok(Ok(Some(_)))) {
            self.ask_who_it_is().await;
        }
        let login = &self.session.login;
        log::emit(Level::Error, || Event::Oversized {
            user: login.user_at_hand().into_owned(),
            address: self.session.address.clone(),
        });
    }

    /// Has a thread ask the name service for the user, if nobody has asked before.
    async fn ask_who_it_is(&self) {
        let login = Rc::clone(&self.session.login);
        let Some(ask) = login.unasked() else {
            return;
        };
        let (sender, receiver) = oneshot::channel();
        let asking = thread::Builder::new().spawn(move || drop(sender.send(ask())));
        if asking.is_err() {
            return;
        }
        tokio::select! {
            biased;
            _ = self.ending.next() => {}
            account = receiver => {
                if let Ok(account) = account {
                    login.learn(account);
                }
            }
            () = sleep(LAST_WORDS) => {}
        }
    }
}

/// How long a client that broke the rules may take to read what it is owed, and a name service to say who it is.
const LAST_WORDS: Duration = Duration::from_secs(1);
