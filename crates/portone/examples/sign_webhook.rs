//! Signs a webhook as PortOne does, to try a shop's endpoint by hand:
//!
//! ```sh
//! export PORTONE_V2_WEBHOOK_SECRETS=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
//! cargo run --package portone --example sign_webhook -- msg_1 body.json |
//!   curl --header @- --header 'content-type: application/json' --data-binary @body.json http://127.0.0.1:3000/payments/webhook
//! ```
//!
//! Prints the three headers. Several secrets, separated by commas, make several signatures.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use portone::webhook::Signer;

#[expect(
    clippy::disallowed_methods,
    reason = "a program reads its environment and the clock; the library does neither"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [id, path] = arguments.as_slice() else {
        return Err("usage: sign_webhook ID FILE".into());
    };
    let secrets = std::env::var("PORTONE_V2_WEBHOOK_SECRETS")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();

    let signer = Signer::new(secrets.split(',').map(str::trim))?;
    let headers = signer.sign(id, i64::try_from(now)?, &std::fs::read(path)?);
    for (name, value) in &headers {
        println!("{name}: {value}");
    }
    Ok(())
}
