"""A real mail server (aiosmtpd) for the tests, with the faults that mail servers have.

First line of stdout: the port. Then a JSON line for each mail that is accepted. One argument, JSON:
  greylist: n    the first n recipients are answered 451
  refuse: [a]    these recipients are answered 550
  certificate, key: files: STARTTLS is offered and demanded (or, with "implicit", TLS from the first byte)
  user, password: a sign-in is demanded
  hang_up: n     the first n connections are dropped after DATA
  silent: true   nothing is ever answered to MAIL
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])


class Handler:
    def __init__(self):
        self.greylist = options.get("greylist", 0)
        self.hang_up = options.get("hang_up", 0)

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if options.get("silent"):
            await asyncio.sleep(3600)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if self.greylist > 0:
            self.greylist -= 1
            return "451 4.7.1 greylisted, come back later"
        if address in options.get("refuse", []):
            return "550 5.1.1 there is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "mail": envelope.content.decode("utf-8", "surrogateescape"),
            "tls": session.ssl is not None or options.get("implicit", False),
            "user": getattr(session.auth_data, "login", b"").decode() if session.auth_data else "",
            "hello": session.host_name,
        }
        if self.hang_up > 0:
            self.hang_up -= 1
            mail["hung_up"] = True
            print(json.dumps(mail), flush=True)
            server.transport.abort()
            return "421 gone"
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login.decode() == options["user"] and data.password.decode() == options["password"]
    return AuthResult(success=right, handled=right, auth_data=data)


async def main():
    context = None
    if "certificate" in options:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["certificate"], options["key"])
    handler = Handler()
    starttls = context if not options.get("implicit") else None
    extra = {}
    if "user" in options:
        extra = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": starttls is not None}

    def smtp():
        return SMTP(handler, tls_context=starttls, require_starttls=starttls is not None, **extra)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(smtp, "127.0.0.1", 0, ssl=context if options.get("implicit") else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
