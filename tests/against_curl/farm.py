"""All servers of a run, on free ports of loopback, with what they need in a temporary folder."""

import os
import shutil
import socket
import ssl
import subprocess
import time

from . import origin, proxies
from .wire import Log, Server

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
    types {{ text/html html; text/plain txt; application/json json; application/octet-stream bin; }}
    default_type application/octet-stream;
    log_format wire '$request_method|$request_uri|$server_protocol|$http_range|$http_if_range|'
                    '$content_length|$http_content_type|$http_accept|$http_accept_encoding|'
                    '$http_authorization|$http_cookie|$http_referer|$host|$connection';
    access_log {dir}/access.log wire;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_timeout 10;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {dir}/server.pem;
        ssl_certificate_key {dir}/server.key;
        root {dir}/www;
        location /zipped/ {{
            alias {dir}/www/;
            gzip on;
            gzip_min_length 1;
            gzip_types text/plain;
        }}
        location /moved {{ return 301 /index.html; }}
        location /gone {{ return 410 "gone\\n"; }}
        location /private/ {{
            alias {dir}/www/;
            auth_basic "staff";
            auth_basic_user_file {dir}/users;
        }}
        location /put/ {{
            alias {dir}/uploaded/;
            dav_methods PUT DELETE;
            create_full_put_path on;
        }}
        location /small/ {{ client_max_body_size 10; proxy_pass http://127.0.0.1:9; }}
        location /slow/ {{ alias {dir}/www/; limit_rate 200k; }}
    }}
}}
"""

EXTENSIONS = "subjectAltName={names}\nbasicConstraints=CA:FALSE\n"


class Farm:
    def __init__(self, folder):
        self.folder = folder
        self.log = Log()
        self.servers = []
        self.nginx = None
        self.places = {}
        self.make_certificates()
        self.start_servers()
        self.start_nginx()
        self.places["DEAD"] = f"http://127.0.0.1:{free_port()}"

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def openssl(self, *arguments):
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=60)

    def make_certificates(self):
        """A private authority, and the certificates that it signs."""
        self.openssl(
            *"req -x509 -nodes -days 30 -subj /CN=authority -keyout ca.key -out ca.pem".split(),
            *"-newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split(),
            *"-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign".split(),
        )
        here = "DNS:localhost,DNS:secure.test,IP:127.0.0.1"
        for name, names, days in [
            ("server", here, 30),
            ("elsewhere", "DNS:elsewhere.test", 30),
            ("expired", here, -1),
            ("client", "DNS:client.test", 30),
        ]:
            with open(self.path("extensions"), "w") as file:
                file.write(EXTENSIONS.format(names=names))
            self.openssl(
                *f"req -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr".split(),
                *"-newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split(),
            )
            self.openssl(
                *f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial".split(),
                *f"-days {days} -extfile extensions -out {name}.pem".split(),
            )
        with open(self.path("client-both.pem"), "w") as both:
            for part in ("client.pem", "client.key"):
                with open(self.path(part)) as file:
                    both.write(file.read())

    def tls(self, name, wants_client=False, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path("ca.pem"))
        if version:
            context.maximum_version = version
        return context

    def start(self, key, name, serve, scheme="http", **options):
        server = Server(name, self.log, serve, **options)
        self.servers.append(server)
        host = "[::1]" if options.get("family") == socket.AF_INET6 else "127.0.0.1"
        host = "localhost" if scheme == "https" else host
        self.places[key] = f"{scheme}://{host}:{server.port}"
        self.places[key + "PORT"] = str(server.port)

    def start_servers(self):
        tls = self.tls
        self.start("H", "origin", origin.serve)
        self.start("O", "other", origin.serve)
        self.start("S", "secure", origin.serve, "https", tls=tls("server"))
        self.start("ELSEWHERE", "elsewhere", origin.serve, "https", tls=tls("elsewhere"))
        self.start("EXPIRED", "expired", origin.serve, "https", tls=tls("expired"))
        self.start("MTLS", "mutual", origin.serve, "https", tls=tls("server", wants_client=True))
        twelve = tls("server", version=ssl.TLSVersion.TLSv1_2)
        self.start("TLS12", "tls 1.2", origin.serve, "https", tls=twelve)
        mutual12 = tls("server", wants_client=True, version=ssl.TLSVersion.TLSv1_2)
        self.start("MTLS12", "mutual 1.2", origin.serve, "https", tls=mutual12)
        self.start("P", "proxy", proxies.http_proxy())
        self.start("PA", "login proxy", proxies.http_proxy(wants_login=True))
        self.start("P403", "refusing proxy", proxies.http_proxy(refuses=403))
        self.start("K", "socks", proxies.socks_proxy())
        self.start("KA", "login socks", proxies.socks_proxy(wants_login=True))
        self.start("K5", "refusing socks", proxies.socks_proxy(reply_code=5))
        if origin.ipv6_works():
            self.start("H6", "origin 6", origin.serve, family=socket.AF_INET6)

    def start_nginx(self):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        os.makedirs(self.path("www", "folder"))
        os.makedirs(self.path("uploaded"))
        pages = {
            "index.html": b"<h1>hello</h1>\n",
            "file.txt": origin.FILE,
            "big.bin": origin.BIG,
            "data.json": b'{"a":1}\n',
        }
        for name, content in pages.items():
            with open(self.path("www", name), "wb") as file:
                file.write(content)
            os.utime(self.path("www", name), (1_700_000_000, 1_700_000_000))
        with open(self.path("users"), "w") as users:
            users.write("ann:{PLAIN}s3cret\n")
        ports = free_port(), free_port()
        with open(self.path("nginx.conf"), "w") as file:
            file.write(NGINX.format(dir=self.folder, port=ports[0], tls_port=ports[1]))
        if os.geteuid() == 0:
            with open(self.path("nginx.conf"), "r+") as file:
                text = file.read()
                file.seek(0)
                file.write("user root;\n" + text)
        self.nginx = subprocess.Popen(
            [program, "-p", self.folder, "-c", self.path("nginx.conf"), "-e", self.path("error.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.places["N"] = f"http://127.0.0.1:{ports[0]}"
        self.places["NS"] = f"https://localhost:{ports[1]}"
        wait_for(ports[0])

    def nginx_log(self):
        """What nginx has logged since the last call."""
        time.sleep(0.02)
        with open(self.path("access.log"), "r+") as file:
            lines = file.read().splitlines()
            file.truncate(0)
        return lines

    def close(self):
        for server in self.servers:
            server.close()
        if self.nginx:
            self.nginx.terminate()
            try:
                self.nginx.wait(10)
            except subprocess.TimeoutExpired:
                self.nginx.kill()
                self.nginx.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("nginx does not listen; see its error.log")
