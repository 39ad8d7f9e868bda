//! Every GraphQL document that the tasks send. A test checks each against the deployed SDL.

use std::fmt::Write as _;

/// One page of partner channels.
pub const LIST_CHANNELS: &str = "query ListChannels($limit: Int, $nextToken: String) { \
    listChannels(limit: $limit, nextToken: $nextToken) { items { id channelId customId displayName } nextToken } }";

/// The same, of an API that keeps versions and lists deleted records too.
pub const LIST_CHANNELS_VERSIONED: &str = "query ListChannels($limit: Int, $nextToken: String) { \
    listChannels(limit: $limit, nextToken: $nextToken) { \
    items { id channelId customId displayName _version _deleted } nextToken } }";

/// A page of partner channels, and with it whether the API keeps versions: the fields of the type `$type`.
pub const LIST_CHANNELS_AND_TYPE: &str = "query ListChannels($limit: Int, $nextToken: String, $type: String!) { \
    listChannels(limit: $limit, nextToken: $nextToken) { items { id channelId customId displayName } nextToken } \
    __type(name: $type) { fields { name } } }";

/// The type that [`LIST_CHANNELS_AND_TYPE`] asks about.
pub const CHANNEL_TYPE: &str = "Channel";

/// One partner channel by the record's id.
pub const GET_CHANNEL: &str =
    "query GetChannel($id: ID!) { getChannel(id: $id) { id channelId customId displayName } }";

/// The same, of an API that keeps versions.
pub const GET_CHANNEL_VERSIONED: &str = "query GetChannel($id: ID!) { \
    getChannel(id: $id) { id channelId customId displayName _version _deleted } }";

/// One page of the catalogue's videos: whose they are and what they are claimed with.
pub const LIST_VIDEOS: &str = "query ListVideos($limit: Int, $nextToken: String) { \
    listVideos(limit: $limit, nextToken: $nextToken) { items { id channelID assetId } nextToken } }";

/// The same, of an API that keeps versions and lists deleted records too.
pub const LIST_VIDEOS_VERSIONED: &str = "query ListVideos($limit: Int, $nextToken: String) { \
    listVideos(limit: $limit, nextToken: $nextToken) { items { id channelID assetId _deleted } nextToken } }";

/// The alias of a batch's row.
pub fn alias(position: usize) -> String {
    format!("w{position}")
}

/// A batch of creates (`true`) and updates (`false`), with an alias and an input variable for each. Of a versioned API
/// it also asks whether the record is there after the write, or deleted still.
pub fn write_channels(batch: &[bool], versioned: bool) -> String {
    let answer = if versioned { "id _deleted" } else { "id" };
    let mut variables = String::new();
    let mut fields = String::new();
    for (position, create) in batch.iter().enumerate() {
        let (mutation, input) = if *create {
            ("createChannel", "CreateChannelInput")
        } else {
            ("updateChannel", "UpdateChannelInput")
        };
        let separator = if position == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(variables, "{separator}$input{position}: {input}!");
        let _ = write!(fields, " {}: {mutation}(input: $input{position}) {{ {answer} }}", alias(position));
    }
    format!("mutation WriteChannels({variables}) {{{fields} }}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_batch_has_an_alias_and_a_variable_for_each_row() {
        insta::assert_snapshot!(
            super::write_channels(&[true, false], false),
            @"mutation WriteChannels($input0: CreateChannelInput!, $input1: UpdateChannelInput!) { w0: createChannel(input: $input0) { id } w1: updateChannel(input: $input1) { id } }"
        );
        insta::assert_snapshot!(
            super::write_channels(&[false], true),
            @"mutation WriteChannels($input0: UpdateChannelInput!) { w0: updateChannel(input: $input0) { id _deleted } }"
        );
    }
}
