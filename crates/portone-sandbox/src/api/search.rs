//! Reads of several payments: by order, by status, by lists of ids.
//! <https://developers.portone.io/api/rest-v1/payment>

use std::collections::HashSet;

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiRefusal, Authorized, bad_request, envelope, not_found};
use crate::ledger::{Ledger, Payment, Sorting};
use crate::record;
use crate::state::App;

/// `limit`: default, and what a larger one is cut to.
const LIST_LIMIT_DEFAULT: usize = 20;
const LIST_LIMIT_MAX: usize = 1000;
/// Ids in one `GET /payments`.
const LIST_IDS_MAX: usize = 100;
/// Longest range of `status`, and the one it takes if none is given.
const RANGE_S_MAX: i64 = 90 * 24 * 60 * 60;

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    page: Option<String>,
    limit: Option<String>,
    sorting: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// Path of `find` and `findAll`, whose last part may be missing.
#[derive(Deserialize)]
pub(crate) struct MerchantPath {
    merchant_uid: String,
    payment_status: Option<String>,
}

fn is_status(status: &str) -> bool {
    matches!(status, "ready" | "paid" | "failed" | "cancelled")
}

/// `GET /payments/find/{merchant_uid}[/{payment_status}]`: the first by the order asked for, which by default is the
/// attempt that was started last and not the one that was paid.
pub(crate) async fn find(
    _: Authorized,
    State(app): State<App>,
    Path(path): Path<MerchantPath>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let Some(sorting) = Sorting::parse(query.sorting.as_deref()) else {
        return Err(bad_request("sorting 파라메터가 올바르지 않습니다."));
    };
    let state = app.state();
    let mut payments = attempts(&app, &state.ledger, &path);
    sorting.sort(&mut payments);
    let payment = payments.first().ok_or_else(not_found)?;
    Ok(envelope(Value::Object(payment.record.clone())))
}

/// `GET /payments/findAll/{merchant_uid}[/{payment_status}]`
pub(crate) async fn find_all(
    _: Authorized,
    State(app): State<App>,
    Path(path): Path<MerchantPath>,
    Query(query): Query<ListQuery>,
) -> Answer {
    if path
        .payment_status
        .as_deref()
        .is_some_and(|status| !is_status(status))
    {
        return Err(bad_request("올바르지 않은 결제상태입니다."));
    }
    let Some(sorting) = Sorting::parse(query.sorting.as_deref()) else {
        return Err(bad_request("sorting 파라메터가 올바르지 않습니다."));
    };
    let paging = Paging::parse(&query)?;
    let state = app.state();
    let mut payments = attempts(&app, &state.ledger, &path);
    if payments.is_empty() {
        return Err(not_found());
    }
    sorting.sort(&mut payments);
    Ok(envelope(paging.page_of(&payments)))
}

/// `page` and `limit`.
struct Paging {
    page: usize,
    limit: usize,
}

impl Paging {
    fn parse(query: &ListQuery) -> Result<Self, ApiRefusal> {
        let positive = |text: Option<&str>, default: usize| match text {
            None => Some(default),
            Some(text) => text.parse().ok().filter(|number| *number > 0),
        };
        let page = positive(query.page.as_deref(), 1);
        let limit = positive(query.limit.as_deref(), LIST_LIMIT_DEFAULT);
        let (Some(page), Some(limit)) = (page, limit) else {
            return Err(bad_request("page, limit 파라메터가 올바르지 않습니다."));
        };
        Ok(Paging {
            page,
            limit: limit.min(LIST_LIMIT_MAX),
        })
    }

    fn skipped(&self) -> usize {
        (self.page - 1).saturating_mul(self.limit)
    }

    fn page_of(&self, payments: &[&Payment]) -> Value {
        let total = payments.len();
        let list: Vec<_> = payments
            .iter()
            .skip(self.skipped())
            .take(self.limit)
            .map(|payment| &payment.record)
            .collect();
        let has_next = self.page.saturating_mul(self.limit) < total;
        json!({
            "total": total,
            // 0 says that there is no such page.
            "previous": self.page - 1,
            "next": if has_next { self.page + 1 } else { 0 },
            "list": list,
        })
    }
}

/// `GET /payments/status/{payment_status}`: everything of one status, or of `all`, within ninety days.
pub(crate) async fn by_status(
    _: Authorized,
    State(app): State<App>,
    Path(status): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    if status != "all" && !is_status(&status) {
        return Err(bad_request("올바르지 않은 결제상태입니다."));
    }
    let Some(sorting) = Sorting::parse(query.sorting.as_deref()) else {
        return Err(bad_request("sorting 파라메터가 올바르지 않습니다."));
    };
    let paging = Paging::parse(&query)?;
    let seconds = |text: Option<&str>, default: i64| match text {
        None => Some(default),
        Some(text) => text.parse().ok(),
    };
    let now_ms = app.clock.now_ms();
    let to = seconds(query.to.as_deref(), now_ms / 1000);
    let from = to.and_then(|to| seconds(query.from.as_deref(), to.saturating_sub(RANGE_S_MAX)));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(bad_request("from, to 파라메터가 올바르지 않습니다."));
    };
    if to.saturating_sub(from) > RANGE_S_MAX {
        return Err(bad_request("조회기간은 최대 90일까지 지정 가능합니다."));
    }

    let state = app.state();
    let mut payments: Vec<_> = state
        .ledger
        .newest_first()
        .filter(|payment| payment.is_visible(now_ms))
        .filter(|payment| status == "all" || payment.status() == status)
        .filter(|payment| (from..=to).contains(&time_of_status(payment)))
        .collect();
    // The first page of nothing is a page; any other beyond the data is not.
    if paging.page > 1 && paging.skipped() >= payments.len() {
        return Err(bad_request("데이터 범위를 넘어선 page입니다."));
    }
    sorting.sort(&mut payments);
    Ok(envelope(paging.page_of(&payments)))
}

/// When a payment came to its status, which is what the range of `status` is about.
fn time_of_status(payment: &Payment) -> i64 {
    let field = match payment.status() {
        "paid" => "paid_at",
        "cancelled" => "cancelled_at",
        "failed" => "failed_at",
        _ => "started_at",
    };
    record::integer(&payment.record, field)
}

/// `GET /payments?imp_uid[]=…&merchant_uid[]=…`: 207 if some are not there, 404 if none is.
pub(crate) async fn list(
    _: Authorized,
    State(app): State<App>,
    Query(query): Query<Vec<(String, String)>>,
) -> Answer {
    let ids: Vec<_> = query
        .iter()
        .filter_map(|(name, id)| match name.as_str() {
            "imp_uid[]" => Some(Id::ImpUid(id)),
            "merchant_uid[]" => Some(Id::MerchantUid(id)),
            _ => None,
        })
        .collect();
    if ids.len() > LIST_IDS_MAX {
        return Err(bad_request("최대 100건까지 조회 가능합니다."));
    }
    let now_ms = app.clock.now_ms();
    let state = app.state();
    let mut found: Vec<&Payment> = Vec::new();
    let mut is_complete = true;
    for id in ids {
        let payments: Vec<_> = match id {
            Id::ImpUid(imp_uid) => state.ledger.find(imp_uid).into_iter().collect(),
            Id::MerchantUid(merchant_uid) => state.ledger.of_merchant(merchant_uid).collect(),
        };
        let before = found.len();
        found.extend(payments.iter().filter(|payment| payment.is_visible(now_ms)));
        is_complete &= found.len() > before;
    }
    // Asked for by both its ids, a payment is still one.
    let mut seen = HashSet::new();
    found.retain(|payment| seen.insert(payment.number));
    if found.is_empty() {
        return Err(not_found());
    }
    let records: Vec<_> = found.iter().map(|payment| &payment.record).collect();
    let status = match is_complete {
        true => StatusCode::OK,
        false => StatusCode::MULTI_STATUS,
    };
    Ok((status, envelope(json!(records))).into_response())
}

enum Id<'q> {
    ImpUid(&'q str),
    MerchantUid(&'q str),
}

fn attempts<'a>(app: &App, ledger: &'a Ledger, path: &'a MerchantPath) -> Vec<&'a Payment> {
    let now_ms = app.clock.now_ms();
    ledger
        .of_merchant(&path.merchant_uid)
        .filter(|payment| payment.is_visible(now_ms))
        .filter(|payment| {
            path.payment_status
                .as_deref()
                .is_none_or(|status| payment.status() == status)
        })
        .collect()
}
