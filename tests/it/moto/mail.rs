//! The e-mail through SES, as somebody else has read its description.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use dn_core::mail::{Address, MAX_ATTACHMENT_BYTES, Mail, MailError, MailFile, Mailer};
use serde_json::{Value, json};

use super::server::Moto;

const SENDER: &str = "reports@example.com";

fn mail(subject: &str) -> Mail {
    let address = |text: &str| Address::parse(text).unwrap();
    Mail {
        from: address(SENDER),
        to: vec![address("one@example.org"), address("two@example.org")],
        subject: subject.to_owned(),
        text: "3 alerts\n".to_owned(),
        html: "<p>3 alerts: Fälle</p>".to_owned(),
        attachments: vec![MailFile {
            name: "changes.csv".to_owned(),
            content_type: "text/csv".to_owned(),
            bytes: b"asset_id\n".to_vec(),
        }],
    }
}

/// Stands before moto and notes the body of each request; gives its address and the bodies.
fn noting(moto: &Moto) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let behind = moto.endpoint.strip_prefix("http://").unwrap().to_owned();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let mut reader = BufReader::new(&stream);
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|bytes| bytes > 2) {}
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
            });
            let mut body = vec![0; length.unwrap().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let mut server = TcpStream::connect(&behind).unwrap();
            // One connection for each request: the end of an answer is then the end of the stream.
            let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            server.write_all(head.as_bytes()).unwrap();
            server.write_all(&body).unwrap();
            seen.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            std::io::copy(&mut server, &mut stream).unwrap();
        }
    });
    (address, bodies)
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_a_mail_is_taken_with_both_bodies_its_file_and_a_subject_of_one_line() {
    let moto = Moto::start(&[]).await;
    moto.ask_one("sesv2", "create_email_identity", json!({"EmailIdentity": SENDER})).await;
    let (address, bodies) = noting(&moto);
    let mailer = Mailer::new(&moto.aws(Some(&address)).await);
    let id = mailer.send(&mail("Week 47: <b>Fälle</b>\r\nBcc: evil@example.net")).await.unwrap();
    assert!(id.len() > 10, "{id}");
    let sent = moto.ask_one("ses", "get_send_quota", json!({})).await;
    assert_eq!(sent["SentLast24Hours"], json!(2.0), "one for each recipient");
    let text = |data: &str| json!({"Data": data, "Charset": "UTF-8"});
    let expected = json!({
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": ["one@example.org", "two@example.org"]},
        "Content": {"Simple": {
            "Subject": text("Week 47: <b>Fälle</b> Bcc: evil@example.net"),
            "Body": {"Text": text("3 alerts\n"), "Html": text("<p>3 alerts: Fälle</p>")},
            "Attachments": [
                {"FileName": "changes.csv", "ContentType": "text/csv", "RawContent": "YXNzZXRfaWQK"}
            ],
        }},
    });
    assert_eq!(*bodies.lock().unwrap(), [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_nobody_has_verified_and_what_is_too_large_are_refused() {
    let moto = Moto::start(&[]).await;
    let mailer = Mailer::new(&moto.aws(None).await);
    let error = mailer.send(&mail("Week 47")).await.unwrap_err();
    let MailError::Refused { reason } = &error else { panic!("{error:?}") };
    assert!(reason.contains(SENDER) && reason.contains("REPORT_EMAIL_FROM"), "{reason}");

    let mut large = mail("Week 47");
    large.attachments[0].bytes = vec![0; MAX_ATTACHMENT_BYTES + 1];
    let mut to_nobody = mail("Week 47");
    to_nobody.to.clear();
    for unsendable in [large, to_nobody] {
        let error = mailer.send(&unsendable).await.unwrap_err();
        assert!(matches!(error, MailError::Unsendable { .. }), "{error:?}");
    }
}
