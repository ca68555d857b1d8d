//! Orders as they are made, read and listed.

use jiff::Timestamp;
use wanryo::domain::attention::AttentionKind;
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::history::{Actor, EntryKind};
use wanryo::domain::ids::{PaymentId, StatusToken};
use wanryo::domain::method::PayMethod;
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::{Buyer, Order, OrderStatus};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};
use wanryo::ports::attention::{AttentionStore, Settling};
use wanryo::ports::store::{
    AmountRange, Commit, Committed, Created, OrderFilter, OrderStore, Reach, Snapshot, StoreError,
};

use super::fixtures::{
    accepted, at, commit, entry, event, full_order, order, payment, payment_id, transaction,
    transaction_id,
};
use super::{RIVALS, created, everything, found, race};
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    async fn an_order_comes_back_as_it_was_written(test: TestDatabase) {
        let database = test.open().await;
        for written in [order("bare"), full_order("주문-1001")] {
            created(&database, written.clone()).await;

            let snapshot = Some(Snapshot { order: written.clone(), transactions: Vec::new() });
            assert_eq!(database.find_order(&written.payment_id).await.unwrap(), snapshot);
            assert_eq!(database.find_order_by_token(&written.status_token).await.unwrap(), snapshot);
            assert_eq!(database.history(&written.payment_id).await.unwrap().len(), 1);
        }
    }

    async fn what_was_never_written_is_not_found(test: TestDatabase) {
        let database = test.open().await;
        created(&database, order("A")).await;

        assert_eq!(database.find_order(&payment_id("a")).await.unwrap(), None);
        assert_eq!(database.find_order_by_token(&StatusToken::from_bytes([0; 16])).await.unwrap(), None);
        assert_eq!(database.find_owner(&transaction_id("imp_1")).await.unwrap(), None);
        assert_eq!(database.history(&payment_id("a")).await.unwrap(), []);
        assert_eq!(database.outbox(&payment_id("a")).await.unwrap(), []);
    }

    async fn every_word_of_the_domain_can_be_stored(test: TestDatabase) {
        let database = test.open().await;
        for (n, &status) in OrderStatus::ALL.iter().enumerate() {
            let order = created(&database, order(&format!("order-{n}"))).await;
            let paid = matches!(status, OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Refunded);
            let transaction = Transaction { verdict: if paid { Verdict::Accepted } else { Verdict::Held }, ..transaction(&format!("imp_{n}"), &order) };
            let accepted_transaction_id = paid.then(|| transaction.transaction_id.clone());
            let commit = Commit { transactions: vec![transaction], ..commit(&Order { status, accepted_transaction_id, ..order.clone() }) };

            assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done, "{status:?}");
            assert_eq!(found(&database, &order).await.order.status, status);
        }
        let order = created(&database, order("words")).await;
        let pairs = TransactionStatus::ALL.iter().flat_map(|&status| Verdict::ALL.iter().map(move |&verdict| (status, verdict)));
        let transactions: Vec<_> = pairs
            .filter(|(status, verdict)| *verdict != Verdict::Accepted || *status == TransactionStatus::Paid)
            .enumerate()
            .map(|(n, (status, verdict))| Transaction { status, verdict, ..transaction(&format!("imp_words_{n:02}"), &order) })
            .collect();
        let entries: Vec<_> = EntryKind::ALL.iter().map(|&kind| entry(kind)).collect();
        let types = EventType::ALL.iter().flat_map(|&event_type| OrderStatus::ALL.iter().map(move |&status| (event_type, status)));
        let events: Vec<_> = types.enumerate().map(|(n, (event_type, status))| Event { event_type, status, ..event(&format!("evt_{n}"), &order) }).collect();
        let commit = Commit { order: order.clone(), transactions: transactions.clone(), entries: entries.clone(), events: events.clone() };

        assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);

        assert_eq!(found(&database, &order).await.transactions, transactions);
        let history: Vec<_> = database.history(&order.payment_id).await.unwrap().into_iter().skip(1).map(|stored| stored.entry).collect();
        assert_eq!(history, entries);
        let outbox: Vec<_> = database.outbox(&order.payment_id).await.unwrap().into_iter().map(|stored| stored.event).collect();
        assert_eq!(outbox, events);
    }

    async fn creating_an_order_again_gives_the_first_and_writes_nothing(test: TestDatabase) {
        let database = test.open().await;
        let first = created(&database, full_order("A")).await;
        let before = everything(&database, &first).await;

        let again = database.create_order(&order("A"), &entry(EntryKind::OrderCreated)).await.unwrap();

        assert_eq!(again, Created::Existing(Box::new(Snapshot { order: first.clone(), transactions: Vec::new() })));
        assert_eq!(everything(&database, &first).await, before);
    }

    async fn of_many_that_create_an_order_at_once_one_does(test: TestDatabase) {
        let order = order("A");
        let wanted = order.clone();

        let results = race(&test, move |database, _| {
            let order = wanted.clone();
            async move { database.create_order(&order, &entry(EntryKind::OrderCreated)).await.unwrap() }
        })
        .await;

        assert_eq!(results.iter().filter(|result| **result == Created::New).count(), 1);
        let existing = Created::Existing(Box::new(Snapshot { order: order.clone(), transactions: Vec::new() }));
        assert_eq!(results.iter().filter(|result| **result == existing).count(), RIVALS - 1);
        assert_eq!(test.open().await.history(&order.payment_id).await.unwrap().len(), 1);
    }

    async fn a_status_token_opens_one_order(test: TestDatabase) {
        let database = test.open().await;
        let first = created(&database, order("A")).await;
        let second = Order { status_token: first.status_token.clone(), ..order("B") };

        let refused = database.create_order(&second, &entry(EntryKind::OrderCreated)).await;

        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(database.find_order(&second.payment_id).await.unwrap(), None);
    }

    async fn orders_are_listed_by_what_the_filter_says(test: TestDatabase) {
        let database = test.open().await;
        for (n, id) in ["ORD-1", "ORD-10", "ord-2", "주문-1", "a_b", "axb", "a*b"].into_iter().enumerate() {
            created(&database, Order { created_at: at(i64::try_from(n).unwrap()), ..order(id) }).await;
        }
        let paid = found(&database, &order("ORD-10")).await.order;
        assert_eq!(database.commit(&payment(&paid, accepted("imp_1", &paid))).await.unwrap(), Committed::Done);
        let list = async |filter: OrderFilter| {
            let orders = database.list_orders(&OrderFilter { limit: 100, ..filter }).await.unwrap().orders;
            orders.into_iter().map(|order| order.payment_id.to_string()).collect::<Vec<_>>()
        };
        let query = |text: &str| OrderFilter { query: Some(text.to_owned()), ..OrderFilter::default() };

        assert_eq!(list(OrderFilter::default()).await, ["a*b", "axb", "a_b", "주문-1", "ord-2", "ORD-10", "ORD-1"]);
        assert_eq!(list(query("")).await.len(), 7);
        assert_eq!(list(query("ORD")).await, ["ORD-10", "ORD-1"]);
        assert_eq!(list(query("ord-2")).await, ["ord-2"]);
        assert_eq!(list(query("주")).await, ["주문-1"]);
        assert_eq!(list(query("a_")).await, ["a_b"]);
        assert_eq!(list(query("a*")).await, ["a*b"]);
        assert_eq!(list(query("imp_1")).await, ["ORD-10"]);
        for nothing in ["imp_", "IMP_1", "RD-1", "ORD-1 ", "a%", "%", "_", "' OR 1=1 --", "\\"] {
            assert_eq!(list(query(nothing)).await, Vec::<String>::new(), "{nothing}");
        }
        assert_eq!(list(OrderFilter { status: Some(OrderStatus::Paid), ..OrderFilter::default() }).await, ["ORD-10"]);
        assert_eq!(list(OrderFilter { status: Some(OrderStatus::Open), ..query("ORD") }).await, ["ORD-1"]);
        assert_eq!(list(OrderFilter { from: Some(at(1)), to: Some(at(3)), ..OrderFilter::default() }).await, ["ord-2", "ORD-10"]);
        assert_eq!(database.list_orders(&OrderFilter { limit: 1, ..OrderFilter::default() }).await.unwrap().orders, [found(&database, &order("a*b")).await.order]);
    }

    async fn staff_find_an_order_by_every_number_that_a_caller_can_read_out(test: TestDatabase) {
        let database = test.open().await;
        let with_tel = |id: &str, tel: &str| Order { buyer: Buyer { tel: Some(tel.to_owned()), ..Buyer::default() }, ..order(id) };
        created(&database, with_tel("A", "010-1234-5678")).await;
        created(&database, with_tel("B", "+82 10 9999 56 78")).await;
        created(&database, with_tel("5678-C", "02-123-4567")).await;
        created(&database, with_tel("D", "78")).await;
        let paid = created(&database, order("E")).await;
        let transaction = Transaction { approval_number: Some("00012345".to_owned()), ..accepted("imp_1", &paid) };
        assert_eq!(database.commit(&payment(&paid, transaction)).await.unwrap(), Committed::Done);
        let find = async |query: &str, reach: Reach| {
            let filter = OrderFilter { query: Some(query.to_owned()), reach, limit: 100, ..OrderFilter::default() };
            let orders = database.list_orders(&filter).await.unwrap().orders;
            orders.into_iter().map(|order| order.payment_id.to_string()).collect::<Vec<_>>()
        };

        assert_eq!(find("5678", Reach::Staff).await, ["B", "A", "5678-C"]);
        assert_eq!(find("4567", Reach::Staff).await, ["5678-C"]);
        assert_eq!(find("00012345", Reach::Staff).await, ["E"]);
        assert_eq!(find("imp_1", Reach::Staff).await, ["E"]);
        assert_eq!(find("5678", Reach::Ids).await, ["5678-C"], "the API finds ids");
        for nothing in ["678", "78", "45678", "12345", "0001234", "1234-5678"] {
            assert_eq!(find(nothing, Reach::Staff).await, Vec::<String>::new(), "{nothing}");
        }
        test.run("UPDATE orders SET buyer_tel = NULL").await;
        assert_eq!(find("5678", Reach::Staff).await, ["5678-C"], "no digit outlives the number");
    }

    async fn orders_are_listed_by_how_they_were_paid(test: TestDatabase) {
        let database = test.open().await;
        let asked = |id: &str, word: &str| Order { pay_method: Some(word.to_owned()), ..order(id) };
        let tried = |id: &str, order: &Order, word: Option<&str>| Transaction { pay_method: word.map(str::to_owned), ..transaction(id, order) };
        created(&database, asked("asked", "vbank")).await;
        created(&database, order("nothing")).await;
        for (id, its, paid_by) in [("v1", "card", "kakaopay"), ("v2", "CARD", "EASY_PAY")] {
            let order = created(&database, asked(id, its)).await;
            let paid = Transaction { pay_method: Some(paid_by.to_owned()), ..accepted(&format!("{id}_paid"), &order) };
            let mut commit = payment(&order, paid);
            commit.transactions.push(tried(&format!("{id}_before"), &order, Some("VIRTUAL_ACCOUNT")));
            assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);
        }
        let silent = created(&database, asked("silent", "TRANSFER")).await;
        let commit = Commit { transactions: vec![tried("imp_1", &silent, None)], ..commit(&silent) };
        assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);
        let by = async |method: PayMethod| {
            let filter = OrderFilter { method: Some(method), limit: 100, ..OrderFilter::default() };
            let orders = database.list_orders(&filter).await.unwrap().orders;
            orders.into_iter().map(|order| order.payment_id.to_string()).collect::<Vec<_>>()
        };

        assert_eq!(by(PayMethod::EasyPay).await, ["v2", "v1"], "what paid counts, not what was tried or asked for");
        assert_eq!(by(PayMethod::VirtualAccount).await, ["asked"]);
        assert_eq!(by(PayMethod::Transfer).await, ["silent"]);
        assert_eq!(by(PayMethod::Card).await, Vec::<String>::new());
    }

    async fn orders_are_listed_by_amount_and_by_what_needs_attention(test: TestDatabase) {
        let database = test.open().await;
        let of = |id: &str, minor: i64, code: &str| Order { amount: Money::new(minor, Currency::parse(code).unwrap()).unwrap(), ..order(id) };
        for one in [of("A", 9_999, "KRW"), of("B", 10_000, "KRW"), of("C", 10_001, "KRW"), of("D", 10_000, "USD")] {
            created(&database, one).await;
        }
        let held = created(&database, of("E", 50_000, "KRW")).await;
        let money = Transaction { status: TransactionStatus::Paid, verdict: Verdict::Held, ..transaction("imp_1", &held) };
        let commit = Commit { transactions: vec![money], ..commit(&Order { status: OrderStatus::Held, ..held.clone() }) };
        assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);
        let list = async |filter: OrderFilter| {
            let orders = database.list_orders(&OrderFilter { limit: 100, ..filter }).await.unwrap().orders;
            orders.into_iter().map(|order| order.payment_id.to_string()).collect::<Vec<_>>()
        };
        let amount = |currency: Currency, min, max| OrderFilter { amount: Some(AmountRange { currency, min, max }), ..OrderFilter::default() };
        let usd = Currency::parse("USD").unwrap();

        assert_eq!(list(amount(Currency::KRW, Some(10_000), None)).await, ["E", "C", "B"]);
        assert_eq!(list(amount(Currency::KRW, None, Some(10_000))).await, ["B", "A"]);
        assert_eq!(list(amount(Currency::KRW, Some(10_000), Some(10_000))).await, ["B"]);
        assert_eq!(list(amount(usd, None, None)).await, ["D"]);
        assert_eq!(list(amount(usd, Some(10_001), None)).await, Vec::<String>::new());
        let attention = OrderFilter { needs_attention_at: Some(at(0)), ..OrderFilter::default() };
        assert_eq!(list(attention.clone()).await, ["E"]);
        assert_eq!(list(OrderFilter { status: Some(OrderStatus::Open), ..attention.clone() }).await, Vec::<String>::new());
        let settled = database.settle(AttentionKind::Held, &transaction_id("imp_1"), None, &Actor::Staff("a".to_owned()), "done", at(1)).await.unwrap();
        assert_eq!(settled, Settling::Done);
        assert_eq!(list(attention).await, Vec::<String>::new(), "a person took care of it");
    }

    async fn a_page_costs_no_more_than_so_many_orders_and_says_where_it_stopped(test: TestDatabase) {
        let database = test.open().await;
        // Newer than the one that fits, by two stretches and a bit; every number begins alike.
        test.run(
            "INSERT INTO orders (payment_id, version, name, amount_minor, currency, portone, fingerprint, status_token, pay_token, status,
                refunded_minor, checks_without_change, created_at, updated_at)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40100)
            SELECT 'M-' || i, 0, 'Socks', 1000, 'KRW', 'v1', 'f', 'x' || i, 'y', 'open', 0, 0, 1700000100000000 + i, 0 FROM n",
        ).await;
        created(&database, Order { pay_method: Some("card".to_owned()), ..order("M-rare") }).await;
        let mut filter = OrderFilter { method: Some(PayMethod::Card), limit: 10, ..OrderFilter::default() };
        for narrowed in [OrderFilter::default(), OrderFilter { query: Some("M-".to_owned()), ..OrderFilter::default() }, OrderFilter { status: Some(OrderStatus::Open), ..OrderFilter::default() }] {
            filter = OrderFilter { after: None, status: narrowed.status, query: narrowed.query, ..filter };
            let mut looks = Vec::new();
            let last = loop {
                let listed = database.list_orders(&filter).await.unwrap();
                let Some(place) = listed.further else { break listed.orders };
                assert_eq!(listed.orders, [], "none of them fits");
                looks.push(place.1.to_string());
                filter.after = Some(place);
            };
            assert_eq!(looks, ["M-20101", "M-101"]);
            assert_eq!(last.len(), 1);
            assert_eq!(last[0].payment_id.as_str(), "M-rare");
        }
    }

    async fn paging_skips_and_repeats_nothing(test: TestDatabase) {
        let database = test.open().await;
        let mut all = Vec::new();
        for n in 0..23 {
            // Many of the same moment, and ids whose order depends on who sorts them.
            let id = ["a", "B", "가", "_", "-"][n % 5].to_owned() + &n.to_string();
            let order = created(&database, Order { created_at: at(i64::try_from(n / 10).unwrap()), ..order(&id) }).await;
            all.push((order.created_at, order.payment_id));
        }
        all.sort_by(|a, b| b.cmp(a));

        let mut listed: Vec<(Timestamp, PaymentId)> = Vec::new();
        loop {
            let filter = OrderFilter { after: listed.last().cloned(), limit: 4, ..OrderFilter::default() };
            let page = database.list_orders(&filter).await.unwrap().orders;
            assert!(page.len() <= 4);
            if page.is_empty() {
                break;
            }
            listed.extend(page.into_iter().map(|order| (order.created_at, order.payment_id)));
        }

        assert_eq!(listed, all);
    }
}
