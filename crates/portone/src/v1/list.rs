//! Several payments at once.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{
    client::{Call, Client, nothing},
    id::{ImpUid, MerchantUid},
    payment::Payment,
};
use crate::{Error, error::Code, json::Object};

/// What the API allows in one call of `GET /payments`.
const IDS_MAX: usize = 100;
/// Attempts in one page of `findAll`; the API allows 1000, which would not fit the body limit.
const PAGE_SIZE: u32 = 100;
/// Pages of `findAll` that are read: 1000 attempts to pay one order.
const PAGES_MAX: u32 = 10;
/// What the API allows in one page of `GET /payments/status/{payment_status}`.
const LIMIT_MAX: u32 = 1000;
/// What the API allows between `from` and `to`.
const RANGE_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A state to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusFilter {
    /// `ready`
    Ready,
    /// `paid`
    Paid,
    /// `failed`
    Failed,
    /// `cancelled`
    Cancelled,
}

impl StatusFilter {
    /// PortOne's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sorting {
    /// `-started`: the latest window.
    LatestStarted,
    /// `started`: the earliest window.
    EarliestStarted,
    /// `-paid`: the latest approval.
    LatestPaid,
    /// `paid`: the earliest approval.
    EarliestPaid,
    /// `-updated`: the latest change.
    LatestUpdated,
    /// `updated`: the earliest change.
    EarliestUpdated,
}

impl Sorting {
    /// PortOne's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LatestStarted => "-started",
            Self::EarliestStarted => "started",
            Self::LatestPaid => "-paid",
            Self::EarliestPaid => "paid",
            Self::LatestUpdated => "-updated",
            Self::EarliestUpdated => "updated",
        }
    }
}

/// What became of a list of ids. Together the two are exactly what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The payments PortOne knows.
    pub payments: Vec<Payment>,
    /// The ids PortOne does not know, or does not let this merchant see.
    pub missing: Vec<ImpUid>,
}

/// Which payments to list by their state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusQuery {
    /// The state; all of them if `None`.
    pub status: Option<StatusFilter>,
    /// Page, from 1. 0 is [`Error::InvalidConfiguration`].
    pub page: u32,
    /// Payments in a page, 1 to 1000; else it is [`Error::InvalidConfiguration`]. What one answer may hold is limited in bytes,
    /// too: some 300 payments fit in.
    pub limit: u32,
    /// From this time on. Which time is meant depends on the payment's state: when it began, was paid, was cancelled or failed.
    /// PortOne takes 90 days before `to` unless given, and allows no more.
    pub from: Option<Timestamp>,
    /// Until this time; now, unless given.
    pub to: Option<Timestamp>,
    /// What comes first.
    pub sorting: Sorting,
}

impl StatusQuery {
    /// The first 100 of the last 90 days in this state (in any, if `None`), the latest window first.
    pub fn new(status: Option<StatusFilter>) -> Self {
        Self {
            status,
            page: 1,
            limit: PAGE_SIZE,
            from: None,
            to: None,
            sorting: Sorting::LatestStarted,
        }
    }
}

/// One page of payments.
#[derive(Clone, Debug)]
pub struct PaymentPage {
    /// How many there are in all pages.
    pub total: u64,
    /// The page before, if there is one.
    pub previous: Option<u32>,
    /// The page after, if there is one.
    pub next: Option<u32>,
    /// The payments. One that this version cannot read is an error of its own: it hides none of the others.
    pub list: Vec<Result<Payment, Error>>,
}

impl PaymentPage {
    fn parse(json: &str) -> Result<Self, Error> {
        let object = Object::parse("the list", json)?;
        let number = |key: &str| match object.strict_integer(key)? {
            None | Some(0) => Ok(None),
            Some(page) => u32::try_from(page)
                .map(Some)
                .map_err(|_| Error::garbled(format!("{key} is no page"))),
        };
        Ok(Self {
            total: u64::try_from(object.required_integer("total")?)
                .map_err(|_| Error::garbled("total is negative"))?,
            previous: number("previous")?,
            next: number("next")?,
            list: object
                .required_list("list")?
                .into_iter()
                .map(Payment::from_json)
                .collect(),
        })
    }
}

impl Client {
    /// Several attempts to pay, by their ids; at most 100 different ones.
    pub async fn payments(&self, imp_uids: &[ImpUid]) -> Result<Found, Error> {
        let mut seen = HashSet::new();
        let asked: Vec<&ImpUid> = imp_uids.iter().filter(|id| seen.insert(*id)).collect();
        if asked.len() > IDS_MAX {
            return Err(Error::InvalidConfiguration(format!(
                "PortOne takes at most {IDS_MAX} ids at once"
            )));
        }
        if asked.is_empty() {
            return Ok(Found {
                payments: Vec::new(),
                missing: Vec::new(),
            });
        }
        let mut url = self.url(&["payments"]);
        for imp_uid in &asked {
            url.query_pairs_mut()
                .append_pair("imp_uid[]", imp_uid.as_str());
        }
        let payments = match self.response(Call::get(url)).await {
            Ok(response) => payments_out_of(&seen, &response)?,
            // PortOne says so when it knows none of them. When it knows some, the status is 207.
            Err(Error::NotFound) => Vec::new(),
            Err(error) => return Err(error),
        };
        let found: HashSet<&ImpUid> = payments.iter().map(|payment| &payment.imp_uid).collect();
        let missing = asked
            .into_iter()
            .filter(|id| !found.contains(id))
            .cloned()
            .collect();
        Ok(Found { payments, missing })
    }

    /// The first attempt to pay for an order, by this order of attempts. [`Error::NotFound`] if there is none.
    ///
    /// Without a status the latest window comes first by PortOne's default, even one that failed after an earlier one was paid.
    /// Who wants to know whether an order is paid asks for [`StatusFilter::Paid`], or for all with
    /// [`Client::payments_of`].
    pub async fn find(
        &self,
        merchant_uid: &MerchantUid,
        status: Option<StatusFilter>,
        sorting: Sorting,
    ) -> Result<Payment, Error> {
        let mut url = self.of_order("find", merchant_uid, status);
        url.query_pairs_mut()
            .append_pair("sorting", sorting.as_str());
        let payment = Payment::parse(&self.response(Call::get(url)).await?)?;
        if payment.merchant_uid != merchant_uid.as_str() {
            return Err(Error::garbled(
                "the payment has another merchant_uid than the one asked for",
            ));
        }
        Ok(payment)
    }

    /// Every attempt to pay for one order, oldest first; none if PortOne knows of none. All of them or an error: a list that
    /// ends before its `total` is [`Error::Garbled`], and may be whole the next time.
    ///
    /// An attempt whose `merchant_uid` differs in the least (in case, for one) is somebody else's and left out.
    /// [`Error::TooManyPages`] if there are more than 1000.
    pub async fn payments_of(&self, merchant_uid: &MerchantUid) -> Result<Vec<Payment>, Error> {
        self.all_of_order(merchant_uid, None).await
    }

    /// Every attempt to pay for one order that is in this state, as [`Client::payments_of`] has them.
    pub async fn payments_of_with_status(
        &self,
        merchant_uid: &MerchantUid,
        status: StatusFilter,
    ) -> Result<Vec<Payment>, Error> {
        self.all_of_order(merchant_uid, Some(status)).await
    }

    /// One page of the payments in a state, of all orders. `None` if there is no such page: PortOne answers 400 then.
    pub async fn payments_with_status(
        &self,
        query: &StatusQuery,
    ) -> Result<Option<PaymentPage>, Error> {
        // Asked for, they would be answered with 400, which further down is the end of the list.
        if query.page == 0 || !(1..=LIMIT_MAX).contains(&query.limit) {
            return Err(Error::InvalidConfiguration(format!(
                "pages are counted from 1 and have 1 to {LIMIT_MAX} payments"
            )));
        }
        if let (Some(from), Some(to)) = (query.from, query.to)
            && !(SignedDuration::ZERO..=RANGE_MAX).contains(&to.duration_since(from))
        {
            return Err(Error::InvalidConfiguration(
                "from must be before to, by at most 90 days".to_owned(),
            ));
        }
        let status = query.status.map_or("all", StatusFilter::as_str);
        let mut url = self.url(&["payments", "status", status]);
        {
            let mut pairs = url.query_pairs_mut();
            pairs
                .append_pair("page", &query.page.to_string())
                .append_pair("limit", &query.limit.to_string())
                .append_pair("sorting", query.sorting.as_str());
            for (key, time) in [("from", query.from), ("to", query.to)] {
                if let Some(time) = time {
                    pairs.append_pair(key, &time.as_second().to_string());
                }
            }
        }
        match self.response(Call::get(url)).await {
            Ok(response) => PaymentPage::parse(&response).map(Some),
            // The two documented reasons are an unknown state, which cannot be asked for, and this. Only from PortOne
            // itself: what stands in front of it has reasons of its own.
            Err(Error::Http {
                status: 400,
                code: Some(Code::V1(_)),
                ..
            }) if query.page > 1 => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn all_of_order(
        &self,
        merchant_uid: &MerchantUid,
        status: Option<StatusFilter>,
    ) -> Result<Vec<Payment>, Error> {
        self.in_time(async {
            let mut payments = Vec::new();
            let mut seen = HashSet::new();
            for page in 1..=PAGES_MAX {
                let found = match self.page_of_order(merchant_uid, status, page).await {
                    // Of the first page alone: what is missing from a list that was said to go on is no end of it.
                    Err(Error::NotFound) if page == 1 => return Ok(payments),
                    Err(Error::NotFound) => {
                        return Err(Error::garbled("a page of the list is missing"));
                    }
                    found => found?,
                };
                if found.total > u64::from(PAGES_MAX * PAGE_SIZE) {
                    return Err(Error::TooManyPages);
                }
                for payment in found.list {
                    let payment = payment?;
                    // Times of one second leave the order of some attempts open, so one may be on two pages.
                    if seen.insert(payment.imp_uid.clone())
                        && payment.merchant_uid == merchant_uid.as_str()
                    {
                        payments.push(payment);
                    }
                }
                match found.next {
                    // One that is on two pages may be there in the place of another, which then is on none.
                    None if (seen.len() as u64) < found.total => {
                        return Err(Error::garbled("the list has fewer payments than its total"));
                    }
                    None => return Ok(payments),
                    Some(next) if next == page + 1 => {}
                    Some(_) => return Err(Error::garbled("next is not the page after this one")),
                }
            }
            Err(Error::TooManyPages)
        })
        .await
    }

    async fn page_of_order(
        &self,
        merchant_uid: &MerchantUid,
        status: Option<StatusFilter>,
        page: u32,
    ) -> Result<PaymentPage, Error> {
        let mut url = self.of_order("findAll", merchant_uid, status);
        url.query_pairs_mut()
            .append_pair("limit", &PAGE_SIZE.to_string())
            .append_pair("page", &page.to_string())
            // By start, oldest first: an attempt made while pages are read comes last and moves none of the others.
            .append_pair("sorting", Sorting::EarliestStarted.as_str());
        let response = self.ask(&Call::get(url)).await?.ok_or_else(nothing)?;
        PaymentPage::parse(&response)
    }

    fn of_order(
        &self,
        call: &str,
        merchant_uid: &MerchantUid,
        status: Option<StatusFilter>,
    ) -> Url {
        let mut segments = vec!["payments", call, merchant_uid.as_str()];
        segments.extend(status.map(StatusFilter::as_str));
        self.url(&segments)
    }
}

/// The payments of a list, each asked for and none there twice.
fn payments_out_of(asked: &HashSet<&ImpUid>, response: &str) -> Result<Vec<Payment>, Error> {
    let mut seen = HashSet::new();
    let mut payments = Vec::new();
    for element in crate::json::elements("the list", response)? {
        let payment = Payment::parse(element)?;
        if !asked.contains(&payment.imp_uid) || !seen.insert(payment.imp_uid.clone()) {
            return Err(Error::garbled(
                "the list has a payment that was not asked for, or one twice",
            ));
        }
        payments.push(payment);
    }
    Ok(payments)
}
