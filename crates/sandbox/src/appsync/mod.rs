//! AppSync over the repository's SDL and a SQLite file: authorisation, validation, resolvers, and errors in the three
//! places where AppSync puts them.

mod document;
mod filter;
mod schema;
pub(crate) mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use crate::appsync::document::{Field, Plan, Refusal, read_plan};
use crate::appsync::filter::holds;
use crate::appsync::schema::Schema;
use crate::appsync::store::{Model, RecordStore, Unstored};
use crate::journal::Service;
use crate::signature::verify;
use crate::wire::{Call, Operation, Play, Reply};

pub(crate) use schema::Schema as AppSyncSchema;

/// What a page holds when the caller does not say, and at most.
const PAGE_DEFAULT: u64 = 100;
const PAGE_LIMIT: u64 = 1000;

/// The GraphQL endpoint.
pub(crate) struct AppSync {
    pub schema: Schema,
    pub records: Arc<RecordStore>,
    pub api_key: String,
    /// Whether types are told; an API may have that switched off.
    pub introspection: Arc<AtomicBool>,
}

/// An error of one field: the others are carried out all the same.
struct FieldError {
    kind: &'static str,
    message: String,
    data: Value,
}

impl FieldError {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), data: Value::Null }
    }
}

impl From<Unstored> for FieldError {
    fn from(why: Unstored) -> Self {
        match why {
            Unstored::Condition => Self::new(
                "DynamoDB:ConditionalCheckFailedException",
                "The conditional request failed (Service: DynamoDb, Status Code: 400)",
            ),
            Unstored::Conflict { record } => Self {
                data: Value::Object(record),
                ..Self::new("ConflictUnhandled", "Conflict resolver rejects mutation.")
            },
            Unstored::Token => Self::new("MappingTemplate", "Invalid nextToken: it could not be decoded"),
            Unstored::Sqlite(why) => {
                Self::new("InternalFailure", format!("the table could not be read: {why}"))
            }
        }
    }
}

impl AppSync {
    fn authorised(&self, call: &Call) -> bool {
        let key = call.header("x-api-key");
        if key.is_empty() { verify(call, "appsync").is_ok() } else { key == self.api_key }
    }

    fn tells_types(&self) -> bool {
        self.introspection.load(Ordering::Relaxed)
    }

    fn resolve(&self, field: &Field) -> Result<Value, FieldError> {
        match field.name.as_str() {
            "getChannel" => self.get(Model::Channel, field),
            "getVideo" => self.get(Model::Video, field),
            "listChannels" => self.list(Model::Channel, field),
            "listVideos" => self.list(Model::Video, field),
            "videosbyChannel" => self.by_index("channelID", field),
            "videosbyVideoId" => self.by_index("videoID", field),
            "createChannel" => self.create(field),
            "updateChannel" => self.update(field),
            "__type" => Ok(self.describe(field)),
            other => Err(FieldError::new("InternalFailure", format!("{other} has no resolver here"))),
        }
    }

    /// Introspection, as far as the schema here knows it.
    fn describe(&self, field: &Field) -> Value {
        let name = text_argument(field, "name");
        let fields = self.schema.field_names(&name);
        fields.map_or(Value::Null, |fields| {
            let fields: Vec<Value> = fields.into_iter().map(|name| json!({"name": name})).collect();
            project(&json!({"name": name, "fields": fields}), &field.children)
        })
    }

    fn get(&self, model: Model, field: &Field) -> Result<Value, FieldError> {
        let id = text_argument(field, "id");
        let record = self.records.get(model, &id)?;
        Ok(record.map_or(Value::Null, |record| project(&Value::Object(record), &field.children)))
    }

    fn list(&self, model: Model, field: &Field) -> Result<Value, FieldError> {
        let token = optional_text(field, "nextToken");
        let page = self.records.scan(model, token.as_deref(), limit_of(field))?;
        Ok(connection(page, field))
    }

    fn by_index(&self, attribute: &str, field: &Field) -> Result<Value, FieldError> {
        let descending = field.arguments.get("sortDirection").and_then(Value::as_str) == Some("DESC");
        let token = optional_text(field, "nextToken");
        let key = text_argument(field, attribute);
        let page = self.records.query(
            Model::Video,
            attribute,
            &key,
            descending,
            token.as_deref(),
            limit_of(field),
        )?;
        Ok(connection(page, field))
    }

    fn create(&self, field: &Field) -> Result<Value, FieldError> {
        let input = object_argument(field, "input");
        let record = self.records.create(Model::Channel, input)?;
        Ok(project(&Value::Object(record), &field.children))
    }

    fn update(&self, field: &Field) -> Result<Value, FieldError> {
        let input = object_argument(field, "input");
        let condition = field.arguments.get("condition").filter(|condition| !condition.is_null());
        let record = self.records.update(Model::Channel, input, |record| {
            condition.is_none_or(|condition| holds(condition, record))
        })?;
        Ok(project(&Value::Object(record), &field.children))
    }
}

fn limit_of(field: &Field) -> u64 {
    field.arguments.get("limit").and_then(Value::as_u64).unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_LIMIT)
}

fn text_argument(field: &Field, name: &str) -> String {
    optional_text(field, name).unwrap_or_default()
}

fn optional_text(field: &Field, name: &str) -> Option<String> {
    match field.arguments.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn object_argument(field: &Field, name: &str) -> Map<String, Value> {
    field.arguments.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The filter is applied after the page was read, as DynamoDB does: a page may be short or empty and go on.
fn connection(page: store::Page, field: &Field) -> Value {
    let filter = field.arguments.get("filter").filter(|filter| !filter.is_null());
    let items: Vec<Value> = page
        .records
        .into_iter()
        .filter(|record| filter.is_none_or(|filter| holds(filter, record)))
        .map(Value::Object)
        .collect();
    project(&json!({"items": items, "nextToken": page.next_token}), &field.children)
}

/// The selected fields alone, under their aliases and in the order of the selection.
fn project(value: &Value, selection: &[Field]) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| project(item, selection)).collect()),
        Value::Object(object) if !selection.is_empty() => {
            let mut out = Map::new();
            for field in selection {
                let value = if field.name == "__typename" {
                    Value::String(field.parent_type.clone())
                } else {
                    project(object.get(&field.name).unwrap_or(&Value::Null), &field.children)
                };
                out.insert(field.key.clone(), value);
            }
            Value::Object(out)
        }
        plain => plain.clone(),
    }
}

fn run(app: &AppSync, plan: &Plan) -> Value {
    let mut data = Map::new();
    let mut errors = Vec::new();
    // Mutations run one after another; a failed one does not hold up the next.
    for field in &plan.fields {
        if field.name == "__typename" {
            data.insert(field.key.clone(), json!(field.parent_type));
            continue;
        }
        match app.resolve(field) {
            Ok(value) => {
                data.insert(field.key.clone(), value);
            }
            Err(why) => {
                data.insert(field.key.clone(), Value::Null);
                errors.push(json!({
                    "path": [field.key],
                    "data": why.data,
                    "errorType": why.kind,
                    "errorInfo": null,
                    "locations": [location(field.line, field.column)],
                    "message": why.message,
                }));
            }
        }
    }
    let mut answer = json!({"data": data});
    if !errors.is_empty() {
        answer["errors"] = Value::Array(errors);
    }
    answer
}

fn location(line: usize, column: usize) -> Value {
    json!({"line": line, "column": column, "sourceName": null})
}

/// A refused request: no path, no data, nothing carried out.
fn refused(refusals: &[Refusal]) -> Value {
    let errors: Vec<Value> = refusals
        .iter()
        .map(|refusal| {
            let locations = refusal.at.map(|(line, column)| vec![location(line, column)]);
            json!({"path": null, "locations": locations, "message": refusal.message})
        })
        .collect();
    json!({"data": null, "errors": errors})
}

struct Request {
    query: String,
    operation_name: Option<String>,
    variables: Map<String, Value>,
}

fn read_request(body: &[u8]) -> Option<Request> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(Request {
        query: body.get("query")?.as_str()?.to_owned(),
        operation_name: body.get("operationName").and_then(Value::as_str).map(str::to_owned),
        variables: match body.get("variables") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(variables)) => variables.clone(),
            Some(_) => return None,
        },
    })
}

impl Play for AppSync {
    fn service(&self) -> Service {
        Service::AppSync
    }

    fn classify(&self, call: &Call) -> Operation {
        let plan = read_request(&call.body).and_then(|request| {
            read_plan(&self.schema, &request.query, request.operation_name.as_deref(), &request.variables)
                .ok()
        });
        let Some(plan) = plan else { return Operation::new("invalid") };
        let mut names: Vec<&str> = Vec::new();
        let mut ids = Vec::new();
        for field in &plan.fields {
            // A question about types is no operation of its own.
            if !field.name.starts_with("__") && !names.contains(&field.name.as_str()) {
                names.push(&field.name);
            }
            let input = field.arguments.get("input").unwrap_or(&Value::Null);
            let id = optional_text(field, "id")
                .or_else(|| input.get("channelId").or_else(|| input.get("id"))?.as_str().map(str::to_owned));
            ids.extend(id);
        }
        Operation::new(names.join("+")).about(ids)
    }

    fn answer(&self, call: &Call) -> Reply {
        let json =
            |status, body: &Value| Reply::new(status, "application/json;charset=UTF-8", body.to_string());
        if call.method != "POST" || call.path != "/graphql" {
            let error =
                json!({"errorType": "UnknownOperationException", "message": "Unknown Operation Request."});
            return json(404, &json!({"errors": [error]}));
        }
        if !self.authorised(call) {
            let error = json!({"errorType": "UnauthorizedException",
                "message": "You are not authorized to make this call."});
            return json(401, &json!({"errors": [error]}));
        }
        let Some(request) = read_request(&call.body) else {
            let error = json!({"errorType": "MalformedHttpRequestException", "message": "Unable to parse GraphQL query."});
            return json(400, &json!({"errors": [error]}));
        };
        match read_plan(&self.schema, &request.query, request.operation_name.as_deref(), &request.variables) {
            Ok(plan) if plan.fields.iter().any(|field| field.name == "__type") && !self.tells_types() => {
                let refusal = Refusal { message: "Introspection is disabled".to_owned(), at: None };
                json(200, &refused(&[refusal]))
            }
            Ok(plan) => json(200, &run(self, &plan)),
            Err(refusals) => json(200, &refused(&refusals)),
        }
    }
}
