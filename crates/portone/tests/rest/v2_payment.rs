//! Reading a payment of V2: what is kept, what is refused, what is never shown.

use portone::{
    Error,
    v2::{
        CancellationStatus, ChannelType, DisputeStatus, EasyPayMethod, Method, Payment,
        RefundStatus, State, Version, WebhookStatus,
    },
};
use serde_json::{Value, json};

/// The fields of the API's `PaidPayment`, each with a value of its own.
const FULL: &str = r#"{
    "status": "PAID", "id": "주문/1", "transactionId": "019d-tx", "merchantId": "merchant-1",
    "storeId": "store-1", "version": "V2", "scheduleId": "schedule-1", "billingKey": "PRIVATE-billing-key",
    "channel": {"type": "LIVE", "id": "channel-id-1", "key": "channel-key-1", "name": "card",
        "pgProvider": "INICIS_V2", "pgMerchantId": "MOI1"},
    "channelGroup": {"id": "g", "name": "n", "isForTest": false},
    "method": {"type": "PaymentMethodCard", "approvalNumber": "PRIVATE-approval",
        "card": {"publisher": "P", "issuer": "SHINHAN_CARD", "brand": "LOCAL", "type": "CREDIT",
            "ownerType": "PERSONAL", "bin": "PRIVATE-bin", "name": "PRIVATE-card-name", "number": "PRIVATE-number"},
        "installment": {"month": 3, "isInterestFree": true}, "pointUsed": true},
    "webhooks": [
        {"id": "webhook-1", "paymentStatus": "PAID", "status": "FAILED_NOT_OK_RESPONSE",
         "url": "https://shop.example/PRIVATE", "isAsync": true, "currentExecutionCount": 2, "maxExecutionCount": 6,
         "trigger": "MANUAL", "request": {"header": "h", "body": "PRIVATE-body", "requestedAt": "2026-01-01T00:01:01Z"},
         "response": {"code": "500", "header": "h", "body": "PRIVATE", "respondedAt": "2026-01-01T00:01:02Z"},
         "triggeredAt": "2026-01-01T00:01:00Z"},
        {"id": "webhook-of-v1"}, "nonsense"
    ],
    "requestedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:02:00Z",
    "statusChangedAt": "2026-01-01T09:01:00.5+09:00", "orderName": "PRIVATE-order", "currency": "USD",
    "amount": {"total": 1420, "taxFree": 20, "vat": 127, "supply": 1273, "discount": 420, "paid": 1000,
        "cancelled": 0, "cancelledTaxFree": 0},
    "customer": {"id": "PRIVATE-id", "name": "PRIVATE-name", "birthYear": "PRIVATE-1990", "birthMonth": "1",
        "birthDay": "2", "gender": "FEMALE", "email": "PRIVATE-email", "phoneNumber": "PRIVATE-phone",
        "address": {"type": "ONE_LINE", "oneLine": "PRIVATE-address"}, "zipcode": "PRIVATE-zip"},
    "origin": {"platformType": "PC", "userAgent": "PRIVATE-agent", "url": "https://shop.example/PRIVATE",
        "ipAddress": "PRIVATE-ip"},
    "promotionId": "promotion-1", "isCulturalExpense": true, "escrow": {"status": "REGISTERED"},
    "products": [{"id": "p", "name": "PRIVATE-product", "tag": "t", "code": "c", "amount": 710, "quantity": 2,
        "link": "l"}],
    "productCount": 2, "customData": "{\"PRIVATE\":1}", "country": "KR",
    "paidAt": "2026-01-01T00:01:00Z", "pgTxId": "PRIVATE-pg-tx", "pgResponse": "PRIVATE-response",
    "cashReceipt": {"status": "ISSUED", "type": "PERSONAL", "pgReceiptId": "r", "issueNumber": "PRIVATE-issue",
        "totalAmount": 1000, "taxFreeAmount": 20, "currency": "USD", "url": "https://PRIVATE",
        "issuedAt": "2026-01-01T00:01:00Z"},
    "cashReceiptIssuanceStatus": "ISSUED", "receiptUrl": "https://receipt.example/PRIVATE",
    "disputes": [{"status": "RESOLVED", "pgDisputeId": "d", "reason": "PRIVATE-dispute",
        "createdAt": "2026-01-03T00:00:00Z", "resolvedAt": "2026-01-04T00:00:00Z"}],
    "cancellations": [{"status": "FAILED", "id": "cancellation-1", "pgCancellationId": "pc", "totalAmount": 500,
        "taxFreeAmount": 0, "vatAmount": 45, "easyPayDiscountAmount": 1, "reason": "PRIVATE-reason",
        "cancelledAt": "2026-01-02T00:00:01Z", "requestedAt": "2026-01-02T00:00:00Z", "trigger": "API"}],
    "newField": {"new": [1, {"a": null}]}
}"#;

fn full() -> Value {
    serde_json::from_str(FULL).expect("the text is JSON")
}

/// The least that can be decided about.
fn least(status: &str) -> Value {
    json!({"status": status, "id": "ORD-1", "transactionId": "tx-1", "currency": "KRW", "amount": {"total": 1000, "cancelled": 0}})
}

fn read(json: &Value) -> Payment {
    Payment::from_json(&json.to_string()).expect("the payment is well formed")
}

fn refusal(json: &Value) -> String {
    match Payment::from_json(&json.to_string()) {
        Err(Error::Garbled(reason)) => reason,
        outcome => unreachable!("a refusal, not {outcome:?}"),
    }
}

/// `json` with the value at a pointer replaced.
fn with(mut json: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = json.pointer_mut(parent).and_then(Value::as_object_mut);
    parent
        .expect("the parent is an object")
        .insert(key.to_owned(), value);
    json
}

fn without(mut json: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = json.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("the parent is an object").remove(key);
    json
}

fn seconds(time: Option<jiff::Timestamp>) -> Option<i64> {
    time.map(jiff::Timestamp::as_second)
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or("(none)")
}

/// 2026-01-01T00:00:00Z
const NEW_YEAR: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

#[test]
fn every_field_lands_where_it_belongs() {
    let payment = read(&full());

    assert_eq!(payment.id, "주문/1");
    assert_eq!(payment.transaction_id.as_str(), "019d-tx");
    assert_eq!(seconds(payment.state.paid_at()), Some(NEW_YEAR + 60));
    assert_eq!(payment.currency, "USD");
    assert_eq!(text(&payment.store_id), "store-1");
    assert_eq!(payment.version, Some(Version::V2));
    assert_eq!(text(&payment.merchant_id), "merchant-1");
    let amount = payment.amount;
    assert_eq!((amount.total, amount.cancelled), (1420, 0));
    assert_eq!(
        [
            amount.tax_free,
            amount.vat,
            amount.supply,
            amount.discount,
            amount.paid,
            amount.cancelled_tax_free
        ],
        [
            Some(20),
            Some(127),
            Some(1273),
            Some(420),
            Some(1000),
            Some(0)
        ]
    );
    let channel = payment.channel.as_ref().expect("a channel");
    assert_eq!(channel.channel_type, ChannelType::Live);
    assert_eq!(
        [
            &channel.id,
            &channel.key,
            &channel.name,
            &channel.pg_provider,
            &channel.pg_merchant_id
        ]
        .map(text),
        ["channel-id-1", "channel-key-1", "card", "INICIS_V2", "MOI1"]
    );
    let Some(Method::Card(card)) = &payment.method else {
        unreachable!("a card, not {:?}", payment.method)
    };
    assert_eq!(
        [
            &card.publisher,
            &card.issuer,
            &card.brand,
            &card.card_type,
            &card.owner_type,
            &card.bin,
            &card.name,
            &card.number,
            &card.approval_number
        ]
        .map(text),
        [
            "P",
            "SHINHAN_CARD",
            "LOCAL",
            "CREDIT",
            "PERSONAL",
            "PRIVATE-bin",
            "PRIVATE-card-name",
            "PRIVATE-number",
            "PRIVATE-approval"
        ]
    );
    assert_eq!(card.installment_month, Some(3));
    assert_eq!(
        (card.is_interest_free, card.point_used),
        (Some(true), Some(true))
    );
    let customer = &payment.customer;
    assert_eq!(
        [
            &customer.id,
            &customer.name,
            &customer.birth_year,
            &customer.birth_month,
            &customer.birth_day,
            &customer.gender,
            &customer.email,
            &customer.phone_number,
            &customer.address,
            &customer.zipcode
        ]
        .map(text),
        [
            "PRIVATE-id",
            "PRIVATE-name",
            "PRIVATE-1990",
            "1",
            "2",
            "FEMALE",
            "PRIVATE-email",
            "PRIVATE-phone",
            "PRIVATE-address",
            "PRIVATE-zip"
        ]
    );
    let origin = &payment.origin;
    assert_eq!(
        [
            &origin.platform_type,
            &origin.user_agent,
            &origin.url,
            &origin.ip_address
        ]
        .map(text),
        [
            "PC",
            "PRIVATE-agent",
            "https://shop.example/PRIVATE",
            "PRIVATE-ip"
        ]
    );
    assert_eq!(
        [
            payment.requested_at,
            payment.updated_at,
            payment.status_changed_at
        ]
        .map(seconds),
        [Some(NEW_YEAR), Some(NEW_YEAR + 120), Some(NEW_YEAR + 60)]
    );
    assert_eq!(
        [
            &payment.order_name,
            &payment.pg_tx_id,
            &payment.pg_response,
            &payment.receipt_url,
            &payment.custom_data,
            &payment.country,
            &payment.schedule_id,
            &payment.billing_key,
            &payment.promotion_id,
            &payment.escrow_status
        ]
        .map(text),
        [
            "PRIVATE-order",
            "PRIVATE-pg-tx",
            "PRIVATE-response",
            "https://receipt.example/PRIVATE",
            "{\"PRIVATE\":1}",
            "KR",
            "schedule-1",
            "PRIVATE-billing-key",
            "promotion-1",
            "REGISTERED"
        ]
    );
    assert_eq!(payment.is_cultural_expense, Some(true));
    assert_eq!(payment.product_count, Some(2));
    let product = &payment.products[0];
    assert_eq!(
        [
            &product.id,
            &product.name,
            &product.tag,
            &product.code,
            &product.link
        ]
        .map(text),
        ["p", "PRIVATE-product", "t", "c", "l"]
    );
    assert_eq!((product.amount, product.quantity), (Some(710), Some(2)));
    let receipt = payment.cash_receipt.as_ref().expect("a receipt");
    assert_eq!(
        [
            &receipt.status,
            &receipt.receipt_type,
            &receipt.pg_receipt_id,
            &receipt.issue_number,
            &receipt.url
        ]
        .map(text),
        [
            "ISSUED",
            "PERSONAL",
            "r",
            "PRIVATE-issue",
            "https://PRIVATE"
        ]
    );
    assert_eq!(
        (receipt.total_amount, receipt.tax_free_amount),
        (Some(1000), Some(20))
    );
    assert_eq!(seconds(receipt.issued_at), Some(NEW_YEAR + 60));
    assert_eq!(receipt.cancelled_at, None);
}

#[test]
fn the_history_lands_where_it_belongs() {
    let payment = read(&full());

    let cancellation = &payment.cancellations[0];
    assert_eq!(cancellation.id, "cancellation-1");
    assert_eq!(cancellation.status, CancellationStatus::Failed);
    assert_eq!(cancellation.total_amount, 500);
    assert_eq!(
        [
            cancellation.tax_free_amount,
            cancellation.vat_amount,
            cancellation.easy_pay_discount_amount
        ],
        [Some(0), Some(45), Some(1)]
    );
    assert_eq!(
        [
            &cancellation.pg_cancellation_id,
            &cancellation.reason,
            &cancellation.receipt_url,
            &cancellation.trigger
        ]
        .map(text),
        ["pc", "PRIVATE-reason", "(none)", "API"]
    );
    assert_eq!(
        [cancellation.requested_at, cancellation.cancelled_at].map(seconds),
        [Some(NEW_YEAR + DAY), Some(NEW_YEAR + DAY + 1)]
    );
    let dispute = &payment.disputes[0];
    assert_eq!(dispute.status, DisputeStatus::Resolved);
    assert_eq!(
        [&dispute.pg_dispute_id, &dispute.reason].map(text),
        ["d", "PRIVATE-dispute"]
    );
    assert_eq!(
        [dispute.created_at, dispute.resolved_at].map(seconds),
        [Some(NEW_YEAR + 2 * DAY), Some(NEW_YEAR + 3 * DAY)]
    );
    let [webhook, of_v1] = payment.webhooks.as_slice() else {
        unreachable!("two webhooks, not {:?}", payment.webhooks)
    };
    assert_eq!(text(&of_v1.id), "webhook-of-v1");
    assert_eq!(webhook.status, Some(WebhookStatus::FailedNotOkResponse));
    assert_eq!(
        [
            &webhook.id,
            &webhook.payment_status,
            &webhook.url,
            &webhook.trigger,
            &webhook.request_body,
            &webhook.response_code
        ]
        .map(text),
        [
            "webhook-1",
            "PAID",
            "https://shop.example/PRIVATE",
            "MANUAL",
            "PRIVATE-body",
            "500"
        ]
    );
    assert_eq!(webhook.is_async, Some(true));
    assert_eq!(
        (webhook.current_execution_count, webhook.max_execution_count),
        (Some(2), Some(6))
    );
    assert_eq!(
        [
            webhook.triggered_at,
            webhook.requested_at,
            webhook.responded_at
        ]
        .map(seconds),
        [
            Some(NEW_YEAR + 60),
            Some(NEW_YEAR + 61),
            Some(NEW_YEAR + 62)
        ]
    );
}

#[test]
fn nothing_personal_is_shown() {
    let mut failed = least("FAILED");
    failed["failure"] =
        json!({"reason": "PRIVATE-reason", "pgCode": "8178", "pgMessage": "PRIVATE-message"});
    for payment in [read(&full()), read(&failed)] {
        let shown = format!(
            "{payment:?} {:?} {:?} {:?} {:?} {:?}",
            payment.customer,
            payment.origin,
            payment.method,
            payment.cash_receipt,
            payment.webhooks
        );
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}

#[test]
fn each_state_has_what_belongs_to_it() {
    for status in [
        "READY",
        "PAY_PENDING",
        "VIRTUAL_ACCOUNT_ISSUED",
        "PAID",
        "FAILED",
    ] {
        let payment = read(&without(least(status), "/amount/cancelled"));
        assert_eq!(payment.state.as_str(), status);
        assert_eq!(payment.amount.cancelled, 0, "{status}");
    }
    let mut failed = least("FAILED");
    failed["failedAt"] = "2026-01-01T00:00:05Z".into();
    failed["failure"] = json!({"reason": "r", "pgCode": "c", "pgMessage": "m"});
    let State::Failed { failed_at, failure } = read(&failed).state else {
        unreachable!("a failed payment")
    };
    assert_eq!(seconds(failed_at), Some(NEW_YEAR + 5));
    assert_eq!(
        [&failure.reason, &failure.pg_code, &failure.pg_message].map(text),
        ["r", "c", "m"]
    );
    for status in ["PARTIAL_CANCELLED", "CANCELLED"] {
        let mut cancelled = with(least(status), "/amount/cancelled", 400.into());
        cancelled["paidAt"] = "2026-01-01T00:00:06Z".into();
        cancelled["cancelledAt"] = "2026-01-01T00:00:07Z".into();
        let payment = read(&cancelled);
        assert_eq!(payment.state.as_str(), status);
        assert_eq!(payment.amount.cancelled, 400, "{status}");
        let (State::PartialCancelled { cancelled_at, .. } | State::Cancelled { cancelled_at, .. }) =
            payment.state
        else {
            unreachable!("a cancelled payment")
        };
        assert_eq!(
            [payment.state.paid_at(), cancelled_at].map(seconds),
            [Some(NEW_YEAR + 6), Some(NEW_YEAR + 7)]
        );
    }
}

#[test]
fn words_that_portone_adds_are_kept() {
    let mut new = least("HELD");
    new["channel"] = json!({"type": "PREVIEW"});
    new["version"] = "V3".into();
    new["method"] = json!({"type": "PaymentMethodShells"});
    new["cancellations"] = json!([{"status": "REVERSED", "id": "c", "totalAmount": 1}]);

    let payment = read(&new);

    assert_eq!(payment.state, State::Unrecognized("HELD".to_owned()));
    assert_eq!(payment.state.paid_at(), None);
    let channel = payment.channel.expect("a channel");
    assert_eq!(channel.channel_type.as_str(), "PREVIEW");
    assert_eq!(
        payment.version,
        Some(Version::Unrecognized("V3".to_owned()))
    );
    assert_eq!(
        payment.method.as_ref().map(Method::as_str),
        Some("PaymentMethodShells")
    );
    assert_eq!(payment.cancellations[0].status.as_str(), "REVERSED");
}

#[test]
fn what_decides_must_be_what_the_api_promises() {
    for pointer in [
        "/status",
        "/id",
        "/transactionId",
        "/currency",
        "/amount",
        "/amount/total",
    ] {
        refusal(&without(least("PAID"), pointer));
        for nonsense in [json!(null), json!(""), json!([]), json!(true), json!({})] {
            refusal(&with(least("PAID"), pointer, nonsense));
        }
    }
    for amount in [
        "total",
        "taxFree",
        "vat",
        "supply",
        "discount",
        "paid",
        "cancelled",
        "cancelledTaxFree",
    ] {
        for nonsense in [
            json!("1000"),
            json!(1000.5),
            json!(1000.0),
            json!(-1),
            json!(1e3),
            json!(u64::MAX),
            json!([1]),
        ] {
            let reason = refusal(&with(least("PAID"), &format!("/amount/{amount}"), nonsense));
            assert!(reason.starts_with(amount), "{reason}");
        }
    }
    for status in ["PARTIAL_CANCELLED", "CANCELLED", "NEW"] {
        refusal(&without(least(status), "/amount/cancelled"));
    }
    for nonsense in [
        json!("LIVE"),
        json!({}),
        json!({"type": null}),
        json!({"type": 1}),
        json!([]),
    ] {
        refusal(&with(least("PAID"), "/channel", nonsense));
    }
    for key in ["storeId", "version"] {
        refusal(&with(least("PAID"), &format!("/{key}"), json!(1)));
    }
    for nonsense in [
        json!({}),
        json!([{}]),
        json!([{"status": "SUCCEEDED", "id": "c"}]),
        json!([1]),
    ] {
        refusal(&with(least("PAID"), "/cancellations", nonsense));
    }
    refusal(&with(least("PAID"), "/transactionId", json!("../tx")));
}

#[test]
fn what_decides_nothing_hides_no_payment() {
    let disputed = with(least("PAID"), "/disputes", json!([{}, 1, { "status": 7 }]));
    let cancelled = with(
        least("PARTIAL_CANCELLED"),
        "/cancellations",
        json!([{
            "status": "SUCCEEDED", "id": "c", "totalAmount": 10,
            "taxFreeAmount": 0.5, "vatAmount": {}, "easyPayDiscountAmount": "none"
        }]),
    );
    let read = |json: &Value| Payment::from_json(&json.to_string()).expect("a payment");

    let disputes = read(&disputed).disputes;
    assert_eq!(disputes.len(), 2, "what is no object is no dispute");
    assert_eq!(disputes[1].status.as_str(), "7");
    let cancellation = &read(&cancelled).cancellations[0];
    assert_eq!(cancellation.total_amount, 10);
    assert_eq!(
        (
            cancellation.tax_free_amount,
            cancellation.vat_amount,
            cancellation.easy_pay_discount_amount
        ),
        (None, None, None)
    );
}

#[test]
fn a_key_twice_is_an_error_also_inside() {
    for json in [
        r#"{"status":"PAID","status":"FAILED","id":"a","transactionId":"t","currency":"KRW","amount":{"total":1}}"#,
        r#"{"status":"PAID","id":"a","transactionId":"t","currency":"KRW","amount":{"total":1,"total":2}}"#,
        r#"{"status":"PAID","id":"a","transactionId":"t","currency":"KRW","amount":{"total":1},"channel":{"type":"TEST","type":"LIVE"}}"#,
    ] {
        assert!(
            matches!(Payment::from_json(json), Err(Error::Garbled(_))),
            "{json}"
        );
    }
}

#[test]
fn an_error_holds_no_value() {
    let mut payment = full();
    payment["amount"]["total"] = "PRIVATE-total".into();
    payment["customer"] = "PRIVATE-customer".into();

    let reason = refusal(&payment);

    assert!(!reason.contains("PRIVATE"), "{reason}");
}

#[test]
fn an_odd_value_elsewhere_does_not_make_a_payment_unreadable() {
    for key in [
        "merchantId",
        "method",
        "orderName",
        "customer",
        "origin",
        "requestedAt",
        "updatedAt",
        "statusChangedAt",
        "pgTxId",
        "pgResponse",
        "receiptUrl",
        "cashReceipt",
        "customData",
        "products",
        "productCount",
        "country",
        "scheduleId",
        "billingKey",
        "promotionId",
        "isCulturalExpense",
        "escrow",
        "webhooks",
        "paidAt",
    ] {
        for odd in [
            json!(null),
            json!([[]]),
            json!({"a": {"a": 1}}),
            json!(true),
            json!("x"),
        ] {
            let payment = read(&with(full(), &format!("/{key}"), odd));
            assert_eq!(payment.amount.total, 1420, "{key}");
        }
    }
    let bare = read(&least("PAID"));
    assert_eq!(
        (bare.channel, bare.store_id, bare.version),
        (None, None, None)
    );
    assert_eq!(bare.amount.paid, None);
}

#[test]
fn means_of_payment_are_told_apart() {
    let method = |json: Value| {
        read(&with(least("PAID"), "/method", json))
            .method
            .expect("a method")
    };

    let Method::VirtualAccount(account) = method(json!({
        "type": "PaymentMethodVirtualAccount", "bank": "SHINHAN", "accountNumber": "PRIVATE-1-2", "accountType": "NORMAL",
        "remitteeName": "PRIVATE-shop", "remitterName": "PRIVATE-buyer", "expiredAt": "2026-01-02T00:00:00Z",
        "issuedAt": "2026-01-01T00:00:00Z", "refundStatus": "PENDING",
    })) else {
        unreachable!("a virtual account")
    };
    assert_eq!(
        [
            &account.bank,
            &account.account_number,
            &account.account_type,
            &account.remittee_name,
            &account.remitter_name
        ]
        .map(text),
        [
            "SHINHAN",
            "PRIVATE-1-2",
            "NORMAL",
            "PRIVATE-shop",
            "PRIVATE-buyer"
        ]
    );
    assert_eq!(
        [account.issued_at, account.expired_at].map(seconds),
        [Some(NEW_YEAR), Some(NEW_YEAR + DAY)]
    );
    assert_eq!(account.refund_status, Some(RefundStatus::Pending));
    assert!(!format!("{account:?}").contains("PRIVATE"));

    let transfer =
        json!({"type": "PaymentMethodTransfer", "bank": "KOOKMIN", "accountNumber": "PRIVATE-3"});
    let Method::Transfer(transferred) = method(transfer.clone()) else {
        unreachable!("a transfer")
    };
    assert_eq!(
        [&transferred.bank, &transferred.account_number].map(text),
        ["KOOKMIN", "PRIVATE-3"]
    );
    assert!(!format!("{transferred:?}").contains("PRIVATE"));
    let wallet = |inside: Value| {
        method(
            json!({"type": "PaymentMethodEasyPay", "provider": "KAKAOPAY", "easyPayMethod": inside}),
        )
    };
    for (inside, word) in [
        (
            json!({"type": "PaymentMethodCard", "card": {"number": "1"}}),
            "PaymentMethodCard",
        ),
        (transfer, "PaymentMethodTransfer"),
        (
            json!({"type": "PaymentMethodEasyPayMethodCharge"}),
            "PaymentMethodEasyPayMethodCharge",
        ),
        (json!({"type": "PaymentMethodLove"}), "PaymentMethodLove"),
    ] {
        let Method::EasyPay {
            provider,
            easy_pay_method,
        } = wallet(inside)
        else {
            unreachable!("a wallet")
        };
        assert_eq!(text(&provider), "KAKAOPAY");
        assert_eq!(
            easy_pay_method.as_ref().map(EasyPayMethod::as_str),
            Some(word)
        );
    }
    for (json, expected) in [
        (
            json!({"type": "PaymentMethodMobile", "phoneNumber": "010"}),
            Method::Mobile {
                phone_number: Some("010".to_owned()),
            },
        ),
        (
            json!({"type": "PaymentMethodGiftCertificate", "giftCertificateType": "CULTURELAND", "approvalNumber": "1"}),
            Method::GiftCertificate {
                gift_certificate_type: Some("CULTURELAND".to_owned()),
                approval_number: Some("1".to_owned()),
            },
        ),
        (
            json!({"type": "PaymentMethodConvenienceStore", "paymentDeadline": "2026-01-01T00:00:00Z",
                "confirmationNumber": "1", "receiptNumber": "2", "convenienceStoreBrand": "SEVEN_ELEVEN"}),
            Method::ConvenienceStore {
                payment_deadline: jiff::Timestamp::from_second(NEW_YEAR).ok(),
                confirmation_number: Some("1".to_owned()),
                receipt_number: Some("2".to_owned()),
                brand: Some("SEVEN_ELEVEN".to_owned()),
            },
        ),
        (json!({"type": "PaymentMethodCrypto"}), Method::Crypto),
    ] {
        let read = method(json.clone());
        assert_eq!(Some(read.as_str()), json["type"].as_str());
        assert!(read == expected, "{json}");
    }
}
