//! Makes every call that the clients know, once, and prints what comes back:
//!
//! ```sh
//! cargo run --package portone --example tour -- v1 IMP_UID
//! cargo run --package portone --example tour -- v2 PAYMENT_ID VIRTUAL_ACCOUNT_PAYMENT_ID
//! ```
//!
//! The first payment must be paid, and **is cancelled**; the second waits for a deposit, and its account is closed.
//! Point it at `portone-sandbox`. The environment says where PortOne is and who asks: `PORTONE_V1_API_URL`,
//! `PORTONE_V1_API_KEY`, `PORTONE_V1_API_SECRET`, `PORTONE_V2_API_URL`, `PORTONE_V2_API_SECRET`, `PORTONE_V2_STORE_ID`.

use std::fmt::Debug;

use portone::{Error, v1, v2};
use rust_decimal::Decimal;
use secrecy::SecretString;

type AnyError = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["v1", imp_uid] => tour_v1(&v1::ImpUid::parse(imp_uid)?).await,
        ["v2", paid, waiting] => {
            tour_v2(
                &v2::PaymentId::parse(paid)?,
                &v2::PaymentId::parse(waiting)?,
            )
            .await
        }
        _ => Err("usage: tour v1 IMP_UID | tour v2 PAYMENT_ID VIRTUAL_ACCOUNT_PAYMENT_ID".into()),
    }
}

async fn tour_v1(imp_uid: &v1::ImpUid) -> Result<(), AnyError> {
    let client = v1::Client::builder(
        setting("PORTONE_V1_API_URL")?.parse()?,
        secret("PORTONE_V1_API_KEY")?,
        secret("PORTONE_V1_API_SECRET")?,
    )
    .build()?;

    let payment = client.payment(imp_uid).await?;
    println!("payment: {payment:?}");
    let order = v1::MerchantUid::parse(&payment.merchant_uid)?;
    tell(
        "payment_with_extension",
        client.payment_with_extension(imp_uid).await,
    )?;
    tell("balance", client.balance(imp_uid).await)?;

    let nobody = v1::ImpUid::parse("imp_000000000000")?;
    let ids = [imp_uid.clone(), nobody];
    tell("payments", client.payments(&ids).await)?;
    let paid = v1::StatusFilter::Paid;
    let sorting = v1::Sorting::LatestPaid;
    tell("find", client.find(&order, Some(paid), sorting).await)?;
    tell("payments_of", client.payments_of(&order).await)?;
    tell(
        "payments_of_with_status",
        client.payments_of_with_status(&order, paid).await,
    )?;
    let query = v1::StatusQuery {
        limit: 10,
        ..v1::StatusQuery::new(None)
    };
    tell(
        "payments_with_status",
        client.payments_with_status(&query).await,
    )?;

    let next_order = v1::MerchantUid::parse("tour-next-order")?;
    let price = Decimal::from(64_900);
    tell(
        "prepare",
        client.prepare(&next_order, price, Some("KRW")).await,
    )?;
    let lower = Decimal::from(59_900);
    tell(
        "update_prepared",
        client.update_prepared(&next_order, lower, None).await,
    )?;
    tell("prepared", client.prepared(&next_order).await)?;

    tell("banks", client.banks().await)?;
    tell("cards", client.cards().await)?;
    let settings = client.pg_settings().await?;
    println!("pg_settings: {settings:?}");
    if let Some(channel_key) = settings.into_iter().find_map(|pg| pg.channel_key) {
        tour_vbanks(&client, channel_key, next_order).await?;
    }

    let left = payment.amount - payment.cancel_amount;
    let target = v1::CancelTarget::ImpUid(imp_uid.clone());
    let part = v1::PartAmount::new(Decimal::ONE_HUNDRED)?;
    let mut cancel = v1::Cancel::new(target, v1::CancelAmount::Part(part), left);
    cancel.reason = Some("one of two was out of stock".to_owned());
    cancel.requester = Some(v1::Requester::Admin);
    tell("cancel, a part", client.cancel(&cancel).await)?;
    let left = left - part.get();
    let target = v1::CancelTarget::MerchantUid(order);
    let cancel = v1::Cancel::new(target, v1::CancelAmount::All, left);
    tell("cancel, the rest", client.cancel(&cancel).await)
}

/// Issues an account to deposit to, changes it, and closes it.
async fn tour_vbanks(
    client: &v1::Client,
    channel_key: String,
    order: v1::MerchantUid,
) -> Result<(), AnyError> {
    let new_year = "2100-01-01T00:00:00Z".parse()?;
    let mut vbank = v1::Vbank::new(channel_key, order, Decimal::from(64_900), "088", new_year);
    vbank.vbank_holder = Some("the shop".to_owned());
    let issued = client.issue_vbank(&vbank).await?;
    println!("issue_vbank: {issued:?}");

    let change = v1::VbankChange {
        amount: Some(Decimal::from(59_900)),
        vbank_due: None,
    };
    tell(
        "change_vbank",
        client.change_vbank(&issued.imp_uid, &change).await,
    )?;
    tell(
        "close_vbank",
        client.close_vbank(&issued.imp_uid, None).await,
    )
}

async fn tour_v2(paid: &v2::PaymentId, waiting: &v2::PaymentId) -> Result<(), AnyError> {
    let builder = || -> Result<v2::ClientBuilder, AnyError> {
        let url = setting("PORTONE_V2_API_URL")?.parse()?;
        let builder = v2::Client::builder(url, secret("PORTONE_V2_API_SECRET")?);
        Ok(builder.store_id(setting("PORTONE_V2_STORE_ID")?))
    };
    let client = builder()?.build()?;
    // Each call that changes something has a key of its own: made again with the same one, it has no second effect.
    let key = v2::IdempotencyKey::random;

    let payment = client.payment(paid).await?;
    println!("payment: {payment:?}");
    tell("transactions", client.transactions(paid).await)?;
    let with_token = builder()?
        .authentication(v2::Authentication::Token)
        .build()?;
    tell("payment, with a token", with_token.payment(waiting).await)?;

    let filter = v2::Filter {
        status: vec![v2::FilterStatus::Paid],
        sort_by: Some(v2::SortBy::RequestedAt),
        sort_order: Some(v2::SortOrder::Descending),
        text_search: vec![v2::TextSearch {
            field: "PAYMENT_ID".to_owned(),
            value: paid.as_str().to_owned(),
        }],
        ..v2::Filter::default()
    };
    let page = v2::Page {
        number: 0,
        size: 10,
    };
    tell("payments", client.payments(&filter, page).await)?;
    tell("banks", client.banks().await)?;

    let next_payment = v2::PaymentId::parse("tour-next-payment")?;
    let price = v2::PreRegister::new(64_900, "KRW");
    tell(
        "pre_register",
        client.pre_register(&next_payment, &price, &key()).await,
    )?;
    // A real token comes with the buyer, where a channel asks for confirmation by hand.
    let confirm = v2::Confirm::new("no-such-token".into(), 64_900, "KRW");
    tell(
        "confirm",
        client.confirm(&next_payment, &confirm, &key()).await,
    )?;

    tell(
        "resend_webhook",
        client.resend_webhook(paid, None, &key()).await,
    )?;
    tell(
        "close_virtual_account",
        client.close_virtual_account(waiting, &key()).await,
    )?;

    let left = payment.amount.total - payment.amount.cancelled;
    let mut cancel = v2::Cancel::new(
        v2::CancelAmount::Part(100.try_into()?),
        "one of two was out of stock",
    );
    cancel.current_cancellable_amount = Some(left);
    cancel.requester = Some(v2::Requester::Admin);
    tell("cancel, a part", client.cancel(paid, &cancel, &key()).await)?;
    let cancel = v2::Cancel::new(v2::CancelAmount::All, "the shop closed");
    let cancellation = client.cancel(paid, &cancel, &key()).await?;
    println!("cancel, the rest: {cancellation:?}");
    let cancellation = v2::CancellationId::parse(&cancellation.id)?;
    tell(
        "stop_cancellation",
        client.stop_cancellation(paid, &cancellation, &key()).await,
    )
}

/// Prints what came back. That PortOne says no is an answer, too; anything else ends the tour.
fn tell<T: Debug>(call: &str, answer: Result<T, Error>) -> Result<(), AnyError> {
    match answer {
        Ok(answer) => println!("{call}: {answer:?}"),
        Err(error @ (Error::NotFound | Error::Rejected(_) | Error::Http { code: Some(_), .. })) => {
            println!("{call}: {error}");
        }
        Err(error) => return Err(format!("{call}: {error}").into()),
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program reads its environment; the library does not"
)]
fn setting(name: &str) -> Result<String, AnyError> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}

fn secret(name: &str) -> Result<SecretString, AnyError> {
    setting(name).map(SecretString::from)
}
