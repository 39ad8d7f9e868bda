//! Where a call to Google goes.

use url::Url;

/// The address of a method below an API's own, with its query; on behalf of a content owner where there is one. Answers
/// come without the blanks that make them pretty.
pub(super) fn address(base: &Url, path: &str, query: &[(&str, &str)], content_owner: Option<&str>) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
    let owner = content_owner.map(|owner| ("onBehalfOfContentOwner", owner));
    url.query_pairs_mut().extend_pairs(query).extend_pairs(owner).append_pair("prettyPrint", "false");
    url
}
