//! What was probably meant by a name that does not exist.

/// Names less alike than this are not worth suggesting.
const ALIKE: f64 = 0.8;

/// `; did you mean …?` with the known name most like this one, or nothing when none is.
///
/// Case, hyphens and underscores make no difference.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let folded = fold(name);
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&folded, &fold(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '_'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_name_is_suggested_whatever_its_case_and_hyphens() {
        let known = ["VisibilityTimeout", "DelaySeconds", "dead_letter_queue"];
        for (name, meant) in [
            ("visibility_timeout", "VisibilityTimeout"),
            ("DelaySecond", "DelaySeconds"),
            ("dead-leter-queue", "dead_letter_queue"),
        ] {
            assert_eq!(did_you_mean(name, known), format!("; did you mean `{meant}`?"));
        }
    }

    #[test]
    fn nothing_is_suggested_when_nothing_is_alike() {
        assert_eq!(did_you_mean("colour", ["VisibilityTimeout", "tags"]), "");
    }
}
