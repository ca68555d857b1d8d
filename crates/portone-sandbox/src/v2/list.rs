//! `GET /payments` and `GET /payments-by-cursor`.
//!
//! A filter that the sandbox does not apply is refused, so that no client believes in a list that was not filtered.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Answer, check_store, parse};
use super::auth::Authorized;
use super::config::TotalCount;
use super::record::{self, Record};
use super::refusal::ApiRefusal;
use crate::state::App;

const SIZE_DEFAULT: usize = 10;
/// The last item that pages reach.
const REACH_MAX: usize = 60_000;
const CURSOR_SIZE_MAX: usize = 1000;
/// How far back a list goes that names no beginning.
const SPAN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A GET's body may stand in the query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BodyQuery {
    request_body: Option<String>,
}

impl BodyQuery {
    fn parse<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, ApiRefusal> {
        parse(self.request_body.as_deref().map_or(body, str::as_bytes))
    }
}

#[derive(Default, Deserialize)]
struct PageBody {
    #[serde(default)]
    page: Page,
    #[serde(default)]
    filter: Filter,
}

#[derive(Default, Deserialize)]
struct Page {
    number: Option<usize>,
    size: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum TimestampType {
    #[default]
    CreatedAt,
    StatusChangedAt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SortBy {
    #[default]
    RequestedAt,
    StatusChangedAt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum SortOrder {
    #[default]
    #[serde(rename = "DESC")]
    Descending,
    #[serde(rename = "ASC")]
    Ascending,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    merchant_id: Option<String>,
    store_id: Option<String>,
    #[serde(default)]
    timestamp_type: TimestampType,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    pg_provider: Vec<String>,
    is_test: Option<bool>,
    #[serde(default)]
    sort_by: SortBy,
    #[serde(default)]
    sort_order: SortOrder,
    version: Option<String>,
    currency: Option<String>,
    #[serde(default)]
    text_search: Vec<TextSearch>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
struct TextSearch {
    field: String,
    value: String,
}

impl TextSearch {
    fn finds(&self, record: &Record) -> bool {
        let fields: &[&str] = match self.field.as_str() {
            "PAYMENT_ID" => &["id"],
            "TX_ID" => &["transactionId"],
            "PG_TX_ID" => &["pgTxId"],
            "ORDER_NAME" => &["orderName"],
            _ => &["id", "transactionId", "pgTxId", "orderName"],
        };
        fields
            .iter()
            .any(|field| record::text(record, field).contains(&self.value))
    }

    fn is_applied(&self) -> bool {
        matches!(
            self.field.as_str(),
            "ALL" | "PAYMENT_ID" | "TX_ID" | "PG_TX_ID" | "ORDER_NAME"
        )
    }
}

/// Lists are filtered by `PENDING` where payments say `PAY_PENDING`.
fn listed_status(record: &Record) -> &str {
    match record::text(record, "status") {
        record::PAY_PENDING => "PENDING",
        status => status,
    }
}

fn listed_method(record: &Record) -> Option<&'static str> {
    Some(match record.get("method")?.get("type")?.as_str()? {
        "PaymentMethodCard" => "CARD",
        "PaymentMethodTransfer" => "TRANSFER",
        "PaymentMethodVirtualAccount" => "VIRTUAL_ACCOUNT",
        "PaymentMethodGiftCertificate" => "GIFT_CERTIFICATE",
        "PaymentMethodMobile" => "MOBILE",
        "PaymentMethodEasyPay" => "EASY_PAY",
        "PaymentMethodConvenienceStore" => "CONVENIENCE_STORE",
        "PaymentMethodCrypto" => "CRYPTO",
        _ => return None,
    })
}

fn time(record: &Record, field: &str) -> Option<Timestamp> {
    record::text(record, field).parse().ok()
}

impl Filter {
    fn check(&self) -> Result<(), ApiRefusal> {
        if let Some(name) = self.others.keys().next() {
            let message = format!("portone-sandbox does not filter by {name}");
            return Err(ApiRefusal::invalid(message));
        }
        match self.text_search.iter().find(|search| !search.is_applied()) {
            Some(search) => {
                let message = format!("portone-sandbox does not search {}", search.field);
                Err(ApiRefusal::invalid(message))
            }
            None => Ok(()),
        }
    }

    fn lets_through(&self, record: &Record, from: Timestamp, until: Timestamp) -> bool {
        let named = |names: &[String], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|named| named == name))
        };
        let same = |expected: Option<&String>, field| {
            expected.is_none_or(|expected| expected == record::text(record, field))
        };
        let at = match self.timestamp_type {
            TimestampType::CreatedAt => time(record, "requestedAt"),
            TimestampType::StatusChangedAt => time(record, "statusChangedAt"),
        };
        let pg_provider = record
            .get("channel")
            .and_then(|channel| channel["pgProvider"].as_str());
        at.is_some_and(|at| (from..=until).contains(&at))
            && named(&self.status, Some(listed_status(record)))
            && named(&self.methods, listed_method(record))
            && named(&self.pg_provider, pg_provider)
            && same(self.merchant_id.as_ref(), "merchantId")
            && same(self.version.as_ref(), "version")
            && same(self.currency.as_ref(), "currency")
            && self
                .is_test
                .is_none_or(|is_test| is_test == record::is_test(record))
            && self.text_search.iter().all(|search| search.finds(record))
    }
}

/// The span that is asked for, or the last ninety days.
fn span(
    app: &App,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<(Timestamp, Timestamp), ApiRefusal> {
    let now = Timestamp::from_millisecond(app.clock.now_ms()).unwrap_or_default();
    let until = until.unwrap_or(now);
    let from = from.unwrap_or_else(|| until.checked_sub(SPAN).unwrap_or(Timestamp::MIN));
    if from > until {
        return Err(ApiRefusal::invalid("from은 until보다 늦을 수 없습니다."));
    }
    Ok((from, until))
}

/// `GET /payments`
pub(crate) async fn by_page(
    _: Authorized,
    State(app): State<App>,
    Query(query): Query<BodyQuery>,
    body: Bytes,
) -> Answer {
    let PageBody { page, filter } = query.parse(&body)?;
    filter.check()?;
    let number = page.number.unwrap_or(0);
    let size = page.size.unwrap_or(SIZE_DEFAULT);
    let reach = number
        .checked_add(1)
        .and_then(|pages| pages.checked_mul(size));
    if size == 0 || reach.is_none_or(|reach| reach > REACH_MAX) {
        return Err(ApiRefusal::invalid(
            "page의 (number + 1) * size는 1 이상 60000 이하여야 합니다.",
        ));
    }
    let (from, until) = span(&app, filter.from, filter.until)?;

    let now_ms = app.clock.now_ms();
    let state = app.state();
    check_store(&state, filter.store_id.as_deref())?;
    let mut records: Vec<&Record> = state
        .v2
        .ledger
        .payments()
        .map(|attempt| attempt.shown(now_ms))
        .filter(|record| filter.lets_through(record, from, until))
        .collect();
    records.sort_by_key(|record| match filter.sort_by {
        SortBy::RequestedAt => time(record, "requestedAt"),
        SortBy::StatusChangedAt => time(record, "statusChangedAt"),
    });
    if filter.sort_order == SortOrder::Descending {
        records.reverse();
    }
    let all = records.len();
    let items: Vec<_> = records.into_iter().skip(number * size).take(size).collect();
    let total = match state.config.v2.total_count {
        TotalCount::All => all,
        TotalCount::Page => items.len(),
    };
    let page = json!({"number": number, "size": size, "totalCount": total});
    Ok(Json(json!({"items": items, "page": page})).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CursorBody {
    store_id: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    cursor: Option<String>,
    size: Option<usize>,
}

/// `GET /payments-by-cursor`: oldest first; a cursor is the number of an attempt.
pub(crate) async fn by_cursor(
    _: Authorized,
    State(app): State<App>,
    Query(query): Query<BodyQuery>,
    body: Bytes,
) -> Answer {
    let body: CursorBody = query.parse(&body)?;
    let size = body.size.unwrap_or(SIZE_DEFAULT);
    if !(1..=CURSOR_SIZE_MAX).contains(&size) {
        return Err(ApiRefusal::invalid("size는 1 이상 1000 이하여야 합니다."));
    }
    let after: u64 = match &body.cursor {
        None => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| ApiRefusal::invalid("cursor가 올바르지 않습니다."))?,
    };
    let (from, until) = span(&app, body.from, body.until)?;

    let now_ms = app.clock.now_ms();
    let state = app.state();
    check_store(&state, body.store_id.as_deref())?;
    let items: Vec<_> = state
        .v2
        .ledger
        .payments()
        .filter(|attempt| attempt.number > after)
        .filter(|attempt| {
            time(&attempt.record, "requestedAt").is_some_and(|at| (from..=until).contains(&at))
        })
        .take(size)
        .map(|attempt| {
            json!({"payment": attempt.shown(now_ms), "cursor": attempt.number.to_string()})
        })
        .collect();
    Ok(Json(json!({"items": items})).into_response())
}
