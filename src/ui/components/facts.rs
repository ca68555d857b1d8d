//! Names and values.

use leptos::prelude::*;

/// One name with its value.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// What it says.
    pub value: String,
    /// How it is set.
    pub kind: FactKind,
}

/// How a value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKind {
    /// Words in the page's language.
    Words,
    /// Words of somebody else, in whatever language and direction.
    Foreign,
    /// Digits that stand below each other.
    Figures,
    /// An identifier, to be read out or copied.
    Id,
}

impl Fact {
    /// A fact, when there is a value.
    #[must_use]
    pub fn of(name: &'static str, value: Option<String>, kind: FactKind) -> Option<Self> {
        value
            .filter(|value| !value.trim().is_empty())
            .map(|value| Self { name, value, kind })
    }
}

/// The value of a fact, set by its kind.
#[must_use]
pub fn set_value(fact: Fact) -> AnyView {
    let Fact { value, kind, .. } = fact;
    match kind {
        FactKind::Words => view! { <dd>{value}</dd> }.into_any(),
        FactKind::Foreign => view! { <dd><bdi>{value}</bdi></dd> }.into_any(),
        FactKind::Figures => view! { <dd class="figures">{value}</dd> }.into_any(),
        FactKind::Id => view! { <dd class="id"><bdi>{value}</bdi></dd> }.into_any(),
    }
}

/// A list of facts; nothing when there are none.
#[component]
pub fn Facts(
    /// Name of the list.
    name: &'static str,
    /// The facts, in reading order.
    facts: Vec<Fact>,
) -> impl IntoView {
    (!facts.is_empty()).then(|| {
        let rows = facts.into_iter().map(|fact| {
            let name = fact.name;
            view! { <div><dt>{name}</dt>{set_value(fact)}</div> }
        });
        view! {
            <section class="card" aria-label=name>
                <dl class="facts">{rows.collect_view()}</dl>
            </section>
        }
    })
}
