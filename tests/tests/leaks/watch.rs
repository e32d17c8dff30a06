//! Two agencies whose every word is kept: what their programs say at the highest log level, the files that they leave, and what was on the line.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use oblink_tests::tap::{Fate, Hand, Tap, Tapped};
use oblink_tests::{Agencies, Call, Ended, Serving, files_below};

use crate::needles::Needles;

type Kept = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Agencies under watch.
pub(crate) struct Watch {
    pub(crate) agencies: Agencies,
    pub(crate) pairs: PathBuf,
    pub(crate) records: PathBuf,
    kept: Kept,
    frames: Vec<Tapped>,
    /// The programs' directory for temporary files.
    temporary: PathBuf,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let agencies = Agencies::new();
        let (pairs, records) = crate::needles::lists(agencies.folder());
        let temporary = agencies.at("temporary");
        std::fs::create_dir(&temporary).unwrap();
        Self { agencies, pairs, records, kept: Kept::default(), frames: Vec::new(), temporary }
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        [("OBLINK_LOG", "trace".to_owned()), ("RUST_BACKTRACE", "full".to_owned()), ("TMPDIR", self.temporary.display().to_string())]
    }

    fn keep(&self, place: &str, bytes: &[u8]) {
        self.kept.lock().unwrap().push((place.to_owned(), bytes.to_vec()));
    }

    /// Runs a command to its end at the highest log level, and keeps what it says.
    #[track_caller]
    pub(crate) fn run(&self, what: &str, due: i32, call: Call) -> Ended {
        let variables = self.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.ended(what, Some(due), call.envs(&variables).run())
    }

    /// Keeps what a command has said.
    #[track_caller]
    pub(crate) fn ended(&self, what: &str, due: Option<i32>, ended: Ended) -> Ended {
        assert_eq!(ended.exit(), due, "{what}: {ended}");
        self.keep(&format!("stdout of {what}"), ended.stdout.as_bytes());
        self.keep(&format!("stderr of {what}"), ended.stderr.as_bytes());
        ended
    }

    /// Serves at the highest log level.
    pub(crate) fn serve(&self) -> Serving {
        let variables = self.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Serving::start_at(&self.agencies.holder, "127.0.0.1:0", &["-vvv"], &variables)
    }

    /// Ends it, and keeps what it said.
    pub(crate) fn stop(&self, serving: Serving) {
        let said = serving.unread().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        self.keep("stdout of serve", said.as_bytes());
        self.keep("stderr of serve", serving.stderr().as_bytes());
        assert!(serving.stderr().contains("TRACE"), "serve logs nothing");
        drop(serving.stop());
    }

    /// Keeps what a holder said that is dead.
    pub(crate) fn keep_served(&self, serving: Serving) {
        self.keep("stderr of serve, killed", serving.stderr().as_bytes());
        let said = serving.unread().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        self.keep("stdout of serve, killed", said.as_bytes());
    }

    /// A tap that looks at all files whenever a frame passes: what is there for a moment is there.
    pub(crate) fn tap(&self, serving: &Serving, mut hand: impl FnMut(&mut Tapped) -> Fate + Send + 'static) -> Tap {
        let (kept, folder) = (Arc::clone(&self.kept), self.agencies.folder().to_owned());
        let hand: Hand = Box::new(move |frame| {
            keep_files(&kept, &folder);
            hand(frame)
        });
        Tap::with(&self.agencies.verifier, &self.agencies.holder, serving.address(), hand)
    }

    /// Takes a tap's frames.
    pub(crate) fn take(&mut self, tap: Tap) -> Vec<Tapped> {
        let frames = tap.frames();
        drop(tap);
        self.frames.extend(frames.clone());
        frames
    }

    /// `check` in pilot mode.
    pub(crate) fn checking(&self, address: &str, name: &str) -> Call {
        self.agencies.checking(address, &self.pairs, &self.agencies.at(name)).args("--json -vvv")
    }

    /// Looks through all that was kept, and through the files as they are now.
    pub(crate) fn look(self, needles: &mut Needles) {
        keep_files(&self.kept, self.agencies.folder());
        for (place, bytes) in self.kept.lock().unwrap().iter() {
            needles.look(place, bytes);
        }
        needles.look_at(&self.frames);
        assert!(files_below(&self.temporary, "").is_empty(), "something was left in the directory for temporary files");
    }
}

/// All files below a directory, and their names.
fn keep_files(kept: &Kept, folder: &Path) {
    let mut kept = kept.lock().unwrap();
    for path in files_below(folder, "") {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        // A file may be gone again by now.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let place = format!("file {name}");
        if kept.iter().rev().find(|(known, _)| *known == place).is_none_or(|(_, known)| *known != bytes) {
            kept.push((format!("name {name}"), name.into_bytes()));
            kept.push((place, bytes));
        }
    }
}
