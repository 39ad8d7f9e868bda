//! The SDL: which types, fields and arguments there are.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use async_graphql_parser::types::{
    BaseType, EnumType, FieldDefinition, InputObjectType, InputValueDefinition, Type, TypeKind,
    TypeSystemDefinition,
};
use serde_json::{Map, Value};

/// What every API knows of itself, as far as it is asked for.
const INTROSPECTION: &str = "type Meta { __type(name: String!): __Type } \
    type __Type { name: String fields: [__Field!] } type __Field { name: String! }";

/// The types of the API by name.
pub(crate) struct Schema {
    objects: HashMap<String, Vec<FieldDefinition>>,
    inputs: HashMap<String, InputObjectType>,
    enums: HashMap<String, EnumType>,
    scalars: Vec<String>,
    pub query: String,
    pub mutation: String,
}

impl Schema {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the schema {} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| format!("the schema {} is refused", path.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut schema = Self::parse_types(text)?;
        let mut meta = Self::parse_types(INTROSPECTION)?;
        let roots = meta.objects.remove("Meta").unwrap_or_default();
        schema.objects.entry(schema.query.clone()).or_default().extend(roots);
        schema.objects.extend(meta.objects);
        Ok(schema)
    }

    fn parse_types(text: &str) -> Result<Self> {
        let document = async_graphql_parser::parse_schema(text)?;
        let mut schema = Self {
            objects: HashMap::new(),
            inputs: HashMap::new(),
            enums: HashMap::new(),
            scalars: ["ID", "String", "Int", "Float", "Boolean"].map(str::to_owned).to_vec(),
            query: "Query".to_owned(),
            mutation: "Mutation".to_owned(),
        };
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(roots) => {
                    if let Some(query) = roots.node.query {
                        schema.query = query.node.to_string();
                    }
                    if let Some(mutation) = roots.node.mutation {
                        schema.mutation = mutation.node.to_string();
                    }
                }
                TypeSystemDefinition::Type(kind) => {
                    let name = kind.node.name.node.to_string();
                    match kind.node.kind {
                        TypeKind::Scalar => schema.scalars.push(name),
                        TypeKind::Object(object) => {
                            let fields = object.fields.into_iter().map(|field| field.node).collect();
                            schema.objects.insert(name, fields);
                        }
                        TypeKind::InputObject(input) => {
                            schema.inputs.insert(name, input);
                        }
                        TypeKind::Enum(values) => {
                            schema.enums.insert(name, values);
                        }
                        TypeKind::Interface(_) | TypeKind::Union(_) => {
                            bail!("{name}: interfaces and unions are not served here")
                        }
                    }
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        Ok(schema)
    }

    pub(crate) fn field(&self, object: &str, name: &str) -> Option<&FieldDefinition> {
        self.objects.get(object)?.iter().find(|field| field.name.node == name)
    }

    /// The fields of an object type by name; `None` where there is no such type.
    pub(crate) fn field_names(&self, object: &str) -> Option<Vec<&str>> {
        let fields = self.objects.get(object)?.iter().map(|field| field.name.node.as_str());
        Some(fields.filter(|name| !name.starts_with("__")).collect())
    }

    /// Whether records have versions (conflict detection is on): the type says so.
    pub(crate) fn is_versioned(&self) -> bool {
        self.field("Channel", "_version").is_some()
    }

    pub(crate) fn is_object(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    pub(crate) fn is_input(&self, name: &str) -> bool {
        self.inputs.contains_key(name)
            || self.enums.contains_key(name)
            || self.scalars.iter().any(|one| one == name)
    }

    pub(crate) fn input_field(&self, input: &str, name: &str) -> Option<&InputValueDefinition> {
        self.inputs.get(input)?.fields.iter().map(|field| &field.node).find(|field| field.name.node == name)
    }

    /// The value as its type has it, or what AppSync says of it. `what` names the variable or argument.
    pub(crate) fn coerce(&self, value: &Value, to: &Type, what: &str) -> Result<Value, String> {
        if value.is_null() {
            return if to.nullable {
                Ok(Value::Null)
            } else {
                Err(format!("{what} has coerced Null value for NonNull type '{to}'"))
            };
        }
        let name = match &to.base {
            BaseType::List(inner) => {
                return match value {
                    Value::Array(items) => items.iter().map(|item| self.coerce(item, inner, what)).collect(),
                    // One value where a list is asked for is a list of one.
                    one => self.coerce(one, inner, what).map(|one| Value::Array(vec![one])),
                };
            }
            BaseType::Named(name) => name.as_str(),
        };
        if let Some(input) = self.inputs.get(name) {
            return self.coerce_object(value, name, input, what);
        }
        if let Some(values) = self.enums.get(name) {
            let known = value
                .as_str()
                .is_some_and(|text| values.values.iter().any(|one| one.node.value.node == text));
            return if known { Ok(value.clone()) } else { Err(wrong(what, name, value)) };
        }
        let fits = match name {
            "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            "Float" => value.is_number(),
            "Boolean" => value.is_boolean(),
            "ID" => value.is_string() || value.is_i64() || value.is_u64(),
            _ => value.is_string(),
        };
        if !fits {
            return Err(wrong(what, name, value));
        }
        Ok(match value {
            Value::Number(number) if name == "ID" => Value::String(number.to_string()),
            other => other.clone(),
        })
    }

    fn coerce_object(
        &self,
        value: &Value,
        name: &str,
        input: &InputObjectType,
        what: &str,
    ) -> Result<Value, String> {
        let Value::Object(given) = value else { return Err(wrong(what, name, value)) };
        if let Some(unknown) = given.keys().find(|key| self.input_field(name, key).is_none()) {
            return Err(format!(
                "The variables input contains a field name '{unknown}' that is not defined for input object type \
                 '{name}' "
            ));
        }
        let mut out = Map::new();
        for field in &input.fields {
            let key = field.node.name.node.as_str();
            let what = format!("Field '{key}' of {}", uncapitalised(what));
            match given.get(key) {
                Some(value) => {
                    out.insert(key.to_owned(), self.coerce(value, &field.node.ty.node, &what)?);
                }
                None if !field.node.ty.node.nullable => {
                    return Err(format!(
                        "{what} has coerced Null value for NonNull type '{}'",
                        field.node.ty.node
                    ));
                }
                None => {}
            }
        }
        Ok(Value::Object(out))
    }
}

fn uncapitalised(what: &str) -> String {
    let mut letters = what.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn wrong(what: &str, name: &str, value: &Value) -> String {
    let was = match value {
        Value::String(_) => "String",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Int",
        Value::Bool(_) => "Boolean",
        Value::Array(_) => "List",
        Value::Object(_) => "Object",
        Value::Null => "Null",
    };
    format!("{what} has an invalid value. Expected type '{name}' but was '{was}'.")
}
