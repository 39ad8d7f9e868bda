//! The rules of the business, pure: values in, values out.
//!
//! A sheet or report comes in as bytes, is read by header name, and becomes typed rows; a plan compares the
//! rows with what is stored and says what is to be done; a tally says what became of every row. Nothing here
//! opens a file or a socket, waits, or knows the time: what is needed from outside is an argument.
pub mod asset_report;
pub mod backfill_plan;
pub mod calendar;
pub mod channel_sheet;
pub mod claim_report;
pub mod claims;
pub mod cleanup_plan;
pub mod conflict_report;
pub mod custom_id;
pub mod drift;
#[cfg(test)]
mod fixture;
pub mod id;
pub mod isrc;
pub mod number;
pub mod partner_channels;
pub mod platform_file;
pub mod platform_mapping;
pub mod printable;
pub mod refusal;
pub mod reject_sheet;
pub mod report_kind;
pub mod rights_record;
pub mod row_fault;
pub mod table;
pub mod tally;
pub mod video_report;
