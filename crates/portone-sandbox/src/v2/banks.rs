//! `GET /banks`: the banks a virtual account can be at.

use axum::Json;
use serde_json::{Value, json};

/// PortOne's names for the banks of the Korean clearing house.
/// <https://developers.portone.io/opi/ko/support/code-info/pg-1>
const BANKS: [(&str, &str); 24] = [
    ("KDB", "KDB산업은행"),
    ("IBK", "IBK기업은행"),
    ("KOOKMIN", "KB국민은행"),
    ("SUHYUP", "수협은행"),
    ("NONGHYUP", "NH농협은행"),
    ("LOCAL_NONGHYUP", "지역농축협"),
    ("WOORI", "우리은행"),
    ("STANDARD_CHARTERED", "SC제일은행"),
    ("CITI", "한국씨티은행"),
    ("DAEGU", "아이엠뱅크"),
    ("BUSAN", "부산은행"),
    ("KWANGJU", "광주은행"),
    ("JEJU", "제주은행"),
    ("JEONBUK", "전북은행"),
    ("KYONGNAM", "경남은행"),
    ("KFCC", "새마을금고"),
    ("SHINHYUP", "신협"),
    ("SAVINGS_BANK", "저축은행"),
    ("POST", "우체국"),
    ("HANA", "하나은행"),
    ("SHINHAN", "신한은행"),
    ("K_BANK", "케이뱅크"),
    ("KAKAO", "카카오뱅크"),
    ("TOSS", "토스뱅크"),
];

pub(crate) fn is_known(bank: &str) -> bool {
    BANKS.iter().any(|(code, _)| *code == bank)
}

/// Needs no authorization.
pub(crate) async fn list() -> Json<Value> {
    let items = BANKS.map(|(bank, name)| json!({"bank": bank, "name": {"ko": name}}));
    Json(json!({"items": items}))
}
