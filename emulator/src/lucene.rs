//! The subset of Lucene's query syntax that Auth0 takes in `q`, parsed and matched.
//!
//! A real parser instead of string tricks: a connector builds these queries from user input, and the test of its
//! escaping is that the tenant reads them as meant.

use serde_json::Value;

use crate::tenant::Object;

/// What a kind of search allows and how it compares.
pub(crate) struct Dialect {
    /// Fields whose values compare without case.
    pub(crate) caseless: &'static [&'static str],
    /// Fields that a bare term looks in.
    pub(crate) bare: &'static [&'static str],
    /// The fields that exist; anything when empty.
    pub(crate) known: &'static [&'static str],
    /// The root that takes neither wildcards nor ranges.
    pub(crate) exact_root: Option<&'static str>,
    /// Fields of the document that are not indexed: they match nothing.
    pub(crate) hidden: &'static [&'static str],
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Match { field: Option<String>, test: Test },
    Exists(String),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Equals(String),
    /// Literal parts between wildcards.
    Wild(Vec<String>),
    Range {
        low: Option<(String, bool)>,
        high: Option<(String, bool)>,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Minus,
    Plus,
    Field(String),
    Test(Test),
}

/// Parses a query.
///
/// # Errors
/// Returns what is wrong with it, as Auth0 words it.
pub(crate) fn parse(text: &str, dialect: &Dialect) -> Result<Node, String> {
    let mut parser = Parser { tokens: tokenize(text)?, at: 0, dialect, depth: 0 };
    let node = parser.either(None)?;
    if parser.at < parser.tokens.len() {
        return Err("unbalanced parentheses".to_owned());
    }
    Ok(node)
}

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            c if c.is_whitespace() => at += 1,
            '(' => {
                tokens.push(Token::Open);
                at += 1;
            }
            ')' => {
                tokens.push(Token::Close);
                at += 1;
            }
            '-' | '!' => {
                tokens.push(if c == '-' { Token::Minus } else { Token::Not });
                at += 1;
            }
            '+' => {
                tokens.push(Token::Plus);
                at += 1;
            }
            '"' => {
                let (phrase, next) = quoted(&chars, at)?;
                tokens.push(Token::Test(Test::Equals(phrase)));
                at = next;
            }
            '[' | '{' => {
                let (range, next) = range(&chars, at)?;
                tokens.push(Token::Test(range));
                at = next;
            }
            '&' | '|' if chars.get(at + 1) == Some(&c) => {
                tokens.push(if c == '&' { Token::And } else { Token::Or });
                at += 2;
            }
            ']' | '}' | ':' | '^' | '~' | '/' => return Err(format!("unexpected character {c}")),
            _ => {
                let (token, next) = word(&chars, at)?;
                tokens.push(token);
                at = next;
            }
        }
    }
    Ok(tokens)
}

fn quoted(chars: &[char], start: usize) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut at = start + 1;
    while let Some(&c) = chars.get(at) {
        match c {
            '"' => return Ok((out, at + 1)),
            '\\' => {
                let escaped = chars.get(at + 1).ok_or("unterminated phrase")?;
                out.push(*escaped);
                at += 2;
            }
            c => {
                out.push(c);
                at += 1;
            }
        }
    }
    Err("unterminated phrase".to_owned())
}

fn range(chars: &[char], start: usize) -> Result<(Test, usize), String> {
    let low_included = chars.get(start) == Some(&'[');
    let end = (start + 1..chars.len())
        .find(|at| matches!(chars.get(*at), Some(']' | '}')))
        .ok_or("unterminated range")?;
    let inside: String = chars.get(start + 1..end).unwrap_or_default().iter().collect();
    let (low, high) = inside.split_once(" TO ").ok_or("a range needs TO")?;
    let high_included = chars.get(end) == Some(&']');
    let bound = |text: &str, included: bool| {
        let text = text.trim().trim_matches('"').replace('\\', "");
        (text != "*" && !text.is_empty()).then_some((text, included))
    };
    Ok((Test::Range { low: bound(low, low_included), high: bound(high, high_included) }, end + 1))
}

fn word(chars: &[char], start: usize) -> Result<(Token, usize), String> {
    let mut literal: Vec<char> = Vec::new();
    let mut escaped_any = false;
    let mut at = start;
    let mut stars = Vec::new();
    while let Some(&c) = chars.get(at) {
        match c {
            '\\' => {
                literal.push(*chars.get(at + 1).ok_or("a query cannot end with a backslash")?);
                escaped_any = true;
                at += 2;
            }
            '*' => {
                stars.push(literal.len());
                at += 1;
            }
            '?' => return Err("the wildcard ? is not supported".to_owned()),
            ':' => {
                let name: String = literal.iter().collect();
                if name.is_empty() || !stars.is_empty() {
                    return Err("a field needs a name".to_owned());
                }
                return Ok((Token::Field(name), at + 1));
            }
            c if c.is_whitespace() || "()[]{}\"^~".contains(c) => break,
            c => {
                literal.push(c);
                at += 1;
            }
        }
    }
    if stars.is_empty() {
        let text: String = literal.into_iter().collect();
        return Ok((
            match text.as_str() {
                "AND" if !escaped_any => Token::And,
                "OR" if !escaped_any => Token::Or,
                "NOT" if !escaped_any => Token::Not,
                _ => Token::Test(Test::Equals(text)),
            },
            at,
        ));
    }
    let mut pieces = Vec::new();
    let mut from = 0;
    for star in stars {
        pieces.push(literal.get(from..star).unwrap_or_default().iter().collect::<String>());
        from = star;
    }
    pieces.push(literal.get(from..).unwrap_or_default().iter().collect());
    Ok((Token::Test(Test::Wild(pieces)), at))
}

/// Parentheses nested deeper than this are refused before they can exhaust the stack.
const DEPTH: u32 = 64;

struct Parser<'d> {
    tokens: Vec<Token>,
    at: usize,
    dialect: &'d Dialect,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn either(&mut self, field: Option<&str>) -> Result<Node, String> {
        let mut options = vec![self.all(field)?];
        loop {
            match self.peek() {
                Some(Token::Or) => {
                    self.at += 1;
                    options.push(self.all(field)?);
                }
                None | Some(Token::Close) => break,
                // [?] Clauses side by side are OR, Lucene's default.
                Some(_) => options.push(self.all(field)?),
            }
        }
        Ok(if options.len() == 1 { options.remove(0) } else { Node::Or(options) })
    }

    fn all(&mut self, field: Option<&str>) -> Result<Node, String> {
        let mut parts = vec![self.unary(field)?];
        while self.peek() == Some(&Token::And) {
            self.at += 1;
            parts.push(self.unary(field)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::And(parts) })
    }

    fn unary(&mut self, field: Option<&str>) -> Result<Node, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("unexpected end of the query")?;
        self.at += 1;
        match token {
            Token::Not | Token::Minus => {
                self.enter()?;
                let node = self.unary(field)?;
                self.depth -= 1;
                Ok(Node::Not(Box::new(node)))
            }
            Token::Plus => {
                self.enter()?;
                let node = self.unary(field)?;
                self.depth -= 1;
                Ok(node)
            }
            Token::Open => {
                self.enter()?;
                let node = self.either(field)?;
                if self.peek() != Some(&Token::Close) {
                    return Err("unbalanced parentheses".to_owned());
                }
                self.at += 1;
                self.depth -= 1;
                Ok(node)
            }
            Token::Field(name) if field.is_none() => self.value(name),
            Token::Field(_) => Err("a field inside the value of a field".to_owned()),
            Token::Test(test) => {
                self.check(field, &test)?;
                Ok(Node::Match { field: field.map(str::to_owned), test })
            }
            Token::And | Token::Or | Token::Close => Err("an operator without a clause".to_owned()),
        }
    }

    fn value(&mut self, name: String) -> Result<Node, String> {
        if name == "_exists_" {
            return match self.tokens.get(self.at).cloned() {
                Some(Token::Test(Test::Equals(field))) => {
                    self.at += 1;
                    self.check_field(&field)?;
                    Ok(Node::Exists(field))
                }
                _ => Err("_exists_ needs the name of a field".to_owned()),
            };
        }
        self.check_field(&name)?;
        match self.tokens.get(self.at).cloned() {
            Some(Token::Test(test)) => {
                self.at += 1;
                self.check(Some(&name), &test)?;
                Ok(Node::Match { field: Some(name), test })
            }
            Some(Token::Open) => self.unary(Some(&name)),
            // A negative number, as in `logins_count:-1`.
            Some(Token::Minus) => match self.tokens.get(self.at + 1).cloned() {
                Some(Token::Test(Test::Equals(text))) => {
                    self.at += 2;
                    Ok(Node::Match { field: Some(name), test: Test::Equals(format!("-{text}")) })
                }
                _ => Err(format!("the field {name} has no value")),
            },
            // A value that starts with a plus, as phone numbers do.
            Some(Token::Plus) => match self.tokens.get(self.at + 1).cloned() {
                Some(Token::Test(Test::Equals(text))) => {
                    self.at += 2;
                    Ok(Node::Match { field: Some(name), test: Test::Equals(format!("+{text}")) })
                }
                _ => Err(format!("the field {name} has no value")),
            },
            _ => Err(format!("the field {name} has no value")),
        }
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH { Err("the query is nested too deeply".to_owned()) } else { Ok(()) }
    }

    fn check_field(&self, name: &str) -> Result<(), String> {
        if !self.dialect.known.is_empty() && !self.dialect.known.contains(&name) {
            return Err(format!("unknown field {name}"));
        }
        Ok(())
    }

    fn check(&self, field: Option<&str>, test: &Test) -> Result<(), String> {
        let root = field.and_then(|field| field.split('.').next());
        if !matches!(test, Test::Equals(_))
            && let Some(root) = root.filter(|root| Some(*root) == self.dialect.exact_root)
        {
            return Err(format!("wildcards and ranges are not supported on {root}"));
        }
        if let Test::Wild(pieces) = test {
            let prefix_only = matches!(pieces.as_slice(), [_, last] if last.is_empty());
            let literal: usize = pieces.iter().map(|piece| piece.chars().count()).sum();
            if !prefix_only && literal < 3 {
                return Err("a leading wildcard needs three or more literal characters".to_owned());
            }
        }
        Ok(())
    }
}

impl Node {
    /// Returns whether a document matches.
    pub(crate) fn matches(&self, document: &Object, dialect: &Dialect) -> bool {
        match self {
            Self::Match { field: Some(field), test } => at_field(document, field, test, dialect),
            Self::Match { field: None, test } => {
                dialect.bare.iter().any(|field| at_field(document, field, test, dialect))
            }
            Self::Exists(field) => !dialect.hides(field) && !values(document, field).is_empty(),
            Self::Not(node) => !node.matches(document, dialect),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(document, dialect)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(document, dialect)),
        }
    }
}

impl Dialect {
    fn hides(&self, field: &str) -> bool {
        self.hidden.contains(&field.split('.').next().unwrap_or(field))
    }
}

fn at_field(document: &Object, field: &str, test: &Test, dialect: &Dialect) -> bool {
    if dialect.hides(field) {
        return false;
    }
    let caseless = dialect.caseless.contains(&field);
    values(document, field)
        .iter()
        .any(|value| if caseless { test.fold().accepts(&value.to_lowercase()) } else { test.accepts(value) })
}

impl Test {
    fn fold(&self) -> Self {
        match self {
            Self::Equals(text) => Self::Equals(text.to_lowercase()),
            Self::Wild(pieces) => Self::Wild(pieces.iter().map(|piece| piece.to_lowercase()).collect()),
            Self::Range { .. } => self.clone(),
        }
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Equals(text) => text == value,
            Self::Wild(pieces) => wild(pieces, value),
            Self::Range { low, high } => {
                low.as_ref().is_none_or(|(bound, included)| {
                    let order = compare(value, bound);
                    order.is_gt() || (*included && order.is_eq())
                }) && high.as_ref().is_none_or(|(bound, included)| {
                    let order = compare(value, bound);
                    order.is_lt() || (*included && order.is_eq())
                })
            }
        }
    }
}

/// Compares numbers as numbers and the rest as text; a date bound of a day stands for the whole day.
fn compare(value: &str, bound: &str) -> std::cmp::Ordering {
    if let (Ok(value), Ok(bound)) = (value.parse::<f64>(), bound.parse::<f64>()) {
        return value.total_cmp(&bound);
    }
    let is_date = bound.len() >= 4 && value.ends_with('Z') && value.contains('T');
    if !is_date {
        return value.cmp(bound);
    }
    let bound = bound.trim_end_matches('Z');
    let value = value.trim_end_matches('Z');
    value.get(..bound.len()).unwrap_or(value).cmp(bound)
}

fn wild(pieces: &[String], value: &str) -> bool {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return false };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else { return false };
    let middle = pieces.get(1..pieces.len().saturating_sub(1)).unwrap_or_default();
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last.as_str())
}

/// The indexed values at a dotted path: arrays are skipped over, nulls and empty containers are not there.
fn values(document: &Object, path: &str) -> Vec<String> {
    // `email.domain` is a field of the index, not of the profile.
    if path == "email.domain" {
        return values(document, "email")
            .iter()
            .filter_map(|email| email.rsplit_once('@').map(|(_, domain)| domain.to_owned()))
            .collect();
    }
    let mut out = Vec::new();
    walk_object(document, path, &mut out);
    out
}

fn walk_object(object: &Object, path: &str, out: &mut Vec<String>) {
    if let Some(value) = object.get(path) {
        collect(value, out);
        return;
    }
    for (at, _) in path.match_indices('.') {
        let (Some(head), Some(tail)) = (path.get(..at), path.get(at + 1..)) else { continue };
        if let Some(value) = object.get(head) {
            walk(value, tail, out);
        }
    }
}

fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, out)),
        Value::Object(object) => walk_object(object, path, out),
        _ => {}
    }
}

fn collect(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push(flag.to_string()),
        Value::Number(number) => out.push(number.to_string()),
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        // `_exists_:app_metadata` is true when anything inside is indexed.
        Value::Object(object) => object.values().for_each(|value| collect(value, out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const USERS: Dialect = Dialect {
        caseless: &["email", "name"],
        bare: &["email", "name"],
        known: &[],
        exact_root: Some("user_metadata"),
        hidden: &["picture"],
    };

    fn hits(q: &str, document: &Value) -> bool {
        parse(q, &USERS).unwrap().matches(document.as_object().unwrap(), &USERS)
    }

    #[test]
    fn queries_match_as_documented() {
        let ana = json!({
            "email": "ana@acme.example", "name": "Ana Lima", "blocked": false, "logins_count": 12,
            "last_login": "2025-12-31T23:00:00.000Z", "user_id": "auth0|1", "phone_number": "+491",
            "identities": [{"connection": "db", "provider": "auth0"}],
            "app_metadata": {"department": "Sales", "tags": ["a", "b"], "empty": [], "none": null},
            "user_metadata": {"locale": "de"},
        });
        let table = [
            ("email:\"ana@acme.example\"", true),
            ("email:ANA@acme.example", true),
            ("email:ana@acme.exampl", false),
            ("name:\"ana lima\"", true),
            ("name:ana\\ lima", true),
            ("name:ana", false),
            ("name:an*", true),
            ("name:*lim*", true),
            ("email:*acme.example", true),
            ("email.domain:acme.example", true),
            ("app_metadata.department:Sales", true),
            ("app_metadata.department:sales", false),
            ("app_metadata.tags:b", true),
            ("_exists_:app_metadata.empty", false),
            ("_exists_:app_metadata.none", false),
            ("-_exists_:app_metadata.none", true),
            ("NOT _exists_:logins_count OR logins_count:0", false),
            ("logins_count:[10 TO 12]", true),
            ("logins_count:{10 TO 12}", false),
            ("logins_count:[10 TO 12}", false),
            ("logins_count:[2 TO *]", true),
            ("last_login:[2025-12-01 TO 2025-12-31]", true),
            ("last_login:[2025-12-01 TO 2025-12-31}", false),
            ("last_login:{2025-12-31 TO *]", false),
            ("identities.connection:db AND identities.provider:auth0", true),
            ("identities.connection:\"x\" OR (blocked:false AND NOT name:bob)", true),
            ("name:(\"ana lima\" OR \"bob\")", true),
            ("name:(\"eve\" OR \"bob\")", false),
            ("user_metadata.locale:\"de\"", true),
            ("ana@acme.example", true),
            ("de", false),
            ("user_id:\"auth0|1\"", true),
            ("phone_number:+491", true),
            ("email:* AND -blocked:true", true),
            ("blocked:true blocked:false", true),
        ];
        for (q, expected) in table {
            assert_eq!(hits(q, &ana), expected, "{q}");
        }
    }

    #[test]
    fn queries_that_auth0_refuses_are_refused() {
        for q in [
            "name:*ab",
            "name:*ab*",
            "name:a?b",
            "user_metadata.locale:d*",
            "user_metadata.age:[1 TO 2]",
            "name:",
            "name:\"open",
            "(name:a",
            "name:a)",
            "AND",
            "name:[1 2]",
            "name:a AND",
            "_exists_:",
            ":x",
            "",
            "name:a\\",
            "a/b:(",
        ] {
            assert!(parse(q, &USERS).is_err(), "{q}");
        }
        assert!(parse(&"(".repeat(100_000), &USERS).is_err(), "depth is bounded");
        assert!(parse(&"-".repeat(100_000), &USERS).is_err(), "depth is bounded");
    }

    #[test]
    fn unknown_fields_are_refused_where_the_list_is_closed() {
        let logs =
            Dialect { caseless: &[], bare: &["type"], known: &["type"], exact_root: None, hidden: &[] };
        assert!(parse("type:s AND typ:f", &logs).is_err());
        assert!(parse("type:s", &logs).is_ok());
    }
}
