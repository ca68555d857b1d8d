//! Lists that do not change: banks, card companies, and the merchant's channels.
//! <https://developers.portone.io/opi/ko/support/code-info/portone-code>

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Authorized, envelope, refuse};
use crate::gateway::GATEWAYS;

/// KFTC's code and name of each bank.
const BANKS: [(&str, &str); 22] = [
    ("002", "KDB산업은행"),
    ("003", "IBK기업은행"),
    ("004", "KB국민은행"),
    ("007", "수협은행"),
    ("011", "NH농협은행"),
    ("012", "지역농축협"),
    ("020", "우리은행"),
    ("023", "SC제일은행"),
    ("027", "한국씨티은행"),
    ("031", "iM뱅크"),
    ("032", "부산은행"),
    ("034", "광주은행"),
    ("037", "전북은행"),
    ("039", "경남은행"),
    ("045", "새마을금고"),
    ("048", "신협"),
    ("071", "우체국"),
    ("081", "하나은행"),
    ("088", "신한은행"),
    ("089", "케이뱅크"),
    ("090", "카카오뱅크"),
    ("092", "토스뱅크"),
];

/// KFTC's code and name of each card company.
const CARDS: [(&str, &str); 26] = [
    ("002", "KDB산업은행카드"),
    ("041", "우리카드"),
    ("045", "새마을금고카드"),
    ("048", "신협카드"),
    ("071", "우체국카드"),
    ("089", "케이뱅크카드"),
    ("090", "카카오뱅크카드"),
    ("361", "BC카드"),
    ("364", "광주카드"),
    ("365", "삼성카드"),
    ("366", "신한카드"),
    ("367", "현대카드"),
    ("368", "롯데카드"),
    ("369", "수협카드"),
    ("370", "씨티카드"),
    ("371", "NH카드"),
    ("372", "전북카드"),
    ("373", "제주카드"),
    ("374", "하나카드"),
    ("381", "KB국민카드"),
    ("10001", "유니온페이"),
    ("10002", "다이너스"),
    ("10003", "아멕스"),
    ("10004", "마스터"),
    ("10005", "비자"),
    ("10006", "JCB"),
];

pub(crate) fn bank(code: &str) -> Option<(&'static str, &'static str)> {
    BANKS.into_iter().find(|(bank, _)| *bank == code)
}

fn entry((code, name): (&str, &str)) -> Value {
    json!({"code": code, "name": name})
}

/// `GET /banks`
pub(crate) async fn banks(_: Authorized) -> Response {
    envelope(BANKS.into_iter().map(entry).collect())
}

/// `GET /banks/{bank_standard_code}`
pub(crate) async fn bank_by_code(_: Authorized, Path(code): Path<String>) -> Answer {
    let bank = bank(&code).ok_or_else(|| {
        refuse(
            StatusCode::NOT_FOUND,
            "코드에 해당되는 은행정보를 찾을 수 없습니다.",
        )
    })?;
    Ok(envelope(entry(bank)))
}

/// `GET /cards`
pub(crate) async fn cards(_: Authorized) -> Response {
    envelope(CARDS.into_iter().map(entry).collect())
}

/// `GET /cards/{card_standard_code}`
pub(crate) async fn card_by_code(_: Authorized, Path(code): Path<String>) -> Answer {
    let card = CARDS
        .into_iter()
        .find(|(card, _)| *card == code)
        .ok_or_else(|| {
            refuse(
                StatusCode::NOT_FOUND,
                "코드에 해당되는 카드사정보를 찾을 수 없습니다.",
            )
        })?;
    Ok(envelope(entry(card)))
}

/// `GET /users/pg`: a live and a test channel of every gateway.
pub(crate) async fn channels(_: Authorized) -> Response {
    let channels = GATEWAYS.iter().flat_map(|gateway| {
        [false, true].map(|is_test| {
            json!({
                "pg_provider": gateway.name,
                "pg_id": gateway.pg_id(),
                "sandbox": is_test,
                "type": "payment",
                "channel_name": format!("{} ({})", gateway.name, if is_test { "test" } else { "live" }),
                "channel_key": gateway.channel_key(is_test),
            })
        })
    });
    envelope(channels.collect())
}
