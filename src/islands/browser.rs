//! What islands need of the browser, beyond what Leptos offers.
//!
//! Looked up by name at run time: bindings by type would cost more bytes than everything else here, and PortOne's SDK has
//! none. Runs in the browser alone.

use leptos::prelude::{document, window};
use leptos::wasm_bindgen::{JsCast, JsValue};
use leptos::web_sys::js_sys::futures::JsFuture;
use leptos::web_sys::js_sys::{Array, Function, Object, Promise, Reflect};

/// The value of a property, unless it is missing or empty.
pub(super) fn get(target: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(target, &JsValue::from_str(name))
        .ok()
        .filter(|value| !value.is_undefined() && !value.is_null())
}

/// A property that is a text with something in it.
pub(super) fn text(target: &JsValue, name: &str) -> Option<String> {
    get(target, name)?
        .as_string()
        .filter(|text| !text.is_empty())
}

/// Calls a method. `None` when there is no such method or it throws.
pub(super) fn call(target: &JsValue, name: &str, arguments: &[JsValue]) -> Option<JsValue> {
    let method: Function = get(target, name)?.dyn_into().ok()?;
    method
        .apply(target, &arguments.iter().collect::<Array>())
        .ok()
}

/// Makes an object of a class of the browser's.
pub(super) fn construct(class: &str, argument: &str) -> Option<JsValue> {
    let class: Function = get(&window(), class)?.dyn_into().ok()?;
    Reflect::construct(&class, &Array::of1(&argument.into())).ok()
}

/// An object of texts.
pub(super) fn object(entries: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in entries {
        // Setting a property of a plain object of our own cannot fail.
        let _set = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// Waits for what a method promised.
pub(super) async fn promised(promise: JsValue) -> Option<JsValue> {
    settled(promise).await.ok()
}

/// Waits for what a method promised, or for what it refuses with.
pub(super) async fn settled(promise: JsValue) -> Result<JsValue, JsValue> {
    JsFuture::from(promise.dyn_into::<Promise>()?).await
}

/// Promises what a method passes to its second argument, a function.
pub(super) fn answer_of(target: &JsValue, name: &str, argument: JsValue) -> Option<JsValue> {
    let mut called = None;
    let promise = Promise::new(&mut |resolve, _reject| {
        called = call(target, name, &[argument.clone(), resolve.into()]);
    });
    called.map(|_| promise.into())
}

/// Whether nobody can see the page.
pub(super) fn is_hidden() -> bool {
    get(&document(), "hidden").is_some_and(|hidden| hidden.is_truthy())
}

/// Milliseconds since the page was opened, by a clock that nobody sets.
pub(super) fn elapsed_ms() -> f64 {
    let now = get(&window(), "performance").and_then(|clock| call(&clock, "now", &[]));
    now.and_then(|now| now.as_f64()).unwrap_or_default()
}

/// Waits for some time, or until the page is shown or hidden.
pub(super) async fn pause(milliseconds: u32) {
    pause_or(milliseconds, None, "").await;
}

/// [`pause`], or until something has an event of this name.
pub(super) async fn pause_or(milliseconds: u32, source: Option<&JsValue>, event: &str) {
    let promise = Promise::new(&mut |resolve, _reject| {
        let window = window();
        call(
            &window,
            "setTimeout",
            &[resolve.clone().into(), milliseconds.into()],
        );
        let once = |target: &JsValue, event: &str| {
            let once = object(&[("once", true.into())]);
            call(
                target,
                "addEventListener",
                &[event.into(), resolve.clone().into(), once],
            );
        };
        once(&document(), "visibilitychange");
        if let Some(source) = source {
            once(source, event);
        }
    });
    let _woken = JsFuture::from(promise).await;
}

/// Asks this server for JSON.
pub(super) async fn fetch_json(address: &str) -> Option<JsValue> {
    let headers = object(&[("Accept", "application/json".into())]);
    let options = object(&[("headers", headers), ("cache", "no-store".into())]);
    let response = promised(call(&window(), "fetch", &[address.into(), options])?).await?;
    promised(call(&response, "json", &[])?).await
}
