//! `users-groups-by-id@openssh.com`: names for ids, in the order of the question.

use nix::unistd::{Group, User};

use crate::start;
use crate::support::request;
use crate::support::wire::code;

#[test]
fn known_ids_have_names_and_unknown_ones_empty_names() {
    let (_tree, mut server) = start();
    let (uids, gids) = (
        [0, 1, 65534, 4_000_000_000, 0, 33],
        [0, 4, 3_999_999_999, 65534],
    );
    let user = |id: &u32| {
        User::from_uid((*id).into())
            .unwrap()
            .map(|user| user.name)
            .unwrap_or_default()
    };
    let group = |id: &u32| {
        Group::from_gid((*id).into())
            .unwrap()
            .map(|group| group.name)
            .unwrap_or_default()
    };
    let (users, groups) = server
        .call(&request::users_groups_by_id(&uids, &gids))
        .users_and_groups();
    assert_eq!(users, uids.iter().map(user).collect::<Vec<_>>());
    assert_eq!(groups, gids.iter().map(group).collect::<Vec<_>>());
    assert_eq!((users[0].as_str(), groups[1].as_str()), ("root", "adm"));
}

#[test]
fn empty_lists_are_answered_by_empty_lists() {
    let (_tree, mut server) = start();
    assert_eq!(
        server
            .call(&request::users_groups_by_id(&[], &[]))
            .users_and_groups(),
        (vec![], vec![])
    );
    assert_eq!(
        server
            .call(&request::users_groups_by_id(&[0], &[]))
            .users_and_groups(),
        (vec!["root".into()], vec![])
    );
    assert_eq!(
        server
            .call(&request::users_groups_by_id(&[], &[0]))
            .users_and_groups(),
        (vec![], vec!["root".into()])
    );
}

#[test]
fn a_thousand_ids_are_answered() {
    let (_tree, mut server) = start();
    let ids: Vec<u32> = (0..1000).map(|n| n % 3).collect();
    let (users, groups) = server
        .call(&request::users_groups_by_id(&ids, &ids))
        .users_and_groups();
    assert_eq!((users.len(), groups.len()), (1000, 1000));
    assert!(users.chunks(3).all(|three| three[0] == "root"));
}

/// OpenSSH sends the packet all the same, and its clients give up on it.
#[test]
fn more_names_than_fit_a_packet_are_a_failure_where_openssh_sends_too_long_a_packet() {
    let (_tree, mut server) = start();
    let ids = vec![0; 60_000];
    server
        .send_raw(&request::users_groups_by_id(&ids, &[]).frame(5))
        .unwrap();
    if server.is_openssh() {
        let too_long = server.receive_any(4 + 1 + 4 + 4 + 60_000 * 8 + 4);
        assert_eq!(
            too_long[..4],
            (1 + 4 + 4 + 60_000 * 8 + 4_u32).to_be_bytes()
        );
    } else {
        let (id, reply) = server.receive();
        assert_eq!((id, reply.code()), (5, code::FAILURE));
    }
}
