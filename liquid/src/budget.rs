//! What one rendering may take.
//!
//! A template is written by whoever may start a workflow, its values by whoever may sign up. Without bounds, four
//! lines of Liquid double a string until memory ends, and one range keeps a worker busy for hours; the guest then
//! dies by a trap, which tells the author nothing. So everything that a template can multiply is paid for here
//! *before* it is made, and running out is an ordinary error with a line.

use std::cell::Cell;
use std::fmt;

use super::error::Fault;
use super::value::Value;

/// Longest template. Auth0 takes at most 102 400 characters (`params.body` of Flows "Send email"), each of which is
/// at most four bytes of UTF-8.
pub(super) const MAX_TEMPLATE_BYTES: usize = 4 * 102_400;

/// Deepest nesting of blocks, and of `a[b[c]]` and ranges. The figure of Shopify's Liquid (`Block::MAX_DEPTH`).
/// Reading and rendering 100 levels takes 320 KiB of native stack at the dev profile's optimisation; the guest has
/// 1 MiB (a test runs it in half of that).
pub(super) const MAX_DEPTH: u32 = 100;

/// Most nodes rendered, loop iterations, and values and filters evaluated. An email with 100 rows of ten values takes
/// about 4000; 200 000 take 20 to 60 ms as WebAssembly.
const MAX_STEPS: u32 = 200_000;

/// Largest rendered text. Ten times what Auth0 takes as a body; Gmail clips an email after 102 KB.
const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// Largest text that a filter may make: no value that cannot be put out is of use.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// Most bytes of values read and made by all tags, filters and comparisons of one rendering, and of the tags
/// themselves. It bounds memory (nothing is given back before the end, as `memoryLimit` of LiquidJS) and time (each
/// step could read 1 MiB otherwise): of 11 000 templates that loop over large values, the slowest took 0.9 s natively,
/// built for size (decimal texts half way between two doubles, read as numbers). A body of 102 400 characters that runs
/// through ten filters takes 2 MiB.
const MAX_WORK_BYTES: usize = 16 << 20;

/// Longest range: `(1..10000)`. An email with 10 000 rows is past every other bound.
pub(super) const MAX_RANGE: usize = 10_000;

/// A limit of one rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// Bytes of the template.
    Template,
    /// Nesting of blocks and of values.
    Depth,
    /// Nodes, loop iterations, values and filters.
    Steps,
    /// Bytes of rendered text.
    Output,
    /// Bytes of one value.
    Value,
    /// Bytes of all values together.
    Work,
    /// Numbers in one range.
    Range,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template => write!(f, "the template is longer than {MAX_TEMPLATE_BYTES} bytes"),
            Self::Depth => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            Self::Steps => {
                write!(f, "rendering takes more than {MAX_STEPS} steps (loop iterations, values, filters)")
            }
            Self::Output => write!(f, "the rendered text is longer than {MAX_OUTPUT_BYTES} bytes"),
            Self::Value => write!(f, "a value is longer than {MAX_VALUE_BYTES} bytes"),
            Self::Work => write!(f, "rendering works on more than {MAX_WORK_BYTES} bytes of values"),
            Self::Range => write!(f, "a range has more than {MAX_RANGE} numbers"),
        }
    }
}

/// What is left for the rendering under way.
#[derive(Debug)]
pub(super) struct Budget {
    steps: Cell<u32>,
    output: Cell<usize>,
    work: Cell<usize>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            steps: Cell::new(MAX_STEPS),
            output: Cell::new(MAX_OUTPUT_BYTES),
            work: Cell::new(MAX_WORK_BYTES),
        }
    }

    /// Pays for one node, loop iteration, value or filter.
    pub(super) fn step(&self) -> Result<(), Fault> {
        let left = self.steps.get().checked_sub(1).ok_or(Fault::Bound(Bound::Steps))?;
        self.steps.set(left);
        Ok(())
    }

    /// Pays for bytes of values that are read or made.
    pub(super) fn work(&self, bytes: usize) -> Result<(), Fault> {
        spend(&self.work, bytes, Bound::Work)
    }

    /// Pays for the elements of a list that is read or made.
    pub(super) fn elements(&self, count: usize) -> Result<(), Fault> {
        self.work(count.saturating_mul(size_of::<Value<'_>>()))
    }

    /// Pays for rendered text.
    pub(super) fn output(&self, bytes: usize) -> Result<(), Fault> {
        spend(&self.output, bytes, Bound::Output)
    }
}

fn spend(purse: &Cell<usize>, bytes: usize, bound: Bound) -> Result<(), Fault> {
    let left = purse.get().checked_sub(bytes).ok_or(Fault::Bound(bound))?;
    purse.set(left);
    Ok(())
}

/// Where text goes piece by piece, each piece paid for before it is copied.
pub(super) trait Sink {
    /// Adds a piece.
    fn put(&mut self, piece: &str) -> Result<(), Fault>;

    /// Returns the budget that pieces are paid from; who walks a list to write it pays for the walk too.
    fn budget(&self) -> &Budget;

    /// Adds one character.
    fn put_char(&mut self, piece: char) -> Result<(), Fault> {
        self.put(piece.encode_utf8(&mut [0; 4]))
    }
}

/// A text that a filter is making.
#[derive(Debug)]
pub(super) struct Draft<'b> {
    text: String,
    budget: &'b Budget,
}

impl<'b> Draft<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self { text: String::new(), budget }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

impl Sink for Draft<'_> {
    fn put(&mut self, piece: &str) -> Result<(), Fault> {
        if self.text.len().saturating_add(piece.len()) > MAX_VALUE_BYTES {
            return Err(Fault::Bound(Bound::Value));
        }
        self.budget.work(piece.len())?;
        self.text.push_str(piece);
        Ok(())
    }

    fn budget(&self) -> &Budget {
        self.budget
    }
}

/// The text that the rendering answers.
#[derive(Debug)]
pub(super) struct Page<'b> {
    text: String,
    budget: &'b Budget,
}

impl<'b> Page<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self { text: String::new(), budget }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

impl Sink for Page<'_> {
    fn put(&mut self, piece: &str) -> Result<(), Fault> {
        self.budget.output(piece.len())?;
        self.text.push_str(piece);
        Ok(())
    }

    fn budget(&self) -> &Budget {
        self.budget
    }
}
