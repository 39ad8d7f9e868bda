//! Which addresses may be followed from a report, and those of Studio.

use dn_domain::claims::links;
use dn_domain::printable::printable;
use url::Url;

/// Whose pages a report may lead to: a link in an alert is made of foreign ids, and must lead nowhere else.
const HOSTS: [&str; 2] = ["studio.youtube.com", "www.youtube.com"];

/// The longest address that is made a link; a spreadsheet takes 2,080 characters.
const MAX_LINK_BYTES: usize = 500;

/// A place to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The address, where it may be followed.
    pub href: Option<String>,
    /// What is shown.
    pub label: String,
}

impl Link {
    /// An address of a digest: followed when it is one of YouTube's, else shown as text.
    pub fn to(address: &str) -> Self {
        match known(address) {
            Some(url) => Self { label: label(&url).to_owned(), href: Some(url.into()) },
            None => Self { label: printable(address), href: None },
        }
    }
}

/// The address, if it leads to one of YouTube's own pages and there alone.
pub(super) fn known(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    let is_known =
        matches!(url.scheme(), "https" | "http") && url.host_str().is_some_and(|host| HOSTS.contains(&host));
    (is_plain && is_known && url.as_str().len() <= MAX_LINK_BYTES).then_some(url)
}

fn label(url: &Url) -> &'static str {
    let first = url.path_segments().and_then(|mut parts| parts.next()).unwrap_or_default();
    match (url.host_str(), first) {
        (Some("studio.youtube.com"), "asset") => "Asset in Studio",
        (Some("studio.youtube.com"), "video") => "Video in Studio",
        (Some("studio.youtube.com"), "channel") => "Channel in Studio",
        (Some("studio.youtube.com"), _) => "Studio",
        (_, "watch") => "Watch on YouTube",
        (_, "channel") => "Channel on YouTube",
        _ => "YouTube",
    }
}

/// The page of what a finding is about, by the type and id of its subject; none where Studio has none.
pub(super) fn of_subject(kind: &str, id: &str) -> Option<String> {
    let address = match kind {
        "asset" => links::asset(id),
        "video" => format!("https://studio.youtube.com/video/{id}"),
        "channel" => links::channel(id),
        _ => return None,
    };
    let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (is_id && !id.is_empty()).then_some(address)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://studio.youtube.com/asset/A000000000000001", "Asset in Studio")]
    #[case("https://www.youtube.com/watch?v=abcdefghijk", "Watch on YouTube")]
    #[case("HTTPS://WWW.YOUTUBE.COM/", "YouTube")]
    fn youtubes_own_pages_may_be_followed(#[case] address: &str, #[case] label: &str) {
        let link = Link::to(address);
        assert_eq!(link.label, label);
        assert!(link.href.unwrap().starts_with("https://"));
    }

    #[rstest]
    #[case("javascript:alert(1)//https://studio.youtube.com/")]
    #[case("https://studio.youtube.com@evil.example/")]
    #[case("https://me:secret@studio.youtube.com/")]
    #[case("https://studio.youtube.com.evil.example/")]
    #[case("https://studio.youtube.com:8443/")]
    #[case("https://studio.y\u{43e}utube.com/")]
    #[case("//studio.youtube.com/")]
    #[case("data:text/html,<script>alert(1)</script>")]
    #[case("")]
    fn v16_no_other_address_is_made_a_link(#[case] address: &str) {
        assert_eq!(Link::to(address), Link { href: None, label: printable(address) });
    }

    #[test]
    fn what_is_hostile_in_a_known_address_is_encoded() {
        let link = Link::to("https://studio.youtube.com/video/\"><script>\u{202e}");
        assert_eq!(link.href.unwrap(), "https://studio.youtube.com/video/%22%3E%3Cscript%3E%E2%80%AE");
    }

    #[test]
    fn a_subject_without_a_proper_id_has_no_page() {
        assert_eq!(
            of_subject("video", "abcdefghijk").unwrap(),
            "https://studio.youtube.com/video/abcdefghijk"
        );
        assert_eq!(of_subject("video", "../x"), None);
        assert_eq!(of_subject("asset", ""), None);
        assert_eq!(of_subject("file", "a"), None);
    }
}
