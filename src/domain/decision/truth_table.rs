//! Every row of `truth_table.csv` through the real [`decide`]. The file is written by `truth_table.py` from the rules.

use std::process::Command;

use super::fixtures::{at, expected, order};
use super::*;
use crate::domain::evidence::Reported;
use crate::domain::ids::TransactionId;
use crate::domain::order::{Mode, Portone};

const TABLE: &str = include_str!("truth_table.csv");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/domain/decision/truth_table.py"
);

struct Row<'t> {
    payment_id: bool,
    amount: bool,
    currency: bool,
    channel_told: bool,
    channel_agrees: bool,
    asked: bool,
    store: bool,
    unused: bool,
    status: &'t str,
    verdict: &'t str,
    order: &'t str,
}

fn rows() -> Vec<Row<'static>> {
    let mut lines = TABLE.lines();
    assert_eq!(
        lines.next(),
        Some(
            "payment_id,amount,currency,channel_told,channel_agrees,asked,store,unused,status,verdict,order"
        )
    );
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [p, a, c, ct, ca, ask, s, u, status, verdict, order] = cells[..] else {
                panic!("{line}");
            };
            let holds = |cell: &str| cell == "1";
            Row {
                payment_id: holds(p),
                amount: holds(a),
                currency: holds(c),
                channel_told: holds(ct),
                channel_agrees: holds(ca),
                asked: holds(ask),
                store: holds(s),
                unused: holds(u),
                status,
                verdict,
                order,
            }
        })
        .collect()
}

impl Row<'_> {
    fn says(&self, portone: Portone, record: &Record, taken: &BTreeSet<TransactionId>) {
        let order = Order { portone, ..order() };
        let evidence = Evidence {
            fetched_at: at(70),
            records: vec![record.clone()],
        };
        let decision = decide(&order, &[], &evidence, taken, at(70), &expected(Mode::Live));

        let verdict = decision
            .transactions
            .first()
            .map_or("none", |t| t.verdict.as_str());
        assert_eq!(
            (verdict, decision.order.status.as_str()),
            (self.verdict, self.order),
            "{record:?}"
        );
        let about = self.payment_id && self.asked && self.unused;
        assert_eq!(decision.foreign.is_empty(), about, "{record:?}");
    }

    fn record(&self, portone: Portone) -> Record {
        let id = |text| TransactionId::parse(text).expect("an id");
        let amount = if self.amount { 65_000 } else { 64_999 };
        let cancelled = if self.status == "cancelled" {
            amount
        } else {
            0
        };
        Record {
            portone: Some(portone),
            store_id: match portone {
                Portone::V1 => None,
                Portone::V2 if self.store => Some("store-1".to_owned()),
                Portone::V2 => Some("store-2".to_owned()),
            },
            asked: Some(id(if self.asked { "tx-1" } else { "tx-2" })),
            transaction_id: id("tx-1"),
            payment_id: if self.payment_id { "ORD-1" } else { "ORD-2" }.to_owned(),
            status: TransactionStatus::from_word(self.status),
            reported: match portone {
                Portone::V1 => Reported::Major {
                    amount: amount.into(),
                    cancelled: cancelled.into(),
                },
                Portone::V2 => Reported::Minor { amount, cancelled },
            },
            // Won and yen have the same minor unit: the figure alone does not tell them apart.
            currency: Some(if self.currency { "KRW" } else { "JPY" }.to_owned()),
            test: self.channel_told.then_some(!self.channel_agrees),
            pay_method: None,
            pg_provider: None,
            approval_number: None,
            method_name: None,
            fail_reason: None,
            receipt_url: None,
            virtual_account: None,
            pay_by: None,
            paid_at: Some(at(60)),
            given_back_at: None,
        }
    }
}

#[test]
fn every_row_of_the_table_holds() {
    let rows = rows();
    assert_eq!(rows.len(), 1_536);
    for row in &rows {
        let record = row.record(Portone::V2);
        let taken = BTreeSet::from([record.transaction_id.clone()]);
        let taken = if row.unused { BTreeSet::new() } else { taken };
        row.says(Portone::V2, &record, &taken);
        // V1 knows no stores: what a wrong one would do cannot happen there.
        if row.store {
            row.says(Portone::V1, &row.record(Portone::V1), &taken);
        }
    }
    let accepted = |status| {
        rows.iter()
            .filter(|row| row.status == status && row.verdict == "accepted")
            .count()
    };
    assert_eq!((accepted("paid"), accepted("cancelled")), (1, 1));
    assert_eq!(rows.iter().filter(|row| row.order == "paid").count(), 1);
}

#[test]
fn the_table_is_what_the_script_writes() {
    let written = Command::new("python3")
        .arg(SCRIPT)
        .output()
        .expect("python3 runs");
    assert!(written.status.success(), "{written:?}");
    assert!(
        written.stdout == TABLE.as_bytes(),
        "truth_table.csv is not what truth_table.py writes"
    );
}
