"""As much of a Kubernetes API as Helm asks for when a chart looks a Secret up."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def resources(version, *kinds):
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {
                "name": f"{it.lower()}s",
                "singularName": it.lower(),
                "kind": it,
                "namespaced": True,
                "verbs": ["get"],
            }
            for it in kinds
        ],
    }


APPS = {"groupVersion": "apps/v1", "version": "v1"}
ANSWERS = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "apps", "versions": [APPS], "preferredVersion": APPS}],
    },
    # The kinds of the chart as it is by default: Helm 4 looks up how each is called.
    "/api/v1": resources("v1", "Secret", "ConfigMap", "Service", "ServiceAccount", "Pod"),
    "/apis/apps/v1": resources("apps/v1", "StatefulSet"),
}


@contextlib.contextmanager
def cluster(folder, secrets):
    """Serves these Secrets, and yields the path of a kubeconfig."""
    held = {
        f"/api/v1/namespaces/{it['metadata']['namespace']}/secrets/{it['metadata']['name']}": it
        for it in secrets
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            answer = ANSWERS.get(path) or held.get(path)
            missing = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": "NotFound",
                "code": 404,
            }
            body = json.dumps(answer or missing).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = folder / "kubeconfig"
    named = {
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "users": [{"name": "c", "user": {}}],
    }
    config.write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "c", **named})
    )
    try:
        yield config
    finally:
        server.shutdown()
        server.server_close()
