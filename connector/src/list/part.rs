//! Which part of a list a curated action is asked for: by `limit` and `cursor`, or by Auth0's own paging members, which
//! stay accepted where an action had them.

use crate::core::error::Error;
use crate::input::input;
use crate::list::{List, MOST, Way};
use crate::operations::Paging;

input! {
    /// A part of a list that the API pages by number.
    #[derive(Default)]
    pub(crate) struct OffsetPart {
        /// Number of items, 1 to 100; 50 by default.
        #[schemars(range(min = 1, max = 100))]
        pub(crate) limit: Option<u32>,
        /// Where to go on: `next` of the previous page.
        pub(crate) cursor: Option<String>,
        /// Auth0's own paging: page, from 0. Excludes limit and cursor.
        pub(crate) page: Option<u32>,
        /// Auth0's own paging: page size, 0 to 100; 50 by default. Excludes limit and cursor.
        #[schemars(range(max = 100))]
        pub(crate) per_page: Option<u32>,
        /// Whether to answer the total number; true by default.
        pub(crate) include_totals: Option<bool>,
    }
}

input! {
    /// A part of a list that the API pages by checkpoint.
    #[derive(Default)]
    pub(crate) struct CheckpointPart {
        /// Number of items, 1 to 100; 50 by default.
        #[schemars(range(min = 1, max = 100))]
        pub(crate) limit: Option<u32>,
        /// Where to go on: `next` of the previous page.
        pub(crate) cursor: Option<String>,
        /// Auth0's own paging: the cursor. Excludes limit and cursor.
        pub(crate) from: Option<String>,
        /// Auth0's own paging: page size, 1 to 100. Excludes limit and cursor.
        #[schemars(range(min = 1, max = 100))]
        pub(crate) take: Option<u32>,
    }
}

input! {
    /// A part of a list that the API pages either way; `limit` and `cursor` read by checkpoint.
    #[derive(Default)]
    pub(crate) struct Part {
        /// Number of items, 1 to 100; 50 by default.
        #[schemars(range(min = 1, max = 100))]
        pub(crate) limit: Option<u32>,
        /// Where to go on: `next` of the previous page.
        pub(crate) cursor: Option<String>,
        /// Auth0's own paging: page, from 0. Reaches 1000 records; excludes all other paging but per_page.
        pub(crate) page: Option<u32>,
        /// Auth0's own paging: page size, 0 to 100; 50 by default. Excludes limit, cursor, from and take.
        #[schemars(range(max = 100))]
        pub(crate) per_page: Option<u32>,
        /// Whether to answer the total number, which a checkpoint has none of. Excludes limit, cursor, from and take.
        pub(crate) include_totals: Option<bool>,
        /// Auth0's own paging: the cursor. Excludes all other paging but take.
        pub(crate) from: Option<String>,
        /// Auth0's own paging: page size of the checkpoint, 1 to 100. Excludes all other paging but from.
        #[schemars(range(min = 1, max = 100))]
        pub(crate) take: Option<u32>,
    }
}

impl Part {
    /// Returns how to read it.
    ///
    /// # Errors
    /// `invalid-input` for a mixture, a size that is not allowed, and a cursor that is none of this list.
    pub(crate) fn way(self, list: &List<'_>) -> Result<Way, Error> {
        let Self { limit, cursor, page, per_page, include_totals, from, take } = self;
        let common = limit.is_some() || cursor.is_some();
        let numbered = page.is_some() || per_page.is_some();
        let checkpoint = from.is_some() || take.is_some();
        // Of a list that pages by number only, the total can be had with `limit` and `cursor` too.
        let by_number = numbered || (include_totals == Some(true) && list.paging == Paging::Either);
        if u8::from(common) + u8::from(by_number) + u8::from(checkpoint) > 1 {
            return Err(Error::invalid(
                "a mixture of paging styles refused: give `limit` and `cursor`, or one of Auth0's own styles alone \
                 (`page`, `per_page` and `include_totals`, or `from` and `take`)",
            ));
        }
        let totals = list.totals && include_totals != Some(false);
        if by_number {
            let (page, size) = (number(page.unwrap_or(0)), size("per_page", 0, per_page)?);
            let first = page.saturating_mul(size);
            return Ok(Way::Offset { first, limit: size, totals });
        }
        if from.as_deref() == Some("") {
            return Err(Error::invalid("an empty `from` refused: leave it out to begin at the start"));
        }
        if cursor.as_deref() == Some("") {
            return Err(Error::invalid("an empty `cursor` refused: leave it out to begin at the start"));
        }
        if checkpoint {
            return Ok(Way::Checkpoint { from, take: size("take", 1, take)? });
        }
        let way = list.way(Some(size("limit", 1, limit)?), cursor)?;
        Ok(match way {
            Way::Offset { first, limit, .. } => Way::Offset { first, limit, totals },
            way => way,
        })
    }
}

fn number(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn size(name: &str, least: usize, asked: Option<u32>) -> Result<usize, Error> {
    let size = asked.map_or(super::DEFAULT_LIMIT, number);
    if (least..=MOST).contains(&size) {
        Ok(size)
    } else {
        Err(Error::invalid(format!("{name} {size} refused: Auth0's pages hold {least} to {MOST} records")))
    }
}

impl From<OffsetPart> for Part {
    fn from(part: OffsetPart) -> Self {
        let OffsetPart { limit, cursor, page, per_page, include_totals } = part;
        Self { limit, cursor, page, per_page, include_totals, from: None, take: None }
    }
}

impl From<CheckpointPart> for Part {
    fn from(part: CheckpointPart) -> Self {
        let CheckpointPart { limit, cursor, from, take } = part;
        Self { limit, cursor, from, take, ..Self::default() }
    }
}
