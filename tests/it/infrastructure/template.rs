//! A template as it is deployed: with the parameters of the known environment in it.

use std::collections::BTreeMap;

use dn_tests::root;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

/// An account for what `${AWS::AccountId}` stands in.
pub(crate) const ACCOUNT: &str = "123456789012";

/// The templates' file names.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("infra"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() > 3, "the templates were not found");
    names
}

/// What `infra/params/dev.json` says.
pub(crate) fn known_environment() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("infra/params/dev.json")).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(file["Parameters"].take()).unwrap()
}

/// A template whose parameters, mappings, conditions and pseudo parameters are resolved; what refers to another resource
/// stands as `{"<function>": argument}`.
pub(crate) struct Template {
    pub(crate) name: String,
    /// Parameter → value.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The parameters that have a default, with it.
    pub(crate) defaults: BTreeMap<String, String>,
    yaml: Yaml,
    resources: Value,
}

impl Template {
    pub(crate) fn read(name: &str) -> Self {
        Self::read_with(name, &known_environment())
    }

    /// With other parameters than those of the known environment.
    pub(crate) fn read_with(name: &str, given: &BTreeMap<String, String>) -> Self {
        let text = std::fs::read_to_string(root().join("infra").join(name)).unwrap();
        let yaml: Yaml = serde_yaml_ng::from_str(&text).unwrap();
        let (mut parameters, mut defaults) = (BTreeMap::new(), BTreeMap::new());
        for (parameter, particulars) in yaml["Parameters"].as_mapping().unwrap() {
            let parameter = parameter.as_str().unwrap().to_owned();
            let default = particulars.get("Default").map(|default| {
                let text = default.as_str().map(str::to_owned);
                text.unwrap_or_else(|| serde_yaml_ng::to_string(default).unwrap().trim().to_owned())
            });
            let value = given.get(&parameter).or(default.as_ref()).cloned();
            parameters.insert(parameter.clone(), value.unwrap_or_else(|| format!("<{parameter}>")));
            defaults.extend(default.map(|default| (parameter, default)));
        }
        let pseudo = [
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Region", "us-east-1"),
            ("AWS::Partition", "aws"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ];
        let mut template = Self { name: name.to_owned(), parameters, defaults, yaml, resources: Value::Null };
        template.parameters.extend(pseudo.map(|(name, value)| (name.to_owned(), value.to_owned())));
        template.resources = template.resolve(&template.yaml["Resources"]).unwrap();
        template
    }

    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        names().iter().map(|name| Self::read(name)).collect()
    }

    /// Nothing where the value is none (`AWS::NoValue`).
    fn resolve(&self, yaml: &Yaml) -> Option<Value> {
        Some(match yaml {
            Yaml::Tagged(tagged) => {
                let (function, argument) = (tagged.tag.to_string(), &tagged.value);
                match (function.as_str(), argument.as_str(), argument.as_sequence()) {
                    ("!Ref", Some("AWS::NoValue"), _) => return None,
                    ("!Ref", Some(name), _) if self.parameters.contains_key(name) => {
                        json!(self.parameters[name])
                    }
                    ("!Sub", Some(text), _) => json!(self.substitute(text)),
                    ("!Sub", _, Some(parts)) => {
                        let own = parts[1].as_mapping().unwrap().iter();
                        let text = own.fold(parts[0].as_str().unwrap().to_owned(), |text, (name, value)| {
                            let value = self.resolve(value).unwrap();
                            text.replace(&format!("${{{}}}", name.as_str().unwrap()), value.as_str().unwrap())
                        });
                        json!(self.substitute(&text))
                    }
                    ("!Select", _, Some(parts)) => {
                        let list = self.resolve(&parts[1]).unwrap();
                        let at = usize::try_from(parts[0].as_u64().unwrap()).unwrap();
                        json!(list.as_str().unwrap().split(',').nth(at).unwrap())
                    }
                    ("!If", _, Some(parts)) => {
                        let holds = self.holds(&self.yaml["Conditions"][parts[0].as_str().unwrap()]);
                        return self.resolve(&parts[if holds { 1 } else { 2 }]);
                    }
                    ("!FindInMap", _, Some(parts)) => {
                        let keys = parts.iter().map(|part| self.resolve(part).unwrap());
                        let keys: Vec<String> = keys.map(|key| key.as_str().unwrap().to_owned()).collect();
                        let found = &self.yaml["Mappings"][&*keys[0]][&*keys[1]][&*keys[2]];
                        json!(found.as_str().unwrap_or_else(|| panic!("{keys:?} is not in the mapping")))
                    }
                    _ => json!({function: self.resolve(argument)}),
                }
            }
            Yaml::Mapping(mapping) => mapping
                .iter()
                .filter_map(|(key, value)| Some((key.as_str().unwrap().to_owned(), self.resolve(value)?)))
                .collect(),
            Yaml::Sequence(items) => items.iter().filter_map(|item| self.resolve(item)).collect(),
            plain => serde_json::to_value(plain).unwrap(),
        })
    }

    fn substitute(&self, text: &str) -> String {
        self.parameters
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    fn holds(&self, condition: &Yaml) -> bool {
        let Yaml::Tagged(tagged) = condition else { panic!("no condition: {condition:?}") };
        let parts = tagged.value.as_sequence().unwrap();
        match tagged.tag.to_string().as_str() {
            "!Not" => !self.holds(&parts[0]),
            "!Equals" => self.resolve(&parts[0]) == self.resolve(&parts[1]),
            other => panic!("{other} is not understood here"),
        }
    }

    /// The resources of a kind: logical name → properties.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.resources.as_object().unwrap().iter();
        resources
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
            .collect()
    }

    /// All resources.
    pub(crate) fn resources(&self) -> &serde_json::Map<String, Value> {
        self.resources.as_object().unwrap()
    }

    /// A resource with all that is beside its properties.
    pub(crate) fn resource(&self, logical: &str) -> &Value {
        &self.resources[logical]
    }

    /// The rule of a name: its logical name and its properties.
    pub(crate) fn rule(&self, name: &str) -> (&str, &Value) {
        let rules = self.of_type("AWS::Events::Rule");
        rules.into_iter().find(|(_, rule)| rule["Name"] == name).unwrap_or_else(|| panic!("no rule {name}"))
    }
}

/// One or several, as policies write it.
pub(crate) fn many(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}
