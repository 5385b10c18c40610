//! One trapped call: what it is about to do is captured and recorded, then it is answered.

use super::Gateway;
use super::calls::{Call, PathArgument, Target, decode};
use super::escape;
use super::look;
use super::policy::Policy;
use super::resolve::{Place, Viewer, of_descriptor, read_path, resolve};
use super::touch::{CellKey, How, Refusal};
use super::tree::Node;
use rescind_sys::{Answer, Listener, Notification};
use rustix::io::Errno;
use std::os::fd::AsFd as _;

/// A name under which a node was about to make a file.
#[derive(Debug)]
pub(super) struct Made {
    node: Node,
    key: CellKey,
    place: Place,
}

/// What became of a trapped call.
#[derive(Debug)]
pub enum Handled {
    /// It is to be answered so.
    Now(Answer),
    /// It ends its process, and is answered when its output is in.
    Exits,
    /// It waits for a person, or for an undo, and is answered when one has decided, or when it is over.
    Held,
    /// The gate was shut meanwhile, and nothing is recorded as begun: it is looked at anew when that opens.
    Shut,
}

type Done = Result<Answer, Refusal>;

const GO_ON: Done = Ok(Answer::Continue);

impl Gateway {
    /// Capture, record, and say how the call is to be answered.
    pub fn handle(&mut self, listener: &Listener, call: &Notification) -> Handled {
        self.last_folder = None;
        self.thread = call.thread;
        self.flying.remove(&call.thread);
        let process = self.tree.process_of(call.thread);
        if !self.tree.contains(process) {
            self.admit(process);
        }
        self.confirm_exec(process);
        let viewer = self.tree.viewer(call.thread, process);
        self.caller = viewer.foreign.then_some(process);
        let node = self.tree.get(process).map_or(0, |entry| entry.node);
        let Some(what) = decode(call) else {
            return Handled::Now(Answer::Continue);
        };
        if self.is_held(process) && !matches!(what, Call::Exit(_)) {
            // It was woken from outside: still nobody has approved it.
            return Handled::Now(Answer::Errno(libc::EPERM));
        }
        match what {
            Call::Exec {
                path,
                argv,
                envp,
                flags,
            } => {
                let exec = super::nodes::ExecCall {
                    path,
                    argv,
                    envp,
                    flags,
                };
                return self
                    .exec(listener, call, viewer, exec)
                    .map_or(Handled::Shut, Handled::Now);
            }
            Call::Exit(code) => return self.exit(process, code).map_or(Handled::Exits, Handled::Now),
            Call::Connect(what) => return self.connect(call, viewer, node, what),
            _ => {}
        }
        match self.act(listener, call, viewer, node, what) {
            Err(Refusal::BeingUndone) => {
                self.behind_undos.push(*call);
                Handled::Held
            }
            done => Handled::Now(self.answer(node, what, done)),
        }
    }

    /// Calls that waited for an undo are looked at anew: it may be over.
    pub(super) fn go_on_behind_undos(&mut self) {
        let Some(listener) = self.waiting.listener.clone() else {
            return;
        };
        for call in std::mem::take(&mut self.behind_undos) {
            if !listener.still_waits(call.id) {
                continue;
            }
            let answer = match self.handle(&listener, &call) {
                Handled::Now(answer) => answer,
                Handled::Shut => {
                    self.behind_undos.push(call);
                    continue;
                }
                Handled::Exits | Handled::Held => continue,
            };
            let answered = answer != Answer::Continue;
            let go_on = || {
                let _the_caller_is_gone_then = listener.answer(call.id, answer);
            };
            if answered {
                go_on();
            } else if !self.gate.pass(go_on) {
                self.behind_undos.push(call);
            }
        }
    }

    fn answer(&mut self, node: Node, what: Call, done: Done) -> Answer {
        match done {
            Ok(answer) => answer,
            Err(Refusal::Harmless | Refusal::BeingUndone) => Answer::Continue,
            Err(Refusal::Protected) => {
                self.say("a change to rescind's own files was refused");
                Answer::Errno(libc::EPERM)
            }
            Err(Refusal::Beyond(beyond)) => self.refuse_beyond(node, beyond),
            Err(Refusal::NotStaged) => {
                let name = self.last_name.take().unwrap_or_else(|| what_name(what));
                self.refused(
                    node,
                    name,
                    "it is on no overlay of the stage, so it would be real at once",
                );
                Answer::Errno(libc::EROFS)
            }
            Err(Refusal::NotRecorded(why)) => {
                self.miss(
                    node,
                    what_name(what),
                    format!("refused: the record can't be written ({why})"),
                );
                self.say("a change was refused because it can't be recorded; `rescind status` says why");
                Answer::Errno(libc::EIO)
            }
            Err(Refusal::NotCaptured(why)) if self.policy.lets_pass() => {
                let name = self.last_name.take().unwrap_or_else(|| what_name(what));
                self.miss(node, name, why);
                match self.flush() {
                    Ok(()) => Answer::Continue,
                    Err(_) => Answer::Errno(libc::EIO),
                }
            }
            Err(Refusal::NotCaptured(why)) => {
                let name = self.last_name.take().unwrap_or_else(|| what_name(what));
                self.refused(node, name, &why);
                Answer::Errno(libc::EPERM)
            }
        }
    }

    fn act(
        &mut self,
        listener: &Listener,
        call: &Notification,
        viewer: Viewer,
        node: Node,
        what: Call,
    ) -> Done {
        let node = self.acting_node(node);
        match what {
            Call::Open { path, flags } => self.open(listener, call, viewer, node, path, flags),
            Call::Open2 { path, how } => {
                let mut bytes = [0_u8; 8];
                rescind_sys::read_memory(viewer.thread, how, &mut bytes).map_err(|_| Refusal::Harmless)?;
                let flags = u64::from_ne_bytes(bytes);
                let writes = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
                if flags & writes as u64 == 0 {
                    return GO_ON;
                }
                self.open(listener, call, viewer, node, path, flags)
            }
            Call::Truncate(path) => {
                let place = self.place(listener, call, viewer, path, true)?;
                self.touch_known(node, &place, How::Write)
            }
            Call::Remove { path, .. } => {
                let place = self.place(listener, call, viewer, path, false)?;
                self.touch_known(node, &place, How::Remove)
            }
            Call::Rename { from, to, flags } => self.rename(listener, call, viewer, node, (from, to, flags)),
            Call::Link { from, to } => {
                // One more name changes the inode's ctime under all its names; that is known then.
                if let Ok(source) = self.place(listener, call, viewer, from, false)
                    && let Ok(found) = source.look()
                {
                    let folder = super::resolve::path_of(&source.directory)?;
                    if self.protection.path_is_own(&folder) {
                        return Err(Refusal::Protected);
                    }
                    self.linked.insert((found.dev, found.ino));
                    self.carried.insert((found.dev, found.ino));
                    // What is written through the new name shows under this one, too.
                    if found.is_file() {
                        self.touch_known(node, &source, How::Attributes)?;
                    }
                }
                let place = self.place(listener, call, viewer, to, false)?;
                self.touch_known(node, &place, How::Make)
            }
            Call::Make(to) => {
                let place = self.place(listener, call, viewer, to, false)?;
                self.touch_known(node, &place, How::Make)
            }
            Call::Attributes { target, mode, flags } => {
                self.attributes(listener, call, viewer, node, (target, mode, flags))
            }
            Call::Bind { address, length } => {
                let Some((escape::Peer::Path(path), _)) = self.peer(viewer, address, length) else {
                    return GO_ON;
                };
                if path.is_empty() {
                    return GO_ON;
                }
                let here = PathArgument {
                    directory: libc::AT_FDCWD,
                    address: 0,
                };
                let place = resolve(viewer, here, &path, false)?;
                self.touch_known(node, &place, How::Make)
            }
            Call::View => {
                // What follows is resolved in the new view; asked anew with the next call.
                self.recheck_view(viewer.process);
                GO_ON
            }
            Call::Mount => self.mount(viewer, node),
            Call::Tune { pid } => {
                let own = self.protection.process_is_own(pid);
                Ok(if own {
                    Answer::Errno(libc::EPERM)
                } else {
                    Answer::Continue
                })
            }
            Call::Wake { target } => Ok(if self.could_wake(target) {
                Answer::Errno(libc::EPERM)
            } else {
                Answer::Continue
            }),
            Call::Exec { .. } | Call::Exit(_) | Call::Connect(_) => GO_ON,
        }
    }

    fn place(
        &mut self,
        listener: &Listener,
        call: &Notification,
        viewer: Viewer,
        path: PathArgument,
        follow: bool,
    ) -> Result<Place, Refusal> {
        let text = if path.address == 0 {
            Vec::new()
        } else {
            read_path(viewer, path.address).map_err(unreadable)?
        };
        if !listener.still_waits(call.id) {
            return Err(Refusal::Harmless);
        }
        self.last_name = Some(String::from_utf8_lossy(&text).into_owned());
        resolve(viewer, path, &text, follow).map_err(Refusal::from)
    }

    fn touch_known(&mut self, node: Node, place: &Place, how: How) -> Done {
        self.touch(node, place, how)?;
        GO_ON
    }

    fn open(
        &mut self,
        listener: &Listener,
        call: &Notification,
        viewer: Viewer,
        node: Node,
        path: PathArgument,
        flags: u64,
    ) -> Done {
        let has = |flag: i32| flags & flag as u64 == flag as u64;
        if has(libc::O_TMPFILE) {
            // A file without a name: it shows only when a link is made, which is trapped.
            let place = self.place(listener, call, viewer, path, true)?;
            self.confine(node, &place, How::Attributes)?;
            return GO_ON;
        }
        let exclusive = has(libc::O_CREAT) && has(libc::O_EXCL);
        let follow = !exclusive && !has(libc::O_NOFOLLOW);
        let mut place = self.place(listener, call, viewer, path, follow)?;
        let found = place.look()?;
        if !found.exists {
            if !has(libc::O_CREAT) {
                return GO_ON;
            }
            place.found = Some(found);
            let key = self.touch(node, &place, How::Make)?;
            self.made = key.map(|key| Made { node, key, place });
            return GO_ON;
        }
        place.found = Some(found.clone());
        if exclusive || place.name == b"." {
            return GO_ON;
        }
        match found.mode & libc::S_IFMT {
            libc::S_IFREG => self.touch_known(node, &place, How::Write),
            libc::S_IFCHR | libc::S_IFBLK if !Policy::device_is_harmless(found.rdev) => {
                self.confine(node, &place, How::Write)?;
                let why = "it is a device: what is written to it can't be captured";
                Err(Refusal::NotCaptured(why.to_owned()))
            }
            // FIFOs and sockets keep nothing; folders and dangling links can't be opened for writing.
            _ => GO_ON,
        }
    }

    fn rename(
        &mut self,
        listener: &Listener,
        call: &Notification,
        viewer: Viewer,
        node: Node,
        (from, to, flags): (PathArgument, PathArgument, u32),
    ) -> Done {
        let exchange = flags & libc::RENAME_EXCHANGE != 0;
        if flags & libc::RENAME_WHITEOUT != 0 {
            return Ok(Answer::Errno(libc::EINVAL));
        }
        let from = self.place(listener, call, viewer, from, false)?;
        let to = self.place(listener, call, viewer, to, false)?;
        let source = from.look()?;
        let target = to.look()?;
        if !source.exists || (flags & libc::RENAME_NOREPLACE != 0 && target.exists) {
            return GO_ON;
        }
        if (source.dev, source.ino) == (target.dev, target.ino) && target.exists {
            // Two names of one file: rename does nothing.
            return GO_ON;
        }
        let leaves = if exchange { How::Swap } else { How::Move };
        let how = match (target.exists, exchange) {
            (true, true) => How::Swap,
            (true, false) => How::Replace,
            (false, _) => How::Make,
        };
        // Nothing of it is announced where a half of it may not be done.
        self.confine(node, &to, how)?;
        self.touch(node, &from, leaves)?;
        self.touch(node, &to, how)?;
        if source.is_folder() {
            self.folder_moves(&source, &to)?;
        }
        if exchange && target.is_folder() {
            self.folder_moves(&target, &from)?;
        }
        self.flush()?;
        GO_ON
    }

    fn attributes(
        &mut self,
        listener: &Listener,
        call: &Notification,
        viewer: Viewer,
        node: Node,
        (target, mode, flags): (Target, Option<u32>, bool),
    ) -> Done {
        let place = match target {
            Target::Path { path, follow } => self.place(listener, call, viewer, path, follow)?,
            Target::Descriptor(number) => {
                let inode = self.behind(viewer, number)?;
                if !flags && mode.is_none_or(|_| !inode.is_folder()) {
                    self.recognise(node, &inode);
                    if self.is_touched_by(node, &inode) {
                        return GO_ON;
                    }
                }
                of_descriptor(viewer, number)?
            }
        };
        let found = place.look()?;
        if mode.is_some_and(|mode| self.protection.closes(&found, mode)) {
            return Err(Refusal::Protected);
        }
        if flags && !self.flagged.contains(&(found.dev, found.ino)) {
            // From here on its inode flags are part of what is captured of it: a new effect begins with them.
            let key = (self.folder(&place)?, place.name.clone());
            self.close(&key, Some((&place, &found)))?;
            self.flagged.insert((found.dev, found.ino));
        }
        self.touch_known(node, &place, How::Attributes)
    }

    /// What a descriptor of the caller is open on.
    fn behind(&self, viewer: Viewer, number: i32) -> Result<look::Look, Errno> {
        let pidfd = self
            .tree
            .get(viewer.process)
            .and_then(|entry| entry.pidfd.as_ref());
        if viewer.thread == viewer.process
            && let Some(pidfd) = pidfd
            && let Ok(open) = rescind_sys::pidfd_get(pidfd.as_fd(), number)
        {
            return look::folder(open.as_fd());
        }
        look::behind(viewer.thread, number)
    }

    /// A descriptor's file may be the one that the node was about to make a moment ago.
    fn recognise(&mut self, node: Node, inode: &look::Look) {
        let Some(made) = self.made.take_if(|made| made.node == node) else {
            return;
        };
        let found = look::at(made.place.directory.as_fd(), &made.place.name);
        if found.is_ok_and(|found| (found.dev, found.ino, found.btime) == (inode.dev, inode.ino, inode.btime))
        {
            self.remember(node, inode, &made.key);
        }
    }

    fn mount(&mut self, viewer: Viewer, node: Node) -> Done {
        if viewer.foreign || !rustix::process::geteuid().is_root() {
            // In a namespace of its own a mount changes nobody else's view; elsewhere an ordinary user can't mount.
            return GO_ON;
        }
        self.last_name = Some("mount".to_owned());
        let _who = node;
        Err(Refusal::NotCaptured(
            "a change of the machine's mounts can't be captured".to_owned(),
        ))
    }
}

fn unreadable(error: Errno) -> Refusal {
    match error {
        Errno::PERM | Errno::ACCESS => {
            Refusal::NotCaptured("the program hides its memory, so what it does can't be seen".to_owned())
        }
        _ => Refusal::Harmless,
    }
}

fn what_name(what: Call) -> String {
    match what {
        Call::Mount => "a mount".to_owned(),
        Call::Attributes { .. } => "an attribute".to_owned(),
        _ => "a path".to_owned(),
    }
}
