//! A copy between two spellings of a name, where others serve the files: they may be one, whatever their numbers are.

use crate::slow_storage::mounted;
use crate::support::wire::{code, pflags};
use crate::support::{Launch, Tree, request};

#[test]
fn a_file_is_not_copied_to_another_spelling_of_its_name_where_that_may_be_the_same_file() {
    let (behind, mount) = mounted();
    let tree = Tree::new();
    let bind = format!("/far={}", mount.point.root().display());
    for jail in [false, true] {
        behind.file("f", "old");
        behind.file("F", "longer than the old");
        behind.file("g", "another");
        for name in ["f", "F", "g"] {
            behind.chmod(name, 0o666);
        }
        let launch = Launch::new(&tree);
        let (mut server, at) = match jail {
            true => {
                let root = tree.root().to_str().unwrap();
                let server = launch.args(["--root", root, "--bind", &bind]).connect();
                (server, "/far".to_owned())
            }
            false => (
                launch.connect(),
                mount.point.root().to_str().unwrap().to_owned(),
            ),
        };
        let path = |name: &str| format!("{at}/{name}");
        let reply = server.call(&request::copy_file(path("F"), path("f"), 1));
        let same = "Failure: both names are of the same file";
        assert_eq!(reply.status().text, same, "jail: {jail}");
        let from = server.open(path("F"), pflags::READ);
        let to = server.open(path("f"), pflags::WRITE | pflags::APPEND);
        let reply = server.call(&request::copy_data(&from, 0, 0, &to, 0));
        let same = "Failure: both handles are of the same file";
        assert_eq!(reply.status().text, same, "jail: {jail}");
        assert_eq!(behind.read("f"), b"old");
        let reply = server.call(&request::copy_file(path("F"), path("g"), 1));
        assert_eq!(reply.code(), code::OK, "{reply:?}");
        assert_eq!(behind.read("g"), behind.read("F"));
        server.finish();
    }
}
