//! An address that is no page.

use http::StatusCode;
use leptos::prelude::*;

use crate::ui::components::frame::{Frame, Surroundings};
use crate::ui::components::mark::StateMark;
use crate::ui::respond::respond;
use crate::ui::say::Mark;

/// The page for every address that has none.
#[component]
pub fn NoPage() -> impl IntoView {
    respond(StatusCode::NOT_FOUND);
    let around = Surroundings::take();
    let locale = around.visitor.locale(None);
    let words = locale.messages();
    let back = around.site.shop_url.clone().map(|url| {
        view! { <div class="actions"><a class="button" href=url>{words.back_to_shop}</a></div> }
    });
    view! {
        <Frame around locale title=words.no_page.heading>
            <main class="slip">
                <section class="verdict">
                    <StateMark mark=Mark::Question />
                    <h1>{words.no_page.heading}</h1>
                    <p class="money">{words.no_page_why}</p>
                    <p class="next">{words.no_page.next}</p>
                </section>
                {back}
            </main>
        </Frame>
    }
}
