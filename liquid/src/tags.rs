//! The tags of Auth0's Liquid, read into a tree.
//!
//! Everything that can be known before rendering is refused here, in branches too that would not be rendered: an email
//! that fails for one user in a hundred is found too late.

use super::budget::{Bound, MAX_DEPTH};
use super::error::{Fault, TemplateError};
use super::expression::{Cursor, Filtered, Operand};
use super::scan::{Token, TokenKind};

/// The tags that Auth0 lists, without those that only close or part a block.
pub(super) const NAMES: &[&str] = &[
    "for",
    "cycle",
    "tablerow",
    "if",
    "unless",
    "elsif",
    "else",
    "case",
    "assign",
    "increment",
    "decrement",
    "include",
    "layout",
    "raw",
    "comment",
    "debug",
];

/// One piece of a template, ready to render.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) line: u32,
    /// The tag or output as written.
    pub(super) source: &'t str,
    pub(super) kind: NodeKind<'t>,
}

#[derive(Debug)]
pub(super) enum NodeKind<'t> {
    Text(&'t str),
    Output(Filtered<'t>),
    Assign { name: &'t str, value: Filtered<'t> },
    Increment(&'t str),
    Decrement(&'t str),
    Cycle(Box<Cycle<'t>>),
    If(Box<If<'t>>),
    Case(Box<Case<'t>>),
    For(Box<Loop<'t>>),
    TableRow(Box<Loop<'t>>),
    Debug,
}

#[derive(Debug)]
pub(super) struct Cycle<'t> {
    pub(super) group: Option<Operand<'t>>,
    pub(super) values: Vec<Filtered<'t>>,
    /// The values as written: cycles with the same values and group are one.
    pub(super) written: String,
}

/// `if` and `unless`, which differ in what the first condition must be.
#[derive(Debug)]
pub(super) struct If<'t> {
    pub(super) branches: Vec<Branch<'t>>,
    pub(super) otherwise: Vec<Node<'t>>,
}

#[derive(Debug)]
pub(super) struct Branch<'t> {
    pub(super) condition: Filtered<'t>,
    /// The branch of `unless` is taken when its condition does not hold.
    pub(super) wanted: bool,
    pub(super) body: Vec<Node<'t>>,
}

#[derive(Debug)]
pub(super) struct Case<'t> {
    pub(super) value: Filtered<'t>,
    pub(super) branches: Vec<(Vec<Operand<'t>>, Vec<Node<'t>>)>,
    pub(super) otherwise: Vec<Node<'t>>,
}

/// `for` and `tablerow`.
#[derive(Debug)]
pub(super) struct Loop<'t> {
    pub(super) variable: &'t str,
    pub(super) collection: Operand<'t>,
    /// `variable-collection`, as written.
    pub(super) name: String,
    pub(super) settings: Vec<(&'t str, Option<Operand<'t>>)>,
    pub(super) body: Vec<Node<'t>>,
    pub(super) otherwise: Vec<Node<'t>>,
}

/// Reads the pieces of a template into a tree.
pub(super) fn parse(tokens: Vec<Token<'_>>) -> Result<Vec<Node<'_>>, TemplateError> {
    let mut parser = Parser { tokens: tokens.into_iter(), depth: 0 };
    let mut nodes = Vec::new();
    while let Some(token) = parser.tokens.next() {
        nodes.extend(parser.node(token)?);
    }
    Ok(nodes)
}

struct Parser<'t> {
    tokens: std::vec::IntoIter<Token<'t>>,
    depth: u32,
}

/// The tag that ended a stretch of a block.
struct End<'t> {
    token: Token<'t>,
    name: &'t str,
    arguments: &'t str,
}

impl<'t> Parser<'t> {
    fn node(&mut self, token: Token<'t>) -> Result<Option<Node<'t>>, TemplateError> {
        let kind = match token.kind {
            TokenKind::Text("") => None,
            TokenKind::Text(text) => Some(NodeKind::Text(text)),
            TokenKind::Output(inside) => {
                let mut cursor = Cursor::new(inside);
                let value = cursor.filtered().map_err(|fault| token.error(fault))?;
                Some(NodeKind::Output(value))
            }
            TokenKind::Tag { name, arguments } => self.tag(&token, name, arguments)?,
        };
        Ok(kind.map(|kind| Node { line: token.line, source: token.source, kind }))
    }

    fn tag(
        &mut self,
        token: &Token<'t>,
        name: &'t str,
        arguments: &'t str,
    ) -> Result<Option<NodeKind<'t>>, TemplateError> {
        let fault = |fault| token.error(fault);
        let cursor = Cursor::new(arguments);
        let misplaced = |rule| Err(token.error(Fault::Misplaced { tag: name.to_owned(), rule }));
        Ok(Some(match name {
            "assign" => assign(cursor).map_err(fault)?,
            "increment" => NodeKind::Increment(counter(cursor).map_err(fault)?),
            "decrement" => NodeKind::Decrement(counter(cursor).map_err(fault)?),
            "cycle" => NodeKind::Cycle(Box::new(cycle(cursor).map_err(fault)?)),
            "debug" => NodeKind::Debug,
            "comment" => {
                self.comment(token)?;
                return Ok(None);
            }
            "if" | "unless" | "case" | "for" | "tablerow" => {
                self.depth = self.depth.saturating_add(1);
                if self.depth > MAX_DEPTH {
                    return Err(token.error(Fault::Bound(Bound::Depth)));
                }
                let block = match name {
                    "if" => self.conditional(token, cursor, "endif")?,
                    "unless" => self.conditional(token, cursor, "endunless")?,
                    "case" => self.case(token, cursor)?,
                    "for" => NodeKind::For(self.looped(token, cursor, "endfor")?),
                    _ => NodeKind::TableRow(self.looped(token, cursor, "endtablerow")?),
                };
                self.depth = self.depth.saturating_sub(1);
                block
            }
            "include" | "layout" => return Err(token.error(Fault::NoFiles { tag: name.to_owned() })),
            "elsif" => return misplaced("it belongs between `if` or `unless` and their end, before `else`"),
            "else" => return misplaced("it belongs, once, into `if`, `unless`, `case` or `for`"),
            "when" => return misplaced("it belongs into `case`, before `else`"),
            "endif" | "endunless" | "endcase" | "endfor" | "endtablerow" | "endraw" | "endcomment" => {
                return misplaced("it closes a block that is not open here");
            }
            _ => return Err(token.error(Fault::UnknownTag { tag: name.to_owned() })),
        }))
    }

    /// Reads nodes up to one of the tags that may end them.
    fn until(
        &mut self,
        opener: &Token<'t>,
        ends: &[&'static str],
    ) -> Result<(Vec<Node<'t>>, End<'t>), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.next() {
            if let TokenKind::Tag { name, arguments } = token.kind
                && ends.contains(&name)
            {
                return Ok((nodes, End { token, name, arguments }));
            }
            nodes.extend(self.node(token)?);
        }
        let tag = match opener.kind {
            TokenKind::Tag { name, .. } => name.to_owned(),
            _ => String::new(),
        };
        let closer = ends.last().copied().unwrap_or_default().to_owned();
        Err(opener.error(Fault::Unclosed { tag, closer }))
    }

    /// Skips to the end; what stands in a comment need not be Liquid that Auth0 runs.
    fn comment(&mut self, opener: &Token<'t>) -> Result<(), TemplateError> {
        let closes = |token: &Token<'t>| matches!(token.kind, TokenKind::Tag { name: "endcomment", .. });
        if self.tokens.any(|token| closes(&token)) {
            return Ok(());
        }
        Err(opener.error(Fault::Unclosed { tag: "comment".to_owned(), closer: "endcomment".to_owned() }))
    }

    fn conditional(
        &mut self,
        token: &Token<'t>,
        mut cursor: Cursor<'t>,
        end: &'static str,
    ) -> Result<NodeKind<'t>, TemplateError> {
        let mut branches = Vec::new();
        let mut wanted = end == "endif";
        let mut condition = cursor.filtered().map_err(|fault| token.error(fault))?;
        loop {
            let (body, ended) = self.until(token, &["elsif", "else", end])?;
            branches.push(Branch { condition, wanted, body });
            match ended.name {
                "elsif" => {
                    condition =
                        Cursor::new(ended.arguments).filtered().map_err(|fault| ended.token.error(fault))?;
                    wanted = true;
                }
                "else" => {
                    bare(&ended)?;
                    let (otherwise, ended) = self.until(token, &[end])?;
                    bare(&ended)?;
                    return Ok(NodeKind::If(Box::new(If { branches, otherwise })));
                }
                _ => {
                    bare(&ended)?;
                    return Ok(NodeKind::If(Box::new(If { branches, otherwise: Vec::new() })));
                }
            }
        }
    }

    fn case(&mut self, token: &Token<'t>, mut cursor: Cursor<'t>) -> Result<NodeKind<'t>, TemplateError> {
        let value = cursor.filtered().map_err(|fault| token.error(fault))?;
        let mut case = Case { value, branches: Vec::new(), otherwise: Vec::new() };
        // What stands before the first `when` is never shown.
        let (_, mut ended) = self.until(token, &["when", "else", "endcase"])?;
        loop {
            match ended.name {
                "when" => {
                    let values = when(ended.arguments).map_err(|fault| ended.token.error(fault))?;
                    let (body, next) = self.until(token, &["when", "else", "endcase"])?;
                    case.branches.push((values, body));
                    ended = next;
                }
                "else" => {
                    (case.otherwise, ended) = self.until(token, &["endcase"])?;
                }
                _ => return Ok(NodeKind::Case(Box::new(case))),
            }
        }
    }

    fn looped(
        &mut self,
        token: &Token<'t>,
        mut cursor: Cursor<'t>,
        end: &'static str,
    ) -> Result<Box<Loop<'t>>, TemplateError> {
        let fault = |fault| token.error(fault);
        let variable = cursor.name("a loop such as `item in items`").map_err(fault)?;
        if cursor.word() != "in" {
            return Err(token.error(cursor.expected("`in` after the variable of the loop")));
        }
        cursor.skip_blank();
        let mark = cursor.mark();
        let collection = cursor
            .value()
            .map_err(fault)?
            .ok_or_else(|| token.error(cursor.expected("a list after `in`")))?;
        let name = format!("{variable}-{}", cursor.since(mark));
        let settings = cursor.settings().map_err(fault)?;
        let (mut otherwise, ends) = (Vec::new(), ["else", end]);
        let (body, ended) =
            self.until(token, if end == "endfor" { &ends } else { ends.get(1..).unwrap_or(&ends) })?;
        bare(&ended)?;
        if ended.name == "else" {
            let (rest, ended) = self.until(token, &[end])?;
            bare(&ended)?;
            otherwise = rest;
        }
        Ok(Box::new(Loop { variable, collection, name, settings, body, otherwise }))
    }
}

/// Refuses values behind a tag that takes none: `{% else if x %}` is a slip for `elsif`.
fn bare(end: &End<'_>) -> Result<(), TemplateError> {
    if end.arguments.is_empty() {
        return Ok(());
    }
    let found = super::error::snippet(end.arguments);
    Err(end
        .token
        .error(Fault::Syntax { expected: "nothing behind this tag (for `else if` write `elsif`)", found }))
}

fn assign(mut cursor: Cursor<'_>) -> Result<NodeKind<'_>, Fault> {
    let name = cursor.name("an assignment such as `name = value`")?;
    cursor.skip_blank();
    if !cursor.eat("=") {
        return Err(cursor.expected("`=` after the name"));
    }
    Ok(NodeKind::Assign { name, value: cursor.filtered()? })
}

fn counter(mut cursor: Cursor<'_>) -> Result<&str, Fault> {
    cursor.name("the name of a counter")
}

fn cycle(mut cursor: Cursor<'_>) -> Result<Cycle<'_>, Fault> {
    let mark = cursor.mark();
    let mut group = cursor.value()?;
    cursor.skip_blank();
    if group.is_none() || !cursor.eat(":") {
        group = None;
        cursor.rewind(mark);
    }
    let mut values = Vec::new();
    while !cursor.is_done() {
        values.push(cursor.filtered()?);
        cursor.skip_past(",");
    }
    if values.is_empty() {
        return Err(cursor.expected("values to cycle through"));
    }
    let written: Vec<&str> = values.iter().map(|value| value.source).collect();
    let written = written.join(",");
    Ok(Cycle { group, values, written })
}

fn when(arguments: &str) -> Result<Vec<Operand<'_>>, Fault> {
    let mut cursor = Cursor::new(arguments);
    let mut values = Vec::new();
    while !cursor.is_done() {
        values.push(cursor.value()?.ok_or_else(|| cursor.expected("a value to compare with"))?);
        cursor.skip_blank();
        if cursor.eat(",") {
            continue;
        }
        // LiquidJS skips anything up to the next `or`; a slip is better told.
        if !cursor.is_done() && cursor.word() != "or" {
            return Err(cursor.expected("`,` or `or` between the values of `when`"));
        }
    }
    Ok(values)
}
