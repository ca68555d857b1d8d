//! `GET /api/v1/docs`: the description, to be read. One document without scripts that loads nothing.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::describe::document;

const STYLE: &str = include_str!("docs.css");

/// Programs that call the API, run by `tests/it/examples.rs`.
const EXAMPLES: [(&str, &str); 3] = [
    ("curl", include_str!("../../../docs/examples/shop.sh")),
    (
        "JavaScript",
        include_str!("../../../docs/examples/shop.mjs"),
    ),
    ("Python", include_str!("../../../docs/examples/shop.py")),
];

/// The style by its digest, and nothing else.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

static PAGE: LazyLock<String> = LazyLock::new(|| written(document()));

/// `GET /api/v1/docs`
#[utoipa::path(get, path = "/api/v1/docs", tag = "description", summary = "This description, as a page",
    security(()), responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub async fn docs_route() -> Response {
    page("wanryo API", &PAGE)
}

/// A page of documentation around this, which is HTML.
pub(in crate::web) fn page(title: &str, content: &str) -> Response {
    let title = escaped(title);
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head><body><main>{content}</main></body></html>\n"
    );
    let mut response = Html(page).into_response();
    if let Some(policy) = POLICY.clone() {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Text, with what HTML would read in it spelled out.
pub(in crate::web) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Everything that the description says.
fn written(document: &Value) -> String {
    let mut page = String::new();
    let _written = write(&mut page, document);
    page
}

fn write(page: &mut String, document: &Value) -> std::fmt::Result {
    let info = &document["info"];
    write!(
        page,
        "<h1>{} API</h1><p>{}</p><p>Version {}. For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>",
        text(&info["title"]),
        text(&info["description"]),
        text(&info["version"])
    )?;
    let operations = operations(document);
    page.push_str("<nav aria-label=\"Operations\"><ul>");
    for (path, method, operation) in &operations {
        write!(
            page,
            "<li><a href=\"#{}\"><code>{} {}</code></a> {}</li>",
            text(&operation["operationId"]),
            method.to_uppercase(),
            escaped(path),
            text(&operation["summary"])
        )?;
    }
    page.push_str("</ul></nav>");
    write_examples(page)?;
    for (path, method, operation) in operations {
        write_operation(page, path, method, operation)?;
    }
    page.push_str("<h2 id=\"types\">Types</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        write_type(page, name, schema)?;
    }
    Ok(())
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = members(&document["paths"]);
    let each = paths.flat_map(|(path, methods)| {
        members(methods).map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    each.collect()
}

fn write_operation(
    page: &mut String,
    path: &str,
    method: &str,
    operation: &Value,
) -> std::fmt::Result {
    write!(
        page,
        "<section><h2 id=\"{id}\"><code>{method} {path}</code></h2><p>{summary}. {description}</p>",
        id = text(&operation["operationId"]),
        method = method.to_uppercase(),
        path = escaped(path),
        summary = text(&operation["summary"]),
        description = text(&operation["description"]),
    )?;
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|found| !found.is_empty()) {
        page.push_str("<table><caption>Parameters</caption><thead><tr><th>name</th><th>in</th><th>meaning</th></tr></thead><tbody>");
        for parameter in parameters {
            let needed = if parameter["required"] == true {
                ", needed"
            } else {
                ""
            };
            write!(
                page,
                "<tr><td><code>{}</code></td><td>{}{needed}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                text(&parameter["description"])
            )?;
        }
        page.push_str("</tbody></table>");
    }
    for (_, content) in members(&operation["requestBody"]["content"]) {
        write!(page, "<p>Body: {}</p>", kind(&content["schema"]))?;
    }
    page.push_str("<table><caption>Answers</caption><thead><tr><th>status</th><th>meaning</th></tr></thead><tbody>");
    for (status, response) in members(&operation["responses"]) {
        write!(page, "<tr><td>{}</td><td>", escaped(status))?;
        write_response(page, response)?;
        page.push_str("</td></tr>");
    }
    page.push_str("</tbody></table>");
    page.push_str("</section>");
    Ok(())
}

fn write_response(page: &mut String, response: &Value) -> std::fmt::Result {
    let mut refusals = String::new();
    for (_, content) in members(&response["content"]) {
        let schema = &content["schema"];
        if let Some(kinds) = schema["properties"]["type"]["enum"].as_array() {
            for kind in kinds {
                let kind = text(kind);
                let name = kind.rsplit('/').next().unwrap_or_default();
                write!(refusals, " <a href=\"{kind}\">{name}</a>")?;
            }
        } else {
            write!(refusals, " {}", kind(schema))?;
        }
    }
    write!(page, "{}.{refusals}", text(&response["description"]))
}

fn write_examples(page: &mut String) -> std::fmt::Result {
    page.push_str("<h2 id=\"examples\">Examples</h2><p>Each makes an order, reads how it stands, and gives a part back once it is paid.</p>");
    for (label, source) in EXAMPLES {
        let source = escaped(source);
        write!(
            page,
            "<details><summary>{label}</summary><pre><code>{source}</code></pre></details>"
        )?;
    }
    Ok(())
}

fn write_type(page: &mut String, name: &str, schema: &Value) -> std::fmt::Result {
    let name = escaped(name);
    write!(
        page,
        "<section><h3 id=\"type-{name}\">{name}</h3><p>{}</p>",
        text(&schema["description"])
    )?;
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("<code>{}</code>", text(word)))
            .collect();
        write!(page, "<p>One of {}.</p>", words.join(", "))?;
    }
    let needed = schema["required"].as_array();
    if members(&schema["properties"]).next().is_some() {
        page.push_str(
            "<table><thead><tr><th>field</th><th>type</th><th>meaning</th></tr></thead><tbody>",
        );
        for (field, schema) in members(&schema["properties"]) {
            let is_needed = needed.is_some_and(|needed| needed.iter().any(|name| name == field));
            let optional = if is_needed { "" } else { ", optional" };
            write!(
                page,
                "<tr><td><code>{}</code></td><td>{}{optional}</td><td>{}</td></tr>",
                escaped(field),
                kind(schema),
                text(&schema["description"])
            )?;
        }
        page.push_str("</tbody></table>");
    }
    page.push_str("</section>");
    Ok(())
}

/// What a value is, in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|name| name.rsplit('/').next())
    {
        let name = escaped(name);
        return format!("<a href=\"#type-{name}\">{name}</a>");
    }
    for either in ["oneOf", "anyOf", "allOf"] {
        if let Some(kinds) = schema[either].as_array() {
            let kinds: Vec<String> = kinds.iter().map(kind).collect();
            return kinds.join(" or ");
        }
    }
    let word = match &schema["type"] {
        Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
        word => text(word),
    };
    match (&schema["items"], &schema["format"]) {
        (Value::Null, Value::String(format)) => format!("{word} ({})", escaped(format)),
        (Value::Null, _) => word,
        (items, _) => format!("{word} of {}", kind(items)),
    }
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter)
}

/// A text of the description, for HTML.
fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}
