//! Takes secrets out of an answer while it streams through.
//!
//! What stands around a secret is passed on as slices of what came, without a copy. What is remembered is the way down to
//! where the answer has got to, and nothing of what was passed.
//!
//! A handle names the thing that a secret belongs to, and its id may come after the secret. Then what follows is held
//! back until the id is there, up to [`MAX_HELD`]: Auth0's own answers have both within a few KB. Beyond that the handle
//! says where in the answer the secret stands instead.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{
    charge::{Charge, Charged},
    lexer::{Event, Lexer, NotJson, Scalar},
    pattern::{Last, Pattern},
    rules::{Expected, Found},
};
use crate::{
    secret::Secret,
    secrets::{SecretName, deliveries::Deliveries},
};

/// Members that name an element of a list, the best first.
const NAMES: [&str; 4] = ["id", "kid", "name", "header"];
/// Of two accounts with the same id, each at a provider of its own.
const ACCOUNT: [&str; 2] = ["provider", "user_id"];
/// The longest id that is taken for one: user ids have 255 characters at most, of up to four bytes each.
const MAX_ID: usize = 1024;
/// The longest new secret: an RSA key of 16,384 bits as PEM has 13 KB.
const MAX_SECRET: usize = 64 * 1024;
/// What is held back for an id that is still to come. The longest recorded application is 8 KB.
const MAX_HELD: usize = 64 * 1024;
/// A piece that is shorter is copied behind the one before it: a frame of its own costs more.
const SHORT: usize = 1024;

/// Why an answer is not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NotJson,
    Charged(Charged),
}

impl From<NotJson> for Problem {
    fn from(_: NotJson) -> Self {
        Self::NotJson
    }
}

impl From<Charged> for Problem {
    fn from(charged: Charged) -> Self {
        Self::Charged(charged)
    }
}

/// What a value is, as far as it can be told from its first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    List,
    Scalar,
}

/// An object or a list that is open.
struct Frame {
    object: bool,
    /// Its node.
    node: usize,
    /// How far along each pattern the way has come: an index into [`Mask::ways`].
    way: usize,
    /// Whether secrets that are some everywhere are none in here.
    excepted: bool,
    /// Values in it so far.
    count: usize,
}

/// What is known of an object or a list, as long as a handle may need it.
struct Node {
    above: Option<usize>,
    label: Label,
    /// Whether it may be the thing that a handle names.
    thing: bool,
    /// Its id, for each operation that has one.
    ids: Vec<(usize, String)>,
    open: bool,
}

/// What something is called in what it stands in.
enum Label {
    /// The answer itself.
    Root,
    Member(String),
    /// A list in a list.
    Number(usize),
    /// An object in a list.
    Element {
        number: usize,
        names: [Option<String>; 4],
        account: [Option<String>; 2],
    },
}

impl Label {
    /// Returns it, where it will not change any more.
    fn text(&self, for_certain: bool) -> Option<String> {
        match self {
            Self::Root => Some(String::new()),
            Self::Member(name) => Some(name.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Element { account: [Some(provider), Some(user)], .. } => Some(format!("{provider}|{user}")),
            Self::Element { number, names, .. } => for_certain
                .then(|| names.iter().flatten().next().cloned().unwrap_or_else(|| number.to_string())),
        }
    }
}

/// What is to be handed on.
enum Piece {
    Bytes(Bytes),
    /// Short pieces, copied one behind the other.
    Joined(Vec<u8>),
    /// A secret whose handle is not known yet.
    Slot(Slot),
    Made(usize),
}

struct Slot {
    found: usize,
    node: usize,
    member: String,
    /// Where in the answer the secret ended.
    at: usize,
}

/// What stands for a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// The handle of one that is shown.
    Shown { found: usize },
    /// The handle of a new one.
    Made(usize),
}

/// What becomes of the bytes.
enum Mode {
    Pass,
    /// A value is left out, whose parts are below this depth.
    Skip {
        depth: usize,
        stand: Stand,
        member: String,
        object: bool,
        empty: bool,
    },
    /// A list that is a secret unless an object comes in it.
    Undecided {
        depth: usize,
        found: usize,
        member: String,
        held: Vec<Bytes>,
        bytes: usize,
    },
}

/// A member that a request of this kind makes.
struct Made {
    found: usize,
    member: &'static str,
    value: Option<Secret>,
}

/// Masks one answer.
pub(super) struct Mask {
    expected: Expected,
    deliveries: Arc<Deliveries>,
    charge: Charge,
    lexer: Lexer,
    /// With whose pattern it is: the index of the operation.
    patterns: Vec<(usize, &'static Pattern, bool)>,
    quick: Quick,
    ways: Vec<Vec<u8>>,
    frames: Vec<Frame>,
    nodes: Vec<Node>,
    mode: Mode,
    /// Which label of the innermost object the value is that is being read.
    noted: Option<Noted>,
    /// Pieces from the first whose handle is not known yet.
    waiting: VecDeque<Piece>,
    /// Where in the answer the piece begins that is gone through, and how far it was gone through.
    begun: usize,
    now: usize,
    ready: Vec<Piece>,
    /// New secrets, in answers to requests that make some.
    made: Option<Vec<Made>>,
}

#[derive(Clone, Copy)]
enum Noted {
    Name(usize),
    Account(usize),
    Neither,
}

/// An answer that was masked as a whole, with what is new in it.
pub(super) struct Taken {
    pub(super) clean: Vec<Bytes>,
    pub(super) made: Vec<(SecretName, Secret)>,
}

impl Mask {
    /// Masks an answer that shows secrets.
    pub(super) fn new(expected: Expected, deliveries: Arc<Deliveries>, charge: Charge) -> Self {
        let each = |(index, found): (usize, &Found)| {
            let own = found.own().iter().map(move |pattern| (index, pattern, false));
            own.chain(found.everywhere().iter().map(move |pattern| (index, pattern, true)))
        };
        let patterns: Vec<_> = expected.0.iter().enumerate().flat_map(each).collect();
        let quick = Quick::new(&patterns);
        Self {
            ways: vec![vec![0; patterns.len()]],
            patterns,
            quick,
            expected,
            deliveries,
            charge,
            lexer: Lexer::new(),
            frames: Vec::new(),
            nodes: Vec::new(),
            mode: Mode::Pass,
            noted: None,
            waiting: VecDeque::new(),
            begun: 0,
            now: 0,
            ready: Vec::new(),
            made: None,
        }
    }

    /// Takes new secrets out of the answer to a request that makes some, and masks the others.
    ///
    /// A new secret is a member of the answer itself: whoever may write an application's metadata can put another
    /// `client_secret` there, and even a `client_id` beside it.
    pub(super) fn taking(mut self) -> Self {
        let each = |(index, found): (usize, &Found)| {
            let members = found.made().iter().chain(found.may_make());
            members.map(move |member| Made { found: index, member, value: None })
        };
        self.made = Some(self.expected.0.iter().enumerate().flat_map(each).collect());
        self
    }

    /// Goes through a piece of the answer. What can be handed on is in [`Mask::ready`] then.
    pub(super) fn push(&mut self, chunk: &Bytes) -> Result<(), Problem> {
        self.charge.begin();
        let done = self.go_through(chunk);
        self.charge.end()?;
        done
    }

    fn go_through(&mut self, chunk: &Bytes) -> Result<(), Problem> {
        self.lexer.begin(chunk)?;
        let (mut at, mut from) = (0, 0);
        while let Some(event) = self.lexer.next(chunk, &mut at)? {
            match event {
                Event::Open { object, at } => self.open(chunk, &mut from, object, at)?,
                Event::Close { at } => self.close(&mut from, at)?,
                Event::Begin { scalar, at } => self.begin_scalar(chunk, &mut from, scalar, at)?,
                Event::End { end } => self.end_scalar(&mut from, end)?,
                Event::Name => self.see_inside(),
            }
        }
        self.pass(chunk, from, chunk.len());
        self.begun += chunk.len();
        self.now = self.begun;
        self.drain(false)
    }

    /// Ends the answer.
    pub(super) fn finish(&mut self) -> Result<(), Problem> {
        if !self.lexer.is_whole() {
            return Err(Problem::NotJson);
        }
        self.drain(true)
    }

    /// Returns what can be handed on.
    pub(super) fn ready(&mut self) -> Vec<Bytes> {
        self.write(&[])
    }

    /// Returns the whole answer; `None` where it lacks a secret that must be in it, or the id of what has one.
    pub(super) fn taken(mut self) -> Option<Taken> {
        let (mut names, mut made) = (Vec::new(), Vec::new());
        let root = self.nodes.first();
        for member in self.made.take().unwrap_or_default() {
            let found = self.expected.0.get(member.found)?;
            let in_answer = root.and_then(|root| id_of(root, member.found)).map(str::to_owned);
            let id = in_answer.unwrap_or_else(|| found.id.clone());
            let name = self.deliveries.name(&found.above, &id, &[member.member]);
            names.push(name.to_string());
            if let Some(secret) = member.value {
                if found.id_member.is_some() && id.is_empty() {
                    return None;
                }
                made.push((name, secret));
            }
        }
        if made.is_empty() && self.expected.0.iter().any(|found| !found.made().is_empty()) {
            return None;
        }
        Some(Taken { clean: self.write(&names), made })
    }

    /// Writes what is ready: slices as they are, and what is short behind what was before.
    fn write(&mut self, made: &[String]) -> Vec<Bytes> {
        let (mut clean, mut joined): (Vec<Bytes>, Vec<u8>) = (Vec::new(), Vec::new());
        let single = self.ready.len() == 1;
        for piece in self.ready.drain(..) {
            match piece {
                Piece::Bytes(bytes) if single || bytes.len() >= SHORT => {
                    if !joined.is_empty() {
                        clean.push(Bytes::from(std::mem::take(&mut joined)));
                    }
                    clean.push(bytes);
                }
                Piece::Bytes(bytes) => joined.extend_from_slice(&bytes),
                Piece::Joined(bytes) => joined.extend_from_slice(&bytes),
                Piece::Made(index) => {
                    joined.push(b'"');
                    joined.extend_from_slice(made.get(index).map(String::as_bytes).unwrap_or_default());
                    joined.push(b'"');
                }
                // None is ready as such.
                Piece::Slot(_) => {}
            }
        }
        if !joined.is_empty() {
            clean.push(Bytes::from(joined));
        }
        clean
    }

    fn open(&mut self, chunk: &Bytes, from: &mut usize, object: bool, at: usize) -> Result<(), Problem> {
        let depth = self.lexer.depth();
        if let Mode::Skip { depth: outer, empty, .. } = &mut self.mode {
            *empty &= depth == *outer;
            return Ok(());
        }
        if self.made.is_some() && self.frames.is_empty() && !object {
            return Err(Problem::NotJson);
        }
        if object && matches!(self.mode, Mode::Undecided { .. }) {
            self.release();
        }
        let shape = if object { Shape::Object } else { Shape::List };
        match self.secret(shape) {
            Secrecy::Yes(stand) => {
                self.pass(chunk, *from, at);
                *from = at;
                let member = self.member();
                self.mode = Mode::Skip { depth, stand, member, object, empty: true };
                return Ok(());
            }
            Secrecy::UnlessObject(found) => {
                self.pass(chunk, *from, at);
                *from = at;
                let member = self.member();
                self.mode = Mode::Undecided { depth, found, member, held: Vec::new(), bytes: 0 };
            }
            Secrecy::No => {}
        }
        self.enter(object);
        Ok(())
    }

    /// Goes down into an object or a list.
    fn enter(&mut self, object: bool) {
        let name = self.lexer.name();
        let outer = self.frames.len().checked_sub(2).and_then(|index| self.frames.get(index));
        let outermost_but_one = self.frames.len() == 2 && outer.is_some_and(|outer| outer.object);
        let (label, above, mut way, mut excepted, in_list) = match self.frames.last_mut() {
            None => (Label::Root, None, 0, false, false),
            Some(frame) if frame.object => {
                (Label::Member(text(name)), Some(frame.node), frame.way, frame.excepted, false)
            }
            Some(frame) => {
                let number = frame.count;
                frame.count += 1;
                let label = if object {
                    Label::Element { number, names: Default::default(), account: Default::default() }
                } else {
                    Label::Number(number)
                };
                (label, Some(frame.node), frame.way, frame.excepted, true)
            }
        };
        // The answer itself, an element of it, or an element of a list in it.
        let thing =
            object && (self.frames.is_empty() || in_list && (self.frames.len() == 1 || outermost_but_one));
        if matches!(label, Label::Member(_)) {
            excepted |= self
                .expected
                .0
                .iter()
                .any(|found| found.except().iter().any(|container| container.as_bytes() == name));
            way = self.further(way);
        }
        let node = self.nodes.len();
        self.nodes.push(Node { above, label, thing, ids: Vec::new(), open: true });
        self.frames.push(Frame { object, node, way, excepted, count: 0 });
    }

    /// Goes down a member along each pattern.
    fn further(&mut self, way: usize) -> usize {
        let name = self.lexer.name();
        let Some(before) = self.ways.get(way) else { return way };
        let step = |(at, (_, pattern, _)): (&u8, &(usize, &'static Pattern, bool))| {
            pattern.above.get(usize::from(*at)).is_some_and(|above| above.as_bytes() == name)
        };
        if !before.iter().zip(&self.patterns).any(step) {
            return way;
        }
        let after = before.iter().zip(&self.patterns).map(|pair| *pair.0 + u8::from(step(pair))).collect();
        self.ways.push(after);
        self.ways.len() - 1
    }

    fn close(&mut self, from: &mut usize, at: usize) -> Result<(), Problem> {
        self.now = self.begun + at + 1;
        let depth = self.lexer.depth();
        match &self.mode {
            Mode::Skip { depth: outer, empty, object, .. } => {
                if depth + 1 == *outer {
                    let (empty, object) = (*empty, *object);
                    *from = at + 1;
                    let nothing = if object { &b"{}"[..] } else { b"[]" };
                    self.stand_in(empty.then_some(nothing))?;
                }
                return Ok(());
            }
            Mode::Undecided { depth: outer, .. } if depth + 1 == *outer => {
                if self.frames.last().is_some_and(|frame| frame.count == 0) {
                    self.release();
                } else {
                    *from = at + 1;
                }
            }
            Mode::Undecided { .. } | Mode::Pass => {}
        }
        let Some(frame) = self.frames.pop() else { return Err(Problem::NotJson) };
        let way_above = self.frames.last().map_or(0, |above| above.way);
        if frame.way > way_above {
            self.ways.truncate(frame.way);
        }
        if let Some(node) = self.nodes.get_mut(frame.node) {
            node.open = false;
        }
        if let Mode::Undecided { depth: outer, found, member, .. } = &mut self.mode
            && depth + 1 == *outer
        {
            let (found, member) = (*found, std::mem::take(member));
            self.mode = Mode::Pass;
            self.shown(found, member)?;
        }
        self.drain(false)?;
        // The root's stays: it has the id of what is new.
        if self.waiting.is_empty() && frame.node > 0 {
            self.nodes.truncate(frame.node);
        }
        Ok(())
    }

    fn begin_scalar(
        &mut self,
        chunk: &Bytes,
        from: &mut usize,
        scalar: Scalar,
        at: usize,
    ) -> Result<(), Problem> {
        self.noted = None;
        let depth = self.lexer.depth();
        if let Mode::Skip { empty, .. } = &mut self.mode {
            *empty = false;
            return Ok(());
        }
        let Some(frame) = self.frames.last_mut() else { return Err(Problem::NotJson) };
        if !frame.object {
            frame.count += 1;
            return Ok(());
        }
        let node = frame.node;
        if scalar != Scalar::Word
            && let Secrecy::Yes(stand) = self.secret(Shape::Scalar)
        {
            self.pass(chunk, *from, at);
            *from = at;
            let member = self.member();
            if let Stand::Made(_) = stand {
                self.lexer.keep(MAX_SECRET);
            }
            // Below no depth: it has no parts.
            self.mode = Mode::Skip { depth: depth + 1, stand, member, object: false, empty: false };
            return Ok(());
        }
        if scalar == Scalar::Text {
            self.note(node);
        }
        Ok(())
    }

    /// Keeps a text that names an element or a thing.
    fn note(&mut self, node: usize) {
        let name = self.lexer.name();
        let Some(node) = self.nodes.get(node) else { return };
        let mut noted = None;
        if matches!(node.label, Label::Element { .. }) {
            let place = |names: &[&str]| names.iter().position(|other| other.as_bytes() == name);
            noted = place(&NAMES).map(Noted::Name).or_else(|| place(&ACCOUNT).map(Noted::Account));
        }
        if node.thing {
            let id = |found: &Found| found.id_member.is_some_and(|id| id.as_bytes() == name);
            if noted.is_none() && self.expected.0.iter().any(id) {
                noted = Some(Noted::Neither);
            }
        }
        self.noted = noted;
        if noted.is_some() {
            self.lexer.keep(MAX_ID);
        }
    }

    fn end_scalar(&mut self, from: &mut usize, end: usize) -> Result<(), Problem> {
        self.now = self.begun + end;
        if let Mode::Skip { depth, stand, .. } = &self.mode {
            if self.lexer.depth() + 1 != *depth {
                return Ok(());
            }
            let empty = self.lexer.ended_empty();
            if let (Stand::Made(index), false) = (*stand, empty) {
                let value = self.lexer.kept().and_then(|value| std::str::from_utf8(value).ok());
                // One that is longer is none that a tenant makes.
                let value = Secret::new(value.ok_or(Problem::NotJson)?);
                if let Some(made) = self.made.as_mut().and_then(|made| made.get_mut(index)) {
                    // Of two with the same name, readers take the last.
                    made.value = Some(value);
                }
            }
            *from = end;
            return self.stand_in(empty.then_some(b"\"\""));
        }
        let Some(noted) = self.noted.take() else { return Ok(()) };
        // What has waited for too long does so however the answer was cut.
        self.drain(false)?;
        let Some(kept) = self.lexer.kept() else { return Ok(()) };
        let kept = text(kept);
        let Some(node) = self.frames.last().and_then(|frame| self.nodes.get_mut(frame.node)) else {
            return Ok(());
        };
        if node.thing && !kept.is_empty() {
            let name = self.lexer.name();
            for (index, found) in self.expected.0.iter().enumerate() {
                if found.id_member.is_some_and(|id| id.as_bytes() == name) {
                    node.ids.retain(|(other, _)| *other != index);
                    node.ids.push((index, kept.clone()));
                }
            }
        }
        if let Label::Element { names, account, .. } = &mut node.label {
            let place = match noted {
                Noted::Name(index) => names.get_mut(index),
                Noted::Account(index) => account.get_mut(index),
                Noted::Neither => None,
            };
            if let Some(place) = place {
                *place = Some(kept);
            }
        }
        self.drain(false)
    }

    fn see_inside(&mut self) {
        if let Mode::Skip { empty, .. } = &mut self.mode {
            *empty = false;
        }
    }

    /// Ends a value that is left out.
    fn stand_in(&mut self, nothing: Option<&'static [u8]>) -> Result<(), Problem> {
        let Mode::Skip { stand, member, .. } = std::mem::replace(&mut self.mode, Mode::Pass) else {
            return Ok(());
        };
        if let Some(nothing) = nothing {
            self.put(Piece::Bytes(Bytes::from_static(nothing)));
            return Ok(());
        }
        match stand {
            Stand::Shown { found } => self.shown(found, member),
            Stand::Made(index) => {
                self.charge.handle(0)?;
                self.put(Piece::Made(index));
                Ok(())
            }
        }
    }

    /// Puts a handle in the place of a value that has ended.
    fn shown(&mut self, found: usize, member: String) -> Result<(), Problem> {
        let Some(frame) = self.frames.last() else { return Err(Problem::NotJson) };
        let node = frame.node;
        let at = self.now;
        self.put(Piece::Slot(Slot { found, node, member, at }));
        self.drain(false)
    }

    /// Hands bytes on as they are.
    fn pass(&mut self, chunk: &Bytes, from: usize, to: usize) {
        if from >= to {
            return;
        }
        match &mut self.mode {
            Mode::Pass => self.put(Piece::Bytes(chunk.slice(from..to))),
            Mode::Skip { .. } => {}
            Mode::Undecided { depth, found, member, held, bytes } => {
                held.push(chunk.slice(from..to));
                *bytes += to - from;
                if *bytes > MAX_HELD {
                    let (depth, found, member) = (*depth, *found, std::mem::take(member));
                    self.frames.truncate(depth.saturating_sub(1));
                    let stand = Stand::Shown { found };
                    self.mode = Mode::Skip { depth, stand, member, object: false, empty: false };
                }
            }
        }
    }

    /// Hands on a list that is no secret.
    fn release(&mut self) {
        if let Mode::Undecided { held, .. } = std::mem::replace(&mut self.mode, Mode::Pass) {
            held.into_iter().for_each(|bytes| self.put(Piece::Bytes(bytes)));
        }
    }

    fn put(&mut self, piece: Piece) {
        match piece {
            Piece::Slot(_) => self.waiting.push_back(piece),
            _ if self.waiting.is_empty() => self.ready.push(piece),
            Piece::Bytes(bytes) if bytes.len() < SHORT => match self.waiting.back_mut() {
                Some(Piece::Joined(joined)) => joined.extend_from_slice(&bytes),
                _ => self.waiting.push_back(Piece::Joined(bytes.to_vec())),
            },
            _ => self.waiting.push_back(piece),
        }
    }

    /// Hands on what waits, up to the first secret whose handle is not known yet; all of it by `force`.
    fn drain(&mut self, force: bool) -> Result<(), Problem> {
        while let Some(piece) = self.waiting.front() {
            let handle = match piece {
                Piece::Slot(slot) => {
                    match self.handle(slot, force || self.now.saturating_sub(slot.at) > MAX_HELD) {
                        Some(handle) => Some(handle),
                        None => return Ok(()),
                    }
                }
                Piece::Bytes(_) | Piece::Joined(_) | Piece::Made(_) => None,
            };
            let Some(piece) = self.waiting.pop_front() else { return Ok(()) };
            match handle {
                Some(handle) => {
                    let handle = format!("\"{handle}\"");
                    self.charge.handle(handle.len())?;
                    self.ready.push(Piece::Bytes(Bytes::from(handle)));
                }
                None => self.ready.push(piece),
            }
        }
        if self.nodes.len() > 2 * self.frames.len() + 16 && !self.frames.is_empty() {
            self.forget();
        }
        Ok(())
    }

    /// Forgets what is known of all that is closed.
    fn forget(&mut self) {
        let mut nodes: Vec<Option<Node>> = self.nodes.drain(..).map(Some).collect();
        for (index, frame) in self.frames.iter_mut().enumerate() {
            if let Some(mut node) = nodes.get_mut(frame.node).and_then(Option::take) {
                node.above = index.checked_sub(1);
                self.nodes.push(node);
            }
            frame.node = index;
        }
    }

    /// Returns the handle of a secret that is shown; `None` where it may still become another.
    fn handle(&self, slot: &Slot, force: bool) -> Option<SecretName> {
        let found = self.expected.0.get(slot.found)?;
        // From the inside out.
        let first = self.nodes.get(slot.node);
        let way: Vec<&Node> = std::iter::successors(first, |node| self.nodes.get(node.above?)).collect();
        let (mut thing, mut may_come) = (None, false);
        if found.id_member.is_some() {
            for (index, node) in way.iter().enumerate().rev().filter(|(_, node)| node.thing) {
                if let Some(id) = id_of(node, slot.found) {
                    thing = Some((index, id));
                    break;
                }
                may_come |= node.open;
            }
        }
        if thing.is_none() && may_come && !force {
            return None;
        }
        // Neither the thing nor the answer itself is a part of the way.
        let (end, id) = thing.unwrap_or((way.len().saturating_sub(1), &found.id));
        let mut member = Vec::with_capacity(end + 1);
        for node in way.get(..end)?.iter().rev() {
            member.push(node.label.text(force || !node.open)?);
        }
        member.push(slot.member.clone());
        Some(self.deliveries.name(&found.above, id, &member))
    }

    /// Returns whether the value that begins is a secret, by its name and by where it stands.
    fn secret(&self, shape: Shape) -> Secrecy {
        let Some(frame) = self.frames.last().filter(|frame| frame.object) else { return Secrecy::No };
        let name = self.lexer.name();
        if let Some(made) = &self.made
            && self.frames.len() == 1
            && shape == Shape::Scalar
            && let Some(index) = made.iter().position(|made| made.member.as_bytes() == name)
        {
            return Secrecy::Yes(Stand::Made(index));
        }
        if !self.quick.may_be(name) {
            return Secrecy::No;
        }
        let mut unless_object = Secrecy::No;
        let way = self.ways.get(frame.way).map(Vec::as_slice).unwrap_or_default();
        // Where a request may be one of several operations, the last one names the secret.
        for ((found, pattern, everywhere), at) in self.patterns.iter().zip(way).rev() {
            if *everywhere && frame.excepted || usize::from(*at) != pattern.above.len() {
                continue;
            }
            let secret = match pattern.last {
                Last::Member(member) => member.as_bytes() == name,
                Last::Any => true,
                Last::AnyBut(member) => member.as_bytes() != name,
                Last::Text(member) if member.as_bytes() == name && shape == Shape::List => {
                    unless_object = Secrecy::UnlessObject(*found);
                    false
                }
                Last::Text(member) => member.as_bytes() == name && shape == Shape::Scalar,
            };
            if secret {
                return Secrecy::Yes(Stand::Shown { found: *found });
            }
        }
        unless_object
    }

    fn member(&self) -> String {
        text(self.lexer.name())
    }
}

/// Whether a value is a secret.
enum Secrecy {
    No,
    Yes(Stand),
    /// Of this operation, where no object is in it.
    UnlessObject(usize),
}

fn id_of(node: &Node, found: usize) -> Option<&str> {
    node.ids.iter().find(|(other, _)| *other == found).map(|(_, id)| id.as_str())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tells most names from those of the table by their length and first letter.
#[derive(Default)]
struct Quick {
    any: bool,
    lengths: u64,
    firsts: u128,
}

impl Quick {
    fn new(patterns: &[(usize, &'static Pattern, bool)]) -> Self {
        let mut quick = Self::default();
        for (_, pattern, _) in patterns {
            match pattern.last {
                Last::Member(name) | Last::Text(name) => quick.add(name),
                Last::Any | Last::AnyBut(_) => quick.any = true,
            }
        }
        quick
    }

    fn add(&mut self, name: &str) {
        self.lengths |= 1_u64.checked_shl(name.len() as u32).unwrap_or(0);
        self.firsts |= name.bytes().next().map_or(0, bit);
    }

    fn may_be(&self, name: &[u8]) -> bool {
        self.any
            || name.first().is_some_and(|first| self.firsts & bit(*first) != 0)
                && self.lengths & 1_u64.checked_shl(name.len() as u32).unwrap_or(0) != 0
    }
}

/// Names of the table are ASCII.
fn bit(letter: u8) -> u128 {
    1_u128.checked_shl(letter.into()).unwrap_or(0)
}
