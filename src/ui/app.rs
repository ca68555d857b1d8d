//! The pages by address.

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{ParamSegment, SsrMode, StaticSegment};

use super::pages::complete::CompletePage;
use super::pages::no_page::NoPage;
use super::pages::office::{
    AccountPage, AttentionPage, AuditPage, KeysPage, LoginCodePage, LoginPage, OrderPage,
    OrdersPage, OverviewPage, RefundPage, UsersPage, WebhooksPage,
};
use super::pages::pay::PayPage;
use super::pages::status::StatusPage;

/// Every page. Each is rendered whole before its first byte leaves, so that status, headers and markup are final and
/// nothing waits for a script.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NoPage>
                <Route path=(StaticSegment("payments"), StaticSegment("complete")) view=CompletePage ssr=SsrMode::Async />
                <Route path=(StaticSegment("o"), ParamSegment("token")) view=StatusPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("pay"), ParamSegment("payment_id")) view=PayPage ssr=SsrMode::Async />
                <Route path=StaticSegment("login") view=LoginPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("login"), StaticSegment("code")) view=LoginCodePage ssr=SsrMode::Async />
                <Route path=StaticSegment("attention") view=AttentionPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("settings"), StaticSegment("webhooks")) view=WebhooksPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("settings"), StaticSegment("users")) view=UsersPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("settings"), StaticSegment("keys")) view=KeysPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("settings"), StaticSegment("audit")) view=AuditPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("settings"), StaticSegment("account")) view=AccountPage ssr=SsrMode::Async />
                <Route path=StaticSegment("overview") view=OverviewPage ssr=SsrMode::Async />
                <Route path=StaticSegment("orders") view=OrdersPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("orders"), ParamSegment("payment_id")) view=OrderPage ssr=SsrMode::Async />
                <Route path=(StaticSegment("orders"), ParamSegment("payment_id"), StaticSegment("refund")) view=RefundPage ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}
