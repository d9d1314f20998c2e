// Files of the origin private file system (WHATWG File System). Only a worker may write to a file in place and flush
// it, so this runs in one; `storage.rs` sends the calls. A call has a number, which its result repeats.

const files = new Map();

const K = new Uint32Array(64);
const START = new Uint32Array(8);
for (let candidate = 2, found = 0; found < 64; candidate++) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) isPrime &&= candidate % divisor !== 0;
    if (!isPrime) continue;
    // The first 32 bits of the fractional parts (FIPS 180-4, 4.2.2 and 5.3.3).
    const bits = root => Math.floor((root - Math.floor(root)) * 2 ** 32);
    if (found < 8) START[found] = bits(Math.sqrt(candidate));
    K[found++] = bits(Math.cbrt(candidate));
}

/** SHA-256 (FIPS 180-4), piece by piece, which SubtleCrypto cannot do. */
class Sha256 {
    constructor() {
        this.state = Uint32Array.from(START);
        this.block = new Uint8Array(64);
        this.held = 0;
        this.length = 0;
        this.words = new Uint32Array(64);
    }
    update(bytes) {
        this.length += bytes.length;
        let at = 0;
        if (this.held > 0) {
            at = Math.min(64 - this.held, bytes.length);
            this.block.set(bytes.subarray(0, at), this.held);
            this.held += at;
            if (this.held < 64) return;
            this.compress(this.block, 0);
            this.held = 0;
        }
        for (; at + 64 <= bytes.length; at += 64) this.compress(bytes, at);
        this.block.set(bytes.subarray(at));
        this.held = bytes.length - at;
    }
    finish() {
        const length = this.length;
        const rest = new Uint8Array(this.held < 56 ? 64 - this.held : 128 - this.held);
        rest[0] = 0x80;
        const view = new DataView(rest.buffer);
        view.setUint32(rest.length - 8, Math.floor(length / 2 ** 29));
        view.setUint32(rest.length - 4, (length * 8) % 2 ** 32);
        this.update(rest);
        const digest = new DataView(new ArrayBuffer(32));
        this.state.forEach((word, index) => digest.setUint32(4 * index, word));
        return new Uint8Array(digest.buffer);
    }
    compress(bytes, at) {
        const w = this.words;
        for (let i = 0; i < 16; i++, at += 4) {
            w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
        }
        for (let i = 16; i < 64; i++) {
            const p = w[i - 15], q = w[i - 2];
            const s0 = ((p >>> 7) | (p << 25)) ^ ((p >>> 18) | (p << 14)) ^ (p >>> 3);
            const s1 = ((q >>> 17) | (q << 15)) ^ ((q >>> 19) | (q << 13)) ^ (q >>> 10);
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        let [a, b, c, d, e, f, g, h] = this.state;
        for (let i = 0; i < 64; i++) {
            const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
            const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
            const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
            const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
            h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
        }
        [a, b, c, d, e, f, g, h].forEach((word, index) => { this.state[index] += word; });
    }
}

async function unlessMissing(promise) {
    try {
        return await promise;
    } catch (error) {
        if (error.name === "NotFoundError") return null;
        throw error;
    }
}

const noFileSystem = cause => new DOMException(`no origin private file system: ${cause}`, "NoFileSystem");

/** The folder of everything. Private windows of Firefox and Safari refuse it, each with an error of its own. */
async function root() {
    if (!navigator.storage?.getDirectory || !self.FileSystemSyncAccessHandle) throw noFileSystem("too old or not https");
    try {
        return await navigator.storage.getDirectory();
    } catch (error) {
        throw error.name === "QuotaExceededError" ? error : noFileSystem(error);
    }
}

async function folderOf(names) {
    let folder = await root();
    for (const name of names) folder = await folder.getDirectoryHandle(name);
    return folder;
}

const fullDisk = () => new DOMException("less was written than asked for", "QuotaExceededError");

/** Gives a file another name, which replaces a file of that name. */
async function rename(handle, folder, name) {
    try {
        await handle.move(folder, name);
    } catch (error) {
        // Another page has just opened the file, or the disk is full: the file of that name must stay.
        if (["NoModificationAllowedError", "NotFoundError", "QuotaExceededError"].includes(error.name)) throw error;
        // Some browsers do not replace.
        if (!(await unlessMissing(folder.getFileHandle(name)))) throw error;
        await folder.removeEntry(name);
        await handle.move(folder, name);
    }
}

/** Writes a small file, which is there as a whole or not at all. */
async function replace(folder, name, bytes) {
    const temporary = await folder.getFileHandle(name + ".new", { create: true });
    const access = await temporary.createSyncAccessHandle();
    try {
        access.truncate(0);
        if (access.write(bytes, { at: 0 }) < bytes.length) throw fullDisk();
        access.flush();
    } finally {
        access.close();
    }
    await rename(temporary, folder, name);
}

async function writeSidecar(file, sidecar) {
    await replace(file.folder, `${file.name}.part.json`, new TextEncoder().encode(sidecar));
}

const remove = (folder, name) => folder.removeEntry(name).catch(() => {});

const calls = {
    async nothing() {},

    /** Opens or creates the part file, for this download only. */
    async open({ file, folders, name }) {
        let folder = await root();
        const made = [];
        for (const each of folders) {
            let next = await unlessMissing(folder.getDirectoryHandle(each));
            if (!next) {
                next = await folder.getDirectoryHandle(each, { create: true });
                made.push([folder, each]);
            }
            folder = next;
        }
        // If this were checked only at the end, the whole download would be lost: a folder has this name.
        await unlessMissing(folder.getFileHandle(name));
        const part = await folder.getFileHandle(`${name}.part`, { create: true });
        const access = await part.createSyncAccessHandle();
        const handle = await unlessMissing(folder.getFileHandle(`${name}.part.json`));
        const sidecar = handle && await (await handle.getFile()).text();
        files.set(file, { folder, name, part, access, made, position: 0, digest: null });
        return { length: access.getSize(), sidecar };
    },

    /** Content begins at `offset`; the rest is cut off. With `hashes`, what is before it is hashed. */
    async begin({ file, offset, hashes }) {
        const it = files.get(file);
        it.access.truncate(offset);
        it.position = offset;
        it.digest = hashes ? new Sha256() : null;
        const piece = new Uint8Array(1 << 20);
        for (let at = 0; hashes && at < offset;) {
            const count = it.access.read(piece.subarray(0, Math.min(piece.length, offset - at)), { at });
            if (count === 0) throw new DOMException("the file became shorter", "NotFoundError");
            it.digest.update(piece.subarray(0, count));
            at += count;
        }
    },

    async write({ file, bytes }) {
        const it = files.get(file);
        if (it.access.write(bytes, { at: it.position }) < bytes.length) throw fullDisk();
        it.position += bytes.length;
        it.digest?.update(bytes);
    },

    async checkpoint({ file, sidecar }) {
        const it = files.get(file);
        it.access.flush();
        await writeSidecar(it, sidecar);
    },

    async digest({ file }) {
        return files.get(file).digest?.finish();
    },

    /** Gives the part file the target's name. */
    async publish({ file }) {
        const it = files.get(file);
        it.access.flush();
        it.access.close();
        await rename(it.part, it.folder, it.name);
        files.delete(file);
        await remove(it.folder, `${it.name}.part.json`);
    },

    /** Ends a download that another one may resume. */
    async keep({ file, sidecar }) {
        const it = files.get(file);
        files.delete(file);
        try {
            it.access.flush();
            if (sidecar) await writeSidecar(it, sidecar);
        } finally {
            it.access.close();
        }
    },

    /** Removes everything that was created. The sidecar first: a part without one is never resumed. */
    async discard({ file }) {
        const it = files.get(file);
        files.delete(file);
        await remove(it.folder, `${it.name}.part.json`);
        it.access.close();
        await remove(it.folder, `${it.name}.part`);
        // Fails if it is not empty.
        for (const [folder, name] of it.made.reverse()) await remove(folder, name);
    },

    /** The digest of an existing file, if it has this size. */
    async present({ folders, name, size }) {
        const folder = await unlessMissing(folderOf(folders));
        const handle = folder && await unlessMissing(folder.getFileHandle(name));
        if (!handle) return null;
        const found = await handle.getFile();
        if (size !== undefined && found.size !== size) return null;
        const digest = new Sha256();
        const reader = found.stream().getReader();
        for (let read; !(read = await reader.read()).done;) digest.update(read.value);
        return { length: found.size, digest: digest.finish() };
    },

    /** Writes a whole file. */
    async store({ folders, name, bytes }) {
        let folder = await root();
        for (const each of folders) folder = await folder.getDirectoryHandle(each, { create: true });
        await replace(folder, name, bytes);
    },
};

self.onmessage = async ({ data }) => {
    try {
        self.postMessage({ id: data.id, result: await calls[data.call](data) });
    } catch (error) {
        self.postMessage({ id: data.id, error: error.name ?? "Error", text: String(error) });
    }
};
