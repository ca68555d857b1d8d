//! The list of orders, at the same cost however long it is.
//!
//! What a condition picks out is looked up by an index first. When that is little, the page is made of it alone. Of numbers that
//! begin alike there may be more: then the newest of them are picked, by an index that holds both. When it is much, the list is
//! walked from where the page begins, newest first, and what fits is soon together. What is neither (a rare way to pay, say) ends
//! after so many orders: the caller is told where, and goes on or asks the person.

use serde_json::json;

use super::query::{Failure, fetch_all, fetch_optional};
use super::rows::{OrderRow, Table, TransactionRow, micros, order_columns};
use super::{Connection, Database};
use crate::domain::ids::TransactionId;
use crate::domain::transaction::Transaction;
use crate::ports::store::{Listed, OrderFilter, Place, Reach};

/// Most orders that one page lists, whatever the caller asks for.
const PAGE_ORDERS_MAX: u32 = 100;
/// Most transactions that are read at once.
const TRANSACTIONS_MAX: usize = 100;
/// Up to so many orders that an index finds are listed from it alone.
const PICKED_MAX: i64 = 1_000;
/// So many orders are looked at for one page of those that fit.
const LOOKED_AT_MAX: i64 = 20_000;
/// Up to so many orders whose numbers begin alike the newest are picked from.
const NUMBERS_MAX: i64 = 20_000;
/// Digits of a telephone number that are searched for.
const TEL_TAIL_DIGITS: usize = 4;

/// What an order has to fit, beside its place in the list. `substr` and ranges, not LIKE: they know no wildcards, and SQLite's LIKE
/// takes capital and small letters for the same.
macro_rules! fits {
    () => {
        "($7 IS NULL OR status = $7)
        AND ($8 IS NULL OR currency = $8) AND amount_minor >= $9 AND amount_minor <= $10
        AND ($11 IS NULL OR CASE
            WHEN EXISTS (SELECT 1 FROM transactions AS t WHERE t.payment_id = orders.payment_id AND t.pay_method IS NOT NULL
                AND (orders.accepted_transaction_id IS NULL OR t.transaction_id = orders.accepted_transaction_id))
            THEN EXISTS (SELECT 1 FROM transactions AS t WHERE t.payment_id = orders.payment_id
                AND (orders.accepted_transaction_id IS NULL OR t.transaction_id = orders.accepted_transaction_id)
                AND replace($11, ' ' || lower(t.pay_method) || ' ', '') <> $11)
            ELSE replace($11, ' ' || lower(orders.pay_method) || ' ', '') <> $11 END)
        AND ($12 IS NULL OR payment_id IN (SELECT payment_id FROM attention WHERE needs_from <= $12))
        AND ($13 IS NULL OR (payment_id >= $13 AND payment_id < $14) OR buyer_tel_tail = $16
            OR EXISTS (SELECT 1 FROM transactions AS t WHERE t.payment_id = orders.payment_id
                AND (t.transaction_id = $13 OR t.approval_number = $15)))"
    };
}

/// Newest first, from a place on. A bound that was not asked for is one that everything keeps to. So both databases begin to read
/// the index where the page begins, however long the list is; SQLite for the cursor's time, too, as of two upper bounds it takes one.
macro_rules! newest_first {
    () => {
        " AND created_at >= $1 AND created_at < $2 AND (created_at, payment_id) < ($3, $4) AND (created_at, payment_id) >= ($5, $6)
        ORDER BY created_at DESC, payment_id DESC LIMIT $17"
    };
}

const ALL: &str = concat!(
    "SELECT ",
    order_columns!(),
    " FROM orders WHERE ",
    fits!(),
    newest_first!()
);
const OF_STATUS: &str = concat!(
    "SELECT ",
    order_columns!(),
    " FROM orders WHERE status = $7 AND ",
    fits!(),
    newest_first!()
);

/// `+`: whatever the planner believes of the index by time, here it is not to be read.
macro_rules! of_picked {
    ($picked:literal) => {
        concat!(
            "SELECT ",
            order_columns!(),
            " FROM orders WHERE payment_id ",
            $picked,
            " AND ",
            fits!(),
            " AND +created_at >= $1 AND +created_at < $2 AND (+created_at, payment_id) < ($3, $4) AND (+created_at, payment_id) >= ($5, $6)
            ORDER BY +created_at DESC, payment_id DESC LIMIT $17"
        )
    };
}
const OF_PICKED_SQLITE: &str = of_picked!("IN (SELECT value FROM json_each($18))");
const OF_PICKED_POSTGRES: &str =
    of_picked!("= ANY(ARRAY(SELECT json_array_elements_text($18::json)))");

/// Where looking stops: the order so many after the place where the page begins.
const END_OF_ALL: &str = "SELECT created_at, payment_id FROM orders
    WHERE created_at >= $1 AND created_at < $2 AND (created_at, payment_id) < ($3, $4)
    ORDER BY created_at DESC, payment_id DESC LIMIT 1 OFFSET $5";
const END_OF_STATUS: &str = "SELECT created_at, payment_id FROM orders
    WHERE status = $6 AND created_at >= $1 AND created_at < $2 AND (created_at, payment_id) < ($3, $4)
    ORDER BY created_at DESC, payment_id DESC LIMIT 1 OFFSET $5";

/// By anything but the number, of which there may be more.
const PICKED_BY_SEARCH: &str = "SELECT payment_id FROM (SELECT payment_id FROM orders WHERE buyer_tel_tail = $3 LIMIT $4) AS of_tel
    UNION ALL SELECT payment_id FROM transactions WHERE transaction_id = $1
    UNION ALL SELECT payment_id FROM (SELECT payment_id FROM transactions WHERE approval_number = $2 LIMIT $4) AS of_approval";
const COUNT_OF_NUMBERS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE payment_id >= $1 AND payment_id < $2 LIMIT $3) AS of_number";
/// The `+` of both databases that changes nothing: the index by time would be walked for the newest of all orders.
const NEWEST_OF_NUMBERS: &str = "SELECT created_at, payment_id FROM orders
    WHERE payment_id >= $1 AND payment_id < $2 AND +created_at >= $3 AND +created_at < $4 AND (+created_at, payment_id) < ($5, $6)
    ORDER BY +created_at DESC, payment_id DESC LIMIT $7";
const PICKED_BY_ATTENTION: &str =
    "SELECT DISTINCT payment_id FROM attention WHERE needs_from <= $1 LIMIT $2";
const PICKED_BY_AMOUNT: &str = "SELECT payment_id FROM orders WHERE currency = $1 AND amount_minor >= $2 AND amount_minor <= $3 LIMIT $4";

/// Every column of `transactions`, by the names of [`TransactionRow`].
macro_rules! of_ids {
    ($ids:literal) => {
        concat!(
            "SELECT transaction_id, payment_id, status AS its_status, verdict, amount_minor AS its_amount_minor, currency AS its_currency, \
             cancelled_minor, test, pay_method AS its_pay_method, pg_provider, approval_number, method_name, fail_reason, receipt_url, \
             virtual_account_bank, virtual_account_number, virtual_account_holder, virtual_account_expires_at, paid_at, checks, \
             first_seen_at, checked_at AS its_checked_at, pay_by FROM transactions WHERE transaction_id ",
            $ids
        )
    };
}

/// A search, as the columns hold what is searched for.
struct Search<'f> {
    /// Of a whole transaction id, and what order numbers begin with.
    text: &'f str,
    /// The first text that no longer begins so.
    beyond: String,
    approval_number: Option<&'f str>,
    tel_tail: Option<&'f str>,
}

impl<'f> Search<'f> {
    fn of(filter: &'f OrderFilter) -> Option<Self> {
        let text = filter.query.as_deref().filter(|text| !text.is_empty())?;
        let staff = Some(text).filter(|_| filter.reach == Reach::Staff);
        let is_tail = |text: &&str| {
            text.len() == TEL_TAIL_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        Some(Self {
            text,
            beyond: beyond(text),
            approval_number: staff,
            tel_tail: staff.filter(is_tail),
        })
    }
}

/// The first text, by its bytes, that is greater than all that begin with this one.
fn beyond(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    while let Some(last) = chars.pop() {
        // After the last character before the surrogates comes the first one behind them.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            break;
        }
    }
    chars.into_iter().collect()
}

/// Between which places the list is looked at.
struct Stretch {
    from: i64,
    before: i64,
    after: (i64, String),
    /// The last order that is looked at.
    end: (i64, String),
}

impl Stretch {
    fn of(filter: &OrderFilter) -> Self {
        let after = filter
            .after
            .as_ref()
            .map_or((i64::MAX, String::new()), |(at, id)| {
                (micros(*at), id.as_str().to_owned())
            });
        Self {
            from: filter.from.map_or(i64::MIN, micros),
            before: filter
                .to
                .map_or(i64::MAX, micros)
                .min(after.0.saturating_add(1)),
            after,
            end: (i64::MIN, String::new()),
        }
    }
}

/// How the orders of a page are come by.
enum Way {
    /// They are among these, all there are down to the place that is named.
    Picked(Vec<String>, Option<(i64, String)>),
    /// By looking at those of the filter's status.
    OfStatus,
    /// By looking at all.
    All,
}

impl Database {
    pub(super) async fn try_list(&self, filter: &OrderFilter) -> Result<Listed, Failure> {
        let mut conn = self.reader().await?;
        let search = Search::of(filter);
        let mut stretch = Stretch::of(filter);
        let limit = filter.limit.clamp(1, PAGE_ORDERS_MAX);
        let way = way(&mut conn, filter, search.as_ref(), &stretch, limit).await?;
        let mut end = None;
        let may_fit_few = search.is_some()
            || filter.needs_attention_at.is_some()
            || filter.amount.is_some()
            || filter.method.is_some();
        if may_fit_few {
            end = end_of(&mut conn, filter, &way, &stretch).await?;
        }
        if let Some((at, id)) = &end {
            stretch.from = stretch.from.max(*at);
            stretch.end = (*at, id.clone());
        }
        // One more than is listed, to know whether there is a next page.
        let mut rows = page(
            &mut conn,
            filter,
            search.as_ref(),
            &way,
            &stretch,
            limit + 1,
        )
        .await?;
        conn.keep();
        let listed = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > listed;
        rows.truncate(listed);
        let orders: Vec<_> = rows
            .into_iter()
            .map(OrderRow::into_domain)
            .collect::<Result<_, _>>()?;
        let further = match (orders.last().filter(|_| has_more), end) {
            (Some(last), _) => Some((last.created_at, last.payment_id.clone())),
            (None, Some(end)) => Some(place(end)?),
            (None, None) => None,
        };
        Ok(Listed { orders, further })
    }

    pub(super) async fn try_find_transactions(
        &self,
        ids: &[TransactionId],
    ) -> Result<Vec<Transaction>, Failure> {
        let ids: Vec<&str> = ids.iter().map(TransactionId::as_str).collect();
        let ids = &ids[..ids.len().min(TRANSACTIONS_MAX)];
        let mut conn = self.reader().await?;
        let sql = conn.text(
            of_ids!("IN (SELECT value FROM json_each($1))"),
            of_ids!("= ANY(ARRAY(SELECT json_array_elements_text($1::json)))"),
        );
        let rows: Vec<TransactionRow> = fetch_all!(&mut conn, sql, json!(ids).to_string())?;
        conn.keep();
        rows.into_iter().map(TransactionRow::into_domain).collect()
    }
}

fn place((at, id): (i64, String)) -> Result<Place, Failure> {
    let orders = Table("orders");
    Ok((orders.time("created_at", at)?, orders.payment_id(&id)?))
}

/// The condition that picks out least, of those that an index knows.
async fn way(
    conn: &mut Connection,
    filter: &OrderFilter,
    search: Option<&Search<'_>>,
    stretch: &Stretch,
    limit: u32,
) -> Result<Way, Failure> {
    let most = PICKED_MAX + 1;
    let few = |rows: &Vec<(String,)>| i64::try_from(rows.len()).is_ok_and(|rows| rows < most);
    let ids = |rows: Vec<(String,)>| rows.into_iter().map(|(id,)| id).collect();
    let picked = |rows| Way::Picked(ids(rows), None);
    if let Some(search) = search {
        let rows: Vec<(String,)> = fetch_all!(
            conn,
            PICKED_BY_SEARCH,
            search.text,
            search.approval_number,
            search.tel_tail,
            most,
        )?;
        if few(&rows) {
            let others = ids(rows);
            if let Some(way) = of_numbers(conn, filter, search, stretch, limit, others).await? {
                return Ok(way);
            }
        }
    }
    if let Some(at) = filter.needs_attention_at {
        let rows = fetch_all!(conn, PICKED_BY_ATTENTION, micros(at), most)?;
        if few(&rows) {
            return Ok(picked(rows));
        }
    }
    if let Some(amount) = filter.amount
        && (amount.min.is_some() || amount.max.is_some())
    {
        let rows = fetch_all!(
            conn,
            PICKED_BY_AMOUNT,
            amount.currency.code(),
            amount.min.unwrap_or(i64::MIN),
            amount.max.unwrap_or(i64::MAX),
            most,
        )?;
        if few(&rows) {
            return Ok(picked(rows));
        }
    }
    Ok(match filter.status {
        Some(_) => Way::OfStatus,
        None => Way::All,
    })
}

/// The newest orders whose numbers begin as it is searched for, beside those that are found by something else; `None` when too many
/// numbers begin so.
async fn of_numbers(
    conn: &mut Connection,
    filter: &OrderFilter,
    search: &Search<'_>,
    stretch: &Stretch,
    limit: u32,
    others: Vec<String>,
) -> Result<Option<Way>, Failure> {
    let (text, beyond) = (search.text, search.beyond.as_str());
    // Where nothing else is asked for, each of them is listed. Otherwise another condition may pick out less.
    let is_all = filter.status.is_none()
        && filter.amount.is_none()
        && filter.method.is_none()
        && filter.needs_attention_at.is_none();
    let (numbers_max, most) = if is_all {
        (NUMBERS_MAX, i64::from(limit) + 1)
    } else {
        (PICKED_MAX, PICKED_MAX + 1)
    };
    let counted: Vec<(i64,)> = fetch_all!(conn, COUNT_OF_NUMBERS, text, beyond, numbers_max + 1)?;
    if counted.iter().any(|(count,)| *count > numbers_max) {
        return Ok(None);
    }
    let newest: Vec<(i64, String)> = fetch_all!(
        conn,
        NEWEST_OF_NUMBERS,
        text,
        beyond,
        stretch.from,
        stretch.before,
        stretch.after.0,
        stretch.after.1.as_str(),
        most,
    )?;
    let is_full = i64::try_from(newest.len()).is_ok_and(|count| count >= most);
    let end = newest.last().filter(|_| is_full).cloned();
    let ids = newest.into_iter().map(|(_, id)| id).chain(others).collect();
    Ok(Some(Way::Picked(ids, end)))
}

/// Where looking stops, when the list goes on behind it.
async fn end_of(
    conn: &mut Connection,
    filter: &OrderFilter,
    way: &Way,
    stretch: &Stretch,
) -> Result<Option<(i64, String)>, Failure> {
    let Stretch {
        from,
        before,
        after,
        ..
    } = stretch;
    let skipped = LOOKED_AT_MAX - 1;
    let found = match way {
        Way::Picked(_, end) => end.clone(),
        Way::All => fetch_optional!(
            conn,
            END_OF_ALL,
            from,
            before,
            after.0,
            after.1.as_str(),
            skipped
        )?,
        Way::OfStatus => fetch_optional!(
            conn,
            END_OF_STATUS,
            from,
            before,
            after.0,
            after.1.as_str(),
            skipped,
            filter.status.map(|status| status.as_str()),
        )?,
    };
    Ok(found)
}

async fn page(
    conn: &mut Connection,
    filter: &OrderFilter,
    search: Option<&Search<'_>>,
    way: &Way,
    stretch: &Stretch,
    limit: u32,
) -> Result<Vec<OrderRow>, Failure> {
    /// The parameters that all ways have in common, and those that only one has.
    macro_rules! rows {
        ($sql:expr $(, $more:expr)*) => {
            fetch_all!(
                conn,
                $sql,
                stretch.from,
                stretch.before,
                stretch.after.0,
                stretch.after.1.as_str(),
                stretch.end.0,
                stretch.end.1.as_str(),
                filter.status.map(|status| status.as_str()),
                filter.amount.map(|amount| amount.currency.code()),
                filter.amount.and_then(|amount| amount.min).unwrap_or(i64::MIN),
                filter.amount.and_then(|amount| amount.max).unwrap_or(i64::MAX),
                filter.method.map(|method| method.gateway_words()),
                filter.needs_attention_at.map(micros),
                search.map(|search| search.text),
                search.map(|search| search.beyond.as_str()),
                search.and_then(|search| search.approval_number),
                search.and_then(|search| search.tel_tail),
                i64::from(limit)
                $(, $more)*
            )?
        };
    }
    Ok(match way {
        Way::Picked(ids, _) if ids.is_empty() => Vec::new(),
        Way::Picked(ids, _) => {
            let sql = conn.text(OF_PICKED_SQLITE, OF_PICKED_POSTGRES);
            rows!(sql, json!(ids).to_string())
        }
        Way::OfStatus => rows!(OF_STATUS),
        Way::All => rows!(ALL),
    })
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::super::connect::SQLITE_MIGRATIONS;
    use super::*;

    #[test]
    fn the_first_text_beyond_a_prefix_is_right_behind_all_that_begin_so() {
        for (text, first) in [
            ("ORD", "ORE"),
            ("주", "죽"),
            ("a\u{d7ff}", "a\u{e000}"),
            ("a\u{10ffff}", "b"),
        ] {
            assert_eq!(beyond(text), first);
            assert!(text < first && format!("{text}\u{10ffff}\u{10ffff}").as_str() < first);
        }
        assert_eq!(beyond("\u{10ffff}"), "");
    }

    /// No table is read from one end to the other, and nothing is sorted but what an index has picked.
    #[tokio::test]
    async fn every_way_begins_at_an_index() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        SQLITE_MIGRATIONS.run(&mut conn).await.unwrap();
        for (sql, first, may_sort) in [
            (
                ALL,
                "SEARCH orders USING INDEX orders_created_at_idx (created_at>? AND created_at<?)",
                false,
            ),
            (
                OF_STATUS,
                "SEARCH orders USING INDEX orders_status_idx (status=? AND created_at>? AND created_at<?)",
                false,
            ),
            (
                OF_PICKED_SQLITE,
                "SEARCH orders USING INDEX sqlite_autoindex_orders_1 (payment_id=?)",
                true,
            ),
            (
                END_OF_ALL,
                "SEARCH orders USING COVERING INDEX orders_created_at_idx (created_at>? AND created_at<?)",
                false,
            ),
            (
                END_OF_STATUS,
                "SEARCH orders USING COVERING INDEX orders_status_idx (status=? AND created_at>? AND created_at<?)",
                false,
            ),
            (
                PICKED_BY_AMOUNT,
                "SEARCH orders USING INDEX orders_amount_idx (currency=? AND amount_minor>? AND amount_minor<?)",
                false,
            ),
        ] {
            let plan = plan(&mut conn, sql).await;
            assert_eq!(plan[0], first, "{plan:#?}");
            let sorts = plan
                .iter()
                .any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
            assert_eq!(sorts, may_sort, "{plan:#?}");
            assert!(
                !plan
                    .iter()
                    .any(|step| step == "SCAN orders" || step == "SCAN t"),
                "{plan:#?}"
            );
        }
        for (sql, index) in [
            (COUNT_OF_NUMBERS, "sqlite_autoindex_orders_1"),
            (NEWEST_OF_NUMBERS, "orders_number_idx"),
        ] {
            let plan = plan(&mut conn, sql).await;
            let step = format!(
                "SEARCH orders USING COVERING INDEX {index} (payment_id>? AND payment_id<?)"
            );
            assert!(plan.contains(&step), "{plan:#?}");
        }
        let plan = plan(&mut conn, PICKED_BY_SEARCH).await;
        for index in [
            "orders_buyer_tel_tail_idx (buyer_tel_tail=?)",
            "sqlite_autoindex_transactions_1 (transaction_id=?)",
            "transactions_approval_number_idx (approval_number=?)",
        ] {
            assert!(
                plan.iter().any(|step| step.ends_with(index)),
                "{index}: {plan:#?}"
            );
        }
    }

    async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(sql).fetch_all(conn).await.unwrap();
        rows.iter().map(|row| row.get("detail")).collect()
    }
}
