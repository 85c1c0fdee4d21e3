//! The smallest choice that meets every need.
//!
//! Each need is met by any one of its scopes, so what is looked for is a minimum hitting set: NP-hard in general, and
//! small here, since needs of different families share no scope. The needs are first made fewer (one that holds another
//! is met with it), then taken apart into groups that share nothing, and each group is searched exactly, with bounds.

use std::collections::BTreeSet;

use super::power::power;

/// Steps of the search in one group. All operations of the API together stay below it, which a test holds; only a
/// component that makes scopes up does not, and must not keep the host busy for longer than some seconds.
const MOST_STEPS: u32 = 20_000;

/// Scopes, any of which meets a need.
pub(super) type AnyOf<'a> = BTreeSet<&'a str>;

/// What was chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice<'a> {
    pub(super) scopes: BTreeSet<&'a str>,
    /// Whether it is known that no smaller one will do.
    pub(super) is_smallest: bool,
}

/// Chooses the fewest scopes that meet all needs; among as few, those that allow the least; among those, the first by the
/// alphabet. A need without scopes is met by nothing and is left out.
pub(super) fn choose<'a>(needs: impl IntoIterator<Item = AnyOf<'a>>) -> Choice<'a> {
    let needs: BTreeSet<AnyOf<'a>> = needs.into_iter().filter(|need| !need.is_empty()).collect();
    let least =
        needs.iter().filter(|need| !needs.iter().any(|other| other != *need && other.is_subset(need)));
    let mut choice = Choice { scopes: BTreeSet::new(), is_smallest: true };
    for group in groups(least.cloned().collect()) {
        let mut search = Search { needs: &group, best: None, steps: 0 };
        search.go(&mut BTreeSet::new(), &mut BTreeSet::new());
        choice.is_smallest &= search.steps <= MOST_STEPS;
        choice.scopes.extend(search.best.map(|(_, scopes)| scopes).unwrap_or_default());
    }
    choice
}

/// Takes needs apart that share no scope with each other, by way of others neither.
fn groups(needs: Vec<AnyOf<'_>>) -> Vec<Vec<AnyOf<'_>>> {
    let mut groups: Vec<(BTreeSet<&str>, Vec<AnyOf<'_>>)> = Vec::new();
    for need in needs {
        let (touched, mut rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(scopes, _)| !scopes.is_disjoint(&need));
        let mut group = (need.clone(), vec![need]);
        for (scopes, needs) in touched {
            group.0.extend(scopes);
            group.1.extend(needs);
        }
        rest.push(group);
        groups = rest;
    }
    groups.into_iter().map(|(_, needs)| needs).collect()
}

/// Fewest first, then least power, then the alphabet.
type Cost<'a> = (usize, u32, Vec<&'a str>);

struct Search<'a, 'n> {
    needs: &'n [AnyOf<'a>],
    best: Option<(Cost<'a>, BTreeSet<&'a str>)>,
    steps: u32,
}

impl<'a> Search<'a, '_> {
    fn go(&mut self, chosen: &mut BTreeSet<&'a str>, refused: &mut BTreeSet<&'a str>) {
        self.steps = self.steps.saturating_add(1);
        // A first answer is always found: it takes as many steps as there are needs.
        if self.steps > MOST_STEPS && self.best.is_some() {
            return;
        }
        let open = || self.needs.iter().filter(|need| need.is_disjoint(chosen));
        let left = |need: &AnyOf<'a>| need.difference(refused).copied().collect::<Vec<_>>();
        let Some(narrowest) = open().map(left).min_by_key(Vec::len) else {
            let weight = chosen.iter().map(|scope| power(scope)).sum();
            let cost = (chosen.len(), weight, chosen.iter().copied().collect());
            if self.best.as_ref().is_none_or(|(best, _)| cost < *best) {
                self.best = Some((cost, chosen.clone()));
            }
            return;
        };
        let least = chosen.len() + disjoint(open(), refused);
        if self.best.as_ref().is_some_and(|((count, ..), _)| least > *count) {
            return;
        }
        let mut candidates: Vec<(std::cmp::Reverse<usize>, u32, &str)> = narrowest
            .into_iter()
            .map(|scope| {
                let meets = open().filter(|need| need.contains(scope)).count();
                (std::cmp::Reverse(meets), power(scope), scope)
            })
            .collect();
        candidates.sort_unstable();
        let mut tried = Vec::new();
        for (_, _, scope) in candidates {
            chosen.insert(scope);
            self.go(chosen, refused);
            chosen.remove(scope);
            // What is left to find has not this one.
            refused.insert(scope);
            tried.push(scope);
        }
        for scope in tried {
            refused.remove(scope);
        }
    }
}

/// Counts needs no two of which can be met by one scope: so many scopes more it takes at least.
fn disjoint<'a: 'n, 'n>(needs: impl Iterator<Item = &'n AnyOf<'a>>, refused: &BTreeSet<&'a str>) -> usize {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut count = 0;
    for need in needs {
        let mut left = need.difference(refused).peekable();
        // Nothing is left that meets it: this branch leads nowhere.
        if left.peek().is_none() {
            return usize::MAX / 2;
        }
        if need.is_disjoint(&taken) {
            taken.extend(need);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set<'a>(scopes: &[&'a str]) -> AnyOf<'a> {
        scopes.iter().copied().collect()
    }

    #[test]
    fn the_fewest_scopes_are_chosen_and_among_as_few_the_least_powerful() {
        for (needs, expected) in [
            (&[][..], &[][..]),
            (&[&["a"][..]], &["a"]),
            (&[&["read:clients", "read:client_keys"]], &["read:clients"]),
            (&[&["read:clients", "read:client_summary", "read:client_keys"]], &["read:client_summary"]),
            (&[&["update:users", "read:users"]], &["read:users"]),
            // One that meets two is better than two that allow less.
            (&[&["read:a", "update:x"], &["read:b", "update:x"]], &["update:x"]),
            // What one action cannot do without meets the other's choice.
            (&[&["read:client_keys"], &["read:clients", "read:client_keys"]], &["read:client_keys"]),
            (&[&["a", "b"], &["b", "c"], &["c", "d"], &["d", "a"]], &["a", "c"]),
            (&[&["a"], &[]], &["a"]),
        ] {
            let choice = choose(needs.iter().map(|need| set(need)));
            assert_eq!(choice, Choice { scopes: set(expected), is_smallest: true }, "{needs:?}");
        }
    }

    #[test]
    fn a_component_that_makes_scopes_up_does_not_keep_the_host_busy() {
        let names: Vec<String> = (0..60).map(|number| format!("s{number:02}")).collect();
        // Each three of sixty in some disorder: far beyond what can be searched.
        let needs = (0..120).map(|index: usize| {
            [index * 7 + index / 60, index * 13 + 5, index * 29 + 11].map(|at| names[at % 60].as_str()).into()
        });
        let needs: Vec<AnyOf<'_>> = needs.collect();
        let choice = choose(needs.clone());
        assert!(needs.iter().all(|need| !need.is_disjoint(&choice.scopes)));
    }

    const NAMES: [&str; 8] = [
        "read:a",
        "read:a_summary",
        "read:a_keys",
        "read:b",
        "update:a",
        "update:b",
        "delete:a",
        "create:a_credentials",
    ];

    /// Tries all sets there are.
    fn by_force(needs: &[AnyOf<'static>]) -> BTreeSet<&'static str> {
        let subset = |bits: u32| -> BTreeSet<&'static str> {
            (0..8).filter(|bit| bits & (1 << bit) != 0).map(|bit| NAMES[bit]).collect()
        };
        let meets = |chosen: &BTreeSet<&str>| needs.iter().all(|need| !need.is_disjoint(chosen));
        let cost = |chosen: &BTreeSet<&'static str>| -> Cost<'static> {
            let weight = chosen.iter().map(|scope| power(scope)).sum();
            (chosen.len(), weight, chosen.iter().copied().collect())
        };
        (0..256).map(subset).filter(meets).min_by_key(cost).unwrap()
    }

    proptest! {
        #[test]
        fn no_smaller_or_weaker_choice_is_found_by_trying_all(
            needs in prop::collection::vec(prop::collection::btree_set(prop::sample::select(&NAMES[..]), 1..5), 0..10)
        ) {
            let choice = choose(needs.clone());
            prop_assert!(choice.is_smallest);
            prop_assert_eq!(choice.scopes, by_force(&needs));
        }
    }
}
