//! What the exhibits have in common.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portone_sandbox::Event;
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wanryo::service::access;

use crate::app::{Answer, PATIENCE, TestApp};
use crate::support::TestDatabase;

/// Both generations of PortOne.
pub(super) const GENERATIONS: [&str; 2] = ["v1", "v2"];
/// The price of every order here that says nothing else, in won.
pub(super) const PRICE: i64 = 65_000;
/// Password of the one person who works here.
pub(super) const PASSWORD: &str = "correct horse battery";

/// An order of a generation, with more about it.
pub(super) async fn order(app: &TestApp, portone: &str, id: &str, more: Value) -> Value {
    let mut fields = json!({ "portone": portone, "channel_key": "channel-key-live" });
    extend(&mut fields, &more);
    app.order_with(id, fields).await
}

/// A payment at a generation of PortOne, without any message to us. Amount and status are named as V1 names them.
pub(super) async fn pay(app: &TestApp, portone: &str, id: &str, more: Value) -> String {
    if portone == "v1" {
        return app.pay(id, more);
    }
    let mut fields = json!({});
    for (name, value) in more.as_object().unwrap() {
        let (name, value) = match name.as_str() {
            "amount" => ("amount", json!({ "total": value })),
            "status" => (
                "status",
                json!(value.as_str().unwrap().to_ascii_uppercase()),
            ),
            other => (other, value.clone()),
        };
        fields[name] = value;
    }
    app.pay_v2(id, fields).await
}

/// The ids as a redirect of the generation spells them.
pub(super) fn query(portone: &str, id: &str, transaction_id: &str) -> String {
    if portone == "v1" {
        format!("imp_uid={transaction_id}&merchant_uid={id}")
    } else {
        format!("txId={transaction_id}&paymentId={id}")
    }
}

/// An order that was paid, and is known to be.
pub(super) async fn paid(app: &TestApp, portone: &str, id: &str) -> String {
    order(app, portone, id, json!({})).await;
    let transaction_id = pay(app, portone, id, json!({})).await;
    let answer = asked(app, &query(portone, id, &transaction_id)).await;
    assert_eq!(answer.outcome(), "paid", "{}", answer.text);
    transaction_id
}

/// Sends a request until its answer is not that PortOne could not be asked in time: on a busy machine that is said, and true.
pub(super) async fn insist(app: &TestApp, request: RequestBuilder) -> Answer {
    let mut round = tokio::time::interval(Duration::from_millis(50));
    let asking = async {
        loop {
            round.tick().await;
            let answer = app.send(request.try_clone().unwrap()).await;
            let is_json = answer.text.contains("\"outcome\":\"unconfirmed\"");
            if !is_json && answer.page_outcome() != Some("unconfirmed") {
                return answer;
            }
        }
    };
    tokio::time::timeout(2 * PATIENCE, asking)
        .await
        .expect("PortOne is there to be asked")
}

/// A buyer comes back, and waits for a word that is final; the answer as JSON.
pub(super) async fn asked(app: &TestApp, ids: &str) -> Answer {
    let request = app
        .client
        .get(app.url(&format!("/payments/complete?{ids}")));
    insist(app, request.header("accept", "application/json")).await
}

/// The same for any page.
pub(super) async fn opened(app: &TestApp, path: &str) -> Answer {
    let request = app.client.get(app.url(path));
    insist(app, request.header("accept", "text/html")).await
}

pub(super) fn extend(fields: &mut Value, more: &Value) {
    let more = more.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(more);
}

/// How often money was given back at PortOne.
pub(super) fn cancels(app: &TestApp) -> usize {
    app.sandbox.calls("cancel") + app.sandbox.calls("v2_cancel")
}

/// Waits until everything that was begun for anybody is done.
pub(super) async fn settled(app: &TestApp) {
    app.running.core.tasks.close();
    app.running.core.tasks.wait().await;
    app.running.core.tasks.reopen();
}

/// What came in the address of every call to PortOne, as method, path and query.
pub(super) fn calls(app: &TestApp) -> Vec<(String, String, String)> {
    let calls = app.sandbox.journal().into_iter();
    calls
        .filter_map(|entry| match entry.event {
            Event::Api {
                method,
                path,
                query,
                ..
            } => Some((method, path, query)),
            _ => None,
        })
        .collect()
}

/// Puts a person behind the counter and signs them in; the cookie.
pub(super) async fn sign_in(app: &TestApp) -> String {
    let password = SecretString::from(PASSWORD);
    access::put_user(&app.running.core, "staff@example.com", password, None)
        .await
        .unwrap();
    let form = [("email", "staff@example.com"), ("password", PASSWORD)];
    let answer = app
        .send(app.client.post(app.url("/login")).form(&form))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Sends all of them at the same time; their statuses.
pub(super) async fn at_once(requests: impl IntoIterator<Item = RequestBuilder>) -> Vec<StatusCode> {
    let mut sent = JoinSet::new();
    for request in requests {
        sent.spawn(async move { request.send().await.as_ref().map(Response::status).unwrap() });
    }
    sent.join_all().await
}

/// Everything that the database holds, as text.
pub(super) async fn everything_stored(db: &TestDatabase) -> String {
    if let Some(path) = db.sqlite_path() {
        let files = [path.to_owned(), format!("{path}-wal")];
        let bytes = files
            .iter()
            .flat_map(|file| fs::read(file).unwrap_or_default());
        return String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned();
    }
    let tables = db
        .read("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .await;
    let mut all = String::new();
    for table in tables {
        let rows = db.read(&format!("SELECT t::text FROM {table} t")).await;
        all.push_str(&rows.join("\n"));
    }
    assert!(all.len() > 100, "tables were read");
    all
}

/// A new instance of the app on the same database, after the first one ended, beside the same PortOne.
pub(super) async fn restarted(app: TestApp, db: &TestDatabase) -> TestApp {
    let sandbox = Arc::clone(&app.sandbox);
    app.running.stop().await;
    TestApp::start_with(db, sandbox, |_| {}).await
}

/// Every Rust file below a folder of the repository.
pub(super) fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        &mut found,
    );
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Attributes whose values lead somewhere.
const LEADING: [&str; 7] = [
    "href",
    "src",
    "action",
    "formaction",
    "content",
    "http-equiv",
    "srcdoc",
];

/// A page's tags with the names of their attributes, and the values of those that lead somewhere: what markup does, without
/// what it says. Read as browsers read: attributes in any quotes, scripts and styles as text, comments as comments.
pub(super) fn skeleton(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let starts_tag =
            after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !starts_tag {
            continue;
        }
        let (tag, after) = tag(after);
        let name = tag.split(' ').next().unwrap_or_default().to_owned();
        tags.push(tag);
        rest = after;
        if matches!(name.as_str(), "script" | "style" | "title" | "textarea") {
            let end = format!("</{name}");
            let at = rest.to_ascii_lowercase().find(&end).unwrap_or(rest.len());
            rest = &rest[at..];
        }
    }
    assert!(tags.len() > 3, "a page: {page}");
    tags
}

/// One tag, from behind its `<`, and what follows it.
fn tag(text: &str) -> (String, &str) {
    let mut quote = None;
    let end = text
        .char_indices()
        .find(|(_, c)| match (quote, c) {
            (None, '>') => true,
            (None, '"' | '\'') => {
                quote = Some(*c);
                false
            }
            (Some(open), c) if open == *c => {
                quote = None;
                false
            }
            _ => false,
        })
        .map_or(text.len(), |(at, _)| at);
    let (inside, after) = text.split_at(end);
    let after = after.strip_prefix('>').unwrap_or(after);
    let name_end = inside
        .find(|c: char| c.is_whitespace())
        .unwrap_or(inside.len());
    let (name, mut attributes) = inside.split_at(name_end);
    let mut shape = name.to_ascii_lowercase();
    loop {
        attributes = attributes.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if attributes.is_empty() {
            return (shape, after);
        }
        let name_end = attributes
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | '/'))
            .unwrap_or(attributes.len())
            .max(1);
        let (name, rest) = attributes.split_at(name_end);
        let (value, rest) = match rest.strip_prefix('=') {
            None => ("", rest),
            Some(rest) => match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    rest[1..].split_once(quote).unwrap_or((&rest[1..], ""))
                }
                _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
            },
        };
        shape.push(' ');
        shape.push_str(&name.to_ascii_lowercase());
        if LEADING.contains(&name.to_ascii_lowercase().as_str()) {
            shape.push('=');
            shape.push_str(value);
        }
        attributes = rest;
    }
}

/// The words between the first tag of this name and its end.
pub(super) fn inside<'t>(page: &'t str, name: &str) -> &'t str {
    let from = page
        .split_once(&format!("<{name}"))
        .unwrap_or_else(|| panic!("no {name}: {page}"))
        .1;
    let from = from.split_once('>').unwrap().1;
    from.split_once(&format!("</{name}>")).unwrap().0
}

/// An answer without what differs from one answer to the next: the nonce, and the headers about time.
pub(super) fn masked(answer: &Answer) -> (u16, Vec<String>, String) {
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    let nonce = policy
        .split_once("'nonce-")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map_or("no nonce", |(nonce, _)| nonce);
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        // Drawn for each answer, so that it tells nothing.
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap().replace(nonce, "N")))
        .collect();
    headers.sort();
    (
        answer.status.as_u16(),
        headers,
        answer.text.replace(nonce, "N"),
    )
}

#[test]
fn a_skeleton_sees_what_a_browser_sees() {
    let shape = |text: &str| skeleton(&format!("<p><b></b></p>{text}")).split_off(4);
    assert_eq!(
        shape("<A HREF='/x' class=y>a < b</a>"),
        ["a href=/x class", "/a"]
    );
    assert_eq!(
        shape("<img alt=\"<b>\" src=x onerror=y>"),
        ["img alt src=x onerror"]
    );
    assert_eq!(
        shape("<script>'<i>'</script><!-- <i> -->"),
        ["script", "/script"]
    );
    assert_eq!(shape("<title></title><i>"), ["title", "/title", "i"]);
}
