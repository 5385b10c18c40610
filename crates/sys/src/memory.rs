//! Reading the memory of a supervised process (process_vm_readv(2)).

use std::io;

const PAGE: u64 = 4096;
const LONGEST_STRING: usize = 128 * 1024; // MAX_ARG_STRLEN

/// Read up to `buffer.len()` bytes at `address`; returns how many were mapped and read.
///
/// # Errors
/// The process is gone, or may not be read (not dumpable), or nothing is mapped there.
pub fn read_memory(pid: i32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: buffer.len(),
    };
    // SAFETY: the local vector describes `buffer`; the remote one is only used in the other process.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Read a NUL-terminated string of at most `limit` bytes.
///
/// # Errors
/// As [`read_memory`]; `InvalidData` where no NUL comes within `limit`.
pub fn read_string(pid: i32, address: u64, limit: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut chunk = [0_u8; 4096];
    let mut at = address;
    while text.len() < limit {
        // Never across a page border in one go: what lies behind may not be mapped. The first read is short, since
        // most paths are.
        let to_border = (PAGE - at % PAGE) as usize;
        let wanted = if text.is_empty() {
            to_border.min(256)
        } else {
            to_border
        };
        let Some(part) = chunk.get_mut(..wanted) else {
            break;
        };
        let read = read_memory(pid, at, part)?;
        let Some(part) = part.get(..read) else { break };
        if read == 0 {
            break;
        }
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(part.get(..end).unwrap_or(part));
            return Ok(text);
        }
        text.extend_from_slice(part);
        at += read as u64;
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "a string in the caller's memory has no end",
    ))
}

/// Read a NULL-terminated vector of string pointers, as argv and envp are: at most `count` strings and `limit` bytes
/// in all. Pages that hold several strings are read once.
///
/// # Errors
/// As [`read_memory`].
pub fn read_strings(pid: i32, address: u64, count: usize, limit: usize) -> io::Result<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    let mut total = 0;
    let mut pages = Pages {
        pid,
        start: 0,
        bytes: Vec::new(),
    };
    for pointer in read_pointers(pid, address, count)? {
        let text = pages.string(pointer)?;
        total += text.len();
        strings.push(text);
        if total > limit {
            break;
        }
    }
    Ok(strings)
}

fn read_pointers(pid: i32, address: u64, count: usize) -> io::Result<Vec<u64>> {
    let mut pointers = Vec::new();
    let mut at = address;
    if address == 0 {
        return Ok(pointers);
    }
    let mut chunk = [0_u8; 4096];
    while pointers.len() < count {
        let wanted = (PAGE - at % PAGE).min(if pointers.is_empty() { 512 } else { PAGE }) as usize;
        let Some(part) = chunk.get_mut(..wanted.max(8)) else {
            break;
        };
        let read = read_memory(pid, at, part)?;
        for word in part.get(..read).unwrap_or_default().chunks_exact(8) {
            let pointer = word.try_into().map(u64::from_ne_bytes).unwrap_or(0);
            if pointer == 0 {
                return Ok(pointers);
            }
            pointers.push(pointer);
        }
        if read < 8 {
            break;
        }
        at += (read - read % 8) as u64;
    }
    Ok(pointers)
}

/// A window of the process's memory that is read again only when a string lies outside it.
struct Pages {
    pid: i32,
    start: u64,
    bytes: Vec<u8>,
}

impl Pages {
    fn string(&mut self, pointer: u64) -> io::Result<Vec<u8>> {
        if let Some(text) = self.within(pointer) {
            return Ok(text);
        }
        let window = (PAGE - pointer % PAGE) as usize + 4096;
        self.bytes.resize(window, 0);
        self.start = pointer;
        let read = match read_memory(self.pid, pointer, &mut self.bytes) {
            Ok(read) => read,
            Err(error) => {
                self.bytes.clear();
                return Err(error);
            }
        };
        self.bytes.truncate(read);
        match self.within(pointer) {
            Some(text) => Ok(text),
            None => read_string(self.pid, pointer, LONGEST_STRING),
        }
    }

    fn within(&self, pointer: u64) -> Option<Vec<u8>> {
        let offset = usize::try_from(pointer.checked_sub(self.start)?).ok()?;
        let rest = self.bytes.get(offset..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        rest.get(..end).map(<[u8]>::to_vec)
    }
}
