//! What holds where nobody says anything.

use super::report::{Report, Value};
use crate::cli::Settings;
use crate::fs::{View, inherited_umask};
use crate::identity::Login;
use crate::session::most_handles;

/// What holds where nobody has set this key.
pub(super) fn default(key: &str) -> String {
    let text = match key {
        "allow-requests" => "all",
        "log-facility" => "AUTH",
        "log-level" => "ERROR",
        "file-mode" | "dir-mode" => "the client's, and the umask",
        "root" => "none, all of the host",
        "umask" => return format!("{:03o}, inherited", inherited_umask()),
        "start-directory" => "where sshd starts it: the home",
        "max-handles" => "what RLIMIT_NOFILE leaves",
        _ => "none",
    };
    text.to_owned()
}

impl Report {
    /// What is known once there is a view: where a session starts, and how much it can have open.
    pub(super) fn defaults(&mut self, settings: &Settings, view: &View, login: &Login) {
        if settings.jail.is_some() {
            let start = view.home(login.home()).display().to_string();
            self.default("start-directory", start);
        }
        let handles = most_handles(view, settings.policy.rules.atomic_upload);
        self.default("max-handles", format!("about {handles} (RLIMIT_NOFILE)"));
    }

    fn default(&mut self, key: &str, text: String) {
        let mut shown = self.settings.iter_mut();
        let value = shown.find(|shown| shown.key == key);
        if let Some(Value::Unset(default)) = value.map(|shown| &mut shown.value) {
            *default = text;
        }
    }
}
