//! Pages of lists.

/// Returns a page of `entries`, of which up to `length + 1` were read, and the NextToken if more follow. `token`
/// returns the token for the last entry of the page.
pub(super) fn page<T>(
    mut entries: Vec<T>,
    length: i64,
    token: impl FnOnce(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let more = entries.len() as i64 > length;
    entries.truncate(length as usize);
    let next_token = entries.last().filter(|_| more).map(token);
    (entries, next_token)
}
