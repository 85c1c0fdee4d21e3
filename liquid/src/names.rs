//! Which variables a template may read, so that only those are fetched that are named.

use super::expression::{Filtered, Operand, Step};
use super::tags::{Node, NodeKind};
use super::value::Value;

/// The names at the roots of all paths of a template, in branches too that may not be rendered, and whether they are
/// assigned in the template or not.
#[derive(Debug, Default)]
pub(super) struct Names<'t> {
    pub(super) roots: Vec<&'t str>,
    /// `debug` shows all variables, and `{{ [name] }}` any.
    pub(super) any: bool,
}

impl<'t> Names<'t> {
    pub(super) fn nodes(&mut self, nodes: &'t [Node<'t>]) {
        for node in nodes {
            match &node.kind {
                NodeKind::Text(_) => {}
                NodeKind::Output(value) | NodeKind::Assign { value, .. } => self.filtered(value),
                // Counters begin where a variable of their name stands.
                NodeKind::Increment(name) | NodeKind::Decrement(name) => self.roots.push(name),
                NodeKind::Cycle(cycle) => {
                    self.operands(&cycle.group);
                    cycle.values.iter().for_each(|value| self.filtered(value));
                }
                NodeKind::If(choice) => {
                    for branch in &choice.branches {
                        self.filtered(&branch.condition);
                        self.nodes(&branch.body);
                    }
                    self.nodes(&choice.otherwise);
                }
                NodeKind::Case(case) => {
                    self.filtered(&case.value);
                    for (candidates, body) in &case.branches {
                        self.operands(candidates);
                        self.nodes(body);
                    }
                    self.nodes(&case.otherwise);
                }
                NodeKind::For(looped) | NodeKind::TableRow(looped) => {
                    self.operand(&looped.collection);
                    self.operands(looped.settings.iter().filter_map(|(_, value)| value.as_ref()));
                    self.nodes(&looped.body);
                    self.nodes(&looped.otherwise);
                }
                NodeKind::Debug => self.any = true,
            }
        }
    }

    fn filtered(&mut self, filtered: &'t Filtered<'t>) {
        for step in &filtered.steps {
            if let Step::Operand(operand) = step {
                self.operand(operand);
            }
        }
        for call in &filtered.filters {
            self.operands(&call.arguments);
            self.operands(call.named.iter().map(|(_, value)| value));
        }
    }

    fn operands(&mut self, operands: impl IntoIterator<Item = &'t Operand<'t>>) {
        operands.into_iter().for_each(|operand| self.operand(operand));
    }

    fn operand(&mut self, operand: &'t Operand<'t>) {
        match operand {
            Operand::Literal(_) => {}
            Operand::Range(ends) => self.operands([&ends.0, &ends.1]),
            Operand::Path { base, names } => {
                match (base, names.first()) {
                    (Some(base), _) => self.operand(base),
                    (None, Some(Operand::Literal(Value::Text(name)))) => self.roots.push(name),
                    (None, _) => self.any = true,
                }
                self.operands(names);
            }
        }
    }
}
