//! Which deed stands behind which address of the back office. What is not listed is refused to everybody, so that a new
//! address cannot be open by mistake.

use http::Method;

use crate::domain::access::Deed;

/// An address of the back office and what it does.
#[derive(Debug)]
pub struct Door {
    /// As the router names it.
    pub path: &'static str,
    /// How it is asked.
    pub method: Method,
    /// What has to be allowed.
    pub deed: Deed,
}

const fn page(path: &'static str, deed: Deed) -> Door {
    Door {
        path,
        method: Method::GET,
        deed,
    }
}

const fn form(path: &'static str, deed: Deed) -> Door {
    Door {
        path,
        method: Method::POST,
        deed,
    }
}

/// Every address behind the sign-in.
pub static DOORS: [Door; 39] = [
    page("/overview", Deed::Look),
    page("/orders", Deed::Look),
    page("/orders.csv", Deed::Look),
    page("/orders/{payment_id}", Deed::Look),
    form("/orders/{payment_id}/sync", Deed::Sync),
    form("/orders/{payment_id}/note", Deed::Note),
    form("/orders/{payment_id}/close", Deed::Close),
    page("/orders/{payment_id}/refund", Deed::Refund),
    form("/orders/{payment_id}/refund", Deed::Refund),
    page("/attention", Deed::Look),
    form("/attention/settle", Deed::Settle),
    page("/settings/webhooks", Deed::Look),
    form("/settings/webhooks", Deed::ChangeEndpoints),
    form(
        "/settings/webhooks/{endpoint_id}/enable",
        Deed::ChangeEndpoints,
    ),
    form(
        "/settings/webhooks/{endpoint_id}/disable",
        Deed::ChangeEndpoints,
    ),
    form(
        "/settings/webhooks/{endpoint_id}/delete",
        Deed::ChangeEndpoints,
    ),
    form(
        "/settings/webhooks/{endpoint_id}/rotate",
        Deed::ChangeEndpoints,
    ),
    form(
        "/settings/webhooks/{endpoint_id}/redeliver",
        Deed::Redeliver,
    ),
    form("/settings/webhooks/{endpoint_id}/dismiss", Deed::Settle),
    form("/settings/deliveries/{id}/redeliver", Deed::Redeliver),
    page("/settings/users", Deed::ManageUsers),
    form("/settings/users", Deed::ManageUsers),
    form("/settings/users/{user_id}/role", Deed::ManageUsers),
    form("/settings/users/{user_id}/disable", Deed::ManageUsers),
    form("/settings/users/{user_id}/enable", Deed::ManageUsers),
    form("/settings/users/{user_id}/password", Deed::ManageUsers),
    form("/settings/users/{user_id}/sign-out", Deed::ManageUsers),
    form(
        "/settings/users/{user_id}/drop-second-factor",
        Deed::ManageUsers,
    ),
    page("/settings/keys", Deed::ManageKeys),
    form("/settings/keys", Deed::ManageKeys),
    form("/settings/keys/{key_id}/revoke", Deed::ManageKeys),
    page("/settings/audit", Deed::ReadAudit),
    page("/settings/account", Deed::OwnAccount),
    form("/settings/account/password", Deed::OwnAccount),
    form("/settings/account/second-factor", Deed::OwnAccount),
    form("/settings/account/second-factor/confirm", Deed::OwnAccount),
    form(
        "/settings/account/second-factor/recovery-codes",
        Deed::OwnAccount,
    ),
    form("/settings/account/second-factor/remove", Deed::OwnAccount),
    form("/settings/account/sign-out", Deed::OwnAccount),
];

/// What a request does; `None` when no door is there.
#[must_use]
pub fn deed(path: &str, method: &Method) -> Option<Deed> {
    // A browser may ask for a page's headers alone.
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let found = DOORS
        .iter()
        .find(|door| door.path == path && door.method == *method);
    found.map(|door| door.deed)
}

/// The page that a form's address belongs to, whose own page there is none: the nearest above it. A form that was given back stands
/// at its own address, and who opens that once more is to find the page again. `None` when no form is there.
#[must_use]
pub fn page_of<'a>(path: &str, asked: &'a str) -> Option<&'a str> {
    let is_there = |path: &str, method: &Method| {
        let mut doors = DOORS.iter();
        doors.any(|door| door.path == path && door.method == *method)
    };
    if !is_there(path, &Method::POST) {
        return None;
    }
    let (mut path, mut asked) = (path, asked);
    while let (Some((path_above, _)), Some((asked_above, _))) =
        (path.rsplit_once('/'), asked.rsplit_once('/'))
    {
        if is_there(path_above, &Method::GET) {
            return Some(asked_above);
        }
        (path, asked) = (path_above, asked_above);
    }
    Some("/orders")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_page_above_it() {
        for (path, asked, page) in [
            ("/attention/settle", "/attention/settle", "/attention"),
            (
                "/orders/{payment_id}/sync",
                "/orders/ORD-1/sync",
                "/orders/ORD-1",
            ),
            (
                "/settings/users/{user_id}/role",
                "/settings/users/7/role",
                "/settings/users",
            ),
            (
                "/settings/account/second-factor/confirm",
                "/settings/account/second-factor/confirm",
                "/settings/account",
            ),
            (
                "/settings/deliveries/{id}/redeliver",
                "/settings/deliveries/7/redeliver",
                "/orders",
            ),
        ] {
            assert_eq!(page_of(path, asked), Some(page), "{path}");
        }
        assert_eq!(page_of("/overview", "/overview"), None);
    }
}
