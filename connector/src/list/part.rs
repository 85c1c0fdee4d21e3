//! Which part of a list a curated action is asked for: by `limit` and `cursor`, or by Auth0's own paging members, which
//! stay accepted where an action had them. `cursor` goes on in either style.

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
        /// Auth0's own paging: page, from 0. Excludes all other paging but per_page.
        pub(crate) page: Option<u32>,
        /// Auth0's own paging: page size, 0 to 100; 50 by default. Excludes limit.
        #[schemars(range(max = 100))]
        pub(crate) per_page: Option<u32>,
        /// Whether to answer the total number, where the tenant knows it; true by default.
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
        /// Auth0's own paging: the cursor.
        pub(crate) from: Option<String>,
        /// Auth0's own paging: page size, 1 to 100. Excludes limit.
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
        /// Auth0's own paging: page size, 0 to 100; 50 by default. Excludes limit, from and take.
        #[schemars(range(max = 100))]
        pub(crate) per_page: Option<u32>,
        /// Whether to answer the total number, which a checkpoint has none of. Excludes limit, from and take.
        pub(crate) include_totals: Option<bool>,
        /// Auth0's own paging: the cursor. Excludes page and per_page.
        pub(crate) from: Option<String>,
        /// Auth0's own paging: page size of the checkpoint, 1 to 100. Excludes page, per_page and limit.
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
        let sizes = [limit, per_page, take].into_iter().flatten().count();
        // `next` goes on whatever the first page was asked for by: a reader adds it to the same input.
        let numbered = page.is_some() || (cursor.is_none() && per_page.is_some());
        let checkpoint = from.is_some() || (cursor.is_none() && take.is_some());
        // Of a list that pages by number only, the total can be had with `limit` and `cursor` too.
        let totalled = include_totals == Some(true) && list.paging == Paging::Either && cursor.is_none();
        let mixed = sizes > 1
            || (page.is_some() && (cursor.is_some() || from.is_some() || limit.is_some()))
            || ((numbered || totalled) && (checkpoint || limit.is_some()));
        if mixed {
            return Err(Error::invalid(
                "a mixture of paging styles refused: give `limit` and `cursor`, or one of Auth0's own styles alone \
                 (`page`, `per_page` and `include_totals`, or `from` and `take`)",
            ));
        }
        for (name, text) in [("cursor", &cursor), ("from", &from)] {
            if text.as_deref() == Some("") {
                return Err(Error::invalid(format!(
                    "an empty `{name}` refused: leave it out to begin at the start"
                )));
            }
        }
        let totals = list.totals && include_totals != Some(false);
        if numbered || totalled {
            let per_page = per_page.map(|asked| size("per_page", 0, Some(asked))).transpose()?;
            return Ok(Way::Page { page: number(page.unwrap_or(0)), per_page, totals });
        }
        let limit = match (per_page, take) {
            (Some(_), _) => size("per_page", 1, per_page)?,
            (_, Some(_)) => size("take", 1, take)?,
            _ => size("limit", 1, limit)?,
        };
        if checkpoint && cursor.is_none() {
            return Ok(Way::Checkpoint { from, take: limit });
        }
        Ok(match list.way(Some(limit), cursor)? {
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
