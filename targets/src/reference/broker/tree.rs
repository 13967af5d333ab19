//! Subscriptions by the levels of their filters. Walks are loops: the depth of a filter costs memory, never stack.
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proofhouse_mqtt::codec::SubscribeOptions;

/// One subscription of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Place of the session.
    pub(crate) session: u32,
    /// How it wants to be served.
    pub(crate) options: SubscribeOptions,
    /// Subscription Identifier; 0: none.
    pub(crate) id: u32,
    /// Served without asking for rights: only ever set by a flaw.
    pub(crate) unchecked: bool,
}

/// What a topic matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A subscription of its own.
    One(Entry),
    /// A shared subscription: node and place in it.
    Shared(u32, u32),
}

/// A shared subscription: of its members one is served.
#[derive(Debug)]
pub(crate) struct Share {
    /// As SUBSCRIBE named it: `$share/group/filter`.
    pub(crate) name: Arc<str>,
    group: Box<str>,
    /// Who is served next.
    pub(crate) next: u32,
    /// Members in the order in which they came.
    pub(crate) members: Vec<Entry>,
}

/// What flaws make of matching.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quirks {
    /// Leading wildcards match `$` topics too.
    pub(crate) dollar: bool,
    /// `+` matches what is below its level too.
    pub(crate) plus_matches_more: bool,
    /// `a/#` does not match `a`.
    pub(crate) hash_misses_parent: bool,
}

#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<Box<str>, u32>,
    entries: Vec<Entry>,
    shares: Vec<Share>,
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.entries.is_empty() && self.shares.is_empty()
    }
}

/// All subscriptions.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    free: Vec<u32>,
    text: usize,
    entries: usize,
    /// Where a walk still has to go: node, and the byte of the topic at which its next level begins.
    walk: Vec<(u32, Option<usize>)>,
}

const ROOT: u32 = 0;

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree { nodes: alloc::vec![Node::default()], free: Vec::new(), text: 0, entries: 0, walk: Vec::new() }
    }

    /// Adds or replaces a subscription; whether there was one. `group` is the share name.
    pub(crate) fn insert(&mut self, filter: &str, group: Option<&str>, entry: Entry) -> bool {
        let mut at = ROOT;
        for level in filter.split('/') {
            at = self.child_or_new(at, level);
        }
        let node = &mut self.nodes[at as usize];
        let entries = match group {
            None => &mut node.entries,
            Some(group) => share_or_new(&mut node.shares, group, filter),
        };
        match entries.iter_mut().find(|old| old.session == entry.session) {
            Some(old) => {
                *old = entry;
                true
            }
            None => {
                entries.push(entry);
                self.entries += 1;
                false
            }
        }
    }

    /// Removes a subscription; whether there was one.
    pub(crate) fn remove(&mut self, filter: &str, group: Option<&str>, session: u32) -> bool {
        let mut path = Vec::new();
        let mut at = ROOT;
        for level in filter.split('/') {
            path.push((at, level));
            let Some(&child) = self.nodes[at as usize].children.get(level) else { return false };
            at = child;
        }
        let node = &mut self.nodes[at as usize];
        let removed = match group {
            None => take(&mut node.entries, session),
            Some(group) => {
                node.shares.iter_mut().find(|s| *s.group == *group).is_some_and(|s| take(&mut s.members, session))
            }
        };
        node.shares.retain(|share| !share.members.is_empty());
        self.entries -= usize::from(removed);
        self.prune(at, &path);
        removed
    }

    /// Everything that a topic matches, appended to `hits`.
    pub(crate) fn find(&mut self, topic: &str, quirks: Quirks, hits: &mut Vec<Hit>) {
        if self.entries == 0 {
            return;
        }
        let hidden = topic.starts_with('$') && !quirks.dollar;
        let mut walk = core::mem::take(&mut self.walk);
        walk.push((ROOT, Some(0)));
        while let Some((at, begins)) = walk.pop() {
            let node = &self.nodes[at as usize];
            let wild = !(hidden && at == ROOT);
            let covered = begins.is_some() || !quirks.hash_misses_parent;
            if wild
                && covered
                && let Some(&hash) = node.children.get("#")
            {
                self.collect(hash, hits);
            }
            let Some(begins) = begins else {
                self.collect(at, hits);
                continue;
            };
            let rest = &topic[begins..];
            let (level, next) = match rest.find('/') {
                Some(slash) => (&rest[..slash], Some(begins + slash + 1)),
                None => (rest, None),
            };
            if wild && let Some(&plus) = node.children.get("+") {
                walk.push((plus, next));
                if quirks.plus_matches_more && next.is_some() {
                    self.collect(plus, hits);
                }
            }
            if let Some(&child) = node.children.get(level) {
                walk.push((child, next));
            }
        }
        self.walk = walk;
    }

    /// A shared subscription that [`Tree::find`] hit.
    pub(crate) fn share(&mut self, node: u32, place: u32) -> &mut Share {
        &mut self.nodes[node as usize].shares[place as usize]
    }

    /// The members of a shared subscription by its filter.
    pub(crate) fn share_of(&self, filter: &str, group: &str) -> &[Entry] {
        let mut at = ROOT;
        for level in filter.split('/') {
            let Some(&child) = self.nodes[at as usize].children.get(level) else { return &[] };
            at = child;
        }
        let share = self.nodes[at as usize].shares.iter().find(|share| *share.group == *group);
        share.map_or(&[], |share| &share.members)
    }

    /// Bytes held, a little less than the allocator's view.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.text + self.entries * size_of::<Entry>()
    }

    fn collect(&self, at: u32, hits: &mut Vec<Hit>) {
        let node = &self.nodes[at as usize];
        hits.extend(node.entries.iter().map(|entry| Hit::One(*entry)));
        hits.extend((0..node.shares.len() as u32).map(|place| Hit::Shared(at, place)));
    }

    fn child_or_new(&mut self, at: u32, level: &str) -> u32 {
        if let Some(&child) = self.nodes[at as usize].children.get(level) {
            return child;
        }
        let child = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() as u32 - 1
        });
        self.nodes[at as usize].children.insert(level.into(), child);
        self.text += level.len();
        child
    }

    /// Gives back the nodes at the end of a path that nobody needs any more.
    fn prune(&mut self, mut at: u32, path: &[(u32, &str)]) {
        for (parent, level) in path.iter().rev() {
            if !self.nodes[at as usize].is_empty() {
                return;
            }
            self.nodes[at as usize] = Node::default();
            self.free.push(at);
            self.nodes[*parent as usize].children.remove(*level);
            self.text -= level.len();
            at = *parent;
        }
    }
}

fn share_or_new<'a>(shares: &'a mut Vec<Share>, group: &str, filter: &str) -> &'a mut Vec<Entry> {
    let place = shares.iter().position(|share| *share.group == *group).unwrap_or_else(|| {
        let name = format!("$share/{group}/{filter}").into();
        shares.push(Share { name, group: group.into(), next: 0, members: Vec::new() });
        shares.len() - 1
    });
    &mut shares[place].members
}

fn take(entries: &mut Vec<Entry>, session: u32) -> bool {
    let before = entries.len();
    entries.retain(|entry| entry.session != session);
    entries.len() < before
}

#[cfg(test)]
mod tests {
    use proofhouse_mqtt::codec::topic;
    use proptest::prelude::*;

    use super::*;

    fn entry(session: u32) -> Entry {
        Entry { session, options: SubscribeOptions::default(), id: 0, unchecked: false }
    }

    fn sessions(tree: &mut Tree, topic: &str) -> Vec<u32> {
        let mut hits = Vec::new();
        tree.find(topic, Quirks::default(), &mut hits);
        let mut all: Vec<u32> =
            hits.iter().filter_map(|h| if let Hit::One(e) = h { Some(e.session) } else { None }).collect();
        all.sort_unstable();
        all
    }

    const LEVELS: &str = "(a|b|\\$x||\\+)(/(a|b||\\+)){0,3}(/#)?|#";

    proptest! {
        #[test]
        fn a_topic_finds_exactly_the_filters_that_match_it(
            filters in proptest::collection::vec(LEVELS, 1..12),
            removed in proptest::collection::vec(any::<bool>(), 12),
            name in "(a|b|\\$x|)(/(a|b|)){0,4}",
        ) {
            let mut tree = Tree::new();
            for (n, filter) in filters.iter().enumerate() {
                tree.insert(filter, None, entry(n as u32));
            }
            for (n, filter) in filters.iter().enumerate() {
                prop_assert!(!removed[n] || tree.remove(filter, None, n as u32));
            }
            let expected: Vec<u32> = (0..filters.len()).filter(|n| !removed[*n] && topic::matches(&filters[*n], &name)).map(|n| n as u32).collect();
            prop_assert_eq!(sessions(&mut tree, &name), expected);
        }
    }

    #[test]
    fn an_emptied_tree_holds_no_text_and_no_nodes_but_its_root() {
        let mut tree = Tree::new();
        let deep = "x/".repeat(32_000) + "#";
        tree.insert(&deep, None, entry(1));
        tree.insert("x", Some("g"), entry(1));
        assert_eq!(sessions(&mut tree, &("x/".repeat(32_000) + "y")), [1]);
        assert!(tree.remove(&deep, None, 1) && tree.remove("x", Some("g"), 1));
        assert!(!tree.remove("x", Some("g"), 1) && !tree.remove(&deep, None, 1));
        assert_eq!((tree.text, tree.nodes.len() - tree.free.len()), (0, 1));
    }

    #[test]
    fn members_of_a_group_are_one_hit() {
        let mut tree = Tree::new();
        for session in 0..3 {
            tree.insert("a", Some("g"), entry(session));
        }
        let mut hits = Vec::new();
        tree.find("a", Quirks::default(), &mut hits);
        assert_eq!(hits.len(), 1);
        assert_eq!(tree.share_of("a", "g").len(), 3);
    }
}
