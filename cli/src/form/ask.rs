//! Asking a person for the fields of a form.
//!
//! Each answer is held against the field's own schema before the next question is asked, and the whole against the
//! action's before anything is run. Nothing is sent from here; whoever leaves – Esc, Ctrl-C, a "no" – has sent nothing.

use std::collections::BTreeSet;

use auth0_host::{ActionDescription, Disposition, Effect, printable};
use inquire::{
    Autocomplete, Confirm, CustomUserError, InquireError, Password, PasswordDisplayMode, Text,
    autocompletion::Replacement,
    validator::{ErrorMessage, Validation},
};
use serde_json::{Map, Value};

use super::{Field, Form, file_of_secrets, run_command, schema, terminal};
use crate::{Failure, describe};

/// Names and choices that are shown at a time: a page of them fits the smallest terminal.
const PAGE: usize = 7;

/// What is to be asked for.
#[derive(Debug)]
struct Questions {
    action: ActionDescription,
    form: Form,
    input: Map<String, Value>,
    /// Options of the command line, for the command that does the same.
    options: Vec<String>,
}

/// Asks for what is not given yet, shows what will be done, and has a write confirmed.
///
/// # Errors
///
/// [`Failure::Interrupted`] where the person leaves; usage where there is no terminal, or what is given is not in order.
pub(crate) async fn ask(
    action: ActionDescription,
    given: Map<String, Value>,
    options: Vec<String>,
) -> Result<Map<String, Value>, Failure> {
    if !terminal::can_ask() {
        return Err(Failure::Usage(
            "--interactive asks on a terminal, and there is none (stdin or stderr is redirected): give the fields as \
             KEY=VALUE, or all of them behind --input"
                .to_owned(),
        ));
    }
    let form = Form::of(&action)?;
    for (name, value) in &given {
        let known = form.field(name).ok_or_else(|| unknown(name, &form));
        known?.check(value).map_err(|problem| Failure::Usage(format!("`{name}`: {problem}")))?;
    }
    let _restored = terminal::Restored::at_the_end();
    let questions = Questions { action, form, input: given, options };
    // Beside the runtime, so that a signal still ends the command.
    let asked = tokio::task::spawn_blocking(|| questions.ask()).await;
    asked.map_err(|error| Failure::Host(error.into()))?.map_err(failure)
}

fn unknown(name: &str, form: &Form) -> Failure {
    let known: Vec<&str> = form.fields.iter().map(|field| field.name.as_str()).collect();
    let there =
        if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
    Failure::Usage(format!("the action has no field `{name}`: {there}"))
}

fn failure(error: InquireError) -> Failure {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => Failure::Interrupted {
            consequence: "nothing was sent".to_owned(),
            disposition: Disposition::RetryLater,
        },
        InquireError::Custom(problem) => Failure::Usage(format!("these values conflict: {problem}")),
        other => Failure::Host(anyhow::Error::new(other).context("the terminal could not be used")),
    }
}

impl Questions {
    fn ask(mut self) -> Result<Map<String, Value>, InquireError> {
        crate::print::stderr(format_args!(
            "{} – {} ({})",
            self.action.id,
            self.action.title,
            describe::effect(&self.action)
        ));
        crate::print::stderr(format_args!("Esc leaves; nothing is sent before the end.\n"));
        let missing = |field: &&Field| field.required && !self.input.contains_key(&field.name);
        let required: Vec<Field> = self.form.fields.iter().filter(missing).cloned().collect();
        for field in &required {
            self.ask_for(field)?;
        }
        loop {
            self.ask_for_optional_ones()?;
            match self.form.check(&self.input) {
                Ok(()) => break,
                Err(problem) if self.form.fields.iter().all(|field| field.required) => {
                    return Err(InquireError::Custom(problem.into()));
                }
                Err(problem) => crate::print::stderr(format_args!("This is not complete: {problem}\n")),
            }
        }
        self.overview();
        if self.action.effect != Effect::Read {
            let question = printable::line(&format!("{}: do it?", self.action.title));
            if !Confirm::new(&question).with_default(false).prompt()? {
                return Err(InquireError::OperationCanceled);
            }
        }
        Ok(self.input)
    }

    /// Offers the fields that may be left out, until the person wants no more.
    fn ask_for_optional_ones(&mut self) -> Result<(), InquireError> {
        let optional: Vec<Field> = self.form.fields.iter().filter(|field| !field.required).cloned().collect();
        if optional.is_empty() {
            return Ok(());
        }
        let names: BTreeSet<String> = optional.iter().map(|field| field.name.clone()).collect();
        loop {
            let left = optional.iter().filter(|field| !self.input.contains_key(&field.name));
            let left: Vec<String> = left.map(|field| field.name.clone()).collect();
            let known = names.clone();
            let name = Text::new("another field?")
                .with_help_message("Enter alone: no more; Tab completes")
                .with_page_size(PAGE)
                .with_autocomplete(Completion::of(left, false))
                .with_validator(move |typed: &str| {
                    Ok(if typed.is_empty() || known.contains(typed) {
                        Validation::Valid
                    } else {
                        Validation::Invalid(ErrorMessage::from("there is no such field; Tab completes"))
                    })
                })
                .prompt()?;
            let Some(field) = optional.iter().find(|field| field.name == name) else { return Ok(()) };
            self.ask_for(field)?;
        }
    }

    /// Asks until the answer is one that the field's schema allows.
    fn ask_for(&mut self, field: &Field) -> Result<(), InquireError> {
        if let Some(doc) = &field.doc {
            crate::print::stderr(format_args!("{}", describe::wrap(doc, "  ")));
        }
        let question = printable::line(&format!("{}:", field.name));
        let hint = printable::line(&field.hint());
        let checked = field.clone();
        let validator = move |typed: &str| {
            Ok(match checked.read(typed) {
                // A field that must be given is given something.
                Ok(_) if typed.is_empty() && checked.required => Validation::Invalid("it is required".into()),
                Ok(_) => Validation::Valid,
                Err(problem) => Validation::Invalid(printable::line(&problem).into()),
            })
        };
        let typed = if field.secret {
            Password::new(&question)
                .with_display_mode(PasswordDisplayMode::Hidden)
                .without_confirmation()
                .with_help_message(&hint)
                .with_validator(validator)
                .prompt()?
        } else {
            Text::new(&question)
                .with_help_message(&hint)
                .with_page_size(PAGE)
                .with_autocomplete(Completion::of(field.choices.clone(), field.is_list()))
                .with_validator(validator)
                .prompt()?
        };
        // The validator has read the same.
        if let Ok(value) = field.read(&typed) {
            self.input.insert(field.name.clone(), value);
        }
        Ok(())
    }

    /// Shows what will be done, and the command that does it without questions.
    fn overview(&self) {
        crate::print::stderr(format_args!(""));
        let width = self.input.keys().map(String::len).max().unwrap_or_default();
        let shown = self.action.cover_secrets(&self.input);
        for (name, value) in &shown {
            crate::print::stderr(format_args!("  {name:width$}  {}", schema::plain(value)));
        }
        crate::print::stderr(format_args!("\n{}", run_command(&self.options, &self.action, &self.input)));
        if let Some(remark) = file_of_secrets(&self.action, &self.input) {
            crate::print::stderr(format_args!("({remark})"));
        }
        crate::print::stderr(format_args!(""));
    }
}

/// Completes what is typed from a list: the whole answer, or what comes after the last comma.
#[derive(Clone)]
struct Completion {
    all: Vec<String>,
    several: bool,
}

impl Completion {
    /// Completes from these. A text that cannot be shown as it is is not offered.
    fn of(mut all: Vec<String>, several: bool) -> Self {
        all.retain(|text| printable::line(text) == *text);
        Self { all, several }
    }

    /// Splits off what is not to be completed any more.
    fn split<'a>(&self, typed: &'a str) -> (&'a str, &'a str) {
        match typed.rfind(',').filter(|_| self.several) {
            Some(comma) => {
                let (done, rest) = typed.split_at(comma + 1);
                let word = rest.trim_start();
                (typed.strip_suffix(word).unwrap_or(done), word)
            }
            None => ("", typed),
        }
    }

    fn matching(&self, word: &str) -> Vec<&String> {
        let word = word.to_lowercase();
        let begins = |name: &&String| name.to_lowercase().starts_with(&word);
        let within = |name: &&String| name.to_lowercase().contains(&word);
        let first = self.all.iter().filter(begins);
        first.chain(self.all.iter().filter(|name| within(name) && !begins(name))).collect()
    }
}

impl Autocomplete for Completion {
    fn get_suggestions(&mut self, typed: &str) -> Result<Vec<String>, CustomUserError> {
        let (done, word) = self.split(typed);
        Ok(self.matching(word).into_iter().map(|name| format!("{done}{name}")).collect())
    }

    fn get_completion(
        &mut self,
        typed: &str,
        highlighted: Option<String>,
    ) -> Result<Replacement, CustomUserError> {
        if highlighted.is_some() {
            return Ok(highlighted);
        }
        let (done, word) = self.split(typed);
        let begun: Vec<&String> = self.all.iter().filter(|name| name.starts_with(word)).collect();
        let common = begun
            .split_first()
            .map(|(first, rest)| rest.iter().fold(first.as_str(), |common, name| common_start(common, name)));
        Ok(match (common, self.matching(word).as_slice()) {
            (Some(common), _) if common.len() > word.len() => Some(format!("{done}{common}")),
            (_, [only]) => Some(format!("{done}{only}")),
            _ => None,
        })
    }
}

fn common_start<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.chars().zip(other.chars()).take_while(|(left, right)| left == right);
    one.get(..same.map(|(letter, _)| letter.len_utf8()).sum()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tab_completes_as_far_as_the_names_agree() {
        let names = ["email", "email_verified", "blocked", "user_metadata"];
        let mut one = Completion::of(names.map(str::to_owned).to_vec(), false);
        for (typed, expected) in [
            ("b", Some("blocked")),
            ("e", Some("email")),
            ("email", None),
            ("email_", Some("email_verified")),
            ("meta", Some("user_metadata")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(one.get_completion(typed, None).unwrap().as_deref(), expected, "{typed}");
        }
        assert_eq!(one.get_suggestions("meta").unwrap(), ["user_metadata"]);
        assert_eq!(one.get_suggestions("e").unwrap()[..2], ["email", "email_verified"]);
        let hostile = ["bl\u{1b}[2Jocked", "blocked"].map(str::to_owned).to_vec();
        assert_eq!(Completion::of(hostile, false).get_suggestions("bl").unwrap(), ["blocked"]);
        let highlighted = Some("blocked".to_owned());
        assert_eq!(one.get_completion("e", highlighted.clone()).unwrap(), highlighted);

        let mut several = Completion::of(names.map(str::to_owned).to_vec(), true);
        assert_eq!(several.get_completion("email, bl", None).unwrap().as_deref(), Some("email, blocked"));
        assert_eq!(several.get_suggestions("blocked,u").unwrap()[0], "blocked,user_metadata");
    }
}
