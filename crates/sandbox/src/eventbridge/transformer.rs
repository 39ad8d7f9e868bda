//! The input transformer: fields of an event put into a target's input.

use serde_json::Value;

use crate::eventbridge::template::{Rule, Transformer};

/// The target's input as text, as EventBridge makes it. Whether that text is JSON is the target's question.
pub(crate) fn transform(transformer: &Transformer, event: &Value, rule: &Rule) -> String {
    let mut out = String::with_capacity(transformer.template.len());
    let mut in_text = false;
    let mut rest = transformer.template.as_str();
    while let Some(letter) = rest.chars().next() {
        if letter == '<'
            && let Some(end) = rest.find('>')
            && is_variable(&rest[1..end])
        {
            let name = &rest[1..end];
            insert(&mut out, value_of(transformer, event, rule, name), in_text);
            rest = &rest[end + 1..];
            continue;
        }
        let mut taken = letter.len_utf8();
        match letter {
            '"' => in_text = !in_text,
            '\\' if in_text => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn value_of(transformer: &Transformer, event: &Value, rule: &Rule, name: &str) -> Option<Value> {
    match name {
        "aws.events.rule-name" => return Some(Value::String(rule.name.clone())),
        "aws.events.event.json" | "aws.events.event" => return Some(event.clone()),
        "aws.events.event.ingestion-time" => return event.get("time").cloned(),
        _ => {}
    }
    follow(transformer.paths.get(name)?, event)
}

/// A JSON path of plain steps: `$.detail.status`, `$.detail-type`, `$.resources[0]`.
fn follow(path: &str, event: &Value) -> Option<Value> {
    let mut value = event;
    for step in path.strip_prefix('$')?.split('.').filter(|step| !step.is_empty()) {
        let (name, indices) = step.split_once('[').map_or((step, ""), |(name, rest)| (name, rest));
        if !name.is_empty() {
            value = value.get(name)?;
        }
        for index in indices.split('[').filter(|index| !index.is_empty()) {
            value = value.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
        }
    }
    Some(value.clone())
}

/// Outside of quotes a value stands as JSON. Inside them a text stands as it is, escaped, and an object loses its
/// quotes, since it would end the text otherwise.
fn insert(out: &mut String, value: Option<Value>, in_text: bool) {
    match (value, in_text) {
        (None, true) => {}
        (None, false) => out.push_str("\"\""),
        (Some(Value::String(text)), true) => {
            let quoted = Value::String(text).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
        (Some(value @ (Value::Object(_) | Value::Array(_))), true) => {
            out.push_str(&value.to_string().replace('"', ""));
        }
        (Some(value), _) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::eventbridge::template::tests::deployed;

    fn event() -> Value {
        json!({"id": "e-1", "source": "dn.backend.channelbackfill", "detail-type": "Channel Backfill Completed",
            "time": "2025-07-29T18:45:00Z", "resources": ["a", "b"],
            "detail": {"status": "success", "text": "say \"hi\"\n", "count": 3,
                "inner": {"k": "v"}}})
    }

    fn put(template: &str) -> String {
        let rule = deployed().rules.remove(0);
        let paths = [
            ("text", "$.detail.text"),
            ("inner", "$.detail.inner"),
            ("count", "$.detail.count"),
            ("second", "$.resources[1]"),
            ("none", "$.detail.none"),
        ];
        let transformer = Transformer {
            paths: paths.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect(),
            template: template.to_owned(),
        };
        transform(&transformer, &event(), &rule)
    }

    #[test]
    fn the_deployed_transformer_hands_the_trigger_over_as_environment() {
        let rule = deployed().rules.remove(0);
        let input = transform(rule.targets[0].transformer.as_ref().unwrap(), &event(), &rule);
        let input: Value = serde_json::from_str(&input).unwrap();
        let container = &input["containerOverrides"][0];
        assert_eq!(container["name"], "cms-customid-cleanup");
        let environment: Vec<(&str, &str)> = container["environment"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair["name"].as_str().unwrap(), pair["value"].as_str().unwrap()))
            .collect();
        assert_eq!(
            environment,
            [
                ("TRIGGER_SOURCE", "dn.backend.channelbackfill"),
                ("TRIGGER_DETAIL_TYPE", "Channel Backfill Completed"),
                ("TRIGGER_STATUS", "success"),
                ("TRIGGER_EVENT_ID", "e-1"),
                ("TRIGGER_TIMESTAMP", "2025-07-29T18:45:00Z"),
            ]
        );
    }

    #[test]
    fn a_variable_stands_as_json_outside_of_quotes_and_as_text_inside() {
        assert_eq!(put(r#"{"a": <text>, "b": "<text>!"}"#), r#"{"a": "say \"hi\"\n", "b": "say \"hi\"\n!"}"#);
        assert_eq!(
            put(r#"{"n": <count>, "s": "<count>", "r": <second>}"#),
            r#"{"n": 3, "s": "3", "r": "b"}"#
        );
        assert_eq!(put(r#"{"d": "<inner>"}"#), r#"{"d": "{k:v}"}"#);
        assert_eq!(put(r#"{"gone": "<none>"}"#), r#"{"gone": ""}"#);
        assert_eq!(put("a < b > c"), "a < b > c");
    }
}
