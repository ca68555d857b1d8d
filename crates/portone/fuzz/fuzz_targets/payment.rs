//! Payment records of V1 and V2.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portone::{v1, v2};

fuzz_target!(|data: &[u8]| {
    let Ok(json) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(payment) = v1::Payment::from_json(json) {
        assert!(!payment.amount.is_sign_negative());
        assert!(!payment.cancel_amount.is_sign_negative());
        assert!(v1::ImpUid::parse(payment.imp_uid.as_str()).is_ok());
        let _shown = format!("{payment:?}");
    }
    for payment in [
        v2::Payment::from_json(json),
        v2::Payment::from_transaction_json(json),
    ]
    .into_iter()
    .flatten()
    {
        assert!(payment.amount.total >= 0);
        let _shown = format!("{payment:?}");
    }
});
