//! Each rule of the pipeline's table is needed.

use sftp_server::session::overlap::touch::Touch;

use super::{Past, SEQUENCES, is_serial};

/// A rule of the table, left out.
type Lack = (&'static str, fn(&Touch, &Touch) -> bool);

#[test]
fn each_rule_of_the_table_is_needed() {
    fn pair(one: &Touch, two: &Touch, is: fn(&Touch, &Touch) -> bool) -> bool {
        is(one, two) || is(two, one)
    }
    let lacks: [Lack; 10] = [
        ("names changed and all that looks at them", |one, two| {
            let is = |one: &Touch, two: &Touch| *one == Touch::Change && *two != Touch::Change;
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("two changes of names", |one, two| {
            let is = |one: &Touch, two: &Touch| *one == Touch::Change && *two == Touch::Change;
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("attributes and a WRITE", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                matches!((one, two), (Touch::Attributes { .. }, Touch::Write { .. }))
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("a name looked up and a WRITE", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                *one == Touch::Look && matches!(two, Touch::Write { .. })
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("a listing and a WRITE", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                matches!((one, two), (Touch::List { .. }, Touch::Write { .. }))
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("a READ and a WRITE", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                matches!((one, two), (Touch::Read { .. }, Touch::Write { .. }))
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("two WRITEs", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                matches!((one, two), (Touch::Write { .. }, Touch::Write { .. }))
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("a file created and all else", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                let create = |touch: &Touch| matches!(touch, Touch::Create { .. });
                create(one) && !create(two)
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("two listings", |one, two| {
            let is = |one: &Touch, two: &Touch| {
                matches!((one, two), (Touch::List { .. }, Touch::List { .. }))
            };
            one.conflicts(two) && !pair(one, two, is)
        }),
        ("a CLOSE", |one, two| {
            one.conflicts(two) && !pair(one, two, |one, _| matches!(one, Touch::Close { .. }))
        }),
    ];
    for (rule, conflicts) in lacks {
        let caught = (0..SEQUENCES).any(|seed| !is_serial(seed, conflicts, Past::None));
        assert!(caught, "no sequence shows that it is needed: {rule}");
    }
}
