//! Exit codes: what each means to ECS and to the on-call engineer, and which error comes to which.

use crate::eventbridge::PublishError;
use crate::graphql::ListError;
use crate::store::StoreError;
use crate::task::stop::{Stop, StopReason};
use crate::transport::{CallError, CallErrorKind};
use dn_domain::refusal::{Refusal, RefusalKind};

/// How a run ended. The numbers are what the retry rule and the alarms go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything desired is in place.
    Done,
    /// A bug, or something nobody classified.
    Bug,
    /// Usage or configuration; nothing was touched.
    Usage,
    /// Finished, with rows rejected or failed for good.
    RowsFailed,
    /// An input was refused; nothing was written.
    InputRefused,
    /// A temporary failure that outlasted all patience.
    Temporary,
    /// A guard rail tripped.
    Guard,
    /// Authentication or permission.
    Unauthorized,
    /// Quota or time budget used up; a later run goes on.
    Deferred,
    /// `plan --detailed-exitcode`: there are changes to be made.
    Changes,
    /// Another run holds the lock.
    Locked,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::RowsFailed => 3,
            Self::InputRefused => 4,
            Self::Temporary => 5,
            Self::Guard => 6,
            Self::Unauthorized => 7,
            Self::Deferred => 8,
            Self::Changes => 10,
            Self::Locked => 11,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Whether the run came to its own end: done, or done but for some rows.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Done | Self::Changes | Self::RowsFailed)
    }

    /// Whether somebody has to be told that the run failed. One that stood back for another, or left the rest for
    /// later, did not.
    pub fn is_failure(self) -> bool {
        !self.is_finished() && !matches!(self, Self::Deferred | Self::Locked)
    }

    /// What an error comes to: the first link of its chain that the suite knows decides. A run that was told to stop
    /// ends as that, whatever broke on the way.
    pub fn of(error: &anyhow::Error, stop: &Stop) -> Self {
        match stop.reason() {
            Some(StopReason::Terminate) => return Self::Terminated,
            Some(StopReason::Interrupt) => return Self::Interrupted,
            Some(StopReason::TimeUp) => return Self::Deferred,
            None => {}
        }
        error.chain().find_map(known).unwrap_or(Self::Bug)
    }
}

fn known(link: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(ended) = link.downcast_ref::<Ended>() {
        return Some(ended.exit);
    }
    if let Some(refusal) = link.downcast_ref::<Refusal>() {
        // A read that broke off carries the store's own reason inside.
        return Some(match &refusal.kind {
            RefusalKind::Unreadable(error) => StoreError::behind(error).map_or(Exit::InputRefused, of_input),
            _ => Exit::InputRefused,
        });
    }
    if let Some(error) = link.downcast_ref::<CallError>() {
        return Some(of_call(error));
    }
    if let Some(error) = link.downcast_ref::<ListError>() {
        return Some(match error {
            ListError::Call(error) => of_call(error),
            ListError::TokenRepeated { .. }
            | ListError::TooManyPages { .. }
            | ListError::TooManyRecords { .. } => Exit::Temporary,
        });
    }
    if let Some(InputError(error)) = link.downcast_ref::<InputError>() {
        return Some(of_input(error));
    }
    if let Some(error) = link.downcast_ref::<StoreError>() {
        return Some(of_state(error));
    }
    if let Some(error) = link.downcast_ref::<PublishError>() {
        return Some(match error {
            PublishError::Fatal { .. } => Exit::Unauthorized,
            _ => Exit::Temporary,
        });
    }
    // The local disk is full, or may not be written: a plan, a journal or rejects that cannot be gathered.
    if link.downcast_ref::<std::io::Error>().is_some() {
        return Some(Exit::Temporary);
    }
    None
}

fn of_call(error: &CallError) -> Exit {
    match error.kind {
        CallErrorKind::Unauthorized => Exit::Unauthorized,
        CallErrorKind::QuotaExhausted => Exit::Deferred,
        CallErrorKind::Interrupted => Exit::Terminated,
        CallErrorKind::Exhausted
        | CallErrorKind::PatienceOver
        | CallErrorKind::BadAnswer
        | CallErrorKind::Redirected
        | CallErrorKind::NotWritten
        | CallErrorKind::LockLost
        | CallErrorKind::Refused { .. } => Exit::Temporary,
    }
}

/// An input: what it is not, or not for us, is refused.
fn of_input(error: &StoreError) -> Exit {
    match error {
        StoreError::BadAddress { .. } => Exit::Usage,
        StoreError::NotFound { .. } | StoreError::Empty { .. } | StoreError::TooLarge { .. } => {
            Exit::InputRefused
        }
        // An object that the role may not read is told as not found; what is left is a credential nobody knows.
        StoreError::Forbidden { .. } => Exit::Unauthorized,
        StoreError::Precondition { .. }
        | StoreError::Replaced { .. }
        | StoreError::Unreachable { .. }
        | StoreError::Io { .. } => Exit::Temporary,
    }
}

/// The state folder: a wrong permission is one of the task's role.
fn of_state(error: &StoreError) -> Exit {
    match error {
        StoreError::BadAddress { .. } | StoreError::NotFound { .. } => Exit::Usage,
        StoreError::Forbidden { .. } => Exit::Unauthorized,
        StoreError::Empty { .. }
        | StoreError::TooLarge { .. }
        | StoreError::Precondition { .. }
        | StoreError::Replaced { .. }
        | StoreError::Unreachable { .. }
        | StoreError::Io { .. } => Exit::Temporary,
    }
}

/// An input that could not be opened: what is missing, empty or unreadable to the role is refused, as a wrong report is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InputError(pub StoreError);

/// An end that the task itself decided on, as an error so that it can be raised from wherever it is seen.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// Why, for the operator: the number, the limit and the remedy.
    pub message: String,
}

impl Ended {
    /// An end with its reason.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// How a run ended, and why if not by itself.
#[derive(Debug, Clone)]
pub struct End {
    /// The exit.
    pub exit: Exit,
    /// The whole chain of causes of a run that did not finish.
    pub error: Option<String>,
}
