//! Cuts a template into text, outputs `{{ }}` and tags `{% %}`, as LiquidJS cuts it.
//!
//! White space control and `raw` are settled here, so that nothing behind this file knows of either.

use super::error::{Fault, TemplateError, snippet};
use super::expression::is_word;

/// A piece of a template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind<'t>,
    /// The piece as written.
    pub(super) source: &'t str,
    /// The line on which it begins, from 1.
    pub(super) line: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum TokenKind<'t> {
    /// Text to copy.
    Text(&'t str),
    /// The inside of `{{ }}`.
    Output(&'t str),
    /// A tag and what follows its name.
    Tag { name: &'t str, arguments: &'t str },
}

impl<'t> Token<'t> {
    pub(super) fn error(&self, fault: Fault) -> TemplateError {
        TemplateError::new(self.line, self.source, fault)
    }
}

/// White space as the tokenizer of LiquidJS knows it.
pub(super) fn is_blank(char: char) -> bool {
    matches!(char, '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Cuts a template into its pieces.
pub(super) fn scan(template: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut scanner = Scanner { rest: template, line: 1, trim_next: false, tokens: Vec::new() };
    while !scanner.rest.is_empty() {
        if scanner.rest.starts_with("{%") {
            scanner.tag()?;
        } else if scanner.rest.starts_with("{{") {
            scanner.output()?;
        } else {
            scanner.text();
        }
    }
    Ok(scanner.tokens)
}

struct Scanner<'t> {
    rest: &'t str,
    line: u32,
    /// The piece before ended with `-%}` or `-}}`.
    trim_next: bool,
    tokens: Vec<Token<'t>>,
}

impl<'t> Scanner<'t> {
    /// Takes the next bytes and counts their lines.
    fn take(&mut self, bytes: usize) -> (&'t str, u32) {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        let line = self.line;
        let breaks = taken.bytes().filter(|byte| *byte == b'\n').count();
        self.line = line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.rest = rest;
        (taken, line)
    }

    fn text(&mut self) {
        // Not one search for each mark: a template without the other mark would be searched to its end each time.
        let opens = |at: &usize| matches!(self.rest.as_bytes().get(at.saturating_add(1)), Some(b'%' | b'{'));
        let end = self.rest.match_indices('{').map(|(at, _)| at).find(opens);
        let (source, line) = self.take(end.unwrap_or(self.rest.len()));
        let text = if self.trim_next { source.trim_start_matches(is_blank) } else { source };
        self.trim_next = false;
        self.tokens.push(Token { kind: TokenKind::Text(text), source, line });
    }

    /// Takes `{{ … }}` or `{% … %}` whose inside ends after `inside` bytes; trims the text on its left.
    fn delimited(&mut self, inside: usize) -> (&'t str, &'t str, u32) {
        let (source, line) = self.take(inside.saturating_add(4));
        let mut content = source.get(2..source.len().saturating_sub(2)).unwrap_or_default();
        if let Some(trimmed) = content.strip_prefix('-') {
            content = trimmed;
            if let Some(Token { kind: TokenKind::Text(text), source, .. }) = self.tokens.last_mut()
                // What `raw` shows stays as it is.
                && !source.is_empty()
            {
                *text = text.trim_end_matches(is_blank);
            }
        }
        self.trim_next = false;
        if let Some(trimmed) = content.strip_suffix('-') {
            content = trimmed;
            self.trim_next = true;
        }
        (content.trim_matches(is_blank), source, line)
    }

    fn tag(&mut self) -> Result<(), TemplateError> {
        let Some(inside) = self.rest.get(2..).and_then(|rest| rest.find("%}")) else {
            return Err(self.unclosed("`%}` at the end of the tag"));
        };
        let (content, source, line) = self.delimited(inside);
        let (name, arguments) = content
            .split_at_checked(content.find(|char| !is_word(char)).unwrap_or(content.len()))
            .unwrap_or_default();
        let token = Token {
            kind: TokenKind::Tag { name, arguments: arguments.trim_start_matches(is_blank) },
            source,
            line,
        };
        if name.is_empty() {
            return Err(token.error(Fault::Syntax { expected: "the name of a tag", found: snippet(content) }));
        }
        if name == "raw" {
            return self.raw(&token);
        }
        self.tokens.push(token);
        Ok(())
    }

    /// Takes everything up to `endraw` as text.
    fn raw(&mut self, opener: &Token<'t>) -> Result<(), TemplateError> {
        let mut from = 0;
        while let Some(start) = self.rest.get(from..).and_then(|rest| rest.find("{%")) {
            let start = from.saturating_add(start);
            from = start.saturating_add(2);
            let Some(inside) = self.rest.get(from..) else { break };
            let inside = inside.strip_prefix('-').unwrap_or(inside).trim_start_matches(is_blank);
            let Some(after) = inside.strip_prefix("endraw") else { continue };
            if after.starts_with(is_word) && !after.starts_with("-%}") {
                continue;
            }
            let (text, line) = self.take(start);
            // An empty source marks text that white space control must not touch.
            self.tokens.push(Token { kind: TokenKind::Text(text), source: "", line });
            let Some(end) = self.rest.find("%}") else { break };
            self.delimited(end.saturating_sub(2));
            return Ok(());
        }
        Err(opener.error(Fault::Unclosed { tag: "raw".to_owned(), closer: "endraw".to_owned() }))
    }

    fn output(&mut self) -> Result<(), TemplateError> {
        // Unlike a tag, an output may hold its own end inside quotes.
        let mut quote = None;
        let mut escaped = false;
        let mut last = ' ';
        for (at, char) in self.rest.char_indices().skip(2) {
            match quote {
                Some(open) => {
                    if char == open && !escaped {
                        quote = None;
                    }
                    escaped = char == '\\' && !escaped;
                    last = ' ';
                }
                None if char == '}' && last == '}' => {
                    let (content, source, line) = self.delimited(at.saturating_sub(3));
                    self.tokens.push(Token { kind: TokenKind::Output(content), source, line });
                    return Ok(());
                }
                None => {
                    if char == '"' || char == '\'' {
                        (quote, escaped) = (Some(char), false);
                    }
                    last = char;
                }
            }
        }
        Err(self.unclosed("`}}` at the end of the output"))
    }

    fn unclosed(&self, expected: &'static str) -> TemplateError {
        TemplateError::new(self.line, self.rest, Fault::Syntax { expected, found: String::new() })
    }
}
