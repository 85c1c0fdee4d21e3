//! What someone may have meant who misspelled a name.

/// Returns the one that is spelled most like a name: a third of its letters may differ or be swapped, and neither case nor
/// separators count.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let asked = letters(name);
    known
        .map(|candidate| (strsim::osa_distance(&asked, &letters(candidate)), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Writes that there is no property of a name, with the one that may have been meant, else with all that there are.
pub(crate) fn unknown_property(name: &str, known: &[&str]) -> String {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it takes none".to_owned(),
        None => format!("it takes {}", known.join(", ")),
    };
    no_property(name, &hint)
}

/// Writes that there is no property of a name, and what to give instead.
pub(crate) fn no_property(name: &str, instead: &str) -> String {
    // A name is as long as its writer likes.
    let name: String = name.chars().take(100).collect();
    format!("unknown property `{name}`; {instead}")
}

fn letters(name: &str) -> String {
    /// No name of an action or a member is longer; a text that is, is not compared with hundreds of them.
    const LONGEST: usize = 80;
    let kept = name.bytes().filter(u8::is_ascii_alphanumeric).take(LONGEST);
    kept.map(|letter| char::from(letter.to_ascii_lowercase())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_answered_by_the_one_that_was_meant() {
        let known = ["display_name", "name", "user_id", "organizations.members.list", "get-user"];
        for (asked, meant) in [
            ("displayName", Some("display_name")),
            ("dispaly_name", Some("display_name")),
            ("userid", Some("user_id")),
            ("nmae", Some("name")),
            ("getUser", Some("get-user")),
            ("organization.members.list", Some("organizations.members.list")),
            ("quux", None),
            ("", None),
        ] {
            assert_eq!(nearest(asked, known.into_iter()), meant, "{asked}");
        }
    }
}
