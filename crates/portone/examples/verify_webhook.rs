//! Verifies a webhook and says what it is about. Standard input is the request as it arrived, without its first line:
//! headers, an empty line, the body.
//!
//! ```sh
//! export PORTONE_V2_WEBHOOK_SECRETS=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
//! cargo run --package portone --example verify_webhook <request.txt
//! ```

use std::error::Error;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use portone::webhook::v2::{self, Event};
use portone::webhook::{BODY_BYTES_MAX, Verifier};

/// More than any web server passes on.
const HEADERS_BYTES_MAX: usize = 64 * 1024;

#[expect(
    clippy::disallowed_methods,
    reason = "a program reads its environment and the clock; the library does neither"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let secrets = std::env::var("PORTONE_V2_WEBHOOK_SECRETS")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let verifier = Verifier::new(secrets.split(',').map(str::trim))?;

    let mut request = Vec::new();
    std::io::stdin()
        .take(u64::try_from(HEADERS_BYTES_MAX + BODY_BYTES_MAX)?)
        .read_to_end(&mut request)?;
    let (headers, body) = split(&request).ok_or("there is no empty line after the headers")?;

    let delivery = verifier.verify(headers.iter().copied(), body, i64::try_from(now)?)?;
    let content_type = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| *value);
    let event = v2::parse(content_type, body)?;
    let what = match event {
        Event::Transaction(event) => format!("payment {}: {}", event.payment_id, event.what),
        Event::BillingKey(event) => format!("billing key: {}", event.what),
        // PortOne adds types without notice: a shop answers 200 and does nothing.
        other => format!("{other:?}"),
    };
    println!("{} {what}", delivery.id);
    Ok(())
}

/// Names and values.
type Headers<'a> = Vec<(&'a str, &'a str)>;

/// The headers, and the body after them.
fn split(request: &[u8]) -> Option<(Headers<'_>, &[u8])> {
    let end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let (head, body) = (request.get(..end)?, request.get(end + 4..)?);
    let headers = std::str::from_utf8(head)
        .ok()?
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    Some((headers, body))
}
