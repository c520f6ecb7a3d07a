//! Pages of lists.

/// Returns a page of entries that were read with one too many, and the NextToken if more follow. `token` writes
/// the token that stands for the last entry of the page.
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
