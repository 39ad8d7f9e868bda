//! Whether a GraphQL document fits an SDL: fields, arguments, variables and their types.
//!
//! As much of the specification's validation as the suite's documents use; a fragment, a directive or an inline
//! argument value is a problem of its own, so that nothing passes unread.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::types::{
    BaseType, ExecutableDocument, Field, FieldDefinition, OperationType, Selection, SelectionSet,
    ServiceDocument, Type, TypeKind, TypeSystemDefinition, VariableDefinition,
};
use async_graphql_parser::{Positioned, parse_query, parse_schema};
use async_graphql_value::Value;

/// What every API knows of itself, as far as the suite asks for it.
const INTROSPECTION: &str = "type Meta { __type(name: String!): __Type } \
    type __Type { name: String fields: [__Field!] } type __Field { name: String! }";

/// The types of an SDL.
pub(crate) struct Sdl {
    objects: BTreeMap<String, BTreeMap<String, FieldDefinition>>,
    leaves: BTreeSet<String>,
    inputs: BTreeSet<String>,
}

impl Sdl {
    pub(crate) fn parse(text: &str) -> Self {
        let mut sdl = Self::parse_types(text);
        let mut meta = Self::parse_types(INTROSPECTION);
        let roots = meta.objects.remove("Meta").unwrap();
        sdl.objects.entry("Query".to_owned()).or_default().extend(roots);
        sdl.objects.extend(meta.objects);
        sdl
    }

    fn parse_types(text: &str) -> Self {
        let document: ServiceDocument = parse_schema(text).unwrap();
        let mut sdl = Self {
            objects: BTreeMap::new(),
            leaves: ["ID", "String", "Int", "Float", "Boolean"].map(str::to_owned).into(),
            inputs: BTreeSet::new(),
        };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(kind) = definition else { continue };
            let name = kind.node.name.node.to_string();
            match kind.node.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| field.node);
                    let fields = fields.map(|field| (field.name.node.to_string(), field));
                    sdl.objects.insert(name, fields.collect());
                }
                TypeKind::Scalar | TypeKind::Enum(_) => {
                    sdl.leaves.insert(name);
                }
                TypeKind::InputObject(_) => {
                    sdl.inputs.insert(name);
                }
                TypeKind::Interface(_) | TypeKind::Union(_) => panic!("{name}: not looked at here"),
            }
        }
        sdl
    }

    /// What does not fit, in words; empty when the document does.
    pub(crate) fn problems(&self, document: &str) -> Vec<String> {
        let document: ExecutableDocument = match parse_query(document) {
            Ok(document) => document,
            Err(error) => return vec![format!("it cannot be read: {error}")],
        };
        let mut problems = Vec::new();
        if !document.fragments.is_empty() {
            problems.push("it has fragments".to_owned());
        }
        for (_, operation) in document.operations.iter() {
            let root = match operation.node.ty {
                OperationType::Query => "Query",
                OperationType::Mutation => "Mutation",
                OperationType::Subscription => "Subscription",
            };
            let variables: BTreeMap<&str, &VariableDefinition> = operation
                .node
                .variable_definitions
                .iter()
                .map(|variable| (variable.node.name.node.as_str(), &variable.node))
                .collect();
            for (name, variable) in &variables {
                let base = base(&variable.var_type.node);
                if !self.leaves.contains(base) && !self.inputs.contains(base) {
                    problems.push(format!("${name} is of type {base}, which is no input type"));
                }
            }
            let mut used = BTreeSet::new();
            self.selection(root, &operation.node.selection_set.node, &variables, &mut used, &mut problems);
            problems.extend(
                variables
                    .keys()
                    .filter(|name| !used.contains(**name))
                    .map(|name| format!("${name} is never used")),
            );
        }
        problems
    }

    fn selection(
        &self,
        parent: &str,
        set: &SelectionSet,
        variables: &BTreeMap<&str, &VariableDefinition>,
        used: &mut BTreeSet<String>,
        problems: &mut Vec<String>,
    ) {
        let Some(fields) = self.objects.get(parent) else {
            problems.push(format!("there is no object type {parent}"));
            return;
        };
        let mut keys = BTreeSet::new();
        for selection in &set.items {
            let Selection::Field(Positioned { node: field, .. }) = &selection.node else {
                problems.push(format!("{parent} is selected from by a fragment"));
                continue;
            };
            let name = field.name.node.as_str();
            let Some(definition) = fields.get(name) else {
                problems.push(format!("{parent} has no field {name}"));
                continue;
            };
            let key = field.alias.as_ref().map_or(name, |alias| alias.node.as_str());
            if !keys.insert(key) {
                problems.push(format!("{parent}: {key} is selected twice"));
            }
            arguments(parent, field, definition, variables, used, problems);
            let returned = base(&definition.ty.node);
            let chosen = &field.selection_set.node;
            match (self.objects.contains_key(returned), chosen.items.is_empty()) {
                (true, true) => problems.push(format!("{parent}.{name} needs fields of {returned}")),
                (true, false) => self.selection(returned, chosen, variables, used, problems),
                (false, false) => problems.push(format!("{parent}.{name} has no fields")),
                (false, true) => {}
            }
        }
    }
}

/// The arguments of one field: each is known, of the right type, and every required one is given.
fn arguments(
    parent: &str,
    field: &Field,
    definition: &FieldDefinition,
    variables: &BTreeMap<&str, &VariableDefinition>,
    used: &mut BTreeSet<String>,
    problems: &mut Vec<String>,
) {
    let at = format!("{parent}.{}", field.name.node);
    if !field.directives.is_empty() {
        problems.push(format!("{at} has a directive"));
    }
    for (name, value) in &field.arguments {
        let Some(argument) = definition.arguments.iter().find(|one| one.node.name.node == name.node) else {
            problems.push(format!("{at} has no argument {}", name.node));
            continue;
        };
        let Value::Variable(variable) = &value.node else {
            problems.push(format!("{at}: {} is no variable", name.node));
            continue;
        };
        used.insert(variable.to_string());
        let wanted = &argument.node.ty.node;
        match variables.get(variable.as_str()) {
            None => problems.push(format!("{at}: ${variable} is not declared")),
            Some(given) if !fits(&given.var_type.node, wanted) => problems.push(format!(
                "{at}: ${variable} is {}, and {} wants {wanted}",
                given.var_type.node, name.node
            )),
            Some(_) => {}
        }
    }
    for argument in definition.arguments.iter().map(|argument| &argument.node) {
        let required = !argument.ty.node.nullable && argument.default_value.is_none();
        if required && !field.arguments.iter().any(|(name, _)| name.node == argument.name.node) {
            problems.push(format!("{at} needs its argument {}", argument.name.node));
        }
    }
}

/// A variable may be stricter about null than where it is used, never laxer.
fn fits(given: &Type, wanted: &Type) -> bool {
    if given.nullable && !wanted.nullable {
        return false;
    }
    match (&given.base, &wanted.base) {
        (BaseType::Named(given), BaseType::Named(wanted)) => given == wanted,
        (BaseType::List(given), BaseType::List(wanted)) => fits(given, wanted),
        _ => false,
    }
}

fn base(kind: &Type) -> &str {
    match &kind.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => base(inner),
    }
}

const SDL: &str = "type Query { get(id: ID!): Thing list(limit: Int, names: [String]): [Thing] } \
    type Mutation { make(input: MakeInput!): Thing } type Thing { id: ID! name: String } input MakeInput { id: ID }";

#[rstest::rstest]
#[case::fits("query A($id: ID!, $limit: Int) { get(id: $id) { id } list(limit: $limit) { name } }", "")]
#[case::unknown_field("query A($id: ID!) { get(id: $id) { nam } }", "Thing has no field nam")]
#[case::unknown_root("query A { fetch { id } }", "Query has no field fetch")]
#[case::unknown_argument("query A($n: Int) { list(first: $n) { id } }", "Query.list has no argument first")]
#[case::required_not_given("query A { get { id } }", "Query.get needs its argument id")]
#[case::wrong_type("query A($id: String!) { get(id: $id) { id } }", "$id is String!, and id wants ID!")]
#[case::null_where_none_may_be("query A($id: ID) { get(id: $id) { id } }", "$id is ID, and id wants ID!")]
#[case::no_list("query A($n: String) { list(names: $n) { id } }", "$n is String, and names wants [String]")]
#[case::not_declared("query A { get(id: $id) { id } }", "$id is not declared")]
#[case::never_used("query A($n: Int) { list { id } }", "$n is never used")]
#[case::unknown_type(
    "mutation A($i: MadeInput!) { make(input: $i) { id } }",
    "MadeInput, which is no input type"
)]
#[case::no_fields_chosen("query A($id: ID!) { get(id: $id) }", "Query.get needs fields of Thing")]
#[case::fields_of_a_leaf("query A { list { id { x } } }", "Thing.id has no fields")]
#[case::alias_twice("query A { a: list { id } a: list { id } }", "a is selected twice")]
#[case::a_value_in_the_document("query A { get(id: \"x\") { id } }", "id is no variable")]
#[case::no_document("query A {", "it cannot be read")]
fn a_document_that_does_not_fit_is_found_out(#[case] document: &str, #[case] problem: &str) {
    let problems = Sdl::parse(SDL).problems(document);
    match problem {
        "" => assert_eq!(problems, Vec::<String>::new()),
        part => assert!(problems.iter().any(|one| one.contains(part)), "{problems:?}"),
    }
}
