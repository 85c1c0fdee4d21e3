//! Text for a terminal: what would steer it, or not be seen, is shown by its number.
//!
//! Errors, names and paths come from a component, a tenant or a file. A terminal obeys what is in them: it clears the
//! screen, hides a line, turns the order of letters round, so that a person reads something else than what was said. So
//! whatever is written for people is escaped; JSON gets escapes that its readers undo.

use std::fmt::Write as _;

/// Escapes a text of several lines; line feeds, tabs and what is given as `kept` stay: the sequences by which a program
/// itself styles its text.
pub fn lines(text: &str, kept: &[&str]) -> String {
    escaped(text, &[&["\n", "\t"][..], kept].concat())
}

/// Escapes a text that is part of a line: with a line feed it could pretend to be the next one.
///
/// ```
/// # use auth0_policy::printable::line;
/// assert_eq!(line("a\u{1b}[2J\nb\u{202e}"), r"a\u{1b}[2J\u{a}b\u{202e}");
/// ```
pub fn line(text: &str) -> String {
    escaped(text, &[])
}

/// Escapes what is in the strings of a JSON text, as `\uXXXX`, so that it stays the same value; nowhere else in one is there
/// anything to escape.
///
/// ```
/// # use auth0_policy::printable::json;
/// assert_eq!(json("[\"a\u{202e}\"]"), r#"["a\u202e"]"#);
/// ```
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut joins = Joins::default();
    for letter in text.chars() {
        // Of ASCII only one may stand in a string as it is and does not print.
        if joins.is_seen(letter) || (letter.is_ascii() && letter != '\u{7f}') {
            escaped.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

fn escaped(mut rest: &str, kept: &[&str]) -> String {
    let mut text = String::with_capacity(rest.len());
    let mut joins = Joins::default();
    while let Some(first) = rest.chars().next() {
        if let Some((own, after)) = kept.iter().find_map(|own| Some((own, rest.strip_prefix(own)?))) {
            text.push_str(own);
            rest = after;
            joins = Joins::default();
            continue;
        }
        if joins.is_seen(first) {
            text.push(first);
        } else {
            let _ = write!(text, "{}", first.escape_unicode());
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    text
}

/// How many joiners and selectors may follow: emoji and scripts are joined and varied with them, two at most behind a
/// letter that is not of ASCII. Elsewhere they are seen by nobody and tell two equal words apart, or hide a message.
#[derive(Default)]
struct Joins(u8);

impl Joins {
    fn is_seen(&mut self, letter: char) -> bool {
        if is_joiner(letter) {
            let may_follow = self.0 > 0;
            self.0 = self.0.saturating_sub(1);
            return may_follow;
        }
        let seen = !is_unseen(letter);
        self.0 = if seen && !letter.is_ascii() { 2 } else { 0 };
        seen
    }
}

fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}' | '\u{200d}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether a character steers a terminal or the order of letters, or is not seen: controls, soft hyphens, fillers, marks
/// and overrides of direction, separators of lines, invisible operators, tags, the byte order mark (Unicode 16, `Cc` and
/// `Default_Ignorable_Code_Point`), but for what [`Joins`] decides about.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}1A\r\u{7}\u{202e}b\u{200b}\u{e0041}\u{ad}c";
    const SHOWN: &str = "a\\u{1b}[2J\\u{9b}1A\\u{d}\\u{7}\\u{202e}b\\u{200b}\\u{e0041}\\u{ad}c";

    #[test]
    fn what_would_steer_a_terminal_or_not_be_seen_is_shown_by_its_number() {
        assert_eq!(lines(HOSTILE, &[]), SHOWN);
        assert_eq!(line(HOSTILE), SHOWN);
        let seen = "ü 👩\u{200d}🚀 ❤\u{fe0f} 日本 … → \\ \" \u{a0}";
        assert_eq!((lines(seen, &[]), line(seen)), (seen.to_owned(), seen.to_owned()));
    }

    #[test]
    fn joiners_stay_between_letters_that_are_joined_and_nowhere_else() {
        for (text, shown) in [
            ("pay\u{200d}pal", "pay\\u{200d}pal"),
            ("\u{200c}\u{fe0f}a\u{fe0f}", "\\u{200c}\\u{fe0f}a\\u{fe0f}"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
            ("🙂\u{fe00}\u{fe01}\u{fe02}", "🙂\u{fe00}\u{fe01}\\u{fe02}"),
            ("\u{202e}\u{200d}", "\\u{202e}\\u{200d}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ] {
            assert_eq!(line(text), shown);
            let document = serde_json::json!([text]);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&json(&document.to_string())).unwrap(),
                document
            );
        }
    }

    #[test]
    fn lines_and_the_program_s_own_styles_stay_in_a_text_and_not_in_a_line() {
        let page = "\u{1b}[1mget-user\u{1b}[0m\n\treads\u{1b}[31m";
        let shown = "\u{1b}[1mget-user\u{1b}[0m\n\treads\\u{1b}[31m";
        assert_eq!(lines(page, &["\u{1b}[1m", "\u{1b}[0m"]), shown);
        assert_eq!(line("a\n\tb\u{1b}[1m"), "a\\u{a}\\u{9}b\\u{1b}[1m");
    }

    #[test]
    fn json_is_the_same_value_and_prints() {
        let document = serde_json::json!({ HOSTILE: [HOSTILE, "\u{7f}", "ü"] });
        let printed = json(&document.to_string());
        assert!(printed.chars().all(|letter| !is_unseen(letter)), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), document);
        let indented = "{\n\t\"a\": 1\n}";
        assert_eq!(json(indented), indented);
    }
}
