//! Walks the tree and writes the page.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::UnixSeconds;
use super::budget::{Bound, Budget, Draft, MAX_RANGE, Page, Sink};
use super::error::{Fault, TemplateError};
use super::expression::{FilterCall, Filtered, Operand, Operator, Step};
use super::filters::Call;
use super::inspect;
use super::tags::{Cycle, Loop, Node, NodeKind};
use super::value::{List, LoopState, Text, Value};

/// A rendering under way.
pub(super) struct Renderer<'a, 'b> {
    variables: &'a Map<String, Json>,
    /// What `assign` made; it shadows the variables for the rest of the template.
    assigned: BTreeMap<&'a str, Value<'a>>,
    /// What `increment` and `decrement` count, beside what `assign` made.
    counters: BTreeMap<&'a str, f64>,
    /// The loops that are open, the innermost last.
    loops: Vec<Frame<'a>>,
    /// Which value each cycle shows next.
    cycles: BTreeMap<String, usize>,
    /// Where each loop stopped, for `offset: continue`.
    resume: BTreeMap<&'a str, f64>,
    now: UnixSeconds,
    budget: &'b Budget,
    page: Page<'b>,
}

/// What a loop shows to its body.
struct Frame<'a> {
    variable: &'a str,
    item: Value<'a>,
    /// `forloop` or `tablerowloop`.
    state_name: &'static str,
    state: LoopState,
}

impl<'a, 'b> Renderer<'a, 'b> {
    pub(super) fn new(variables: &'a Map<String, Json>, now: UnixSeconds, budget: &'b Budget) -> Self {
        Self {
            variables,
            assigned: BTreeMap::new(),
            counters: BTreeMap::new(),
            loops: Vec::new(),
            cycles: BTreeMap::new(),
            resume: BTreeMap::new(),
            now,
            budget,
            page: Page::new(budget),
        }
    }

    pub(super) fn finish(self) -> String {
        self.page.finish()
    }

    pub(super) fn nodes(&mut self, nodes: &'a [Node<'a>]) -> Result<(), TemplateError> {
        for node in nodes {
            let at = |fault| TemplateError::new(node.line, node.source, fault);
            // Names and literals count too: a loop hashes, compares and copies its own text in each iteration.
            self.budget.step().and_then(|()| self.budget.work(node.source.len())).map_err(at)?;
            match &node.kind {
                // The nodes of blocks carry their own lines.
                NodeKind::If(choice) => {
                    let mut body = &choice.otherwise;
                    for branch in &choice.branches {
                        if self.filtered(&branch.condition).map_err(at)?.is_truthy() == branch.wanted {
                            body = &branch.body;
                            break;
                        }
                    }
                    self.nodes(body)?;
                }
                NodeKind::Case(case) => {
                    let value = match self.filtered(&case.value).map_err(at)? {
                        // Behind `when` they stand for what is empty or blank, behind `case` for the text that they
                        // are.
                        Value::Empty | Value::Blank => Value::from(String::new()),
                        value => value,
                    };
                    let mut hit = false;
                    for (candidates, body) in &case.branches {
                        if self.any_equals(&value, candidates).map_err(at)? {
                            hit = true;
                            // LiquidJS renders each branch that matches, not only the first.
                            self.nodes(body)?;
                        }
                    }
                    if !hit {
                        self.nodes(&case.otherwise)?;
                    }
                }
                NodeKind::For(looped) => self.repeat(node, looped)?,
                NodeKind::TableRow(looped) => self.table(node, looped)?,
                leaf => self.leaf(leaf).map_err(at)?,
            }
        }
        Ok(())
    }

    fn leaf(&mut self, kind: &'a NodeKind<'a>) -> Result<(), Fault> {
        match kind {
            NodeKind::Text(text) => self.page.put(text),
            NodeKind::Output(value) => {
                let value = self.filtered(value)?;
                value.write(&mut self.page)
            }
            NodeKind::Assign { name, value } => {
                let value = self.filtered(value)?;
                self.assigned.insert(name, value);
                Ok(())
            }
            NodeKind::Increment(name) => {
                let count = self.count(name);
                self.counters.insert(name, count + 1.0);
                Value::Number(count).write(&mut self.page)
            }
            NodeKind::Decrement(name) => {
                let count = self.count(name) - 1.0;
                self.counters.insert(name, count);
                Value::Number(count).write(&mut self.page)
            }
            NodeKind::Cycle(cycle) => self.cycle(cycle),
            NodeKind::Debug => self.debug(),
            NodeKind::If(_) | NodeKind::Case(_) | NodeKind::For(_) | NodeKind::TableRow(_) => Ok(()),
        }
    }

    fn count(&self, name: &str) -> f64 {
        let given = || self.variables.get(name).and_then(Json::as_f64);
        self.counters.get(name).copied().or_else(given).unwrap_or(0.0)
    }

    fn any_equals(&self, value: &Value<'a>, candidates: &'a [Operand<'a>]) -> Result<bool, Fault> {
        for candidate in candidates {
            if value.equals(&self.operand(candidate)?, self.budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn cycle(&mut self, cycle: &'a Cycle<'a>) -> Result<(), Fault> {
        let mut key = Draft::new(self.budget);
        if let Some(group) = &cycle.group {
            self.operand(group)?.write(&mut key)?;
        }
        key.put(":")?;
        key.put(&cycle.written)?;
        let next = self.cycles.entry(key.finish()).or_default();
        let index = *next;
        *next = index.saturating_add(1) % cycle.values.len().max(1);
        let Some(value) = cycle.values.get(index) else { return Ok(()) };
        match self.filtered(value)? {
            // LiquidJS shows nothing for what JavaScript calls falsy.
            Value::Bool(false) => Ok(()),
            Value::Number(number) if number == 0.0 || number.is_nan() => Ok(()),
            value => value.write(&mut self.page),
        }
    }

    fn debug(&mut self) -> Result<(), Fault> {
        let mut scope: BTreeMap<&str, Value<'a>> = BTreeMap::new();
        for (name, value) in self.variables {
            scope.insert(name, Value::from(value));
        }
        scope.extend(self.counters.iter().map(|(name, count)| (*name, Value::Number(*count))));
        scope.extend(self.assigned.iter().map(|(name, value)| (*name, value.clone())));
        for frame in &self.loops {
            scope.insert(frame.state_name, Value::Loop(frame.state.clone()));
            scope.insert(frame.variable, frame.item.clone());
        }
        self.budget.elements(scope.len())?;
        inspect::write(&scope, &mut self.page)
    }

    fn repeat(&mut self, node: &Node<'a>, looped: &'a Loop<'a>) -> Result<(), TemplateError> {
        let at = |fault| TemplateError::new(node.line, node.source, fault);
        let items =
            self.operand(&looped.collection).and_then(|value| value.to_items(self.budget)).map_err(at)?;
        if items.len() == 0 {
            return self.nodes(&looped.otherwise);
        }
        let (mut start, mut end, mut offset, mut reversed) = (0, items.len(), 0.0, false);
        // Always in this order, whatever the order in the template.
        if let Some(value) = self.setting(looped, "offset").map_err(at)? {
            // NaN is kept for `offset: continue`, and counts as 0 here.
            offset = value.to_number(self.budget).map_err(at)?;
            (start, end) = slice(start, end, offset, f64::INFINITY);
        }
        if let Some(value) = self.setting(looped, "limit").map_err(at)? {
            (start, end) = slice(start, end, 0.0, value.to_number_or_zero(self.budget).map_err(at)?);
        }
        if self.setting(looped, "reversed").map_err(at)?.is_some() {
            reversed = true;
        }
        let length = end.saturating_sub(start);
        self.resume.insert(&looped.name, offset + length as f64);
        self.enter(looped, "forloop", length, None);
        for index in 0..length {
            self.budget.step().map_err(at)?;
            let at = if reversed { end.saturating_sub(index + 1) } else { start.saturating_add(index) };
            self.iterate(&items, at, index);
            self.nodes(&looped.body)?;
        }
        self.loops.pop();
        Ok(())
    }

    fn table(&mut self, node: &Node<'a>, looped: &'a Loop<'a>) -> Result<(), TemplateError> {
        let at = |fault| TemplateError::new(node.line, node.source, fault);
        let items =
            self.operand(&looped.collection).and_then(|value| value.to_items(self.budget)).map_err(at)?;
        let number = |name| -> Result<Option<f64>, TemplateError> {
            let value = self.setting(looped, name).map_err(at)?;
            value.map(|value| value.to_number_or_zero(self.budget)).transpose().map_err(at)
        };
        let offset = number("offset")?.unwrap_or(0.0);
        let limit = number("limit")?.unwrap_or(items.len() as f64);
        let (start, end) = slice(0, items.len(), offset, offset + limit);
        let length = end.saturating_sub(start);
        let columns = number("cols")?.filter(|columns| *columns != 0.0).unwrap_or(length as f64);
        self.enter(looped, "tablerowloop", length, Some(columns));
        for index in 0..length {
            self.budget.step().map_err(at)?;
            self.iterate(&items, start.saturating_add(index), index);
            self.open_cell(index).map_err(at)?;
            self.nodes(&looped.body)?;
            self.page.put("</td>").map_err(at)?;
        }
        if length > 0 {
            self.page.put("</tr>").map_err(at)?;
        }
        self.loops.pop();
        Ok(())
    }

    fn open_cell(&mut self, index: usize) -> Result<(), Fault> {
        let Some(state) = self.loops.last().map(|frame| &frame.state) else { return Ok(()) };
        let (row, column) = (Value::Number(state.row()), Value::Number(state.column() + 1.0));
        if state.column() == 0.0 {
            if index > 0 {
                self.page.put("</tr>")?;
            }
            self.page.put("<tr class=\"row")?;
            row.write(&mut self.page)?;
            self.page.put("\">")?;
        }
        self.page.put("<td class=\"col")?;
        column.write(&mut self.page)?;
        self.page.put("\">")
    }

    fn enter(&mut self, looped: &'a Loop<'a>, state_name: &'static str, length: usize, columns: Option<f64>) {
        let state = LoopState { index: 0, length, columns, name: Rc::from(looped.name.as_str()) };
        self.loops.push(Frame { variable: looped.variable, item: Value::Nil, state_name, state });
    }

    fn iterate(&mut self, items: &List<'a>, at: usize, index: usize) {
        if let Some(frame) = self.loops.last_mut() {
            frame.item = items.get(at).unwrap_or(Value::Nil);
            frame.state.index = index;
        }
    }

    /// Returns a setting of a loop if it is there and not `nil`; the last one wins.
    fn setting(&self, looped: &'a Loop<'a>, name: &str) -> Result<Option<Value<'a>>, Fault> {
        let Some((_, operand)) = looped.settings.iter().rev().find(|(key, _)| *key == name) else {
            return Ok(None);
        };
        let value = match operand {
            None => Value::Bool(true),
            Some(Operand::Path { base: None, names }) if matches!(names.as_slice(), [Operand::Literal(Value::Text(word))] if &**word == "continue") =>
            {
                // A loop that only ever continues begins anew each time, as in LiquidJS.
                Value::Number(self.resume.get(looped.name.as_str()).copied().unwrap_or(f64::NAN))
            }
            Some(operand) => self.operand(operand)?,
        };
        Ok(if matches!(value, Value::Nil) { None } else { Some(value) })
    }

    /// Evaluates a value or condition and its filters.
    fn filtered(&self, filtered: &'a Filtered<'a>) -> Result<Value<'a>, Fault> {
        let mut value = self.condition(&filtered.steps)?;
        for call in &filtered.filters {
            self.budget.step()?;
            value = self.filter(call, value)?;
        }
        Ok(value)
    }

    fn filter(&self, call: &'a FilterCall<'a>, input: Value<'a>) -> Result<Value<'a>, Fault> {
        let arguments =
            call.arguments.iter().map(|argument| self.operand(argument)).collect::<Result<Vec<_>, _>>()?;
        let mut allow_false = false;
        for (name, value) in &call.named {
            let value = self.operand(value)?;
            if *name == "allow_false" {
                allow_false = value.is_truthy();
            }
        }
        let name = call.filter.name;
        (call.filter.apply)(&Call { name, input, arguments, allow_false, now: self.now, budget: self.budget })
    }

    fn condition(&self, steps: &'a [Step<'a>]) -> Result<Value<'a>, Fault> {
        // Nearly every condition is one value.
        if let [Step::Operand(operand)] = steps {
            return self.operand(operand);
        }
        let mut values = Vec::new();
        for step in steps {
            let value = match step {
                Step::Operand(operand) => self.operand(operand)?,
                Step::Operator(operator) => {
                    self.budget.step()?;
                    let right = values.pop().unwrap_or(Value::Nil);
                    let left = if *operator == Operator::Not {
                        Value::Nil
                    } else {
                        values.pop().unwrap_or(Value::Nil)
                    };
                    Value::Bool(self.operate(*operator, &left, &right)?)
                }
            };
            values.push(value);
        }
        Ok(values.into_iter().next().unwrap_or(Value::Nil))
    }

    fn operate(&self, operator: Operator, left: &Value<'a>, right: &Value<'a>) -> Result<bool, Fault> {
        let budget = self.budget;
        Ok(match operator {
            Operator::Equal => left.equals(right, budget)?,
            Operator::Unequal => !left.equals(right, budget)?,
            Operator::Greater => left.compare(right, budget)?.is_some_and(|order| order.is_gt()),
            Operator::Less => left.compare(right, budget)?.is_some_and(|order| order.is_lt()),
            Operator::GreaterOrEqual => left.compare(right, budget)?.is_some_and(|order| order.is_ge()),
            Operator::LessOrEqual => left.compare(right, budget)?.is_some_and(|order| order.is_le()),
            Operator::Contains => left.contains(right, budget)?,
            Operator::Not => !right.is_truthy(),
            Operator::And => left.is_truthy() && right.is_truthy(),
            Operator::Or => left.is_truthy() || right.is_truthy(),
        })
    }

    fn operand(&self, operand: &'a Operand<'a>) -> Result<Value<'a>, Fault> {
        self.budget.step()?;
        match operand {
            Operand::Literal(value) => Ok(value.clone()),
            Operand::Range(ends) => self.range(&ends.0, &ends.1),
            Operand::Path { base, names } => {
                let mut names = names.iter();
                let mut value = match base {
                    Some(base) => self.operand(base)?,
                    None => match names.next() {
                        Some(first) => self.variable(&self.operand(first)?)?,
                        None => Value::Nil,
                    },
                };
                for name in names {
                    value = value.property(&self.operand(name)?, self.budget)?;
                }
                Ok(value)
            }
        }
    }

    fn variable(&self, name: &Value<'a>) -> Result<Value<'a>, Fault> {
        let name: Text<'a> = name.to_text(self.budget)?;
        for frame in self.loops.iter().rev() {
            if frame.variable == &*name {
                return Ok(frame.item.clone());
            }
            if frame.state_name == &*name {
                return Ok(Value::Loop(frame.state.clone()));
            }
        }
        if let Some(value) = self.assigned.get(&*name) {
            return Ok(value.clone());
        }
        if let Some(count) = self.counters.get(&*name) {
            return Ok(Value::Number(*count));
        }
        Ok(self.variables.get(&*name).map_or(Value::Nil, Value::from))
    }

    fn range(&self, low: &'a Operand<'a>, high: &'a Operand<'a>) -> Result<Value<'a>, Fault> {
        let (low, high) =
            (self.operand(low)?.to_number(self.budget)?, self.operand(high)?.to_number(self.budget)?);
        // Also where an end is no number.
        if !matches!(low.partial_cmp(&high), Some(order) if order.is_le()) {
            return Ok(Value::from(Vec::new()));
        }
        // From `low` in steps of one while less than `high + 1`, as LiquidJS counts.
        let count = (high + 1.0 - low).ceil();
        // Not `>`: the difference of two infinities is no number.
        if !matches!(count.partial_cmp(&(MAX_RANGE as f64)), Some(order) if order.is_le()) {
            return Err(Fault::Bound(Bound::Range));
        }
        let count = count as usize;
        self.budget.elements(count)?;
        Ok(Value::from((0..count).map(|index| Value::Number(low + index as f64)).collect::<Vec<_>>()))
    }
}

/// Narrows `start..end` as JavaScript's `slice(from, to)` does: negative numbers count from the end.
pub(super) fn slice(start: usize, end: usize, from: f64, to: f64) -> (usize, usize) {
    let length = end.saturating_sub(start);
    let index = |from: f64| {
        let index = if from < 0.0 { (length as f64 + from.trunc()).max(0.0) } else { from };
        (index as usize).min(length)
    };
    let from = index(from);
    let to = index(to).max(from);
    (start.saturating_add(from), start.saturating_add(to))
}
