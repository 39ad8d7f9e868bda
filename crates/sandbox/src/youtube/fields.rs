//! Google's `fields` parameter: the part of an answer that the caller wants, as `kind,items(id,metadataMine/customId)`.

use std::collections::BTreeMap;

use serde_json::Value;

/// The wanted fields; one with nothing below it is wanted whole.
#[derive(Debug, Default)]
struct Mask(BTreeMap<String, Mask>);

/// The wanted part of an answer; `None` for a selection that cannot be read.
pub(super) fn select(value: Value, fields: &str) -> Option<Value> {
    let (mask, rest) = read(fields)?;
    rest.is_empty().then(|| cut(value, &mask))
}

/// Reads up to the end or to a closing parenthesis, which is left.
fn read(mut text: &str) -> Option<(Mask, &str)> {
    let mut mask = Mask::default();
    loop {
        let end = text.find([',', '(', ')', '/']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'*') {
            return None;
        }
        let mut below = Mask::default();
        if let Some(inside) = rest.strip_prefix('(') {
            let (inner, after) = read(inside)?;
            (below, rest) = (inner, after.strip_prefix(')')?);
        } else if let Some(path) = rest.strip_prefix('/') {
            let end = path.find([',', ')']).unwrap_or(path.len());
            let (inner, unread) = read(&path[..end])?;
            if !unread.is_empty() {
                return None;
            }
            (below, rest) = (inner, &path[end..]);
        }
        mask.0.insert(name.to_owned(), below);
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None => return Some((mask, rest)),
        }
    }
}

fn cut(value: Value, mask: &Mask) -> Value {
    if mask.0.is_empty() || mask.0.contains_key("*") {
        return value;
    }
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(|item| cut(item, mask)).collect()),
        Value::Object(object) => object
            .into_iter()
            .filter_map(|(name, value)| {
                let below = mask.0.get(&name)?;
                Some((name, cut(value, below)))
            })
            .collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::select;

    #[test]
    fn gives_what_is_asked_for_and_no_more() {
        let asset = json!({"id": "A1", "label": ["x"], "metadataMine": {"customId": "c", "title": "t"}});
        let list = json!({"kind": "k", "items": [asset], "pageInfo": {}});
        let cut = |fields| select(list.clone(), fields);
        assert_eq!(
            cut("kind,items(id,metadataMine(customId))"),
            Some(json!({"kind": "k", "items": [{"id": "A1", "metadataMine": {"customId": "c"}}]}))
        );
        assert_eq!(
            cut("items/metadataMine/title,kind"),
            Some(json!({"kind": "k", "items": [{"metadataMine": {"title": "t"}}]}))
        );
        assert_eq!(cut("items(metadataMine)").unwrap()["items"][0]["metadataMine"]["title"], "t");
        for wrong in ["items(id", "items(id))", "", "items()", "kind,,items"] {
            assert_eq!(cut(wrong), None, "{wrong}");
        }
    }
}
