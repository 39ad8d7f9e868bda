//! Signing in.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use dn_sandbox::{CredentialKind, Profile, Service};
use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{Bench, json};

fn credential(bench: &Bench, kind: CredentialKind) -> Value {
    serde_json::from_str(&bench.sandbox.credentials(kind)).unwrap()
}

/// An assertion as a service account signs it, some claims changed.
fn assertion(key: &Value, change: &Value) -> String {
    assertion_in(&URL_SAFE_NO_PAD, key, change)
}

fn assertion_in(parts: &GeneralPurpose, key: &Value, change: &Value) -> String {
    let pem = key["private_key"].as_str().unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let now = i64::try_from(wall_clock()).unwrap();
    let mut claims = json!({"iss": key["client_email"], "aud": key["token_uri"], "iat": now, "exp": now + 3600,
        "scope": "https://www.googleapis.com/auth/youtubepartner"});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let encode = |value: &Value| parts.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "RS256", "typ": "JWT"})), encode(&claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", parts.encode(signature))
}

#[expect(clippy::disallowed_methods, reason = "an assertion says when it was signed")]
fn wall_clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

async fn ask(bench: &Bench, credential: &Value, form: &[(&str, &str)]) -> Response {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let url = credential["token_uri"].as_str().unwrap();
    let post = bench.client.post(url).header("content-type", "application/x-www-form-urlencoded");
    post.body(form).send().await.unwrap()
}

async fn assert_opens(bench: &Bench, token: &Value) {
    let url = bench.youtube_url("/assets?id=A100000000000001");
    let reply = bench.client.get(url).bearer_auth(token.as_str().unwrap()).send().await.unwrap();
    assert_eq!(reply.status(), 200);
}

const JWT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");

#[tokio::test]
async fn a_signed_assertion_gets_a_token_that_opens_the_api() {
    let bench = Bench::small().await;
    let key = credential(&bench, CredentialKind::ServiceAccount);
    let signed = assertion(&key, &json!({}));
    let reply = ask(&bench, &key, &[JWT, ("assertion", &signed)]).await;
    assert_eq!(reply.status(), 200);
    let body = json(reply).await;
    assert_eq!((&body["expires_in"], &body["token_type"]), (&json!(3600), &json!("Bearer")));
    assert_opens(&bench, &body["access_token"]).await;
    // Google takes the padding that some clients leave on.
    let padded = assertion_in(&URL_SAFE, &key, &json!({}));
    assert_eq!(ask(&bench, &key, &[JWT, ("assertion", &padded)]).await.status(), 200);
    assert_eq!(bench.sandbox.journal().count(Service::Token, "assertion"), 2);
}

#[tokio::test]
async fn an_assertion_that_is_not_ours_is_an_invalid_grant() {
    let bench = Bench::small().await;
    let key = credential(&bench, CredentialKind::ServiceAccount);
    let changed = [
        json!({"iss": "other@example"}),
        json!({"aud": "https://oauth2.googleapis.com/token"}),
        json!({"scope": "https://www.googleapis.com/auth/youtube"}),
        json!({"iat": 0, "exp": 3600}),
    ];
    for change in changed {
        let signed = assertion(&key, &change);
        let reply = ask(&bench, &key, &[JWT, ("assertion", &signed)]).await;
        assert_eq!(reply.status(), 400, "{change}");
        assert_eq!(json(reply).await["error"], "invalid_grant", "{change}");
    }
    let signed = assertion(&key, &json!({}));
    let forged = format!("{}AAAA", &signed[..signed.len() - 4]);
    assert_eq!(ask(&bench, &key, &[JWT, ("assertion", &forged)]).await.status(), 400);
}

#[tokio::test]
async fn a_refresh_token_and_the_token_service_give_tokens_too() {
    let bench = Bench::small().await;
    let user = credential(&bench, CredentialKind::AuthorizedUser);
    let field = |name: &str| user[name].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", field("client_id")),
        ("client_secret", field("client_secret")),
        ("refresh_token", field("refresh_token")),
    ];
    assert_opens(&bench, &json(ask(&bench, &user, &form).await).await["access_token"]).await;
    let mut revoked = form;
    revoked[3].1 = "1//revoked";
    assert_eq!(json(ask(&bench, &user, &revoked).await).await["error"], "invalid_grant");

    let service = credential(&bench, CredentialKind::TokenService);
    let url = service["url"].as_str().unwrap();
    let post = |key: &str| bench.client.post(url).header("x-api-key", key.to_owned()).send();
    let body = json(post(service["api_key"].as_str().unwrap()).await.unwrap()).await;
    assert_eq!(body["expires_in"], 3600);
    assert_opens(&bench, &body["access_token"]).await;
    assert_eq!(post("wrong").await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_token_dies_early_where_the_profile_says_so() {
    let bench =
        Bench::over_with(dn_sandbox::World::small, |options| options.profile = Profile::TokenExpires).await;
    let service = credential(&bench, CredentialKind::TokenService);
    let post = bench
        .client
        .post(service["url"].as_str().unwrap())
        .header("x-api-key", service["api_key"].as_str().unwrap());
    let token = json(post.send().await.unwrap()).await["access_token"].as_str().unwrap().to_owned();
    let url = bench.youtube_url("/assets?id=A100000000000001");
    let mut refused_after = None;
    for call in 0..500 {
        let get = bench.client.get(&url).bearer_auth(&token);
        if get.send().await.unwrap().status() == 401 {
            refused_after = Some(call);
            break;
        }
    }
    assert!(refused_after.is_some_and(|calls| calls <= 400), "{refused_after:?}");
}
