//! The server of the downloads: an nginx of this program's own, plain and over TLS with a self-signed
//! certificate, and the files it serves.

use std::fs;
use std::io::{BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::Outcome;

const CERTIFICATE: &str = include_str!("../../tests/certificate/certificate.pem");

pub(crate) struct Nginx {
    process: Child,
    folder: PathBuf,
    plain: u16,
    tls: u16,
    bytes: u64,
}

impl Nginx {
    pub(crate) fn start(bytes: u64) -> Outcome<Self> {
        // Memory, where the system offers it: a disk is not what is measured.
        let base = if Path::new("/dev/shm").is_dir() {
            PathBuf::from("/dev/shm")
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(format!("httpoll-soak-{}", std::process::id()));
        fs::create_dir_all(folder.join("saved"))?;
        write_file(&folder.join("file"), bytes)?;
        compress(&folder)?;
        certify(&folder)?;
        let (plain, tls) = (free_port()?, free_port()?);
        let config_path = folder.join("nginx.conf");
        fs::write(&config_path, config(&folder, plain, tls))?;
        let process = Command::new("nginx")
            .arg("-c")
            .arg(&config_path)
            .arg("-e")
            .arg(folder.join("errors"))
            .spawn()
            .map_err(|error| format!("nginx: {error}"))?;
        let nginx = Self {
            process,
            folder,
            plain,
            tls,
            bytes,
        };
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", tls)).is_err() {
            if Instant::now() > patience {
                return Err("nginx does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    /// Where it answers without TLS.
    pub(crate) fn plain_address(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    pub(crate) fn plain_url(&self) -> String {
        format!("http://127.0.0.1:{}/file", self.plain)
    }

    pub(crate) fn gzip_url(&self) -> String {
        format!("http://127.0.0.1:{}/coded/file.gz", self.plain)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("https://127.0.0.1:{}/file", self.tls)
    }

    /// The certificate to trust, PEM. It is self-signed.
    pub(crate) fn certificate(&self) -> &'static str {
        CERTIFICATE
    }

    /// The size of the file, decoded.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where downloads may put their files.
    pub(crate) fn saved(&self, name: &str) -> PathBuf {
        self.folder.join("saved").join(name)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn config(folder: &Path, plain: u16, tls: u16) -> String {
    let at = folder.display();
    format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/errors;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; default_type application/octet-stream;\n\
         client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3;\n\
         uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\n\
         server {{ listen 127.0.0.1:{plain}; root {at};\n\
         location /coded/ {{ alias {at}/; add_header Content-Encoding gzip; }} }}\n\
         server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {at}/cert.pem;\n\
         ssl_certificate_key {at}/key.pem; ssl_protocols TLSv1.3; root {at}; }} }}\n"
    )
}

/// Lines such as a game's server has, which gzip makes some three times smaller.
fn write_file(path: &Path, bytes: u64) -> Outcome<()> {
    const NAMES: [&str; 8] = [
        "sword", "shield", "arrow", "potion", "lantern", "rope", "boots", "crown",
    ];
    let mut file = BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = bytes;
    let mut line = Vec::new();
    while left > 0 {
        // Xorshift: any numbers do that do not repeat soon.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let name = NAMES[(state >> 61) as usize];
        let (x, y) = (state & 0xffff, (state >> 16) & 0xffff);
        line.clear();
        writeln!(
            line,
            r#"{{"item":"{name}","x":{x},"y":{y},"owner":{}}}"#,
            state >> 52
        )?;
        let length = line.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&line[..length])?;
        left -= length as u64;
    }
    file.flush()?;
    Ok(())
}

fn compress(folder: &Path) -> Outcome<()> {
    let status = Command::new("gzip")
        .args(["-1", "--keep"])
        .arg(folder.join("file"))
        .status()
        .map_err(|error| format!("gzip: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("gzip failed".into())
    }
}

/// Writes the server's certificate and key.
fn certify(folder: &Path) -> Outcome<()> {
    fs::write(folder.join("cert.pem"), CERTIFICATE)?;
    fs::write(
        folder.join("key.pem"),
        include_str!("../../tests/certificate/key.pem"),
    )?;
    Ok(())
}
