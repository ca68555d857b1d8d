//! Payment records of V1 and V2, as evidence.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portone::{v1, v2};
use wanryo::domain::evidence::{Record, Reported};
use wanryo::domain::ids::TransactionId;
use wanryo::domain::order::Portone;

fuzz_target!(|data: &[u8]| {
    let Ok(json) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(payment) = v1::Payment::from_json(json)
        && let Ok(record) = Record::try_from(payment)
    {
        assert_eq!(record.portone, Some(Portone::V1));
        assert!(matches!(record.reported, Reported::Major { .. }));
        check(&record);
    }
    for payment in [
        v2::Payment::from_json(json),
        v2::Payment::from_transaction_json(json),
    ]
    .into_iter()
    .flatten()
    {
        if let Ok(record) = Record::try_from(payment) {
            assert!(matches!(record.reported, Reported::Minor { .. }));
            check(&record);
        }
    }
});

fn check(record: &Record) {
    assert_eq!(record.asked, None, "nobody asked");
    assert!(TransactionId::parse(record.transaction_id.as_str()).is_ok());
    if record.holds_money() {
        assert!(record.status.is_some() && !format!("{}", record.reported.amount()).starts_with('-'));
    }
    let account = record.virtual_account.as_ref();
    for text in [
        record.currency.as_deref(),
        record.pay_method.as_deref(),
        record.pg_provider.as_deref(),
        record.approval_number.as_deref(),
        record.method_name.as_deref(),
        record.fail_reason.as_deref(),
        record.receipt_url.as_deref(),
        account.map(|account| account.bank.as_str()),
        account.map(|account| account.account_number.as_str()),
        account.and_then(|account| account.holder.as_deref()),
    ]
    .into_iter()
    .flatten()
    {
        // What is stored and shown beside other things.
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() <= 500, "{text:?}");
    }
}
