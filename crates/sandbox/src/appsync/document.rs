//! A request's document, checked against the SDL as a whole before anything is carried out.

use std::collections::BTreeMap;

use async_graphql_parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, Field as DocumentField, InputValueDefinition,
    OperationDefinition, OperationType, Selection, SelectionSet, Type,
};
use async_graphql_parser::{Pos, Positioned, parse_query};
use async_graphql_value::Value as Literal;
use serde_json::{Map, Value};

use crate::appsync::schema::Schema;

/// What is wrong with a whole request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub message: String,
    /// Line and column.
    pub at: Option<(usize, usize)>,
}

impl Refusal {
    fn new(message: impl Into<String>, at: Option<Pos>) -> Self {
        Self { message: message.into(), at: at.map(|pos| (pos.line, pos.column)) }
    }

    fn validation(kind: &str, detail: impl std::fmt::Display, at: Pos) -> Self {
        Self::new(format!("Validation error of type {kind}: {detail}"), Some(at))
    }
}

/// A field to answer, its arguments checked and complete.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its alias, or its name.
    pub key: String,
    pub name: String,
    pub parent_type: String,
    pub arguments: BTreeMap<String, Value>,
    pub children: Vec<Field>,
    pub line: usize,
    pub column: usize,
}

/// The operation of a request.
#[derive(Debug)]
pub(crate) struct Plan {
    pub fields: Vec<Field>,
}

struct Reader<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    declared: BTreeMap<String, &'a Type>,
    variables: BTreeMap<String, Value>,
    refusals: Vec<Refusal>,
}

/// Reads the operation that is asked for, or says everything that is wrong with it.
pub(crate) fn read_plan(
    schema: &Schema,
    query: &str,
    operation_name: Option<&str>,
    variables: &Map<String, Value>,
) -> Result<Plan, Vec<Refusal>> {
    let document = parse_query(query).map_err(|why| {
        let at = why.positions().next();
        vec![Refusal::new(format!("Validation error of type InvalidSyntax: {why}"), at)]
    })?;
    let operation = choose(&document, operation_name).map_err(|refusal| vec![refusal])?;
    let root = match operation.node.ty {
        OperationType::Query => &schema.query,
        OperationType::Mutation => &schema.mutation,
        OperationType::Subscription => {
            return Err(vec![Refusal::new("Subscriptions are not served over HTTP.", Some(operation.pos))]);
        }
    };
    let mut reader = Reader {
        schema,
        document: &document,
        declared: BTreeMap::new(),
        variables: BTreeMap::new(),
        refusals: Vec::new(),
    };
    reader.take_variables(&operation.node, variables);
    let fields = reader.select(&operation.node.selection_set.node, root, 0);
    if reader.refusals.is_empty() { Ok(Plan { fields }) } else { Err(reader.refusals) }
}

fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, Refusal> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Ok(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, operation)| operation)
            .ok_or_else(|| Refusal::new(format!("Unknown operation named '{name}'."), None)),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next().ok_or_else(|| Refusal::new("There is no operation.", None))
        }
        _ => Err(Refusal::new("Must provide operation name if query contains multiple operations.", None)),
    }
}

impl<'a> Reader<'a> {
    fn take_variables(&mut self, operation: &'a OperationDefinition, given: &Map<String, Value>) {
        for definition in &operation.variable_definitions {
            let name = definition.node.name.node.to_string();
            let ty = &definition.node.var_type.node;
            if !self.schema.is_input(base_name(ty)) {
                let detail = format!("Unknown type '{}'", base_name(ty));
                self.refusals.push(Refusal::validation("UnknownType", detail, definition.pos));
                continue;
            }
            let default = definition.node.default_value.as_ref();
            let value = match given.get(&name) {
                Some(value) => Some(value.clone()),
                None => default.and_then(|value| value.node.clone().into_json().ok()),
            };
            let what = format!("Variable '{name}'");
            match value {
                Some(value) => match self.schema.coerce(&value, ty, &what) {
                    Ok(value) => {
                        self.variables.insert(name.clone(), value);
                    }
                    Err(message) => self.refusals.push(Refusal::new(message, Some(definition.pos))),
                },
                None if !ty.nullable => {
                    let message = format!("{what} has coerced Null value for NonNull type '{ty}'");
                    self.refusals.push(Refusal::new(message, Some(definition.pos)));
                }
                None => {}
            }
            self.declared.insert(name, ty);
        }
    }

    fn select(&mut self, set: &'a SelectionSet, parent: &str, depth: usize) -> Vec<Field> {
        let mut fields = Vec::new();
        // No document of a client nests as deep; a fragment that spreads itself does.
        if depth > 20 {
            self.refusals.push(Refusal::new("The selection is nested too deeply.", None));
            return fields;
        }
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => fields.extend(self.field(field, parent, depth)),
                Selection::InlineFragment(fragment) => {
                    fields.extend(self.select(&fragment.node.selection_set.node, parent, depth + 1));
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    match self.document.fragments.get(name) {
                        Some(fragment) if fragment.node.type_condition.node.on.node == parent => {
                            fields.extend(self.select(&fragment.node.selection_set.node, parent, depth + 1));
                        }
                        Some(_) => self.refusals.push(Refusal::validation(
                            "InvalidFragmentType",
                            format!("Invalid type condition of '{name}'"),
                            spread.pos,
                        )),
                        None => self.refusals.push(Refusal::validation(
                            "UndefinedFragment",
                            format!("Undefined fragment '{name}'"),
                            spread.pos,
                        )),
                    }
                }
            }
        }
        fields
    }

    fn field(&mut self, field: &'a Positioned<DocumentField>, parent: &str, depth: usize) -> Option<Field> {
        let name = field.node.name.node.as_str();
        let mut read = Field {
            key: field.node.response_key().node.to_string(),
            name: name.to_owned(),
            parent_type: parent.to_owned(),
            arguments: BTreeMap::new(),
            children: Vec::new(),
            line: field.pos.line,
            column: field.pos.column,
        };
        if name == "__typename" {
            return Some(read);
        }
        let Some(definition) = self.schema.field(parent, name) else {
            let detail = format!("Field '{name}' in type '{parent}' is undefined @ '{name}'");
            self.refusals.push(Refusal::validation("FieldUndefined", detail, field.pos));
            return None;
        };
        for (argument, _) in &field.node.arguments {
            if !definition.arguments.iter().any(|known| known.node.name.node == argument.node) {
                let detail = format!("Unknown field argument {} @ '{name}'", argument.node);
                self.refusals.push(Refusal::validation("UnknownArgument", detail, argument.pos));
            }
        }
        for known in &definition.arguments {
            if let Some(value) = self.argument(&field.node, &known.node, field.pos) {
                read.arguments.insert(known.node.name.node.to_string(), value);
            }
        }
        let of = base_name(&definition.ty.node);
        let selection = &field.node.selection_set.node;
        match (self.schema.is_object(of), selection.items.is_empty()) {
            (true, true) => {
                let detail = format!("Sub selection required for type {of} of field {name} @ '{name}'");
                self.refusals.push(Refusal::validation("SubSelectionRequired", detail, field.pos));
            }
            (false, false) => {
                let detail =
                    format!("Sub selection not allowed on leaf type {of} of field {name} @ '{name}'");
                self.refusals.push(Refusal::validation("SubSelectionNotAllowed", detail, field.pos));
            }
            (true, false) => read.children = self.select(selection, of, depth + 1),
            (false, true) => {}
        }
        Some(read)
    }

    fn argument(&mut self, field: &'a DocumentField, known: &InputValueDefinition, at: Pos) -> Option<Value> {
        let name = known.name.node.as_str();
        let ty = &known.ty.node;
        let Some(given) = field.get_argument(name) else {
            if !ty.nullable && known.default_value.is_none() {
                let detail = format!("Missing field argument {name} @ '{}'", field.name.node);
                self.refusals.push(Refusal::validation("MissingFieldArgument", detail, at));
            }
            return None;
        };
        let before = self.refusals.len();
        self.check_variables(&given.node, ty, &field.name.node, given.pos);
        if self.refusals.len() > before {
            return None;
        }
        // A variable that was declared and not given leaves the argument out.
        if let Literal::Variable(variable) = &given.node {
            let value = self.variables.get(variable.as_str()).cloned();
            if value.is_none() && !ty.nullable {
                let detail =
                    format!("argument '{name}' with value 'null' must not be null @ '{}'", field.name.node);
                self.refusals.push(Refusal::validation("WrongType", detail, given.pos));
            }
            return value;
        }
        let value = self.literal(&given.node);
        match self.schema.coerce(&value, ty, &format!("Argument '{name}'")) {
            Ok(value) => Some(value),
            Err(message) => {
                let detail = format!("{message} @ '{}'", field.name.node);
                self.refusals.push(Refusal::validation("WrongType", detail, given.pos));
                None
            }
        }
    }

    /// Every variable must be declared, with a type that fits where it stands.
    fn check_variables(&mut self, literal: &Literal, expected: &Type, field: &str, at: Pos) {
        match literal {
            Literal::Variable(name) => match self.declared.get(name.as_str()) {
                None => self.refusals.push(Refusal::validation(
                    "UndefinedVariable",
                    format!("Undefined variable {name} @ '{field}'"),
                    at,
                )),
                Some(declared) if !fits(declared, expected) => {
                    let detail = format!(
                        "Variable type '{declared}' doesn't match expected type '{expected}' @ '{field}'"
                    );
                    self.refusals.push(Refusal::validation("VariableTypeMismatch", detail, at));
                }
                Some(_) => {}
            },
            Literal::List(items) => {
                let inner = match &expected.base {
                    BaseType::List(inner) => inner,
                    BaseType::Named(_) => expected,
                };
                for item in items {
                    self.check_variables(item, inner, field, at);
                }
            }
            Literal::Object(object) => {
                for (key, value) in object {
                    let known = self.schema.input_field(base_name(expected), key);
                    if let Some(ty) = known.map(|known| known.ty.node.clone()) {
                        self.check_variables(value, &ty, field, at);
                    }
                }
            }
            _ => {}
        }
    }

    /// A literal as JSON, with the variables' values in their places.
    fn literal(&self, literal: &Literal) -> Value {
        match literal {
            Literal::Variable(name) => self.variables.get(name.as_str()).cloned().unwrap_or_default(),
            Literal::List(items) => Value::Array(items.iter().map(|item| self.literal(item)).collect()),
            Literal::Object(object) => Value::Object(
                object
                    .iter()
                    .filter(|(_, value)| {
                        !matches!(value, Literal::Variable(name) if !self.variables.contains_key(name.as_str()))
                    })
                    .map(|(key, value)| (key.to_string(), self.literal(value)))
                    .collect(),
            ),
            plain => plain.clone().into_json().unwrap_or_default(),
        }
    }
}

fn base_name(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => base_name(inner),
    }
}

fn fits(declared: &Type, expected: &Type) -> bool {
    if declared.nullable && !expected.nullable {
        return false;
    }
    match (&declared.base, &expected.base) {
        (BaseType::Named(one), BaseType::Named(other)) => one == other,
        (BaseType::List(one), BaseType::List(other)) => fits(one, other),
        (BaseType::Named(_), BaseType::List(_)) | (BaseType::List(_), BaseType::Named(_)) => false,
    }
}
