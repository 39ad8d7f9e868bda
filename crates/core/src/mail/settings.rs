//! Whom the summary goes to by e-mail, and whom it comes from.

use std::fmt;

use super::MAX_RECIPIENTS;
use crate::aws::one_line;
use crate::task::Problems;
use crate::task::settings::given;

/// An e-mail address as SES takes it: `name@domain` in ASCII, without a display name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no e-mail address; it is written name@example.com, without a display name")]
pub struct AddressError(String);

impl Address {
    /// Reads an address. What SES would take for several, or for a header, is none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let is_dotted = |part: &str| !part.is_empty() && part.split('.').all(|label| !label.is_empty());
        let is_address = text.len() <= 254
            && text.split_once('@').is_some_and(|(local, domain)| {
                is_dotted(local)
                    && local.len() <= 64
                    && local.bytes().all(is_local)
                    && is_dotted(domain)
                    && domain.contains('.')
                    && domain.bytes().all(is_domain)
            });
        if is_address { Ok(Self(text.to_owned())) } else { Err(AddressError(one_line(&format!("{text:?}")))) }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The flags of the e-mail.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "E-mail")]
pub struct MailArgs {
    /// Whom the summary goes to by e-mail through SES, separated by commas [default: nobody]
    #[arg(long, global = true, env = "REPORT_EMAIL_TO", value_name = "ADDRESSES")]
    pub email_to: Option<String>,
    /// Whom the e-mail comes from, verified in SES
    #[arg(long, global = true, env = "REPORT_EMAIL_FROM", value_name = "ADDRESS")]
    pub email_from: Option<String>,
}

/// Whom the e-mail goes to, and whom it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// Whom it goes to, at least one, each once.
    pub to: Vec<Address>,
    /// Whom it comes from.
    pub from: Address,
}

impl MailArgs {
    /// Reads the flags; none where no e-mail is asked for, or where it cannot be sent as it is asked for. A sender
    /// without recipients asks for none: it may be set for all environments.
    pub fn read(&self, problems: &mut Problems) -> Option<MailSettings> {
        const TO: &str = "--email-to (REPORT_EMAIL_TO)";
        const FROM: &str = "--email-from (REPORT_EMAIL_FROM)";
        let from = given(self.email_from.as_deref()).and_then(|text| {
            Address::parse(text).map_err(|error| problems.add(format!("{FROM}: {error}"))).ok()
        });
        let mut to: Vec<Address> = Vec::new();
        let listed = given(self.email_to.as_deref()).into_iter().flat_map(|list| list.split(','));
        let mut is_whole = true;
        for text in listed.map(str::trim).filter(|text| !text.is_empty()) {
            match Address::parse(text) {
                Ok(address) if to.contains(&address) => {}
                Ok(address) => to.push(address),
                Err(error) => {
                    problems.add(format!("{TO}: {error}"));
                    is_whole = false;
                }
            }
        }
        if to.len() > MAX_RECIPIENTS {
            problems.add(format!("{TO} names {} recipients; {MAX_RECIPIENTS} are the most", to.len()));
            is_whole = false;
        }
        if !to.is_empty() && given(self.email_from.as_deref()).is_none() {
            problems.add(format!("{FROM} is not set, and {TO} is"));
        }
        from.filter(|_| is_whole && !to.is_empty()).map(|from| MailSettings { to, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("a.b+c@example.com", true)]
    #[case("A@sub.example.co.uk", true)]
    #[case("", false)]
    #[case("nobody", false)]
    #[case("@example.com", false)]
    #[case("a@localhost", false)]
    #[case("a@example.com,b@example.com", false)]
    #[case("a@b@example.com", false)]
    #[case("Name <a@example.com>", false)]
    #[case("a@example.com\r\nBcc: b@example.com", false)]
    #[case("a..b@example.com", false)]
    #[case("ä@example.com", false)]
    fn t08_an_address_is_one_and_carries_nothing_else(#[case] text: &str, #[case] is_address: bool) {
        assert_eq!(Address::parse(text).is_ok(), is_address, "{text:?}");
    }

    fn read(to: Option<&str>, from: Option<&str>) -> (Option<MailSettings>, Vec<String>) {
        let mut problems = Problems::default();
        let args = MailArgs { email_to: to.map(str::to_owned), email_from: from.map(str::to_owned) };
        let settings = args.read(&mut problems);
        (settings, problems.list().to_vec())
    }

    #[test]
    fn recipients_are_a_list_with_each_of_them_once() {
        let (settings, problems) =
            read(Some("a@example.com, b@example.com,,a@example.com"), Some(" r@example.com "));
        let settings = settings.unwrap();
        let to: Vec<&str> = settings.to.iter().map(Address::as_str).collect();
        assert_eq!((to, settings.from.as_str()), (vec!["a@example.com", "b@example.com"], "r@example.com"));
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn without_recipients_there_is_no_mail_and_no_problem() {
        for from in [None, Some(""), Some("r@example.com")] {
            for to in [None, Some(" "), Some(" , ")] {
                assert_eq!(read(to, from), (None, Vec::new()));
            }
        }
    }

    #[test]
    fn every_problem_is_told_with_its_setting() {
        let (settings, problems) = read(Some("a@example.com,nobody,B <b@example.com>"), None);
        assert_eq!(settings, None);
        insta::assert_snapshot!(problems.join("\n"), @r#"
        --email-to (REPORT_EMAIL_TO): "nobody" is no e-mail address; it is written name@example.com, without a display name
        --email-to (REPORT_EMAIL_TO): "B <b@example.com>" is no e-mail address; it is written name@example.com, without a display name
        --email-from (REPORT_EMAIL_FROM) is not set, and --email-to (REPORT_EMAIL_TO) is
        "#);
        let (settings, problems) = read(Some("a@example.com"), Some("nobody"));
        assert_eq!((settings, problems.len()), (None, 1));
        let many: Vec<String> = (0..51).map(|n| format!("a{n}@example.com")).collect();
        let (settings, problems) = read(Some(&many.join(",")), Some("r@example.com"));
        assert_eq!((settings, problems.len()), (None, 1), "{problems:?}");
    }
}
