//! Writes archives that no archiver writes: with any names, duplicate and contradictory ones, and
//! links with anything after them.

/// A stored entry of a zip, made on Unix. `None` in a field means the true value.
#[derive(Clone, Debug)]
pub struct ZipEntry {
    pub name: Vec<u8>,
    pub data: Vec<u8>,
    pub mode: u32,
    pub host: u8,
    pub crc: Option<u32>,
    pub local_name: Option<Vec<u8>>,
    pub offset: Option<usize>,
}

impl ZipEntry {
    /// Returns a file, or a directory if the name ends in a slash.
    pub fn new(name: impl AsRef<[u8]>, data: &str) -> Self {
        let name = name.as_ref().to_vec();
        Self {
            mode: if name.ends_with(b"/") {
                0o040_755
            } else {
                0o100_644
            },
            name,
            data: data.into(),
            host: 3,
            crc: None,
            local_name: None,
            offset: None,
        }
    }

    /// Returns a symbolic link.
    pub fn link(name: &str, target: &str) -> Self {
        Self::new(name, target).with(|entry| entry.mode = 0o120_777)
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Returns the bytes of a zip with the date 2024-01-01.
pub fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = entry.offset.unwrap_or(out.len());
        let crc = entry.crc.unwrap_or_else(|| libdeflater::crc32(&entry.data));
        let mut fixed = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x58];
        fixed.extend(crc.to_le_bytes());
        fixed.extend([u32_of(entry.data.len()), u32_of(entry.data.len())].concat());
        let name = entry.local_name.as_ref().unwrap_or(&entry.name);
        out.extend(b"PK\x03\x04");
        out.extend(&fixed);
        out.extend([&u32_of(name.len())[..2], &[0; 2], name, &entry.data].concat());
        directory.extend([b'P', b'K', 1, 2, 30, entry.host]);
        directory.extend(&fixed);
        directory.extend([&u32_of(entry.name.len())[..2], &[0; 8]].concat());
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(u32_of(at));
        directory.extend(&entry.name);
    }
    let count = u32_of(entries.len());
    let end = [&b"PK\x05\x06"[..], &[0; 4], &count[..2], &count[..2]].concat();
    let (len, start) = (u32_of(directory.len()), u32_of(out.len()));
    [&out[..], &directory, &end, &len, &start, &[0; 2]].concat()
}

fn u32_of(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("a small archive").to_le_bytes()
}

/// A member of a tar: name, type, link and content.
pub type TarMember<'a> = (&'a str, u8, &'a str, &'a str);

/// Returns the bytes of a tar.
pub fn tar(members: &[TarMember<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, flag, link, content) in members {
        let mut block = vec![0; 512];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(
            100,
            if *flag == b'5' {
                b"0000755"
            } else {
                b"0000644"
            },
        );
        put(124, format!("{:011o}", content.len()).as_bytes());
        put(136, b"14000000000");
        put(148, b"        ");
        put(156, &[*flag]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(block);
        bytes.extend(content.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend([0; 1024]);
    bytes
}
