//! How a line that is longer than OpenSSH's is made to fit: the middle of its names is left out.
//!
//! log.c cuts the end of a line off. A client that pads a path with `./` hides by that which file it reads or removes, and how a
//! transfer ended. Here a line keeps its words and the end of each name, and names alone get shorter:
//!
//! 1. The line as it is, where it fits.
//! 2. The names share the room that the words leave. Of a name that has too little, the runs of `./` and `//` go, which lead nowhere,
//!    and if that is not enough, its middle.
//! 3. The last component of a path stays whole if a file can have such a name (`NAME_MAX`). Where the room is too small for that, the
//!    line gets longer: loggers of today take 8 KiB and more, and RFC 5424 §6.1 has 2048 bytes for what any of them should take.
//!    All other lines stay within OpenSSH's lengths, which whoever receives its lines is known to take.
//!
//! What was left out is told by `[\...1198 bytes...]`. No name holds that: in an escaped name a backslash that follows another
//! character begins an escape, and none of the escapes has a dot in it.

use std::ops::Range;

use super::escape::{escape, width};

/// The text, escaped, in `limit` bytes if it can be; `names` are the places of the names in it, from the left to the right.
pub(super) fn fit(text: &[u8], names: &[Range<usize>], limit: usize) -> Vec<u8> {
    let whole = width_of(text);
    if whole <= limit {
        return escape(text, limit);
    }
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let mut widths: Vec<usize> = names
        .iter()
        .map(|name| width_of(part(name.clone())))
        .collect();
    let words = whole - widths.iter().sum::<usize>();
    let share = share(&mut widths, limit.saturating_sub(words));
    let mut line = Vec::with_capacity(limit);
    let mut at = 0;
    for name in names {
        line.extend(escape(part(at..name.start), usize::MAX));
        line.extend(shorten(part(name.clone()), share));
        at = name.end;
    }
    line.extend(escape(part(at..text.len()), usize::MAX));
    line
}

/// How wide each name may be: names that are shorter leave what they do not need to the others.
fn share(widths: &mut [usize], mut room: usize) -> usize {
    widths.sort_unstable();
    let mut left = widths.len();
    for width in widths {
        let share = room / left;
        if *width > share {
            return share;
        }
        room -= *width;
        left -= 1;
    }
    room
}

/// A piece of a name.
#[derive(Clone, Copy)]
enum Piece {
    Byte(u8),
    /// So many bytes that are left out.
    Left(usize),
}

impl Piece {
    fn width(self) -> usize {
        match self {
            Self::Byte(byte) => width(byte),
            Self::Left(_) => MARK,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Byte(_) => 1,
            Self::Left(bytes) => bytes,
        }
    }

    /// Whether a component can begin behind it.
    fn separates(self) -> bool {
        matches!(self, Self::Byte(b'/') | Self::Left(_))
    }
}

/// The name, escaped, in `room` bytes, or in as many as its last component asks for.
fn shorten(name: &[u8], room: usize) -> Vec<u8> {
    if width_of(name) <= room {
        return escape(name, room);
    }
    let pieces = leading_somewhere(name);
    if pieces.iter().map(|piece| piece.width()).sum::<usize>() <= room {
        return render(&pieces);
    }
    let last = last_component(&pieces);
    let room = room.saturating_sub(MARK);
    let end = count(pieces.iter().rev(), (room / 2).max(last));
    let (begin, end) = pieces.split_at(pieces.len() - end);
    let taken = end.iter().map(|piece| piece.width()).sum();
    // Its first byte at least, which tells whether it is absolute.
    let room = room.saturating_sub(taken).max(ESCAPE);
    let (begin, middle) = begin.split_at(count(begin.iter(), room));
    let left = middle.iter().map(|piece| piece.bytes()).sum();
    render(&[begin, &[Piece::Left(left)], end].concat())
}

/// The pieces of a name without the runs of `./` and `/` that follow a slash or stand in front; of one that no kernel takes, without its middle.
fn leading_somewhere(name: &[u8]) -> Vec<Piece> {
    if name.len() > 2 * PATH_MAX {
        let (begin, rest) = name.split_at(PATH_MAX);
        let (middle, end) = rest.split_at(rest.len() - PATH_MAX);
        let middle = vec![Piece::Left(middle.len())];
        return [leading_somewhere(begin), middle, leading_somewhere(end)].concat();
    }
    let mut pieces = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        let behind_slash = pieces
            .last()
            .map_or(*first == b'.', |piece| matches!(piece, Piece::Byte(b'/')));
        let run = if behind_slash { run(rest) } else { 0 };
        if run > MARK {
            pieces.push(Piece::Left(run));
            rest = rest.get(run..).unwrap_or_default();
        } else {
            pieces.push(Piece::Byte(*first));
            rest = after;
        }
    }
    pieces
}

/// How many bytes at the start are slashes, and dots that are components.
fn run(path: &[u8]) -> usize {
    let mut run = 0;
    loop {
        run += match path.get(run..).unwrap_or_default() {
            [b'/', ..] | [b'.'] => 1,
            [b'.', b'/', ..] => 2,
            _ => return run,
        };
    }
}

/// How wide the end is that names the file: the last component that is not `.`, its slash, and what follows it. 0 where no file can have that name.
fn last_component(pieces: &[Piece]) -> usize {
    let mut named = pieces;
    while let [before @ .., last] = named {
        let dot = matches!(last, Piece::Byte(b'.'))
            && before.last().is_none_or(|before| before.separates());
        if !last.separates() && !dot {
            break;
        }
        named = before;
    }
    let begin = named.iter().rposition(|piece| piece.separates());
    if named.len() - begin.map_or(0, |begin| begin + 1) > NAME_MAX {
        return 0;
    }
    let end = pieces.get(begin.unwrap_or_default()..).unwrap_or_default();
    end.iter().map(|piece| piece.width()).sum()
}

/// How many of the pieces fit into `room` bytes.
fn count<'p>(pieces: impl Iterator<Item = &'p Piece>, mut room: usize) -> usize {
    let fitting = pieces.take_while(|piece| {
        let fits = piece.width() <= room;
        room = room.saturating_sub(piece.width());
        fits
    });
    fitting.count()
}

fn render(pieces: &[Piece]) -> Vec<u8> {
    let mut text = Vec::with_capacity(2 * pieces.len());
    let mut left = 0;
    for piece in pieces {
        match piece {
            Piece::Left(bytes) => left += bytes,
            Piece::Byte(byte) => {
                text.extend(mark(left));
                left = 0;
                text.extend(escape(&[*byte], MARK));
            }
        }
    }
    text.extend(mark(left));
    text
}

fn mark(left: usize) -> Vec<u8> {
    match left {
        0 => Vec::new(),
        left => format!("[\\...{left} bytes...]").into_bytes(),
    }
}

fn width_of(text: &[u8]) -> usize {
    text.iter().map(|byte| width(*byte)).sum()
}

/// The width of the mark: a packet has a number of bytes of six digits.
const MARK: usize = "[\\...262144 bytes...]".len();
/// The width of the longest escape.
const ESCAPE: usize = "\\377".len();
/// As the kernel's linux/limits.h has them.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{MARK, fit};

    /// `before "one" between "two" after`
    fn line(one: &[u8], two: &[u8], limit: usize) -> String {
        let text = [b"before \"", one, b"\" between \"", two, b"\" after"].concat();
        let (one, between) = (8..8 + one.len(), 8 + one.len() + 11);
        let line = fit(&text, &[one, between..between + two.len()], limit);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_line_that_fits_stays_as_it_is() {
        assert_eq!(
            line(b"/a", b"/b\n", 100),
            r#"before "/a" between "/b\n" after"#
        );
    }

    #[test]
    fn runs_that_lead_nowhere_go_first() {
        let padded = [
            b"/d/".as_slice(),
            &b"./".repeat(100),
            b"f",
            &b"/".repeat(50),
        ]
        .concat();
        assert_eq!(
            line(&padded, b"/b", 100),
            r#"before "/d/[\...200 bytes...]f/[\...49 bytes...]" between "/b" after"#
        );
        let padded = [b"./".repeat(50), b"d/..".to_vec()].concat();
        let expected = r#"before "[\...100 bytes...]d/.." between "" after"#;
        assert_eq!(line(&padded, b"", 80), expected);
    }

    #[test]
    fn the_middle_goes_and_both_ends_stay() {
        let (one, two) = (b"/one".repeat(100), b"/two".repeat(100));
        let cut = line(&one, &two, 161);
        assert!((150..=161).contains(&cut.len()), "{cut}");
        assert!(cut.starts_with(r#"before "/one/one"#), "{cut}");
        assert!(cut.contains(r#"/one/one" between "/two/two"#), "{cut}");
        assert!(cut.ends_with(r#"/two/two" after"#), "{cut}");
        assert_eq!(cut.matches(r"[\...").count(), 2, "{cut}");
        // A short name leaves its room to the other.
        let cut = line(&one, b"/b", 161);
        assert!((155..=161).contains(&cut.len()), "{cut}");
    }

    #[test]
    fn the_last_component_stays_whole_if_a_file_can_have_that_name() {
        for (length, whole) in [(255, true), (256, false)] {
            let last = vec![0xff; length];
            let name = [b"/dir".repeat(20), b"/".to_vec(), last, b"/./".to_vec()].concat();
            let cut = line(&name, b"/b", 200);
            let last = r"\377".repeat(length) + "/./\"";
            assert_eq!(cut.contains(&format!("]/{last}")), whole, "{cut}");
            assert_eq!(cut.len() <= 200, !whole, "{cut}");
            assert!(cut.ends_with(r#"" between "/b" after"#), "{cut}");
        }
    }

    #[test]
    fn no_escape_is_cut_and_no_name_holds_the_mark() {
        for byte in [b'\n', b'\\', 0xff, b'a'] {
            for limit in 60..120 {
                let cut = line(&vec![byte; 300_000], b"", limit);
                assert!(cut.len() <= limit.max(34 + MARK), "{cut}");
                let (begin, rest) = cut.split_once(r"[\...").unwrap();
                let (_, end) = rest.split_once(" bytes...]").unwrap();
                let escape = String::from_utf8(super::escape(&[byte], 4)).unwrap();
                let begin = begin.strip_prefix("before \"").unwrap();
                let end = end.strip_suffix("\" between \"\" after").unwrap();
                assert_eq!(begin.replace(&escape, ""), "", "{cut}");
                assert_eq!(end.replace(&escape, ""), "", "{cut}");
            }
        }
        let forged = line(br"[\...12 bytes...]", br"\[\...12 bytes...]", 100);
        assert!(!forged.contains(r"[\..."), "{forged}");
    }
}
