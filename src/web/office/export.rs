//! `GET /orders.csv`: the orders that the list's conditions name, as a file.
//!
//! Written page by page while it is read, so that neither the file nor a long look into the database is ever held whole. It ends at
//! a limit, and says so; a part of it that cannot be read is said as well, and ends the answer as one that broke off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use hyper::body::{Bytes, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::see_other;
use crate::domain::ids::TransactionId;
use crate::domain::transaction::Transaction;
use crate::i18n::Locale;
use crate::ports::store::{OrderFilter, StoreError};
use crate::service::Core;
use crate::ui::pages::office::export;
use crate::ui::pages::office::orders::Conditions;
use crate::web::problem::Problem;
use crate::web::{App, pages};

/// Files that are written at once.
const EXPORTS_MAX: usize = 4;
/// Orders that are read at once.
const PAGE_ORDERS_MAX: u32 = 100;
/// Pieces that wait for a browser that takes none.
const WAITING_MAX: usize = 4;
/// Time after which a file ends whatever happens.
const EXPORT_TIME_MAX: Duration = Duration::from_mins(10);

/// The places for files that are written.
#[derive(Debug, Clone)]
pub struct Exports(Arc<Semaphore>);

impl Default for Exports {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(EXPORTS_MAX)))
    }
}

/// `GET /orders.csv`
pub async fn export_orders(State(app): State<App>, request: Request) -> Response {
    let visitor = pages::visitor(request.uri().query(), request.headers());
    let asked = Conditions::read(request.uri().query());
    if asked.are_faulty() {
        // The list says what is wrong, where it was typed.
        return see_other(&asked.address("/orders", visitor.asked));
    }
    let Ok(place) = Arc::clone(&app.exports.0).try_acquire_owned() else {
        return Problem::Unavailable.response();
    };
    let locale = visitor.locale(None).of_office();
    let now = app.core.clock.now();
    let mut file = File {
        core: Arc::clone(&app.core),
        locale,
        rest: Some(OrderFilter {
            limit: PAGE_ORDERS_MAX,
            ..asked.filter(now)
        }),
        written: 0,
        orders_max: app.network.limits.exported_orders,
    };
    // Before the answer begins: a store that does not answer at all is an answer of its own.
    let first = match file.next().await {
        Ok(first) => first.unwrap_or_default(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "orders could not be read for a file"
            );
            return Problem::Unavailable.response();
        }
    };
    let headers = [
        (
            CONTENT_TYPE,
            Ok(HeaderValue::from_static(
                "text/csv; charset=utf-8; header=present",
            )),
        ),
        (
            CONTENT_DISPOSITION,
            HeaderValue::from_str(&format!(
                "attachment; filename=\"{}\"",
                export::name(&asked, now)
            )),
        ),
        (CACHE_CONTROL, Ok(HeaderValue::from_static("no-store"))),
    ];
    let mut response = if request.method() == Method::HEAD {
        ().into_response()
    } else {
        let begun = format!("{}{first}", export::head(locale));
        let waiting = write(file, begun, place);
        Body::new(Pieces {
            waiting,
            broken: None,
        })
        .into_response()
    };
    for (name, value) in headers {
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Writes the file, piece by piece, as long as somebody takes it.
fn write(
    mut file: File,
    begun: String,
    place: OwnedSemaphorePermit,
) -> mpsc::Receiver<io::Result<String>> {
    let (pieces, waiting) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        let (locale, late) = (file.locale, pieces.clone());
        let all = async {
            let mut piece = Ok(Some(begun));
            while let Ok(Some(text)) = piece {
                if pieces.send(Ok(text)).await.is_err() {
                    return Ok(());
                }
                piece = file.next().await;
            }
            piece.map(drop)
        };
        let ended = tokio::time::timeout(EXPORT_TIME_MAX, all).await;
        let broken = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "orders could not be read for the rest of a file"
                );
                Some(io::Error::other("the rest of the orders cannot be read"))
            }
            Err(_elapsed) => Some(io::ErrorKind::TimedOut.into()),
        };
        if let Some(error) = broken {
            // Both wait for the reader, and no longer than the server lets one be slow; to one that is gone nothing is said.
            drop(late.send(Ok(export::broken_off(locale))).await);
            drop(late.send(Err(error)).await);
        }
        drop(place);
    });
    waiting
}

/// What is left to be written of a file.
struct File {
    core: Arc<Core>,
    locale: Locale,
    /// The orders that were not looked at yet; `None` at the end.
    rest: Option<OrderFilter>,
    written: usize,
    orders_max: usize,
}

impl File {
    /// The next piece, empty when none of the orders it looked at fits; `None` at the end.
    async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let Some(filter) = self.rest.take() else {
            return Ok(None);
        };
        let mut listed = self.core.orders.list_orders(&filter).await?;
        let left = self.orders_max - self.written;
        let is_cut = listed.orders.len() > left;
        listed.orders.truncate(left);
        self.written += listed.orders.len();
        let ids = listed.orders.iter();
        let ids = ids.filter_map(|order| order.accepted_transaction_id.clone());
        let paid_by = self.paid_by(ids.collect()).await?;
        let mut piece = String::new();
        for order in &listed.orders {
            let accepted = order.accepted_transaction_id.as_ref();
            let paid_by = paid_by
                .iter()
                .find(|by| accepted == Some(&by.transaction_id));
            piece.push_str(&export::row(self.locale, order, paid_by));
        }
        if is_cut {
            piece.push_str(&export::cut(self.locale, self.written));
        } else {
            self.rest = listed.further.map(|place| OrderFilter {
                after: Some(place),
                ..filter
            });
        }
        Ok(Some(piece))
    }

    async fn paid_by(&self, ids: Vec<TransactionId>) -> Result<Vec<Transaction>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.core.orders.find_transactions(&ids).await
    }
}

/// The pieces as a body.
struct Pieces {
    waiting: mpsc::Receiver<io::Result<String>>,
    broken: Option<io::Error>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.waiting.poll_recv(context) {
            Poll::Ready(Some(Ok(text))) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(text))))),
            Poll::Ready(Some(Err(error))) => {
                // hyper forgets what it has not sent yet when a body breaks. While the body waits, it sends.
                self.broken = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
