//! `/payments/complete`: the buyer is back from the payment window.

use leptos::prelude::*;

use super::result::{our_error_page, result_page};
use crate::actions::complete_payment;
use crate::service::completion::Claim;
use crate::ui::components::frame::Surroundings;
use crate::ui::context::from_request;

/// The completion page.
#[component]
pub fn CompletePage() -> impl IntoView {
    let around = Surroundings::take();
    let claim = from_request::<Claim>().unwrap_or_default();
    let arrival = claim.arrival();
    let payment_id = claim.payment_id.map(|id| id.to_string());
    let transaction_id = claim.transaction_id.map(|id| id.to_string());
    view! {
        <Suspense>
            {Suspend::new(async move {
                match complete_payment(payment_id, transaction_id).await {
                    Ok(view) => result_page(&around, &view, arrival),
                    Err(_) => our_error_page(&around),
                }
            })}
        </Suspense>
    }
}
