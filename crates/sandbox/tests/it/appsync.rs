//! The GraphQL API.

use dn_sandbox::{Service, StoredChannel, WorldBuilder};
use serde_json::{Value, json};

use crate::harness::{Bench, json};
use crate::signing::Signed;

const CREATE: &str =
    "mutation C($input: CreateChannelInput!) { createChannel(input: $input) { id channelId customId } }";

fn channel_id(number: usize) -> String {
    format!("UC{number:022}")
}

async fn with_channels(count: usize) -> Bench {
    Bench::over(|dir| {
        let mut world = WorldBuilder::new();
        for number in 0..count {
            let id = channel_id(number);
            world = world.stored(&id, &id, Some(&format!("IND-{number}")), None);
        }
        world.build(dir)
    })
    .await
}

#[tokio::test]
async fn creates_what_is_absent_and_refuses_what_is_there() {
    let bench = with_channels(0).await;
    let input =
        json!({"id": channel_id(1), "channelId": channel_id(1), "customId": "IND-1", "displayName": "=1+1"});
    let body = json!({"query": CREATE, "variables": {"input": input}});
    let first = bench.graphql(body.clone()).await;
    assert_eq!(first["data"]["createChannel"]["customId"], "IND-1");
    assert_eq!(first.get("errors"), None);
    assert_eq!(bench.sandbox.channels().unwrap()[0].display_name.as_deref(), Some("=1+1"));
    let second = bench.graphql(body).await;
    assert_eq!(second["data"]["createChannel"], Value::Null);
    let error = &second["errors"][0];
    assert_eq!(error["errorType"], "DynamoDB:ConditionalCheckFailedException");
    assert_eq!(error["path"], json!(["createChannel"]));
    assert_eq!(error["locations"][0]["line"], 1);
}

#[tokio::test]
async fn updates_what_is_there_alone_and_only_under_its_condition() {
    let bench = with_channels(1).await;
    let query = "mutation U($input: UpdateChannelInput!, $condition: ModelChannelConditionInput) {
        updateChannel(input: $input, condition: $condition) { customId displayName } }";
    let update = |id: String, custom_id: &str, condition: Value| {
        let variables = json!({"input": {"id": id, "customId": custom_id}, "condition": condition});
        bench.graphql(json!({"query": query, "variables": variables}))
    };
    let good = update(channel_id(0), "NEW", json!({"customId": {"eq": "IND-0"}})).await;
    assert_eq!(good["data"]["updateChannel"], json!({"customId": "NEW", "displayName": null}));
    let stale = update(channel_id(0), "NEWER", json!({"customId": {"eq": "IND-0"}})).await;
    assert_eq!(stale["errors"][0]["errorType"], "DynamoDB:ConditionalCheckFailedException");
    let absent = update(channel_id(9), "NEW", Value::Null).await;
    assert_eq!(absent["errors"][0]["errorType"], "DynamoDB:ConditionalCheckFailedException");
    assert_eq!(bench.sandbox.channels().unwrap()[0].custom_id.as_deref(), Some("NEW"));
}

#[tokio::test]
async fn a_failed_alias_leaves_the_others_written() {
    let bench = with_channels(1).await;
    let query = "mutation M($a: CreateChannelInput!, $b: CreateChannelInput!, $c: CreateChannelInput!) {
        a: createChannel(input: $a) { ...F } b: createChannel(input: $b) { ...F } c: createChannel(input: $c) { ...F }
    } fragment F on Channel { __typename id }";
    let input =
        |number: usize| json!({"id": channel_id(number), "channelId": channel_id(number), "customId": "X"});
    let variables = json!({"a": input(1), "b": input(0), "c": input(2)});
    let body = bench.graphql(json!({"query": query, "variables": variables})).await;
    assert_eq!(body["data"]["a"], json!({"__typename": "Channel", "id": channel_id(1)}));
    assert_eq!((&body["data"]["b"], &body["errors"][0]["path"]), (&Value::Null, &json!(["b"])));
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    assert_eq!(bench.sandbox.channels().unwrap().len(), 3);
    let entry = &bench.sandbox.journal().entries()[0];
    assert_eq!((entry.operation.as_str(), entry.ids.len()), ("createChannel", 3));
}

#[tokio::test]
async fn one_bad_variable_refuses_the_whole_request() {
    let bench = with_channels(0).await;
    let query = "mutation M($a: CreateChannelInput!, $b: CreateChannelInput!) {
        a: createChannel(input: $a) { id } b: createChannel(input: $b) { id } }";
    let good = json!({"channelId": channel_id(1)});
    for bad in [
        json!({"customId": "no channel"}),
        json!({"channelId": null}),
        json!({"channelId": 7}),
        json!({"channelId": "x", "unknown": "y"}),
    ] {
        let variables = json!({"a": good, "b": bad});
        let body = bench.graphql(json!({"query": query, "variables": variables})).await;
        assert_eq!(body["data"], Value::Null, "{bad}");
        assert_eq!(body["errors"][0]["path"], Value::Null, "{bad}");
    }
    assert!(bench.sandbox.channels().unwrap().is_empty());
}

#[tokio::test]
async fn a_document_that_the_schema_does_not_know_is_refused_without_a_path() {
    let bench = with_channels(1).await;
    let cases = [
        ("{ listChannel { items { id } } }", "FieldUndefined"),
        ("{ listChannels { items { title } } }", "FieldUndefined"),
        ("{ listChannels(max: 3) { items { id } } }", "UnknownArgument"),
        ("{ getChannel { id } }", "MissingFieldArgument"),
        ("{ listChannels }", "SubSelectionRequired"),
        ("{ listChannels(limit: \"3\") { nextToken } }", "WrongType"),
        ("query Q($id: String!) { getChannel(id: $id) { id } }", "VariableTypeMismatch"),
        ("query Q($id: ID) { getChannel(id: $id) { id } }", "VariableTypeMismatch"),
        ("{ getChannel(id: $id) { id } }", "UndefinedVariable"),
        ("{ listChannels { items { id }", "InvalidSyntax"),
        ("{ listChannels { items { ...X } } }", "UndefinedFragment"),
    ];
    for (query, kind) in cases {
        let body = bench.graphql(json!({"query": query, "variables": {"id": "x"}})).await;
        let message = body["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(kind), "{query}: {message}");
        assert_eq!((&body["data"], &body["errors"][0]["path"]), (&Value::Null, &Value::Null), "{query}");
    }
}

#[tokio::test]
async fn a_filtered_page_may_be_empty_and_go_on() {
    let bench = with_channels(50).await;
    let query = "query L($filter: ModelChannelFilterInput, $limit: Int, $nextToken: String) {
        listChannels(filter: $filter, limit: $limit, nextToken: $nextToken) { items { channelId } nextToken } }";
    let mut token = Value::Null;
    let mut sizes = Vec::new();
    loop {
        let variables = json!({"filter": {"customId": {"eq": "IND-7"}}, "limit": 10, "nextToken": token});
        let body = bench.graphql(json!({"query": query, "variables": variables})).await;
        let page = &body["data"]["listChannels"];
        sizes.push(page["items"].as_array().unwrap().len());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), 1);
    assert_eq!(sizes.len(), 6, "a full last page goes on to an empty one");
    let forged = json!({"query": query, "variables": {"nextToken": "bm9uZSBvZiBvdXJz"}});
    assert!(bench.graphql(forged).await["errors"][0]["path"].is_array());
}

#[tokio::test]
async fn a_page_has_a_hundred_records_unless_asked_and_a_thousand_at_most() {
    let bench = &with_channels(1_100).await;
    let count = |limit: &'static str| async move {
        let query = format!("{{ listChannels{limit} {{ items {{ id }} nextToken }} }}");
        let body = bench.graphql(json!({"query": query})).await;
        body["data"]["listChannels"]["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 100);
    assert_eq!(count("(limit: 5000)").await, 1_000);
}

#[tokio::test]
async fn finds_the_videos_of_a_channel_by_its_index() {
    let bench = Bench::generated(dn_sandbox::Profile::Calm).await;
    let video = bench.sandbox.world().videos[0].clone();
    let query =
        "query V($c: String!, $v: String!) { videosbyChannel(channelID: $c) { items { videoID views } }
        videosbyVideoId(videoID: $v) { items { channelID assetId } } getVideo(id: \"none\") { id } }";
    let variables = json!({"c": video.channel_id, "v": video.video_id});
    let body = bench.graphql(json!({"query": query, "variables": variables})).await;
    let of_channel = body["data"]["videosbyChannel"]["items"].as_array().unwrap();
    assert!(of_channel.iter().any(|item| item["videoID"] == json!(video.video_id)));
    assert_eq!(body["data"]["videosbyVideoId"]["items"][0]["assetId"], json!(video.asset_id));
    assert_eq!(body["data"]["getVideo"], Value::Null);
}

#[tokio::test]
async fn opens_to_its_key_or_to_a_signature_and_to_nothing_else() {
    let bench = with_channels(0).await;
    let endpoint = bench.env("GRAPHQL_ENDPOINT");
    let body = json!({"query": "{ listChannels { nextToken } }"}).to_string();
    let wrong = bench.client.post(&endpoint).header("x-api-key", "da2-other").body(body.clone()).send().await;
    let wrong = wrong.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(json(wrong).await["errors"][0]["errorType"], "UnauthorizedException");
    let signed = Signed::new(&bench, "appsync");
    let headers = [("content-type", "application/json")];
    assert_eq!(signed.send("POST", &endpoint, &headers, body.clone()).await.status(), 200);
    let mut forged = Signed::new(&bench, "appsync");
    forged.secret = "other".to_owned();
    assert_eq!(forged.send("POST", &endpoint, &headers, body.clone()).await.status(), 401);
    let misdirected = Signed::new(&bench, "events");
    assert_eq!(misdirected.send("POST", &endpoint, &headers, body).await.status(), 401);
    let garbled = bench.client.post(&endpoint).header("x-api-key", bench.env("GRAPHQL_API_KEY")).body("{");
    assert_eq!(garbled.send().await.unwrap().status(), 400);
    assert_eq!(bench.sandbox.journal().count(Service::AppSync, "*"), 5);
}

#[tokio::test]
async fn a_test_can_change_the_database_under_the_tasks() {
    let bench = with_channels(2).await;
    assert!(bench.sandbox.delete_channel(&channel_id(0)).unwrap());
    assert!(!bench.sandbox.delete_channel(&channel_id(0)).unwrap());
    let record = StoredChannel {
        id: "second".into(),
        channel_id: channel_id(1),
        custom_id: None,
        display_name: Some("Two".into()),
    };
    bench.sandbox.set_channel(&record).unwrap();
    let body = bench.graphql(json!({"query": "{ getChannel(id: \"second\") { channelId customId } }"})).await;
    assert_eq!(body["data"]["getChannel"], json!({"channelId": channel_id(1), "customId": null}));
    assert_eq!(bench.sandbox.channels().unwrap().len(), 2);
}

/// One channel in a database that keeps versions.
async fn versioned() -> Bench {
    Bench::over_with(
        |dir| WorldBuilder::new().stored(&channel_id(0), &channel_id(0), Some("IND-0"), None).build(dir),
        |options| options.schema.set_file_name("schema-versioned.graphql"),
    )
    .await
}

#[tokio::test]
async fn where_records_have_versions_an_update_must_name_the_one_that_is_there() {
    let bench = versioned().await;
    let query =
        "mutation U($input: UpdateChannelInput!) { updateChannel(input: $input) { customId _version } }";
    let update = |version: Value| {
        let mut input = json!({"id": channel_id(0), "customId": "NEW"});
        if !version.is_null() {
            input["_version"] = version;
        }
        bench.graphql(json!({"query": query, "variables": {"input": input}}))
    };
    for wrong in [Value::Null, json!(2)] {
        let refused = update(wrong).await;
        let error = &refused["errors"][0];
        assert_eq!(
            (&error["errorType"], &error["path"]),
            (&json!("ConflictUnhandled"), &json!(["updateChannel"]))
        );
        assert_eq!(refused["data"]["updateChannel"], Value::Null);
    }
    assert_eq!(update(json!(1)).await["data"]["updateChannel"], json!({"customId": "NEW", "_version": 2}));
    assert_eq!(update(json!(1)).await["errors"][0]["errorType"], "ConflictUnhandled");
    // What somebody else writes is a version too.
    bench
        .sandbox
        .set_channel(&StoredChannel { custom_id: None, ..bench.sandbox.channels().unwrap()[0].clone() })
        .unwrap();
    assert_eq!(update(json!(3)).await["data"]["updateChannel"]["_version"], 4);
}

#[tokio::test]
async fn where_records_have_versions_a_deleted_one_is_listed_and_keeps_its_id() {
    let bench = versioned().await;
    assert!(bench.sandbox.delete_channel(&channel_id(0)).unwrap());
    assert!(!bench.sandbox.delete_channel(&channel_id(0)).unwrap());
    assert!(bench.sandbox.channels().unwrap().is_empty());
    let query = "{ listChannels { items { id _version _deleted } } }";
    let list = bench.graphql(json!({"query": query})).await;
    let tombstone = json!({"id": channel_id(0), "_version": 2, "_deleted": true});
    assert_eq!(list["data"]["listChannels"]["items"], json!([tombstone]));
    let input = json!({"id": channel_id(0), "channelId": channel_id(0), "customId": "NEW"});
    let create = bench.graphql(json!({"query": CREATE, "variables": {"input": input}})).await;
    assert_eq!(create["errors"][0]["errorType"], "DynamoDB:ConditionalCheckFailedException");
    let update =
        "mutation U($input: UpdateChannelInput!) { updateChannel(input: $input) { _version _deleted } }";
    let input = json!({"id": channel_id(0), "customId": "NEW", "_version": 2});
    let update = bench.graphql(json!({"query": update, "variables": {"input": input}})).await;
    assert_eq!(update["data"]["updateChannel"], json!({"_version": 3, "_deleted": null}));
    assert_eq!(bench.sandbox.channels().unwrap().len(), 1);
}

#[tokio::test]
async fn tells_the_fields_of_a_type_beside_other_fields_unless_that_is_switched_off() {
    let bench = versioned().await;
    let query =
        "query Q($type: String!) { listChannels { nextToken } __type(name: $type) { name fields { name } } }";
    let ask = |name: &str| bench.graphql(json!({"query": query, "variables": {"type": name}}));
    let told = ask("Channel").await;
    let fields = told["data"]["__type"]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!({"name": "_version"})) && fields.contains(&json!({"name": "channelId"})));
    assert_eq!(ask("Nobody").await["data"]["__type"], Value::Null);
    let root = ask("Query").await;
    assert!(!root["data"]["__type"]["fields"].as_array().unwrap().contains(&json!({"name": "__type"})));
    bench.sandbox.set_introspection(false);
    let refused = ask("Channel").await;
    assert_eq!((&refused["data"], &refused["errors"][0]["path"]), (&Value::Null, &Value::Null));
    let entry = &bench.sandbox.journal().entries()[0];
    assert_eq!(entry.operation, "listChannels");
}
