//! What was found in place of the content of a file, in a line: enough to tell a lost end, a hole, and what belongs elsewhere.

/// How `found` differs from `expected`.
pub(crate) fn difference(found: &[u8], expected: &[u8]) -> String {
    let lengths = format!("{} bytes, expected {}", found.len(), expected.len());
    let wrong = |at: &usize| found[*at] != expected[*at];
    let common = found.len().min(expected.len());
    let Some(first) = (0..common).find(wrong) else {
        return format!("{lengths}; they are equal as far as both go");
    };
    let last = (first..common).rfind(wrong).unwrap_or(first);
    let count = (first..=last).filter(wrong).count();
    let zeros = found[first..=last]
        .iter()
        .filter(|byte| **byte == 0)
        .count();
    let shown = (last + 1 - first).min(16);
    let (is, should) = (
        &found[first..first + shown],
        &expected[first..first + shown],
    );
    // A long enough piece of such content is there once only.
    let place = expected.windows(16).position(|piece| piece == is);
    format!(
        "{lengths}; {count} differ from {first} to {last}, {zeros} bytes there are zero; \
         {is:02x?} instead of {should:02x?}, which belongs at {place:?}"
    )
}
