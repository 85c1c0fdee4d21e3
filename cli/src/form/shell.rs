//! A command line, written so that a shell reads it as it was meant.

use auth0_host::ActionDescription;
use serde_json::{Map, Value};

/// Writes a word for a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_@%+=:,./-".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Writes `key=value` so that `run` reads the value back: a text that is JSON needs its quotes.
fn pair(name: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        other => other.to_string(),
    };
    // The value alone in quotes is easier to read, and to edit.
    format!("{name}={}", if text.is_empty() { text } else { quoted(&text) })
}

/// Writes the command that runs an action with this input. Secrets are not in it: they are read from a file.
pub(crate) fn run_command(
    options: &[String],
    action: &ActionDescription,
    input: &Map<String, Value>,
) -> String {
    let mut words = vec!["auth0-host".to_owned()];
    words.extend(options.iter().map(|option| quoted(option)));
    words.extend(["run".to_owned(), quoted(&action.id)]);
    let secret = secrets(action, input);
    let open = input.iter().filter(|(name, _)| !secret.contains(name));
    words.extend(open.map(|(name, value)| pair(name, value)));
    if !secret.is_empty() {
        words.push("--input @FILE".to_owned());
    }
    words.join(" ")
}

/// Returns what the file of secrets in such a command holds, where there is one.
pub(crate) fn file_of_secrets(action: &ActionDescription, input: &Map<String, Value>) -> Option<String> {
    let members: Vec<String> = secrets(action, input).iter().map(|name| format!("\"{name}\": …")).collect();
    (!members.is_empty()).then(|| format!("FILE holds what is secret: {{{}}}", members.join(", ")))
}

/// Names the members that are secrets, or hold one.
fn secrets<'a>(action: &ActionDescription, input: &'a Map<String, Value>) -> Vec<&'a String> {
    let covered = action.cover_secrets(input);
    input.iter().filter(|(name, value)| covered.get(*name) != Some(value)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_command_is_read_back_as_it_was_meant() {
        let action = auth0_host::Host::new().unwrap().describe("update-user").await.unwrap();
        let input = json!({
            "user_id": "auth0|5",
            "n": 5,
            "digits": "5",
            "flag": true,
            "q": "it's",
            "empty": "",
            "list": ["a b"],
            "password": "canary",
            "changes": {"client_secret": "canary"},
        });
        let input = input.as_object().unwrap();
        let options = ["--emulator".to_owned(), "--domain".to_owned(), "a b".to_owned()];
        let command = run_command(&options, &action, input);
        let expected = "auth0-host --emulator --domain 'a b' run update-user user_id='auth0|5' n=5 digits='\"5\"' \
                        flag=true q='it'\\''s' empty= list='[\"a b\"]' --input @FILE";
        assert_eq!(command, expected);
        let file = file_of_secrets(&action, input).unwrap();
        assert_eq!(file, r#"FILE holds what is secret: {"password": …, "changes": …}"#);
        assert_eq!(file_of_secrets(&action, &Map::new()), None);
    }
}
