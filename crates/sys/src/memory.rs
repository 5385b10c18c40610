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
/// in all. The pages they lie in are read in one go.
///
/// # Errors
/// As [`read_memory`].
pub fn read_strings(pid: i32, address: u64, count: usize, limit: usize) -> io::Result<Vec<Vec<u8>>> {
    let pointers = read_pointers(pid, address, count)?;
    let pages = Pages::read(pid, &pointers);
    let mut strings = Vec::with_capacity(pointers.len());
    let mut total = 0;
    for pointer in pointers {
        let text = match pages.string(pointer) {
            Some(text) => text,
            None => read_string(pid, pointer, LONGEST_STRING)?,
        };
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

/// Copies of pages of the process's memory, by their numbers in order.
struct Pages {
    numbers: Vec<u64>,
    bytes: Vec<u8>,
}

impl Pages {
    /// At most so many are read ahead (a call takes up to `IOV_MAX`, 1,024); strings elsewhere are read one by one.
    const MOST: usize = 256;

    /// The pages in which these strings begin, up to the first that can't be read.
    fn read(pid: i32, pointers: &[u64]) -> Self {
        let mut numbers: Vec<u64> = pointers.iter().map(|pointer| pointer / PAGE).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.truncate(Self::MOST);
        let mut bytes = vec![0_u8; numbers.len() * PAGE as usize];
        let local = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        let remote: Vec<libc::iovec> = numbers
            .iter()
            .map(|number| libc::iovec {
                iov_base: (number * PAGE) as *mut libc::c_void,
                iov_len: PAGE as usize,
            })
            .collect();
        let count = remote.len() as libc::c_ulong;
        // SAFETY: the local vector describes `bytes`; the remote ones are only used in the other process.
        let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, remote.as_ptr(), count, 0) };
        bytes.truncate(usize::try_from(read).unwrap_or(0));
        numbers.truncate(bytes.len() / PAGE as usize);
        Self { numbers, bytes }
    }

    /// The string there, if all of it is in the copies.
    fn string(&self, pointer: u64) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut number = pointer / PAGE;
        let mut offset = (pointer % PAGE) as usize;
        loop {
            let at = self.numbers.binary_search(&number).ok()? * PAGE as usize;
            let rest = self.bytes.get(at + offset..at + PAGE as usize)?;
            if let Some(end) = rest.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(rest.get(..end)?);
                return Some(text);
            }
            text.extend_from_slice(rest);
            (number, offset) = (number + 1, 0);
        }
    }
}
