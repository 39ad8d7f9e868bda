//! A list page by page: what has come so far, and when paging has gone wrong.

use std::collections::HashSet;

use dn_domain::backfill_plan::StoredChannel;

use super::Found;
use super::answer::ChannelPage;
use crate::transport::CallError;

/// No partner list is longer: there are some hundred channels, and a page takes a thousand. A filter that leaves a page
/// empty makes more of them, never so many.
const MAX_PAGES: usize = 500;
/// Nor has it so many records, deleted ones counted too.
const MAX_RECORDS: usize = 100_000;

/// Why there is no list. A part of one is never given.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// A page could not be had.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A token came twice.
    #[error("page {page} of the partner channels gives a nextToken that came before: the list has no end")]
    TokenRepeated {
        /// Which page, from 1.
        page: usize,
    },
    /// The list goes on and on.
    #[error("the partner channels have no end: a list of more than {MAX_PAGES} pages is none")]
    TooManyPages,
    /// It is longer than any partner list.
    #[error("the partner channels have no end: a list of more than {MAX_RECORDS} records is none")]
    TooManyRecords,
}

/// The pages so far.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The channels in them that are not deleted.
    pub channels: Vec<StoredChannel>,
    tokens: HashSet<String>,
    pages: usize,
    records: usize,
}

impl Listing {
    /// Takes a page; gives the token of the next one.
    pub fn take(&mut self, page: ChannelPage) -> Result<Option<String>, ListError> {
        self.pages += 1;
        self.records += page.items.len();
        if self.records > MAX_RECORDS {
            return Err(ListError::TooManyRecords);
        }
        self.channels.extend(page.items.into_iter().filter_map(|found| match found {
            Found::Stored(channel) => Some(channel),
            Found::Deleted { .. } | Found::Absent => None,
        }));
        match page.next_token {
            None => Ok(None),
            Some(token) if !self.tokens.insert(token.clone()) => {
                Err(ListError::TokenRepeated { page: self.pages })
            }
            Some(_) if self.pages == MAX_PAGES => Err(ListError::TooManyPages),
            token => Ok(token),
        }
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
        assert!(matches!(listing.take(page(&[], Some("a"))), Err(ListError::TokenRepeated { page: 3 })));

        let mut listing = Listing::default();
        let last = (0..2_000).find_map(|number| listing.take(page(&[], Some(&number.to_string()))).err());
        assert!(matches!(last, Some(ListError::TooManyPages)) && listing.pages == MAX_PAGES);

        let mut listing = Listing::default();
        let items = vec![record("1", None); 40_000];
        let last = (0..5).find_map(|number| listing.take(page(&items, Some(&number.to_string()))).err());
        assert!(matches!(last, Some(ListError::TooManyRecords)) && listing.pages == 3);
    }
}
