//! Cancelling: the checks PortOne makes before it asks the gateway, and the cancellations that come of it.
//! <https://developers.portone.io/api/rest-v2/payment#post%20%2Fpayments%2F%7BpaymentId%7D%2Fcancel>

use serde_json::{Value, json};

use super::config::RefundStatus;
use super::record::{self, CANCELLED, PAID, PARTIAL_CANCELLED, Record, vat_of};
use super::refusal::ErrorType;

/// Cancellations of one payment. PortOne names the error and not the number.
pub(crate) const CANCELLATIONS_MAX: usize = 100;

/// What is asked for, in minor units.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel {
    /// Everything that is left, if absent.
    pub(crate) amount: Option<i64>,
    pub(crate) tax_free: Option<i64>,
    pub(crate) vat: Option<i64>,
    /// The balance the shop believes to be left.
    pub(crate) current_cancellable: Option<i64>,
    pub(crate) reason: String,
    pub(crate) trigger: Trigger,
}

/// Who asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trigger {
    #[default]
    Api,
    Console,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Trigger::Api => "API",
            Trigger::Console => "CONSOLE",
        }
    }
}

/// Amounts that can still be cancelled, or are cancelled already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts {
    total: i64,
    tax_free: i64,
    vat: i64,
}

impl Parts {
    fn minus(self, other: Parts) -> Parts {
        Parts {
            total: self.total.saturating_sub(other.total),
            tax_free: self.tax_free.saturating_sub(other.tax_free),
            vat: self.vat.saturating_sub(other.vat),
        }
    }
}

/// What was ordered, before discounts: in that money a cancel is asked for.
/// <https://developers.portone.io/opi/ko/extra/promotion/refund>
fn ordered(record: &Record) -> Parts {
    Parts {
        total: record::amount_of(record, "total"),
        tax_free: record::amount_of(record, "taxFree"),
        vat: record::amount_of(record, "vat"),
    }
}

/// The sum of the cancellations whose status is one of these.
fn sum(record: &Record, statuses: &[&str]) -> Parts {
    let integer = |cancellation: &Value, field: &str| cancellation[field].as_i64().unwrap_or(0);
    cancellations(record)
        .iter()
        .filter(|cancellation| {
            statuses
                .iter()
                .any(|status| cancellation["status"] == *status)
        })
        .fold(Parts::default(), |sum, cancellation| Parts {
            total: sum
                .total
                .saturating_add(integer(cancellation, "totalAmount")),
            tax_free: sum
                .tax_free
                .saturating_add(integer(cancellation, "taxFreeAmount")),
            vat: sum.vat.saturating_add(integer(cancellation, "vatAmount")),
        })
}

fn cancellations(record: &Record) -> &[Value] {
    record
        .get("cancellations")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// What can still be cancelled; a cancellation under way has its amount reserved.
pub(crate) fn cancellable(record: &Record) -> i64 {
    ordered(record)
        .minus(sum(record, &["SUCCEEDED", "REQUESTED"]))
        .total
}

/// Checks a cancel in PortOne's order and writes it into the record as `REQUESTED`.
pub(crate) fn request(
    record: &mut Record,
    cancel: &Cancel,
    id: &str,
    now_ms: i64,
) -> Result<Value, ErrorType> {
    match record::text(record, "status") {
        PAID | PARTIAL_CANCELLED => {}
        CANCELLED => return Err(ErrorType::PaymentAlreadyCancelled),
        _ => return Err(ErrorType::PaymentNotPaid),
    }
    let left = ordered(record).minus(sum(record, &["SUCCEEDED", "REQUESTED"]));
    if cancel
        .current_cancellable
        .is_some_and(|believed| believed != left.total)
    {
        return Err(ErrorType::CancellableAmountConsistencyBroken);
    }
    if cancellations(record).len() >= CANCELLATIONS_MAX {
        return Err(ErrorType::MaxCancelCountReached);
    }
    let parts = parts(cancel, left)?;

    let cancellation = json!({
        "status": "REQUESTED",
        "id": id,
        "totalAmount": parts.total,
        "taxFreeAmount": parts.tax_free,
        "vatAmount": parts.vat,
        "reason": cancel.reason,
        "requestedAt": record::moment(now_ms),
        "trigger": cancel.trigger.name(),
    });
    record::change_list(record, "cancellations", |list| {
        list.push(cancellation.clone());
    });
    record.insert("updatedAt".into(), json!(record::moment(now_ms)));
    Ok(cancellation)
}

fn parts(cancel: &Cancel, left: Parts) -> Result<Parts, ErrorType> {
    let all = cancel.amount.is_none_or(|amount| amount == left.total);
    let total = cancel.amount.unwrap_or(left.total);
    if total > left.total {
        return Err(ErrorType::CancelAmountExceedsCancellableAmount);
    }
    if total <= 0 {
        return Err(ErrorType::InvalidRequest);
    }
    // What is not said is taxed as a whole.
    let tax_free = cancel.tax_free.unwrap_or_default();
    let vat = match cancel.vat {
        Some(vat) => vat,
        None if all => left.vat,
        None => vat_of(total.saturating_sub(tax_free)).min(left.vat),
    };
    if tax_free < 0 || vat < 0 {
        return Err(ErrorType::InvalidRequest);
    }
    if tax_free.saturating_add(vat) > total {
        return Err(ErrorType::SumOfPartsExceedsCancelAmount);
    }
    if tax_free > left.tax_free {
        return Err(ErrorType::CancelTaxFreeAmountExceedsCancellableTaxFreeAmount);
    }
    if vat > left.vat || total - tax_free > left.total - left.tax_free {
        return Err(ErrorType::CancelTaxAmountExceedsCancellableTaxAmount);
    }
    Ok(Parts {
        total,
        tax_free,
        vat,
    })
}

/// The gateway cancelled: the cancellation is `SUCCEEDED`, and the payment cancelled, wholly or in part.
/// None if no cancellation under way has this id.
pub(crate) fn succeed(
    record: &mut Record,
    id: &str,
    now_ms: i64,
    pg_id: &str,
    refund_status: RefundStatus,
) -> Option<Value> {
    let cancellation = change_requested(record, id, |cancellation| {
        cancellation["status"] = json!("SUCCEEDED");
        cancellation["pgCancellationId"] = json!(pg_id);
        cancellation["cancelledAt"] = json!(record::moment(now_ms));
    })?;
    let cancelled = sum(record, &["SUCCEEDED"]);
    record::change_cancelled(record, cancelled.total, cancelled.tax_free, now_ms);
    if let Some(Value::Object(method)) = record.get_mut("method")
        && method
            .get("type")
            .is_some_and(|kind| kind == "PaymentMethodVirtualAccount")
    {
        method.insert("refundStatus".into(), json!(refund_status));
    }
    Some(cancellation)
}

/// The gateway did not cancel, or was told not to. None if no cancellation under way has this id.
pub(crate) fn fail(record: &mut Record, id: &str, now_ms: i64) -> Option<Value> {
    let cancellation = change_requested(record, id, |cancellation| {
        cancellation["status"] = json!("FAILED");
    })?;
    record.insert("updatedAt".into(), json!(record::moment(now_ms)));
    Some(cancellation)
}

fn change_requested(
    record: &mut Record,
    id: &str,
    change: impl FnOnce(&mut Value),
) -> Option<Value> {
    record::change_list(record, "cancellations", |list| {
        let cancellation = list.iter_mut().find(|cancellation| {
            cancellation["id"] == id && cancellation["status"] == "REQUESTED"
        })?;
        change(cancellation);
        Some(cancellation.clone())
    })
}

/// Status of a cancellation, if there is one with this id.
pub(crate) fn status<'a>(record: &'a Record, id: &str) -> Option<&'a str> {
    cancellations(record)
        .iter()
        .find(|cancellation| cancellation["id"] == id)?
        .get("status")?
        .as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn paid_record(total: i64, tax_free: i64) -> Record {
        let mut record = Record::new();
        record::set(
            &mut record,
            json!({"status": PAID, "amount": record::amount(total, tax_free, None)}),
        );
        record
    }

    fn cancel(record: &mut Record, cancel: Cancel) -> Result<Value, ErrorType> {
        let id = format!("C-{}", cancellations(record).len());
        request(record, &cancel, &id, NOW_MS)?;
        Ok(succeed(record, &id, NOW_MS, "PG", RefundStatus::Completed).unwrap())
    }

    fn amount(amount: i64) -> Cancel {
        Cancel {
            amount: Some(amount),
            ..Cancel::default()
        }
    }

    #[test]
    fn parts_add_up_to_the_whole_and_every_share_is_used_up() {
        let mut record = paid_record(11_000, 2000);

        let first = cancel(&mut record, amount(4000)).unwrap();
        assert_eq!(record["status"], PARTIAL_CANCELLED);
        assert_eq!(
            (&first["taxFreeAmount"], &first["vatAmount"]),
            (&json!(0), &json!(364))
        );

        // What is not said to be free of tax is taxed.
        assert_eq!(
            cancel(&mut record, Cancel::default()),
            Err(ErrorType::CancelTaxAmountExceedsCancellableTaxAmount)
        );
        let rest = Cancel {
            tax_free: Some(2000),
            ..Cancel::default()
        };
        cancel(&mut record, rest).unwrap();
        assert_eq!(record["status"], CANCELLED);
        assert_eq!(record["amount"]["cancelled"], 11_000);
        assert_eq!(record["amount"]["cancelledTaxFree"], 2000);
        assert_eq!(sum(&record, &["SUCCEEDED"]), ordered(&record));
        assert_eq!(
            cancel(&mut record, amount(1)),
            Err(ErrorType::PaymentAlreadyCancelled)
        );
    }

    #[test]
    fn every_check_has_its_own_error_and_changes_nothing() {
        let cases = [
            (amount(0), ErrorType::InvalidRequest),
            (amount(-1), ErrorType::InvalidRequest),
            (
                amount(1001),
                ErrorType::CancelAmountExceedsCancellableAmount,
            ),
            (
                Cancel {
                    current_cancellable: Some(999),
                    ..amount(1)
                },
                ErrorType::CancellableAmountConsistencyBroken,
            ),
            (
                Cancel {
                    tax_free: Some(60),
                    vat: Some(50),
                    ..amount(100)
                },
                ErrorType::SumOfPartsExceedsCancelAmount,
            ),
            (
                Cancel {
                    tax_free: Some(101),
                    vat: Some(0),
                    ..amount(500)
                },
                ErrorType::CancelTaxFreeAmountExceedsCancellableTaxFreeAmount,
            ),
            (
                Cancel {
                    vat: Some(83),
                    ..amount(500)
                },
                ErrorType::CancelTaxAmountExceedsCancellableTaxAmount,
            ),
        ];
        for (asked, error) in cases {
            let mut record = paid_record(1000, 100);
            let before = record.clone();
            assert_eq!(request(&mut record, &asked, "C", NOW_MS), Err(error));
            assert_eq!(record, before, "{error:?}");
        }
    }

    #[test]
    fn what_is_under_way_is_reserved_until_it_fails() {
        let mut record = paid_record(1000, 0);
        request(&mut record, &amount(600), "C", NOW_MS).unwrap();
        assert_eq!(record["status"], PAID);
        assert_eq!(cancellable(&record), 400);
        assert_eq!(
            request(&mut record, &amount(500), "D", NOW_MS),
            Err(ErrorType::CancelAmountExceedsCancellableAmount)
        );

        fail(&mut record, "C", NOW_MS).unwrap();

        assert_eq!(cancellable(&record), 1000);
        assert_eq!(fail(&mut record, "C", NOW_MS), None);
    }

    #[test]
    fn there_is_an_end_to_cancelling() {
        let mut record = paid_record(1000, 0);
        for _ in 0..CANCELLATIONS_MAX {
            cancel(&mut record, amount(1)).unwrap();
        }
        assert_eq!(
            cancel(&mut record, amount(1)),
            Err(ErrorType::MaxCancelCountReached)
        );
    }
}
