//! Self-protection where the environment moves what a login obeys to another place than in the home.

use crate::ground::{Ground, Node, Plan};
use crate::home::{Home, refused};
use crate::protect_ways::{all_refused, mkdir, opens, put};
use crate::support::Server;
use crate::support::request;

fn plan() -> Plan {
    let mut plan: Plan = vec![(b"jail".to_vec(), Node::Dir(0o755))];
    for dir in ["jail/zsh", "jail/data", "jail/data/fish", "jail/keys"] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    for file in [
        "jail/plain",
        "jail/zsh/.zshrc",
        "jail/data/fish/x",
        "jail/start",
        "jail/keys/x",
    ] {
        plan.push((file.into(), Node::File(b"as it was", 0o644)));
    }
    plan.push((
        b"jail/data/applications".to_vec(),
        Node::Link(b"../..".to_vec()),
    ));
    plan
}

/// A session whose environment says so; `HOME` in a value stands for the home.
fn session(ground: &Ground, environment: &[(&str, &str)]) -> Server {
    let home = ground.base.at("jail").into_os_string();
    let mut launch = Home::launch(ground, "jail", &["--root", "BASE/jail"]);
    for (name, value) in environment {
        launch = launch.env(name, value.replace("HOME", home.to_str().unwrap()));
    }
    launch.connect()
}

fn ground() -> Ground {
    Ground::new(plan(), &[b"jail"])
}

#[test]
fn what_the_environment_moves_is_protected_where_it_is() {
    let ground = ground();
    let before = ground.snapshot();
    let mut server = session(
        &ground,
        &[
            ("ZDOTDIR", "HOME/zsh"),
            ("XDG_CONFIG_HOME", "HOME/conf"),
            ("XDG_DATA_HOME", "HOME/data"),
            ("BASH_ENV", "HOME/start"),
            ("GNUPGHOME", "HOME/keys"),
            ("INPUTRC", "HOME/missing/keys"),
        ],
    );
    all_refused(
        &mut server,
        &[
            put("/zsh/.zshrc"),
            put("/zsh/.zshenv"),
            request::rename("/zsh", "/gone"),
            request::rename("/data", "/conf"),
            put("/data/fish/new"),
            request::remove("/data/fish/x"),
            put("/data/systemd"),
            put("/start"),
            put("/keys/new"),
            request::rename("/keys", "/missing"),
            // Where it would be without these.
            put("/.zshrc"),
            put("/.bashrc"),
        ],
    );
    assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
    server.ok(&mkdir("/conf"));
    let reply = server.call(&mkdir("/conf/autostart"));
    assert!(refused(&reply), "{reply:?}");
    for free in ["/zsh/other", "/data/other", "/conf/other", "/plain"] {
        opens(&mut server, free);
    }
}

#[test]
fn no_variable_takes_protection_away_or_gives_it_to_everything() {
    let ground = ground();
    let long = format!("HOME/{}zsh", "./".repeat(600));
    for values in [
        [("ZDOTDIR", "zsh"), ("BASH_ENV", "start")],
        [("ZDOTDIR", long.as_str()), ("BASH_ENV", "")],
        [("XDG_CONFIG_HOME", "/"), ("BASH_ENV", "/")],
        [("XDG_DATA_HOME", "HOME/data"), ("GNUPGHOME", "HOME")],
        [("XDG_CONFIG_HOME", "HOME/.config"), ("ENV", "HOME/..")],
    ] {
        let mut server = session(&ground, &values);
        for protected in ["/.zshrc", "/.bashrc"] {
            let reply = server.call(&put(protected));
            assert!(refused(&reply), "{values:?}: {reply:?}");
        }
        let reply = server.call(&request::rename("/keys", "/.config"));
        assert!(refused(&reply), "{values:?}: {reply:?}");
        for free in ["/plain", "/zsh/other", "/keys/other"] {
            opens(&mut server, free);
        }
    }
}

/// More than is known of protected directories by its identity.
#[test]
fn however_much_a_variable_leads_to_what_the_home_leads_to_is_protected() {
    let mut plan = plan();
    for dir in ["jail/.config", "jail/.config/fish"] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    plan.push((
        b"jail/.config/fish/config.fish".to_vec(),
        Node::Link(b"../../plain".to_vec()),
    ));
    let ground = Ground::new(plan, &[b"jail"]);
    for number in 0..16_400 {
        let path = ground.base.at(format!("jail/data/fish/{number}"));
        std::fs::File::create(path).unwrap();
    }
    for environment in [
        ("XDG_CONFIG_HOME", "HOME/data"),
        ("GNUPGHOME", "HOME/data"),
        ("INPUTRC", "HOME/data/fish"),
    ] {
        let mut server = session(&ground, &[environment]);
        all_refused(&mut server, &[put("/plain")]);
        opens(&mut server, "/other");
    }
    let plain = std::fs::read(ground.base.at("jail/plain")).unwrap();
    assert_eq!(plain, b"as it was");
}

#[test]
fn what_leads_back_from_where_a_variable_points_outside_is_protected() {
    let mut plan = plan();
    plan.push((b"keys-outside".to_vec(), Node::Dir(0o755)));
    plan.push((
        b"keys-outside/gpg.conf".to_vec(),
        Node::Link(b"../jail/plain".to_vec()),
    ));
    let ground = Ground::new(plan, &[b"jail", b"keys-outside"]);
    let mut server = session(&ground, &[("GNUPGHOME", "HOME/../keys-outside")]);
    all_refused(&mut server, &[put("/plain")]);
    opens(&mut server, "/other");
}
