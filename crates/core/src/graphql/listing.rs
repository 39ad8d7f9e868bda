//! A list page by page: how far it has come, and when paging has gone wrong.

use std::collections::HashSet;

use dn_domain::backfill_plan::StoredChannel;

use super::Found;
use super::answer::ChannelPage;
use crate::transport::CallError;

/// How long a list can be. Beyond that it is none: paging has gone wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// What the list is of, for people.
    list: &'static str,
    /// So many pages at the most. A page takes a thousand records; one that is short or empty makes more of them,
    /// never so many.
    pages: usize,
    /// So many records at the most, deleted ones counted too.
    records: usize,
}

/// There are some hundred partner channels.
const CHANNELS: Bounds = Bounds { list: "partner channels", pages: 500, records: 100_000 };

/// A large catalogue has a million videos.
pub(super) const VIDEOS: Bounds =
    Bounds { list: "videos of the database", pages: 20_000, records: 5_000_000 };

/// Why there is no list. A part of one is never given.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// A page could not be had.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A token came twice.
    #[error("page {page} of the {list} gives a nextToken that came before: the list has no end")]
    TokenRepeated {
        /// What the list is of.
        list: &'static str,
        /// Which page, from 1.
        page: usize,
    },
    /// The list goes on and on.
    #[error("the {list} have no end: a list of more than {most} pages is none")]
    TooManyPages {
        /// What the list is of.
        list: &'static str,
        /// So many pages were asked for.
        most: usize,
    },
    /// It is longer than any list of its kind.
    #[error("the {list} have no end: a list of more than {most} records is none")]
    TooManyRecords {
        /// What the list is of.
        list: &'static str,
        /// There are more than so many.
        most: usize,
    },
}

/// How far a list has come.
#[derive(Debug)]
pub(super) struct Paging {
    bounds: Bounds,
    tokens: HashSet<String>,
    pages: usize,
    records: usize,
}

impl Paging {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, tokens: HashSet::new(), pages: 0, records: 0 }
    }

    /// Counts a page with so many records; gives the token of the next one.
    pub fn pass(&mut self, records: usize, next: Option<String>) -> Result<Option<String>, ListError> {
        let Bounds { list, pages, records: most } = self.bounds;
        self.pages += 1;
        self.records += records;
        if self.records > most {
            return Err(ListError::TooManyRecords { list, most });
        }
        match next {
            None => Ok(None),
            Some(token) if !self.tokens.insert(token.clone()) => {
                Err(ListError::TokenRepeated { list, page: self.pages })
            }
            Some(_) if self.pages == pages => Err(ListError::TooManyPages { list, most: pages }),
            token => Ok(token),
        }
    }
}

/// The partner channels so far.
#[derive(Debug)]
pub(super) struct Listing {
    /// Those that are not deleted.
    pub channels: Vec<StoredChannel>,
    paging: Paging,
}

impl Default for Listing {
    fn default() -> Self {
        Self { channels: Vec::new(), paging: Paging::new(CHANNELS) }
    }
}

impl Listing {
    /// Takes a page; gives the token of the next one.
    pub fn take(&mut self, page: ChannelPage) -> Result<Option<String>, ListError> {
        let next = self.paging.pass(page.items.len(), page.next_token)?;
        self.channels.extend(page.items.into_iter().filter_map(|found| match found {
            Found::Stored(channel) => Some(channel),
            Found::Deleted { .. } | Found::Absent => None,
        }));
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn page(items: &[Value], token: Option<&str>) -> ChannelPage {
        ChannelPage::read(json!({"items": items, "nextToken": token})).unwrap()
    }

    fn record(id: &str, deleted: Option<bool>) -> Value {
        json!({"id": id, "channelId": id, "customId": "c", "_version": 7, "_deleted": deleted})
    }

    #[test]
    fn g06_an_empty_page_goes_on_and_a_deleted_record_is_none() {
        let mut listing = Listing::default();
        assert_eq!(listing.take(page(&[], Some("a"))).unwrap().as_deref(), Some("a"));
        let items = [record("1", None), record("2", Some(true)), record("3", Some(false))];
        assert_eq!(listing.take(page(&items, None)).unwrap(), None);
        let kept: Vec<_> =
            listing.channels.iter().map(|channel| (channel.id.as_str(), channel.version)).collect();
        assert_eq!(kept, [("1", Some(7)), ("3", Some(7))]);
    }

    #[test]
    fn a23_a_list_without_an_end_is_none() {
        let mut listing = Listing::default();
        listing.take(page(&[], Some("a"))).unwrap();
        listing.take(page(&[], Some("b"))).unwrap();
        assert!(matches!(listing.take(page(&[], Some("a"))), Err(ListError::TokenRepeated { page: 3, .. })));

        for bounds in [CHANNELS, VIDEOS] {
            let mut paging = Paging::new(bounds);
            let last = (0..30_000).find_map(|number| paging.pass(0, Some(number.to_string())).err());
            assert!(matches!(last, Some(ListError::TooManyPages { .. })) && paging.pages == bounds.pages);

            let mut paging = Paging::new(bounds);
            let part = bounds.records * 2 / 5;
            let last = (0..5).find_map(|number| paging.pass(part, Some(number.to_string())).err());
            assert!(matches!(last, Some(ListError::TooManyRecords { .. })) && paging.pages == 3);
        }
    }
}
