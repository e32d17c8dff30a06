//! Connections of streams of frames. Bytes come in pieces, in order on a stream and in any order between streams; a line is cut at any byte,
//! and each side hears of it in its own time, or not before it tries.

use std::collections::{BTreeMap, VecDeque};

use oblink_session::wire::Frame;

use super::chance::Chance;
use super::counts::Counts;

/// A connection.
pub(crate) type Line = u64;
/// A stream of a connection; 0 is control.
pub(crate) type Stream = u64;

/// The control stream.
pub(crate) const CONTROL: Stream = 0;

/// Whom bytes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Holder,
    Verifier,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Holder => Self::Verifier,
            Self::Verifier => Self::Holder,
        }
    }
}

/// What comes out of a stream.
#[derive(Debug)]
pub(crate) enum Arrival {
    Frame(Frame),
    /// The peer has finished the stream.
    End,
}

#[derive(Debug, Default)]
struct Pipe {
    flying: VecDeque<Option<Vec<u8>>>,
    /// When the last of them arrives.
    latest: u64,
    /// Of a frame that is not all there.
    partial: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    /// Whether each side still has it: the holder's, the verifier's.
    open: [bool; 2],
    cut: bool,
    next_stream: Stream,
    pipes: BTreeMap<(Stream, Side), Pipe>,
    /// Streams that the network made by itself: whatever comes back on them goes nowhere.
    copies: Vec<Stream>,
}

/// All connections of a run.
#[derive(Debug)]
pub(crate) struct Network {
    lines: BTreeMap<Line, Connection>,
    next: Line,
    chance: Chance,
    pub(crate) counts: Counts,
    /// Slow lines hold pieces up for minutes.
    pub(crate) stalls: u64,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self { lines: BTreeMap::new(), next: 0, chance: Chance::new(seed, "network"), counts: Counts::default(), stalls: 0 }
    }

    /// A new connection.
    pub(crate) fn dial(&mut self) -> Line {
        self.next += 1;
        let fresh = Connection { open: [true; 2], cut: false, next_stream: 1, pipes: BTreeMap::new(), copies: Vec::new() };
        self.lines.insert(self.next, fresh);
        self.next
    }

    /// A new stream of a connection.
    pub(crate) fn open_stream(&mut self, line: Line) -> Stream {
        self.lines.get_mut(&line).map_or(0, |connection| {
            connection.next_stream += 1;
            connection.next_stream - 1
        })
    }

    /// Whether a side still has the connection.
    pub(crate) fn is_open(&self, line: Line, side: Side) -> bool {
        self.lines.get(&line).is_some_and(|connection| connection.open[side as usize])
    }

    /// The connections that a side still has.
    pub(crate) fn open_lines(&self) -> Vec<Line> {
        self.lines.iter().filter(|(_, line)| !line.cut && (line.open[0] || line.open[1])).map(|(line, _)| *line).collect()
    }

    /// Sends a frame, or the end of the stream, to a side: gives when its pieces arrive.
    pub(crate) fn send(&mut self, line: Line, stream: Stream, to: Side, what: Option<&Frame>, now: u64) -> Vec<u64> {
        let Some(connection) = self.lines.get_mut(&line) else { return Vec::new() };
        if !connection.open[to.other() as usize] || connection.cut || connection.copies.contains(&stream) && to == Side::Verifier {
            return Vec::new();
        }
        let pieces = match what {
            None => vec![None],
            Some(frame) => cut_up(frame.to_bytes(), &mut self.chance),
        };
        let pipe = connection.pipes.entry((stream, to)).or_default();
        let mut times = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let mut delay = if self.chance.one_in(4) { self.chance.below(400) } else { self.chance.below(20) };
            if self.chance.hits(self.stalls) {
                self.counts.add("network: piece held up for up to two minutes", 1);
                delay += self.chance.below(120_000);
            }
            pipe.latest = pipe.latest.max(now) + delay;
            pipe.flying.push_back(piece);
            times.push(pipe.latest);
        }
        times
    }

    /// The frames of the verifier's that may be copied: the network brings one of them to the holder again on a stream of its own.
    pub(crate) fn copy_of(&mut self, line: Line) -> Option<Stream> {
        let stream = self.open_stream(line);
        let connection = self.lines.get_mut(&line)?;
        connection.copies.push(stream);
        self.counts.add("network: frame brought twice", 1);
        Some(stream)
    }

    /// The next piece of a stream arrives: what is whole by it. An error where it is no frame.
    pub(crate) fn arrive(&mut self, line: Line, stream: Stream, to: Side) -> Result<Vec<Arrival>, String> {
        let Some(connection) = self.lines.get_mut(&line) else { return Ok(Vec::new()) };
        let (gone, cut) = (!connection.open[to as usize], connection.cut);
        let Some(pipe) = connection.pipes.get_mut(&(stream, to)) else { return Ok(Vec::new()) };
        let Some(piece) = pipe.flying.pop_front() else { return Ok(Vec::new()) };
        if gone || cut {
            self.counts.add("network: piece lost", 1);
            return Ok(Vec::new());
        }
        let Some(piece) = piece else { return Ok(vec![Arrival::End]) };
        pipe.partial.extend_from_slice(&piece);
        let mut arrivals = Vec::new();
        while let Some((frame, taken)) = Frame::parse(&pipe.partial).map_err(|error| error.to_string())? {
            pipe.partial.drain(..taken);
            arrivals.push(Arrival::Frame(frame));
        }
        Ok(arrivals)
    }

    /// The line is cut: nothing arrives any more.
    pub(crate) fn cut(&mut self, line: Line) {
        if let Some(connection) = self.lines.get_mut(&line) {
            connection.cut = true;
            let halves = connection.pipes.values().filter(|pipe| !pipe.partial.is_empty()).count() as u64;
            self.counts.add("network: frame cut in its middle", halves);
        }
    }

    /// A side lets go of the connection.
    pub(crate) fn close(&mut self, line: Line, side: Side) {
        if let Some(connection) = self.lines.get_mut(&line) {
            connection.open[side as usize] = false;
            if !connection.open[side.other() as usize] {
                self.lines.remove(&line);
            }
        }
    }
}

/// A frame's bytes as they may come: whole most of the time, else in two or three pieces.
fn cut_up(bytes: Vec<u8>, chance: &mut Chance) -> Vec<Option<Vec<u8>>> {
    if !chance.one_in(4) {
        return vec![Some(bytes)];
    }
    let mut cuts = [chance.index(bytes.len()), chance.index(bytes.len())];
    cuts.sort_unstable();
    [&bytes[..cuts[0]], &bytes[cuts[0]..cuts[1]], &bytes[cuts[1]..]].into_iter().map(|piece| Some(piece.to_vec())).collect()
}
