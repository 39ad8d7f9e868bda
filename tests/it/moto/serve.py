"""moto's services on a free port of this machine, which is printed.

Ends with its input, so that it never outlives the test that holds the other end. What moto decides in two steps (is
the object there? then write it) is one step in S3: requests are handled one at a time. State machines are really carried
out, over the same services.
"""

import os
import sys
import threading

from moto.core.config import default_user_config
from moto.core.responses import EmptyResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.stepfunctions.responses import StepFunctionResponse
from werkzeug.serving import make_server

services = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):
    with turn:
        return services(environ, start_response)


def send_task_failure(self):
    """moto forgets the cause on its way."""
    token, error, cause = (self._get_param(name) for name in ("taskToken", "error", "cause"))
    self.stepfunction_backend.send_task_failure(token, error=error, cause=cause)
    return EmptyResult()


StepFunctionResponse.send_task_failure = send_task_failure
default_user_config["stepfunctions"]["execute_state_machine"] = True

server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler)
# Where state machines find the other services.
os.environ["MOTO_PORT"] = str(server.server_port)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
