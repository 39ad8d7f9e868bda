//! The rules as the CloudFormation template has them: what is tested here is what is deployed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

use crate::signature::REGION;

/// The account that the known environment lives in is a parameter of nothing here: ARNs need some account.
pub(crate) const ACCOUNT: &str = "000000000000";

/// A rule with its targets.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub name: String,
    pub bus: String,
    pub pattern: Value,
    pub enabled: bool,
    pub targets: Vec<Target>,
}

/// Where a matching event goes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub id: String,
    pub arn: String,
    pub starts_task: bool,
    pub transformer: Option<Transformer>,
}

/// How the event is rewritten on its way.
#[derive(Debug, Clone)]
pub(crate) struct Transformer {
    pub paths: BTreeMap<String, String>,
    pub template: String,
}

/// What the sandbox reads of a template.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub buses: Vec<String>,
    pub rules: Vec<Rule>,
}

impl Workflow {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the workflow template {} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("the workflow template {} is refused", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let yaml: Yaml = serde_yaml_ng::from_str(text)?;
        let names = Names::of(&yaml)?;
        let mut workflow = Self { buses: Vec::new(), rules: Vec::new() };
        let resources = yaml.get("Resources").and_then(Yaml::as_mapping).context("there are no Resources")?;
        for (logical, resource) in resources {
            let logical = logical.as_str().unwrap_or_default();
            let kind = resource.get("Type").and_then(Yaml::as_str).unwrap_or_default();
            let properties = match resource.get("Properties") {
                Some(properties) => names.resolve(properties).with_context(|| logical.to_owned())?,
                None => Value::Null,
            };
            match kind {
                "AWS::Events::EventBus" => workflow.buses.push(text_of(&properties, "Name")?),
                "AWS::Events::Rule" => {
                    workflow.rules.push(rule(&properties).with_context(|| logical.to_owned())?);
                }
                _ => {}
            }
        }
        if workflow.buses.is_empty() {
            bail!("there is no AWS::Events::EventBus");
        }
        Ok(workflow)
    }
}

fn text_of(properties: &Value, name: &str) -> Result<String> {
    properties
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("{name} is no text"))
}

fn rule(properties: &Value) -> Result<Rule> {
    let mut targets = Vec::new();
    for target in properties.get("Targets").and_then(Value::as_array).into_iter().flatten() {
        let transformer = match target.get("InputTransformer") {
            None => None,
            Some(transformer) => Some(Transformer {
                paths: transformer
                    .get("InputPathsMap")
                    .cloned()
                    .map(serde_json::from_value)
                    .transpose()?
                    .unwrap_or_default(),
                template: text_of(transformer, "InputTemplate")?,
            }),
        };
        targets.push(Target {
            id: text_of(target, "Id")?,
            arn: text_of(target, "Arn")?,
            starts_task: target.get("EcsParameters").is_some(),
            transformer,
        });
    }
    Ok(Rule {
        name: text_of(properties, "Name")?,
        bus: text_of(properties, "EventBusName").unwrap_or_else(|_| "default".to_owned()),
        pattern: properties.get("EventPattern").cloned().context("a rule without EventPattern")?,
        enabled: properties.get("State").and_then(Value::as_str).unwrap_or("ENABLED") == "ENABLED",
        targets,
    })
}

/// What `!Ref`, `!GetAtt` and `!Sub` stand for.
struct Names {
    parameters: BTreeMap<String, Value>,
    /// Logical id → type and, where one is given, name.
    resources: BTreeMap<String, (String, Option<String>)>,
}

impl Names {
    fn of(yaml: &Yaml) -> Result<Self> {
        let mut parameters = BTreeMap::from([
            ("AWS::Region".to_owned(), json!(REGION)),
            ("AWS::AccountId".to_owned(), json!(ACCOUNT)),
            ("AWS::Partition".to_owned(), json!("aws")),
        ]);
        for (name, parameter) in yaml.get("Parameters").and_then(Yaml::as_mapping).into_iter().flatten() {
            if let (Some(name), Some(default)) = (name.as_str(), parameter.get("Default")) {
                parameters.insert(name.to_owned(), serde_json::to_value(default)?);
            }
        }
        let mut names = Self { parameters, resources: BTreeMap::new() };
        for (name, resource) in yaml.get("Resources").and_then(Yaml::as_mapping).into_iter().flatten() {
            let kind = resource.get("Type").and_then(Yaml::as_str).unwrap_or_default().to_owned();
            let given = resource.get("Properties").and_then(|properties| {
                ["Name", "TopicName", "QueueName"].iter().find_map(|key| properties.get(*key))
            });
            let given = given.and_then(|value| names.resolve(value).ok());
            let given = given.as_ref().and_then(Value::as_str).map(str::to_owned);
            names.resources.insert(name.as_str().unwrap_or_default().to_owned(), (kind, given));
        }
        Ok(names)
    }

    fn resolve(&self, yaml: &Yaml) -> Result<Value> {
        Ok(match yaml {
            Yaml::Sequence(items) => {
                Value::Array(items.iter().map(|item| self.resolve(item)).collect::<Result<_>>()?)
            }
            Yaml::Mapping(pairs) => {
                let mut object = Map::new();
                for (key, value) in pairs {
                    object.insert(key.as_str().unwrap_or_default().to_owned(), self.resolve(value)?);
                }
                Value::Object(object)
            }
            Yaml::Tagged(tagged) => {
                let tag = tagged.tag.to_string();
                let argument = tagged.value.as_str();
                match (tag.as_str(), argument) {
                    ("!Ref", Some(name)) => self.reference(name)?,
                    ("!GetAtt", Some(path)) => Value::String(self.attribute(path)?),
                    ("!Sub", Some(text)) => Value::String(self.substitute(text)?),
                    _ => bail!("{tag} is not understood here"),
                }
            }
            plain => serde_json::to_value(plain)?,
        })
    }

    fn reference(&self, name: &str) -> Result<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        let (kind, given) = self.resources.get(name).with_context(|| format!("{name} is not defined"))?;
        // A topic's reference is its ARN, the others' is their name.
        if kind == "AWS::SNS::Topic" {
            return Ok(Value::String(self.attribute(&format!("{name}.TopicArn"))?));
        }
        Ok(Value::String(given.clone().unwrap_or_else(|| name.to_owned())))
    }

    fn attribute(&self, path: &str) -> Result<String> {
        let (logical, attribute) =
            path.split_once('.').with_context(|| format!("{path} names no attribute"))?;
        let (kind, given) =
            self.resources.get(logical).with_context(|| format!("{logical} is not defined"))?;
        let name = given.clone().unwrap_or_else(|| logical.to_owned());
        if attribute == "Name" {
            return Ok(name);
        }
        let resource = match kind.as_str() {
            "AWS::Events::EventBus" => format!("events:{REGION}:{ACCOUNT}:event-bus/{name}"),
            "AWS::Events::Rule" => format!("events:{REGION}:{ACCOUNT}:rule/{name}"),
            "AWS::SNS::Topic" => format!("sns:{REGION}:{ACCOUNT}:{name}"),
            "AWS::SQS::Queue" => format!("sqs:{REGION}:{ACCOUNT}:{name}"),
            "AWS::Logs::LogGroup" => format!("logs:{REGION}:{ACCOUNT}:log-group:{name}"),
            "AWS::IAM::Role" => format!("iam::{ACCOUNT}:role/{name}"),
            "AWS::ECS::Cluster" => format!("ecs:{REGION}:{ACCOUNT}:cluster/{name}"),
            other => format!("{}:{REGION}:{ACCOUNT}:{name}", other.to_ascii_lowercase().replace("::", "-")),
        };
        Ok(format!("arn:aws:{resource}"))
    }

    fn substitute(&self, text: &str) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let end = rest[at..].find('}').with_context(|| format!("an open ${{ in {text:?}"))? + at;
            let name = &rest[at + 2..end];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str("${");
                out.push_str(literal);
                out.push('}');
            } else if name.contains('.') {
                out.push_str(&self.attribute(name)?);
            } else {
                match self.reference(name)? {
                    Value::String(text) => out.push_str(&text),
                    other => out.push_str(&other.to_string()),
                }
            }
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn deployed() -> Workflow {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/workflow.yaml");
        Workflow::read(&path).unwrap()
    }

    #[test]
    fn reads_the_bus_and_both_rules_of_the_deployed_template() {
        let workflow = deployed();
        assert_eq!(workflow.buses, ["dn-backend-workflow-bus-dev"]);
        let names: Vec<&str> = workflow.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["channelbackfill-success-trigger-dev", "channelbackfill-failure-alert-dev"]);
        let success = &workflow.rules[0];
        assert_eq!(success.bus, "dn-backend-workflow-bus-dev");
        assert_eq!(
            success.pattern,
            json!({"source": ["dn.backend.channelbackfill"], "detail-type": ["Channel Backfill Completed"],
                "detail": {"status": ["success"]}})
        );
        assert!(success.targets[0].starts_task && success.targets[0].arn.contains(":ecs:us-east-1:"));
        assert!(!workflow.rules[1].targets[0].starts_task);
        assert!(workflow.rules[1].targets[0].arn.starts_with("arn:aws:sns:"));
    }

    #[test]
    fn refuses_a_template_that_names_what_it_does_not_define() {
        let text =
            "Resources:\n  R:\n    Type: AWS::Events::Rule\n    Properties:\n      Name: !Ref Nothing\n";
        let refused = format!("{:#}", Workflow::parse(text).unwrap_err());
        assert_eq!(refused, "R: Nothing is not defined");
    }
}
