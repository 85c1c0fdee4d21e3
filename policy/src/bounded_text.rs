//! Texts of unbounded length, cut before they are kept.
//!
//! A component chooses paths, names of members and methods, and the host keeps them: in refusals, records and errors, for
//! as long as the call or its outcome lives. What is kept is bounded where it is made.

/// Bytes that are kept of a text which a component may have chosen. An id of 255 letters, each percent-encoded, has 765; a
/// path of the API has two at most.
pub const LONGEST_KEPT: usize = 2048;

/// Cuts a text after so many bytes, and marks the cut with `…`. The memory of the rest is given back.
///
/// ```
/// # use auth0_policy::bounded_text::cut;
/// assert_eq!(cut("/api/v2/users".to_owned(), 7), "/api/v2…");
/// assert_eq!(cut("/api/v2".to_owned(), 7), "/api/v2");
/// ```
pub fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// Keeps [`LONGEST_KEPT`] bytes of a text.
pub(crate) fn kept(text: String) -> String {
    cut(text, LONGEST_KEPT)
}
