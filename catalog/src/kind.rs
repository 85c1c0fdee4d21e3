//! Types of parameters and members, as the files write them: `string ..50`, `integer 1..100`, `enum(a|b)`,
//! `array<string>|null`.

use std::str::FromStr;

/// A type, with or without `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// What it is.
    pub kind: Kind,
    /// Whether `null` will do.
    pub null: bool,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `any`
    Any,
    /// `string`, `string(email)`, `string ..50`
    Text {
        /// Its format.
        format: Format,
        /// Most characters.
        longest: Option<u32>,
    },
    /// `enum(a|b)`: one of these texts.
    OneOf(Vec<String>),
    /// `one of 55`: one of so many texts, which Auth0's documentation lists.
    OneOfMany(u16),
    /// `csv<enum(a|b)>`: texts between commas, or a list of them.
    Names {
        /// The texts.
        names: Vec<String>,
        /// Most characters, commas included.
        longest: Option<u32>,
    },
    /// `integer`, `integer 1..100`
    Integer {
        /// The least.
        least: Option<i64>,
        /// The most.
        most: Option<i64>,
    },
    /// `number`
    Number,
    /// `boolean`
    Flag,
    /// `object`: of any shape.
    Object,
    /// `string|integer`
    TextOrInteger,
    /// `array<…>`
    List(Box<Kind>),
    /// `file`: a file's text, or the JSON list that becomes it.
    File,
}

/// What a text has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Nothing in particular.
    Any,
    /// An address: `string(email)`.
    Email,
    /// RFC 3339: `string(date-time)`.
    DateTime,
    /// RFC 9562: `string(uuid)`.
    Uuid,
    /// A field and a direction, `name:1` or `name:-1`: `string(sort)`.
    Sort,
    /// A day without dashes, `20260131`: `string(yyyymmdd)`.
    Day,
    /// Printable ASCII: `string(ascii)`.
    Ascii,
}

/// A type that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no type")]
pub struct KindError(String);

impl FromStr for Type {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        match text.strip_suffix("|null") {
            Some(rest) => Ok(Self { kind: rest.parse()?, null: true }),
            None => Ok(Self { kind: text.parse()?, null: false }),
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let error = || KindError(text.to_owned());
        let within =
            |open: &str, close: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = within("array<", ">") {
            return Ok(Self::List(Box::new(inner.parse()?)));
        }
        if let Some(values) = within("enum(", ")") {
            return Ok(Self::OneOf(values.split('|').map(str::to_owned).collect()));
        }
        if let Some(count) = text.strip_prefix("one of ") {
            return Ok(Self::OneOfMany(count.parse().map_err(|_| error())?));
        }
        let (base, bounds) = text.split_once(' ').map_or((text, None), |(base, bounds)| (base, Some(bounds)));
        let bounds = bounds.map(|bounds| bounds.split_once("..").ok_or_else(error)).transpose()?;
        let (least, most) = bounds.unwrap_or_default();
        let number = |text: &str| -> Result<Option<i64>, KindError> {
            if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| error()) }
        };
        let (least, most) = (number(least)?, number(most)?);
        let longest = most.map(|most| u32::try_from(most).map_err(|_| error())).transpose();
        if let Some(names) = base.strip_prefix("csv<enum(").and_then(|rest| rest.strip_suffix(")>")) {
            return Ok(Self::Names {
                names: names.split('|').map(str::to_owned).collect(),
                longest: longest?,
            });
        }
        if base == "string" || base.starts_with("string(") {
            let format = match base.strip_prefix("string").unwrap_or_default() {
                "" => Format::Any,
                "(email)" => Format::Email,
                "(date-time)" => Format::DateTime,
                "(uuid)" => Format::Uuid,
                "(sort)" => Format::Sort,
                "(yyyymmdd)" => Format::Day,
                "(ascii)" => Format::Ascii,
                _ => return Err(error()),
            };
            return Ok(Self::Text { format, longest: longest? });
        }
        Ok(match (base, bounds) {
            ("integer", _) => Self::Integer { least, most },
            ("any", None) => Self::Any,
            ("number", None) => Self::Number,
            ("boolean", None) => Self::Flag,
            ("object", None) => Self::Object,
            ("file", None) => Self::File,
            ("string|integer", None) => Self::TextOrInteger,
            _ => return Err(error()),
        })
    }
}
