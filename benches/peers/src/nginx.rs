//! An nginx of this benchmark's own, plain and TLS 1.3, on free ports of the loopback interface.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

pub struct Nginx {
    process: Child,
    folder: PathBuf,
    pub plain: u16,
    pub tls: u16,
    /// The private authority's certificate, PEM.
    pub authority: PathBuf,
}

impl Nginx {
    /// Serves `/large` of so many MiB and `/small` of 1 KiB.
    pub fn start(mebibytes: u64) -> Outcome<Self> {
        // Memory, where the system offers it: a disk is not what is measured.
        let base = if Path::new("/dev/shm").is_dir() {
            PathBuf::from("/dev/shm")
        } else {
            std::env::temp_dir()
        };
        remove_left_over(&base);
        let folder = base.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let block: Vec<u8> = (0..1 << 20)
            .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut file = fs::File::create(folder.join("large"))?;
        for _ in 0..mebibytes {
            file.write_all(&block)?;
        }
        fs::write(folder.join("small"), &block[..1024])?;
        let authority = certify(&folder)?;

        let free_port =
            || Ok::<_, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (plain, tls) = (free_port()?, free_port()?);
        let at = folder.display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/errors;\n\
             worker_rlimit_nofile 20000; events {{ worker_connections 9000; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; open_file_cache max=16; open_file_cache_valid 600s; default_type application/octet-stream;\n\
             keepalive_requests 1000000000; keepalive_timeout 600s;\n\
             client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3;\n\
             uwsgi_temp_path {at}/4; scgi_temp_path {at}/5; root {at};\n\
             server {{ listen 127.0.0.1:{plain} backlog=4096; }}\n\
             server {{ listen 127.0.0.1:{tls} ssl backlog=4096; ssl_certificate {at}/leaf.pem;\n\
             ssl_certificate_key {at}/key.pem; ssl_protocols TLSv1.3; ssl_session_cache off;\n\
             ssl_session_tickets off; }} }}\n"
        );
        let config_path = folder.join("nginx.conf");
        fs::write(&config_path, config)?;
        let mut command = Command::new("nginx");
        // SAFETY: one system call, which is allowed between fork and exec.
        unsafe {
            // It must not outlive a benchmark that was interrupted.
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let process = command
            .arg("-c")
            .arg(&config_path)
            .arg("-e")
            .arg(folder.join("errors"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("nginx: {error}"))?;
        let nginx = Self {
            process,
            folder,
            plain,
            tls,
            authority,
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

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Of everything that a run leaves in memory, followed by its process's number.
pub const PREFIX: &str = "httpoll-clients-";

/// What interrupted runs left.
fn remove_left_over(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| {
            name.strip_prefix(PREFIX)?
                .split('-')
                .next()?
                .parse::<u32>()
                .ok()
        });
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}

/// An ECDSA P-256 leaf for 127.0.0.1 under an authority of its own.
fn certify(folder: &Path) -> Outcome<PathBuf> {
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "benchmark");
    let key = rcgen::KeyPair::generate()?;
    let authority_path = folder.join("authority.pem");
    fs::write(&authority_path, params.self_signed(&key)?.pem())?;
    let authority = rcgen::Issuer::new(params, key);

    let leaf_key = rcgen::KeyPair::generate()?;
    let mut leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    leaf.use_authority_key_identifier_extension = true;
    fs::write(
        folder.join("leaf.pem"),
        leaf.signed_by(&leaf_key, &authority)?.pem(),
    )?;
    fs::write(folder.join("key.pem"), leaf_key.serialize_pem())?;
    Ok(authority_path)
}
