//! E-mail through SES: the week's summary in two forms, with files.
//!
//! Nothing of a message is put together here: subject, addresses, bodies and files go to SES as values of their own,
//! and SES writes the message. What could break out of a header line all the same (a title with a line break in a
//! subject) is shown in one line. The SDK's retry is the only one: a message that was taken twice arrives twice.

mod settings;

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Attachment, Body, Content, Destination, EmailContent, Message};

pub use settings::{Address, AddressError, MailArgs, MailSettings};

use crate::aws::{ATTEMPT_TIMEOUT, Meaning, one_line, read_failure};

/// The most bytes of all attachments together: mail servers of many recipients take some 10 MB, of which a third goes
/// to base64. What does not fit stays in the run folder.
pub const MAX_ATTACHMENT_BYTES: usize = 7 << 20;
/// The most recipients of one message.
pub const MAX_RECIPIENTS: usize = 50;
/// The longest subject, in characters; mailboxes show fewer.
const MAX_SUBJECT_CHARS: usize = 150;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whom it comes from.
    pub from: Address,
    /// Whom it goes to.
    pub to: Vec<Address>,
    /// Its subject. Hostile text is shown in one line.
    pub subject: String,
    /// The body for programs that show no HTML.
    pub text: String,
    /// The body.
    pub html: String,
    /// Files.
    pub attachments: Vec<MailFile>,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// SES refuses it, and will refuse it again.
    #[error("the e-mail was refused: {reason}")]
    Refused {
        /// SES's own words and the remedy.
        reason: String,
    },
    /// SES does not answer, or not now.
    #[error("the e-mail was not sent: {reason}")]
    Temporary {
        /// The last failure.
        reason: String,
    },
    /// It could not even be asked for.
    #[error("the e-mail cannot be sent: {reason}")]
    Unsendable {
        /// Which limit.
        reason: String,
    },
}

impl MailError {
    /// Whether a later try may go well as it is.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary { .. })
    }
}

/// Parts files into those that go with a message, in order as long as they fit, and the names of those that do not.
pub fn fitting(files: Vec<MailFile>) -> (Vec<MailFile>, Vec<String>) {
    let mut room = MAX_ATTACHMENT_BYTES;
    let (mut fit, mut left_out) = (Vec::new(), Vec::new());
    for file in files {
        if file.bytes.len() <= room {
            room -= file.bytes.len();
            fit.push(file);
        } else {
            left_out.push(file.name);
        }
    }
    (fit, left_out)
}

/// A client of SES.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
}

impl Mailer {
    /// A client; nothing is sent yet.
    pub fn new(aws: &SdkConfig) -> Self {
        Self { client: Client::new(aws) }
    }

    /// Sends a message and gives SES's id of it.
    pub async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        if mail.to.is_empty() || mail.to.len() > MAX_RECIPIENTS {
            let reason = format!("it has {} recipients, and 1 to {MAX_RECIPIENTS} are taken", mail.to.len());
            return Err(MailError::Unsendable { reason });
        }
        let size_bytes: usize = mail.attachments.iter().map(|file| file.bytes.len()).sum();
        if size_bytes > MAX_ATTACHMENT_BYTES {
            let reason = format!("its files have {size_bytes} bytes, and {MAX_ATTACHMENT_BYTES} are sent");
            return Err(MailError::Unsendable { reason });
        }
        let message =
            message(mail).map_err(|error| MailError::Unsendable { reason: one_line(&error.to_string()) })?;
        let to = mail.to.iter().map(|address| address.as_str().to_owned()).collect();
        // A few megabytes over a slow line take longer than a call of a few bytes.
        let patient = aws_sdk_sesv2::config::Builder::new()
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT * 2).build());
        let sent = self
            .client
            .send_email()
            .from_email_address(mail.from.as_str())
            .destination(Destination::builder().set_to_addresses(Some(to)).build())
            .content(EmailContent::builder().simple(message).build())
            .customize()
            .config_override(patient)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(answer.message_id.unwrap_or_default()),
            Err(error) => {
                let failure = read_failure(&error);
                Err(failed(failure.meaning, failure.code.as_deref(), failure.reason))
            }
        }
    }
}

/// The message as values, which SES puts together.
fn message(mail: &Mail) -> Result<Message, BuildError> {
    let content = |data: &str| Content::builder().data(data).charset("UTF-8").build();
    let files = mail.attachments.iter().map(|file| {
        Attachment::builder()
            .file_name(shown(&file.name))
            .content_type(&file.content_type)
            .raw_content(Blob::new(file.bytes.clone()))
            .build()
    });
    let files = files.collect::<Result<Vec<_>, _>>()?;
    Ok(Message::builder()
        .subject(content(&shown(&mail.subject))?)
        .body(Body::builder().text(content(&mail.text)?).html(content(&mail.html)?).build())
        .set_attachments((!files.is_empty()).then_some(files))
        .build())
}

/// A text for a header: on one line, without what cannot be seen, and not endless.
fn shown(text: &str) -> String {
    let line: String = text
        .split(|character: char| {
            character.is_control() || character.is_whitespace() || is_separator(character)
        })
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(MAX_SUBJECT_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What some programs break a line at, or turn its direction by.
fn is_separator(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn failed(meaning: Meaning, code: Option<&str>, reason: String) -> MailError {
    // These come as a refusal, and pass: a rate, a quota of the day, a pause that somebody lifts.
    if matches!(code, Some("TooManyRequestsException" | "LimitExceededException" | "SendingPausedException"))
    {
        return MailError::Temporary { reason };
    }
    let reason = match (meaning, code) {
        (_, Some("MessageRejected" | "MailFromDomainNotVerifiedException")) => format!(
            "{reason}; the sender of --email-from (REPORT_EMAIL_FROM) must be verified in SES in this region, and in \
             its sandbox the recipients too"
        ),
        (Meaning::Denied, _) => format!("{reason}; the task role needs ses:SendEmail for this sender"),
        (Meaning::BadCredentials, _) => {
            format!("{reason}; see the task role, or AWS_ACCESS_KEY_ID, and the clock")
        }
        _ => reason,
    };
    match meaning {
        Meaning::Temporary | Meaning::Precondition => MailError::Temporary { reason },
        Meaning::Denied | Meaning::BadCredentials | Meaning::Absent | Meaning::Refused => {
            MailError::Refused { reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t08_a_subject_is_one_line_whatever_a_title_holds() {
        assert_eq!(
            shown("Viral: a\r\nBcc: x@example.com\u{2028}\u{202e}b\u{0}c"),
            "Viral: a Bcc: x@example.com b c"
        );
        assert_eq!(shown(&"ä".repeat(200)).chars().count(), MAX_SUBJECT_CHARS + 1);
        assert_eq!(shown("Woche 47: 3 Fälle 🎵"), "Woche 47: 3 Fälle 🎵");
    }

    #[rstest::rstest]
    #[case(Meaning::Temporary, None, true, "")]
    #[case(Meaning::Refused, Some("TooManyRequestsException"), true, "")]
    #[case(Meaning::Refused, Some("SendingPausedException"), true, "")]
    #[case(Meaning::Refused, Some("MessageRejected"), false, "REPORT_EMAIL_FROM")]
    #[case(Meaning::Refused, Some("BadRequestException"), false, "")]
    #[case(Meaning::Denied, Some("AccessDeniedException"), false, "ses:SendEmail")]
    #[case(Meaning::BadCredentials, Some("ExpiredTokenException"), false, "the clock")]
    fn what_may_pass_is_told_from_what_will_not_and_has_its_remedy(
        #[case] meaning: Meaning,
        #[case] code: Option<&str>,
        #[case] is_temporary: bool,
        #[case] remedy: &str,
    ) {
        let error = failed(meaning, code, "its words".to_owned());
        assert_eq!(error.is_temporary(), is_temporary, "{error}");
        assert!(error.to_string().contains("its words") && error.to_string().contains(remedy), "{error}");
    }

    #[test]
    fn files_go_along_as_long_as_they_fit() {
        let file = |name: &str, size: usize| MailFile {
            name: name.to_owned(),
            content_type: "text/csv".to_owned(),
            bytes: vec![0; size],
        };
        let files = vec![file("a", 4 << 20), file("b", 4 << 20), file("c", 3 << 20), file("d", 1)];
        let (fit, left_out) = fitting(files);
        assert_eq!(fit.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(left_out, ["b", "d"]);
    }
}
