//! Self-protection and links: what a protected link leads to, and the directories on its way.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::ground::{Ground, Node, ours};
use crate::home::Home;
use crate::protect_ways::{
    a_moment, all_refused, all_refused_and_unchanged, dir, file, home_as_root, link, make_dir,
    mkdir, mode, opens, put, replace,
};
use crate::support::wire::pflags;
use crate::support::{Attrs, request};

#[test]
fn links_from_the_home_into_the_root_protect_what_they_lead_to_there_or_not() {
    let plan = vec![
        dir("jail"),
        dir("jail/conf"),
        dir("jail/plain"),
        dir("jail/keys"),
        file("jail/keys/authorized_keys"),
        dir("outer"),
        link("outer/.bashrc", "../jail/rc"),
        link("outer/.zshrc", "../jail/dots/zsh/rc"),
        link("outer/.config", "../jail/conf"),
        link("outer/.ssh2", "../jail/./plain/../ssh2"),
        link("outer/.ssh", "../jail/keys"),
        link("outer/.profile", ".profile-too"),
        link("outer/.profile-too", "../jail/profile"),
    ];
    let mut home = Home::new("outer", &["--root", "BASE/jail"], &plan);
    all_refused_and_unchanged(
        &mut home,
        &[
            put("/rc"),
            request::symlink("x", "/rc"),
            request::rename("/plain", "/dots"),
            mkdir("/ssh2"),
            mkdir("/conf/fish"),
            mkdir("/plain/../conf/systemd"),
            request::rename("/conf", "/elsewhere"),
            request::rename("/plain", "/elsewhere"),
            put("/profile"),
            put("/keys/authorized_keys"),
            put("/keys/new"),
            mode("/conf", 0o777),
        ],
    );
    home.server.ok(&mkdir("/dots"));
    home.server.ok(&mkdir("/dots/zsh"));
    all_refused(
        &mut home.server,
        &[put("/dots/zsh/rc"), request::rmdir("/dots/zsh")],
    );
    opens(&mut home.server, "/conf/other");
}

#[test]
fn the_directories_on_the_way_of_a_protected_link_stay() {
    let mut home = home_as_root(&[
        dir("jail/dots"),
        dir("jail/dots/bash"),
        file("jail/dots/bash/rc"),
        file("jail/dots/other"),
        link("jail/.bashrc", "dots/bash/rc"),
        dir("jail/ready/bash"),
        file("jail/ready/bash/rc"),
        link("jail/shells", "dots"),
        link("jail/.zshrc", "shells/zsh/rc"),
        dir("jail/dots/zsh"),
    ]);
    all_refused_and_unchanged(
        &mut home,
        &[
            request::rename("/dots", "/gone"),
            request::posix_rename("/ready", "/dots"),
            request::rename("/dots/bash", "/gone"),
            request::posix_rename("/ready/bash", "/dots/bash"),
            request::remove("/shells"),
            request::posix_rename("/plain", "/shells"),
            request::rename("/shells", "/gone"),
            request::rmdir("/dots/zsh"),
            put("/dots/zsh/rc"),
            put("/shells/bash/rc"),
            put("/dots/../dots/bash/rc"),
        ],
    );
    opens(&mut home.server, "/dots/other");
    opens(&mut home.server, "/dots/bash/other");
}

#[test]
fn what_a_protected_link_leads_to_stays_protected_when_it_is_edited() {
    let mut home = home_as_root(&[
        dir("jail/dots"),
        file("jail/dots/rc"),
        file("jail/dots/other"),
        link("jail/.bashrc", "dots/rc"),
    ]);
    let attack = [
        put("/dots/rc"),
        request::remove("/dots/rc"),
        request::posix_rename("/plain", "/dots/rc"),
    ];
    all_refused_and_unchanged(&mut home, &attack);
    // At once, with no time to look.
    replace(&home.ground, "jail/dots/rc", "edited");
    all_refused_and_unchanged(&mut home, &attack);
    fs::remove_file(home.ground.base.at("jail/dots/rc")).unwrap();
    all_refused_and_unchanged(&mut home, &[put("/dots/rc"), mkdir("/dots/rc")]);
    // The link is made to lead elsewhere.
    let spare = home.ground.base.at("jail/spare");
    symlink("dots/other", &spare).unwrap();
    fs::rename(&spare, home.ground.base.at("jail/.bashrc")).unwrap();
    a_moment();
    all_refused_and_unchanged(
        &mut home,
        &[put("/dots/other"), request::remove("/dots/other")],
    );
    opens(&mut home.server, "/dots/rc");
}

#[test]
fn what_cannot_be_looked_at_any_more_counts_as_it_was() {
    let mut home = home_as_root(&[
        dir("jail/store"),
        file("jail/store/rc"),
        link("jail/.zshrc", "store/rc"),
    ]);
    let base = &home.ground.base;
    fs::hard_link(base.at("jail/store/rc"), base.at("jail/again")).unwrap();
    let attack = [put("/again"), mode("/again", 0o666)];
    all_refused_and_unchanged(&mut home, &attack);
    home.ground.base.chmod("jail/store", 0o600);
    a_moment();
    all_refused_and_unchanged(&mut home, &attack);
    home.ground.base.chmod("jail/store", 0o755);
    a_moment();
    all_refused_and_unchanged(&mut home, &attack);
}

#[test]
fn a_link_that_leads_back_through_protected_directories_protects_what_it_leads_to() {
    let mut home = home_as_root(&[
        dir("jail/dots"),
        file("jail/dots/f"),
        file("jail/dots/g"),
        dir("jail/.config"),
        dir("jail/.config/fish"),
        dir("jail/.config/fish/sub"),
        dir("jail/.config/fish/sub/deep"),
        dir("jail/.config/fish/other"),
        link(
            "jail/.config/fish/sub/deep/l",
            "../../other/../../../dots/f",
        ),
        link(
            "jail/.config/fish/sub/m",
            "../../fish/other/../../../dots/g",
        ),
    ]);
    all_refused_and_unchanged(
        &mut home,
        &[
            put("/dots/f"),
            put("/dots/g"),
            request::posix_rename("/plain", "/dots/f"),
            request::rename("/dots", "/gone"),
        ],
    );
    opens(&mut home.server, "/dots/other");
}

#[test]
fn a_directory_is_not_made_from_which_a_way_would_lead_back() {
    let mut home = home_as_root(&[dir("jail/dots"), link("jail/.bashrc", "cache/../dots/rc")]);
    // Without it the link leads nowhere, and with it to what is free until then.
    opens(&mut home.server, "/dots/rc");
    all_refused_and_unchanged(&mut home, &[mkdir("/cache"), put("/cache")]);
}

#[test]
fn what_stands_beneath_is_protected_where_a_directory_between_is_another_users() {
    let mut home = home_as_root(&[
        dir("jail/dots"),
        file("jail/dots/unit"),
        dir("jail/.config"),
        dir("jail/.config/systemd"),
        dir("jail/.config/systemd/user"),
        dir("jail/.config/systemd/user/mine"),
        link("jail/.config/systemd/user/x.service", "../../../dots/unit"),
    ]);
    let between = home.ground.base.at("jail/.config/systemd/user");
    std::os::unix::fs::lchown(between, Some(0), Some(0)).unwrap();
    all_refused_and_unchanged(
        &mut home,
        &[put("/dots/unit"), put("/.config/systemd/user/mine/new")],
    );
}

/// Beside the root a directory of links that lead back into it.
fn units() -> Vec<(Vec<u8>, Node)> {
    vec![
        dir("jail"),
        file("jail/plain"),
        dir("jail/inbox"),
        dir("jail/inbox/d"),
        file("jail/inbox/y"),
        dir("outer"),
        dir("outer/units"),
        dir("outer/units/deep"),
        link("outer/units/x.service.d", "../../jail/inbox/d"),
        link("outer/units/deep/y.service", "../../../jail/inbox/y"),
        link("outer/fish", "units"),
    ]
}

fn what_leads_back_is_protected(home: &mut Home) {
    all_refused_and_unchanged(
        home,
        &[
            put("/inbox/d/x.conf"),
            put("/inbox/y"),
            request::remove("/inbox/y"),
            request::posix_rename("/plain", "/inbox/y"),
            request::rename("/inbox/d", "/gone"),
            request::rmdir("/inbox/d"),
            request::rename("/inbox", "/gone"),
        ],
    );
    opens(&mut home.server, "/inbox/other");
}

#[test]
fn a_link_out_of_the_root_protects_what_leads_back_from_there() {
    let config = [dir("jail/.config")];
    let fish = [
        dir("jail/.config"),
        dir("jail/.config/fish"),
        dir("jail/.config/fish/a"),
    ];
    for (name, target, between) in [
        (".config/systemd", "../../outer/units", &config[..]),
        (".ssh", "../outer/units", &[]),
        (".config/fish/a/b", "../../../../outer/units", &fish),
        // There a protected name is a link.
        (".config", "../outer", &[]),
    ] {
        let mut plan = [&units(), between].concat();
        plan.push(link(&format!("jail/{name}"), target));
        let mut home = Home::new("jail", &["--root", "BASE/jail"], &plan);
        what_leads_back_is_protected(&mut home);
        // There is reason to look again, and the locks let nobody list what lies outside.
        home.server.ok(&mkdir("/.local"));
        a_moment();
        what_leads_back_is_protected(&mut home);
    }
}

#[test]
fn a_link_in_a_second_home_outside_of_the_root_protects_what_leads_back_from_there() {
    let plan = [
        &units()[..],
        &[
            dir("second"),
            dir("second/.config"),
            dir("second/.config/systemd"),
            link("second/.config/systemd/x", "../../../jail/inbox/d"),
            link("second/.config/systemd/y", "../../../jail/inbox/y"),
        ],
    ]
    .concat();
    let ground = Ground::new(plan, &[b"jail", b"outer", b"second"]);
    let homes = [("tester", "jail"), ("second", "second")];
    let launch = Home::launch_as(&ground, &homes, &[], ours(), &["--root", "BASE/jail"]);
    let mut home = Home {
        server: launch.connect(),
        ground,
    };
    what_leads_back_is_protected(&mut home);
}

/// More than is known of protected directories by its identity.
const MANY: usize = 16_500;

/// The client made them in an earlier session.
#[test]
fn however_many_names_a_home_has_those_of_a_known_beginning_are_found() {
    let mut home = home_as_root(&[
        dir("jail/dots"),
        file("jail/dots/emacs"),
        link("jail/.emacs.el", "dots/emacs"),
        file("jail/.qmail-default"),
        link("jail/.forward+list", "dots/list"),
    ]);
    let base = &home.ground.base;
    fs::hard_link(base.at("jail/.qmail-default"), base.at("jail/other")).unwrap();
    for number in 0..MANY {
        fs::File::create(base.at(format!("jail/{number}"))).unwrap();
    }
    all_refused_and_unchanged(
        &mut home,
        &[
            put("/dots/emacs"),
            put("/other"),
            put("/dots/list"),
            request::rename("/dots", "/gone"),
            request::posix_rename("/plain", "/dots/emacs"),
            mkdir("/.emacs.d"),
        ],
    );
    opens(&mut home.server, "/dots/free");
}

#[test]
fn what_is_the_user_s_beneath_a_directory_of_others_that_a_link_leads_to_is_protected() {
    let mut home = home_as_root(&[
        dir("jail/.config"),
        dir("jail/.config/systemd"),
        link("jail/.config/systemd/user", "../../units"),
        dir("jail/units"),
        dir("jail/units/app.service.d"),
        file("jail/units/app.service.d/o.conf"),
    ]);
    let units = home.ground.base.at("jail/units");
    std::os::unix::fs::chown(units, Some(0), Some(0)).unwrap();
    all_refused_and_unchanged(
        &mut home,
        &[
            put("/units/app.service.d/o.conf"),
            put("/units/app.service.d/new.conf"),
            mkdir("/units/app.service.d/new"),
            mode("/units/app.service.d", 0o777),
        ],
    );
    opens(&mut home.server, "/other");
}

#[test]
fn a_way_that_appeared_a_moment_ago_is_not_opened_to_others() {
    let mut home = home_as_root(&[link("jail/.config", "dots/conf")]);
    for round in 0..20 {
        // So that there was a look just now.
        home.server.ok(&mkdir(&format!("/made{round}")));
        make_dir(&home.ground, "jail/dots");
        let handle = home.server.open("/dots", pflags::READ);
        let open = Attrs::NONE.permissions(0o777);
        all_refused(
            &mut home.server,
            &[request::fsetstat(&handle, &open), mode("/dots", 0o777)],
        );
        home.server.close(&handle);
        assert_eq!(home.ground.base.meta("jail/dots").mode() & 0o7777, 0o755);
        let at = |name: &str| home.ground.base.at(format!("jail/{name}"));
        fs::rename(at("dots"), at(&format!("was{round}"))).unwrap();
    }
}
