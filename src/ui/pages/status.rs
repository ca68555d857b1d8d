//! `/o/{token}`: the lasting link, for any browser at any time.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::result::{our_error_page, result_page};
use crate::actions::look_up;
use crate::service::completion::Arrival;
use crate::ui::components::frame::Surroundings;

/// The status page.
#[component]
pub fn StatusPage() -> impl IntoView {
    let around = Surroundings::take();
    let token = use_params_map()
        .with_untracked(|params| params.get("token"))
        .unwrap_or_default();
    view! {
        <Suspense>
            {Suspend::new(async move {
                match look_up(token).await {
                    Ok(view) => result_page(&around, &view, Arrival::Link),
                    Err(_) => our_error_page(&around),
                }
            })}
        </Suspense>
    }
}
