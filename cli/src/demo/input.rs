//! The file of people: a CSV that a personnel system exports and people edit by hand.
//!
//! A row that cannot be used is written down with its line and column and does not keep the others from being done.
//! Only what leaves no row readable, a wrong header, ends the job. Lines are counted as an editor does, columns from 1.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use csv::{ByteRecord, ReaderBuilder};
use jiff::civil::Date;

/// A column of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    /// What to do.
    Action,
    /// Whom it is about.
    Email,
    /// Given name.
    GivenName,
    /// Family name.
    FamilyName,
    /// Department.
    Department,
    /// Title of the job.
    Title,
    /// First day, `YYYY-MM-DD`.
    StartDate,
    /// Language of the person, `de` or `pt-BR`.
    Locale,
    /// Names of roles, separated by `;`.
    Roles,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Action,
        Self::Email,
        Self::GivenName,
        Self::FamilyName,
        Self::Department,
        Self::Title,
        Self::StartDate,
        Self::Locale,
        Self::Roles,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Email => "email",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::Department => "department",
            Self::Title => "title",
            Self::StartDate => "start_date",
            Self::Locale => "locale",
            Self::Roles => "roles",
        }
    }

    /// Whether a file may leave it out.
    fn optional(self) -> bool {
        matches!(self, Self::StartDate | Self::Locale)
    }
}

/// A field of the header, for messages: `column 9 (roles)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CellRef {
    number: usize,
    name: Option<&'static str>,
}

impl fmt::Display for CellRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}", self.number)?;
        self.name.map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

/// Why a row cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// Where it begins.
    pub(crate) line: u64,
    /// Which field is wrong.
    pub(crate) place: CellRef,
    /// What is wrong, and what would be right.
    pub(crate) problem: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {}", self.line, self.place, self.problem)
    }
}

/// Why no row can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// Nothing is in it.
    #[error("the file is empty; its first line must name the columns: {}", names())]
    Empty,
    /// A column is not there.
    #[error("line 1: there is no column `{missing}` (found: {found}){hint}")]
    Missing {
        /// Its name.
        missing: &'static str,
        /// The columns that are there.
        found: String,
        /// What may have gone wrong.
        hint: &'static str,
    },
    /// A column is there that means nothing.
    #[error("line 1, column {number}: there is no such column as `{name}`; the columns are {}", names())]
    Unknown {
        /// Counted from 1.
        number: usize,
        /// Its name.
        name: String,
    },
    /// A column is there twice.
    #[error("line 1, column {number}: `{name}` is there twice")]
    Twice {
        /// Counted from 1.
        number: usize,
        /// Its name.
        name: &'static str,
    },
}

fn names() -> String {
    Column::ALL.map(Column::name).join(",")
}

/// An email address, in lower case as Auth0's own store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Email(String);

impl Email {
    /// Returns the address.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = String;

    /// Takes what mail systems deliver: RFC 5321's `dot-string@domain` and its lengths. Quoted local parts are legal
    /// there and refused here: in a file like this they are slips.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |rule: &str| Err(format!("`{text}` is not an email address: {rule}"));
        let Some((local, domain)) = text.rsplit_once('@') else { return refuse("there is no @") };
        if local.is_empty() || local.len() > 64 {
            return refuse("there must be 1 to 64 characters before the @");
        }
        if let Some(bad) = text.chars().find(|c| {
            !c.is_ascii_graphic()
                || matches!(c, '(' | ')' | '<' | '>' | ',' | ';' | ':' | '\\' | '"' | '[' | ']')
        }) {
            return refuse(&format!("{bad:?} cannot be in it"));
        }
        if local.contains('@') {
            return refuse("there is more than one @");
        }
        if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
            return refuse("dots before the @ stand alone and between other characters");
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !domain.contains('.') || !domain.split('.').all(label) || text.len() > 254 {
            return refuse("what follows the @ is not a domain");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a row says of a person. Empty fields are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    /// Given name.
    pub(crate) given_name: Option<String>,
    /// Family name.
    pub(crate) family_name: Option<String>,
    /// Department.
    pub(crate) department: Option<String>,
    /// Title of the job.
    pub(crate) title: Option<String>,
    /// First day.
    pub(crate) start_date: Option<Date>,
    /// Language.
    pub(crate) locale: Option<String>,
    /// Names of roles, each once.
    pub(crate) roles: Vec<String>,
}

/// What to do for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Give the person an account. Names and at least one role are there.
    Joiner(Details),
    /// Follow a new job. At least one detail is there.
    Mover(Details),
    /// Take all access away, so that it can be given back.
    Leaver,
    /// Delete the person for good.
    Erasure,
}

impl Change {
    /// Returns the word that the file uses.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Joiner(_) => "joiner",
            Self::Mover(_) => "mover",
            Self::Leaver => "leaver",
            Self::Erasure => "erasure",
        }
    }

    /// Returns the roles that the row names.
    pub(crate) fn roles(&self) -> &[String] {
        match self {
            Self::Joiner(details) | Self::Mover(details) => &details.roles,
            Self::Leaver | Self::Erasure => &[],
        }
    }
}

/// A row that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it begins.
    pub(crate) line: u64,
    /// Whom it is about.
    pub(crate) email: Email,
    /// What to do.
    pub(crate) change: Change,
}

/// The file, read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The rows that can be used, in the file's order.
    pub(crate) rows: Vec<Row>,
    /// The rows that cannot.
    pub(crate) bad: Vec<BadRow>,
    header: Header,
}

impl Batch {
    /// Moves the rows that name a role that the tenant does not have to the bad ones.
    pub(crate) fn check_roles(&mut self, known: &BTreeSet<String>) {
        let place = self.header.place(Column::Roles);
        for row in std::mem::take(&mut self.rows) {
            match row.change.roles().iter().find(|role| !known.contains(*role)) {
                None => self.rows.push(row),
                Some(role) => {
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    let problem = format!("the tenant has no role `{role}` (it has {})", known.join(", "));
                    self.bad.push(BadRow { line: row.line, place, problem });
                }
            }
        }
        self.bad.sort_by_key(|bad| bad.line);
    }
}

/// Reads the file.
///
/// # Errors
///
/// Where the header is wrong: no row can be read then.
pub(crate) fn read(file: &[u8]) -> Result<Batch, HeaderError> {
    // Spreadsheets put a byte order mark first.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut record = ByteRecord::new();
    // Reading from memory cannot fail, and a flexible reader of bytes refuses nothing.
    let mut next = |record: &mut ByteRecord| reader.read_byte_record(record).unwrap_or(false);

    if !next(&mut record) {
        return Err(HeaderError::Empty);
    }
    let mut batch = Batch { header: Header::read(&record)?, ..Batch::default() };
    let mut lines = Lines::new(file);
    let mut seen = HashMap::new();
    while next(&mut record) {
        let line = lines.of(&record);
        match row(&batch.header, &record, line, &mut seen) {
            Ok(row) => batch.rows.push(row),
            Err((place, problem)) => batch.bad.push(BadRow { line, place, problem }),
        }
    }
    Ok(batch)
}

/// Returns the line of a record. The reader's own count is that of the end of the record before, which differs where
/// empty lines lie between.
struct Lines<'a> {
    file: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(file: &'a [u8]) -> Self {
        Self { file, offset: 0, line: 1 }
    }

    fn of(&mut self, record: &ByteRecord) -> u64 {
        let start = record.position().map_or(0, csv::Position::byte);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let rest = self.file.get(start..).unwrap_or_default();
        let start = start + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let between = self.file.get(self.offset..start).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.offset = start;
        self.line
    }
}

/// The columns of the file, in its order.
#[derive(Debug, Default)]
struct Header(Vec<Column>);

impl Header {
    fn read(record: &ByteRecord) -> Result<Self, HeaderError> {
        let found: Vec<String> =
            record.iter().map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase()).collect();
        if found.iter().all(String::is_empty) {
            return Err(HeaderError::Empty);
        }
        let mut columns = Vec::new();
        for (index, name) in found.iter().enumerate() {
            let number = index + 1;
            match Column::ALL.into_iter().find(|column| column.name() == name) {
                Some(column) if columns.contains(&column) => {
                    return Err(HeaderError::Twice { number, name: column.name() });
                }
                Some(column) => columns.push(column),
                // One long name is a file with another separator; that is what the next error tells.
                None if found.len() > 1 => return Err(HeaderError::Unknown { number, name: name.clone() }),
                None => {}
            }
        }
        match Column::ALL.into_iter().find(|column| !column.optional() && !columns.contains(column)) {
            None => Ok(Self(columns)),
            Some(missing) => {
                let found = found.join(",");
                let hint = if found.contains([';', '\t']) { "; columns are separated by commas" } else { "" };
                Err(HeaderError::Missing { missing: missing.name(), found, hint })
            }
        }
    }

    fn place(&self, column: Column) -> CellRef {
        let index = self.0.iter().position(|other| *other == column).unwrap_or_default();
        CellRef { number: index + 1, name: Some(column.name()) }
    }
}

type Wrong = (CellRef, String);

/// The fields of one row, by column.
struct Fields<'a> {
    header: &'a Header,
    values: HashMap<Column, &'a str>,
}

impl<'a> Fields<'a> {
    fn new(header: &'a Header, record: &'a ByteRecord) -> Result<Self, Wrong> {
        let (expected, found) = (header.0.len(), record.len());
        if found != expected {
            let number = expected.min(found) + 1;
            let name = header.0.get(found).map(|column| column.name());
            let problem = format!(
                "{found} fields where the header has {expected}: {}",
                if found < expected {
                    "commas are missing"
                } else {
                    "a field with a comma in it needs quotes"
                }
            );
            return Err((CellRef { number, name }, problem));
        }
        let mut values = HashMap::new();
        for (column, field) in header.0.iter().zip(record) {
            let text = std::str::from_utf8(field).map_err(|_| {
                (header.place(*column), "not UTF-8: save the file in that encoding".to_owned())
            })?;
            if text.chars().any(char::is_control) {
                return Err((
                    header.place(*column),
                    "there is a line break or control character in it".to_owned(),
                ));
            }
            values.insert(*column, text.trim());
        }
        Ok(Self { header, values })
    }

    fn get(&self, column: Column) -> Option<&'a str> {
        self.values.get(&column).copied().filter(|value| !value.is_empty())
    }

    fn text(&self, column: Column) -> Option<String> {
        self.get(column).map(str::to_owned)
    }

    fn wrong<T>(&self, column: Column, problem: impl Into<String>) -> Result<T, Wrong> {
        Err((self.header.place(column), problem.into()))
    }

    fn needed(&self, column: Column, by: &str) -> Result<&'a str, Wrong> {
        match self.get(column) {
            Some(value) => Ok(value),
            None => self.wrong(column, format!("{by} needs it, and it is empty")),
        }
    }

    fn details(&self) -> Result<Details, Wrong> {
        let start_date = match self.get(Column::StartDate) {
            None => None,
            Some(text) => match text.parse::<Date>() {
                // jiff takes `20261201` and dates with times too; the file has one form.
                Ok(date) if date.to_string() == text => Some(date),
                _ => return self.wrong(Column::StartDate, format!("`{text}` is not a date like 2026-12-01")),
            },
        };
        if let Some(locale) = self.get(Column::Locale)
            && !is_locale(locale)
        {
            return self.wrong(Column::Locale, format!("`{locale}` is not a language like `de` or `pt-BR`"));
        }
        let mut roles: Vec<String> = Vec::new();
        for role in self.get(Column::Roles).unwrap_or_default().split(';').map(str::trim) {
            if !role.is_empty() && !roles.iter().any(|known| known == role) {
                roles.push(role.to_owned());
            }
        }
        Ok(Details {
            given_name: self.text(Column::GivenName),
            family_name: self.text(Column::FamilyName),
            department: self.text(Column::Department),
            title: self.text(Column::Title),
            start_date,
            locale: self.text(Column::Locale),
            roles,
        })
    }
}

fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

fn row(
    header: &Header,
    record: &ByteRecord,
    line: u64,
    seen: &mut HashMap<Email, u64>,
) -> Result<Row, Wrong> {
    let fields = Fields::new(header, record)?;
    let action = fields.needed(Column::Action, "every row")?;
    let email: Email = match fields.needed(Column::Email, "every row")?.parse() {
        Ok(email) => email,
        Err(problem) => return fields.wrong(Column::Email, problem),
    };
    let change = match action {
        "joiner" => {
            for column in [Column::GivenName, Column::FamilyName, Column::Department, Column::Roles] {
                fields.needed(column, "a joiner")?;
            }
            let details = fields.details()?;
            if details.roles.is_empty() {
                return fields.wrong(Column::Roles, "a joiner needs a role, and there are only separators");
            }
            Change::Joiner(details)
        }
        "mover" => {
            let details = fields.details()?;
            if details == Details::default() {
                return fields
                    .wrong(Column::Department, "a mover needs something that changes, and all is empty");
            }
            Change::Mover(details)
        }
        "leaver" => Change::Leaver,
        "erasure" => Change::Erasure,
        other => {
            let problem = format!("`{other}` is none of joiner, mover, leaver, erasure");
            return fields.wrong(Column::Action, problem);
        }
    };
    // Which of two rows about one person counts is not for a program to guess.
    match seen.get(&email) {
        Some(first) => fields.wrong(Column::Email, format!("{email} is on line {first} already")),
        None => {
            seen.insert(email.clone(), line);
            Ok(Row { line, email, change })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "action,email,given_name,family_name,department,title,start_date,locale,roles";

    fn batch(rows: &str) -> Batch {
        read(format!("{HEADER}\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn the_example_has_no_bad_row() {
        let batch = read(include_bytes!("../../examples/joiners.csv")).unwrap();
        assert_eq!(batch.bad, []);
        let words: Vec<_> = batch.rows.iter().map(|row| row.change.as_str()).collect();
        assert_eq!(
            words,
            ["joiner", "joiner", "joiner", "joiner", "mover", "mover", "leaver", "leaver", "erasure"]
        );
        let Change::Joiner(details) = &batch.rows[1].change else { panic!("a joiner") };
        assert_eq!(details.given_name.as_deref(), Some("Björn"));
        assert_eq!(details.title.as_deref(), Some("Account Manager, Nordics"));
        assert_eq!(details.roles, ["Employee", "Sales"]);
    }

    #[test]
    fn each_kind_of_bad_row_is_told_with_its_line_and_column_and_the_others_are_read() {
        for (bad, expected) in [
            ("promotion,a@acme.example,,,,,,,", "line 3, column 1 (action): `promotion` is none of joiner"),
            (",a@acme.example,,,,,,,", "line 3, column 1 (action): every row needs it"),
            ("leaver,,,,,,,,", "line 3, column 2 (email): every row needs it"),
            (
                "leaver,not-an-address,,,,,,,",
                "line 3, column 2 (email): `not-an-address` is not an email address: there is no @",
            ),
            (
                "leaver,a@b@acme.example,,,,,,,",
                "line 3, column 2 (email): `a@b@acme.example` is not an email address: there is more than one @",
            ),
            (
                "leaver,a b@acme.example,,,,,,,",
                "line 3, column 2 (email): `a b@acme.example` is not an email address: ' ' cannot",
            ),
            (
                "leaver,a@acme,,,,,,,",
                "line 3, column 2 (email): `a@acme` is not an email address: what follows the @",
            ),
            (
                "leaver,FIRST@acme.example,,,,,,,",
                "line 3, column 2 (email): first@acme.example is on line 2 already",
            ),
            ("joiner,a@acme.example,,Doe,Sales,,,,Sales", "line 3, column 3 (given_name): a joiner needs it"),
            ("joiner,a@acme.example,Jo,Doe,Sales,,,,", "line 3, column 9 (roles): a joiner needs it"),
            ("joiner,a@acme.example,Jo,Doe,Sales,,,,;;", "line 3, column 9 (roles): a joiner needs a role"),
            (
                "joiner,a@acme.example,Jo,Doe,Sales,,01.12.2026,,Sales",
                "line 3, column 7 (start_date): `01.12.2026` is not a date",
            ),
            (
                "joiner,a@acme.example,Jo,Doe,Sales,,2026-02-30,,Sales",
                "line 3, column 7 (start_date): `2026-02-30` is not a date",
            ),
            (
                "joiner,a@acme.example,Jo,Doe,Sales,,,german!,Sales",
                "line 3, column 8 (locale): `german!` is not a language",
            ),
            (
                "mover,a@acme.example,,,,,,,",
                "line 3, column 5 (department): a mover needs something that changes",
            ),
            (
                "leaver,a@acme.example,,,,,,",
                "line 3, column 9 (roles): 8 fields where the header has 9: commas are missing",
            ),
            (
                "leaver,a@acme.example,,,,,,,,",
                "line 3, column 10: 10 fields where the header has 9: a field with a comma",
            ),
            (
                "joiner,a@acme.example,\"J\no\",Doe,Sales,,,,Sales",
                "line 3, column 3 (given_name): there is a line break",
            ),
        ] {
            let batch =
                batch(&format!("leaver,first@acme.example,,,,,,,\n{bad}\nleaver,last@acme.example,,,,,,,\n"));
            let told = batch.bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            assert!(told.starts_with(expected), "{bad}: {told}");
            assert_eq!(batch.rows.len(), 2, "{bad}");
        }
    }

    #[test]
    fn a_field_that_is_not_utf_8_spoils_its_own_row_only() {
        let mut file = format!("{HEADER}\n").into_bytes();
        file.extend(b"joiner,a@acme.example,Bj\xf6rn,Doe,Sales,,,,Sales\nleaver,b@acme.example,,,,,,,\n");
        let batch = read(&file).unwrap();
        assert_eq!(batch.rows.len(), 1);
        assert!(batch.bad[0].to_string().starts_with("line 2, column 3 (given_name): not UTF-8"));
    }

    #[test]
    fn lines_are_those_of_an_editor_despite_empty_lines_windows_line_ends_and_quoted_line_breaks() {
        let file = format!(
            "\u{feff}{HEADER}\r\n\r\nleaver,a@acme.example,,,,,,,\r\n\r\n\r\nmover,b@acme.example,,,,\"two\r\nlines\",,,\r\nleaver,c@acme.example,,,,,,,"
        );
        let batch = read(file.as_bytes()).unwrap();
        let lines: Vec<_> = batch.rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 8]);
        assert_eq!(batch.bad[0].line, 6);
    }

    #[test]
    fn columns_may_be_in_any_order_and_start_date_and_locale_may_be_left_out() {
        let file = "roles,Email,action,title,department,family_name,given_name\nSales; Sales ;Employee,A@acme.example,joiner,,Sales,Doe,Jo\nNone,b@acme.example,what,,,,";
        let batch = read(file.as_bytes()).unwrap();
        assert_eq!(batch.rows[0].email.as_str(), "a@acme.example");
        assert_eq!(batch.rows[0].change.roles(), ["Sales", "Employee"]);
        assert!(batch.bad[0].to_string().starts_with("line 3, column 3 (action)"));
    }

    #[test]
    fn a_wrong_header_is_refused_with_what_would_be_right() {
        for (header, expected) in [
            ("", "the file is empty"),
            ("\n\n", "the file is empty"),
            (",,", "the file is empty"),
            ("action,email", "line 1: there is no column `given_name` (found: action,email)"),
            (
                "action;email;given_name",
                "line 1: there is no column `action` (found: action;email;given_name); columns are separated by commas",
            ),
            (
                "action,email,e-mail",
                "line 1, column 3: there is no such column as `e-mail`; the columns are action,email",
            ),
            ("action,email,email", "line 1, column 3: `email` is there twice"),
        ] {
            let error = read(header.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{header}: {error}");
        }
    }

    #[test]
    fn a_role_that_the_tenant_does_not_have_makes_a_bad_row() {
        let mut batch = batch(
            "joiner,a@acme.example,Jo,Doe,Sales,,,,Sales\nmover,b@acme.example,,,,,,,Wizard\nleaver,c@acme.example,,,,,,,\nno,d@acme.example,,,,,,,",
        );
        batch.check_roles(&["Employee".to_owned(), "Sales".to_owned()].into());
        assert_eq!(batch.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(
            batch.bad[0].to_string(),
            "line 3, column 9 (roles): the tenant has no role `Wizard` (it has Employee, Sales)"
        );
        assert_eq!(batch.bad[1].line, 5);
    }
}
