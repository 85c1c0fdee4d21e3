//! Indents JSON without reading it into a tree: numbers keep their digits, and a result takes no more memory than it has.
//!
//! What does not print is escaped, which changes nothing for a program that reads it: a text that a user of the tenant wrote
//! must not move the cursor of a terminal, or turn the order of letters round.

use std::io::{self, Write};

use auth0_host::{Json, printable};

/// Levels that are indented. What is deeper stays on its line: deeper ones are none that an action answers, and the indents
/// of a million levels would be terabytes.
const MOST_LEVELS: usize = 128;

/// Writes a document with its members and items on lines of their own.
pub(crate) fn write(json: &Json, out: &mut impl Write) -> io::Result<()> {
    let mut rest = json.as_str();
    let mut level = 0_usize;
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => string(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            letter if letter.is_ascii_whitespace() => 1,
            _ => rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(token).unwrap_or((rest, ""));
        rest = after;
        match first {
            '"' => out.write_all(printable::json(token).as_bytes())?,
            '{' | '[' => {
                out.write_all(token.as_bytes())?;
                let inside = rest.trim_ascii_start();
                if let Some(end) = inside.chars().next().filter(|end| matches!(end, '}' | ']')) {
                    write!(out, "{end}")?;
                    rest = inside.get(1..).unwrap_or_default();
                } else {
                    level += 1;
                    line(level, level, out)?;
                }
            }
            '}' | ']' => {
                line(level, level.saturating_sub(1), out)?;
                level = level.saturating_sub(1);
                out.write_all(token.as_bytes())?;
            }
            ',' => {
                out.write_all(token.as_bytes())?;
                line(level, level, out)?;
            }
            ':' => out.write_all(b": ")?,
            letter if letter.is_ascii_whitespace() => {}
            _ => out.write_all(token.as_bytes())?,
        }
    }
    Ok(())
}

/// Begins a line with an indent, unless the list or object of this level stays on one line.
fn line(level: usize, indent: usize, out: &mut impl Write) -> io::Result<()> {
    if level > MOST_LEVELS { Ok(()) } else { write!(out, "\n{:1$}", "", 2 * indent) }
}

/// Finds the end of the string that a text begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pretty(text: &str) -> String {
        let mut out = Vec::new();
        write(&Json::parse(text).unwrap(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_document_is_indented_as_serde_json_does_it() {
        for document in [
            json!({"a": {"b": [1, {"c": null}], "d": {}}, "e": [], "f": [[]], "": "", "g": [true, false]}),
            json!([]),
            json!({}),
            json!("text"),
            json!(null),
            json!([{}, {}]),
            json!("quotes \" and \\ and \n, {[:]} ü🙂"),
            json!({"\": {,\"": "}]"}),
        ] {
            let expected = serde_json::to_string_pretty(&document).unwrap();
            assert_eq!(pretty(&document.to_string()), expected);
            assert_eq!(pretty(&expected), expected, "what is indented already stays so");
        }
        assert_eq!(
            pretty(" [ 1 ,\t{ \n} ,{ \"a\" : [ ] } ]\r\n"),
            "[\n  1,\n  {},\n  {\n    \"a\": []\n  }\n]"
        );
    }

    #[test]
    fn numbers_keep_their_digits_and_escapes_stay_as_they_are() {
        for token in
            ["12345678901234567890123", "1e400", "0.10", "-0", "-1.50E+07", r#""\u00e4\ud83d\ude00\/\"\\""#]
        {
            assert_eq!(pretty(token), token);
            assert_eq!(pretty(&format!("[{token}]")), format!("[\n  {token}\n]"));
            assert_eq!(
                pretty(&format!("{{\"a\":{token},\"b\":{token}}}")),
                format!("{{\n  \"a\": {token},\n  \"b\": {token}\n}}")
            );
        }
    }

    #[test]
    fn what_does_not_print_is_escaped_and_still_the_same_document() {
        let document = json!({"a\u{9b}2J": "\u{7f}\u{202e}x\u{2028}\u{feff}ü👩\u{200d}🚀"});
        let printed = pretty(&document.to_string());
        assert_eq!(printed, "{\n  \"a\\u009b2J\": \"\\u007f\\u202ex\\u2028\\ufeffü👩\u{200d}🚀\"\n}");
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), document);
    }

    #[test]
    fn what_is_very_deep_takes_no_more_space_than_its_lines() {
        let levels = 100_000;
        let text = format!("{}1,2{}", "[".repeat(levels), "]".repeat(levels));
        let printed = pretty(&text);
        assert!(printed.len() < 2 * levels + 100_000, "{}", printed.len());
        let compact: String = printed.split_ascii_whitespace().collect();
        assert_eq!(compact, text);
    }
}
