"""The manifests for Kubernetes: current, valid for Strimzi, and at one with the settings, the image and the worker.

Kubernetes' own schemas are asked by `make check-deploy`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from decisioning.streaming import settings as ours
from decisioning.streaming.acls import acls
from decisioning.streaming.settings import PREFIX, Settings, client_options
from decisioning.streaming.topics import plan
from tests.deploy.manifests import FOLDER, ROOT, documents, given, kafka, rulebook
from tests.deploy.test_compose import STALL_SECONDS

KUSTOMIZATION = documents("kustomization.yaml")[0]
RESOURCES = {
    (one["kind"], one["metadata"]["name"]): one for name in KUSTOMIZATION["resources"] for one in documents(name)
}
WORKERS = RESOURCES["StatefulSet", "decisioning"]["spec"]
POD = WORKERS["template"]["spec"]
(CONTAINER,) = POD["containers"]
LABELS = {"app.kubernetes.io/name": "decisioning"}
VOLUMES = {volume["name"]: volume for volume in POD["volumes"]}
MOUNTS = {mount["mountPath"]: mount for mount in CONTAINER["volumeMounts"]}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a worker under these manifests; the two files of Strimzi's Secrets stand elsewhere."""
    for name, text in given().items():
        if name.endswith("_FILE"):
            text = str(tmp_path / Path(text).name)
            Path(text).write_text("pass-word\n")
        monkeypatch.setenv(name, text)
    return ours.load()


def test_what_is_generated_is_current() -> None:
    """`make generated` after a change of the topics, the permissions, the settings or the default policy."""
    assert (FOLDER / "kafka.yaml").read_text() == kafka()
    assert (FOLDER / "rulebook.yaml").read_text() == rulebook()
    assert RESOURCES["ConfigMap", "decisioning-rulebook"]["data"] == {
        "retail.yaml": (ROOT / "rules/retail.yaml").read_text()
    }


def test_every_file_belongs_to_it() -> None:
    """A manifest that nobody applies looks like one that is in force."""
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize("kind", ["KafkaTopic", "KafkaUser"])
def test_strimzi_takes_topics_and_user(kind: str) -> None:
    """By the schemas of its own classes; see strimzi/README.md."""
    schema = json.loads((Path(__file__).parent / "strimzi" / f"{kind.lower()}.json").read_text())
    found = [one for (of, _), one in RESOURCES.items() if of == kind]
    assert found
    for resource in found:
        jsonschema.Draft202012Validator(schema).validate(resource)
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", resource["metadata"]["name"])


def test_every_setting_exists_and_production_takes_them_all(settings: Settings) -> None:
    """A variable that no setting reads is a wish that nobody hears."""
    assert {name.removeprefix(PREFIX).lower() for name in given()} <= Settings.model_fields.keys()
    assert settings.profile == "prod"
    assert client_options(settings)["sasl.password"] == "pass-word"


def test_topics_and_permissions_are_those_of_the_settings(settings: Settings) -> None:
    """What the manifests create is what a worker that they start looks for."""
    topics = {name: one["spec"] for (kind, name), one in RESOURCES.items() if kind == "KafkaTopic"}
    assert {name: (spec["partitions"], spec["replicas"], spec["config"]) for name, spec in topics.items()} == {
        row.name: (row.partitions, row.replication, row.config) for row in plan(settings)
    }
    rules = RESOURCES["KafkaUser", settings.sasl_username]["spec"]["authorization"]["acls"]
    assert sum(len(rule["operations"]) for rule in rules) == len(acls(settings))


def test_the_files_that_the_settings_name_are_mounted() -> None:
    """The password and the authority out of Strimzi's Secrets, the rulebook out of its ConfigMap; all read-only."""
    for name in ("SASL_PASSWORD_FILE", "SSL_CA_FILE", "RULEBOOK"):
        path = Path(given()[PREFIX + name])
        mount = MOUNTS[str(path.parent)]
        assert mount["readOnly"] is True
        volume = VOLUMES[mount["name"]]
        if "secret" in volume:
            assert path.name in [item["path"] for item in volume["secret"]["items"]]
        else:
            assert path.name in RESOURCES["ConfigMap", volume["configMap"]["name"]]["data"]
    cluster = RESOURCES["KafkaUser", "decisioning"]["metadata"]["labels"]["strimzi.io/cluster"]
    assert VOLUMES["user"]["secret"]["secretName"] == given()[f"{PREFIX}SASL_USERNAME"]
    assert VOLUMES["authority"]["secret"]["secretName"] == f"{cluster}-cluster-ca-cert"
    assert given()[f"{PREFIX}KAFKA"].startswith(f"{cluster}-kafka-bootstrap:")


def test_a_worker_keeps_its_name_and_its_disk() -> None:
    """The pod's name is its name in the group, and its store is a claim of its own."""
    assert {"name": f"{PREFIX}INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in CONTAINER["env"]
    (claim,) = WORKERS["volumeClaimTemplates"]
    assert MOUNTS[given()[f"{PREFIX}DATA_DIR"]]["name"] == claim["metadata"]["name"]
    assert CONTAINER["envFrom"] == [{"configMapRef": {"name": "decisioning-settings"}}]
    assert WORKERS["replicas"] <= int(given()[f"{PREFIX}PARTITIONS"])
    assert WORKERS["replicas"] > int(given()[f"{PREFIX}STANDBYS"])


def test_nothing_is_root_and_nothing_is_written_but_the_data() -> None:
    """What Kubernetes calls restricted, and a root that is read-only; the same user as the image's."""
    assert POD["securityContext"]["runAsNonRoot"] is True
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    assert user is not None
    assert [str(POD["securityContext"][one]) for one in ("runAsUser", "runAsGroup")] == list(user.groups())
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [path for path, mount in MOUNTS.items() if not mount.get("readOnly")] == [given()[f"{PREFIX}DATA_DIR"]]


def test_a_worker_has_no_token_of_kubernetes() -> None:
    """It asks nothing there, so whoever takes it over gets nothing either."""
    assert RESOURCES["ServiceAccount", POD["serviceAccountName"]]["automountServiceAccountToken"] is False
    assert POD["automountServiceAccountToken"] is False
    assert not {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} & {kind for kind, _ in RESOURCES}
    assert POD["enableServiceLinks"] is False


def test_probes_ask_what_they_mean() -> None:
    """Alive is not ready: a worker that restores for an hour must not be started again for it."""
    (port,) = CONTAINER["ports"]
    assert str(port["containerPort"]) == given()[f"{PREFIX}HTTP_PORT"]
    paths = {name: CONTAINER[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": {"path": "/healthz", "port": port["name"]},
        "livenessProbe": {"path": "/healthz", "port": port["name"]},
        "readinessProbe": {"path": "/readyz", "port": port["name"]},
    }
    alive = CONTAINER["livenessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] > STALL_SECONDS, "its own watchdog says more than a kill"


def test_a_worker_is_given_the_time_to_end_in_order() -> None:
    """As in the compose file: what it has begun, then its goodbyes."""
    assert POD["terminationGracePeriodSeconds"] >= 2 * STALL_SECONDS


def test_a_drain_of_machines_takes_one_worker_at_a_time() -> None:
    """One warm copy of each partition bears the loss of one worker; and the copies lie on different machines."""
    budget = RESOURCES["PodDisruptionBudget", "decisioning"]["spec"]
    assert budget["maxUnavailable"] == int(given()[f"{PREFIX}STANDBYS"])
    assert "kubernetes.io/hostname" in [one["topologyKey"] for one in POD["topologySpreadConstraints"]]


def test_all_selectors_mean_the_workers() -> None:
    """The labels of the pods, and of nothing else here."""
    policy = RESOURCES["NetworkPolicy", "decisioning"]["spec"]
    selectors = [
        WORKERS["selector"]["matchLabels"],
        RESOURCES["Service", "decisioning"]["spec"]["selector"],
        RESOURCES["PodDisruptionBudget", "decisioning"]["spec"]["selector"]["matchLabels"],
        policy["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in POD["topologySpreadConstraints"]),
    ]
    assert all(selector == LABELS for selector in selectors)
    assert LABELS.items() <= WORKERS["template"]["metadata"]["labels"].items()
    assert WORKERS["serviceName"] == "decisioning"


def test_the_network_lets_through_what_the_settings_need_and_nothing_else() -> None:
    """Kafka and names out, Prometheus in; an empty list would be everybody."""
    policy = RESOURCES["NetworkPolicy", "decisioning"]["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert all(rule["from"] and rule["ports"] for rule in policy["ingress"])
    assert all(rule["to"] and rule["ports"] for rule in policy["egress"])
    assert [one["port"] for rule in policy["ingress"] for one in rule["ports"]] == [CONTAINER["ports"][0]["name"]]
    kafka_port = int(given()[f"{PREFIX}KAFKA"].rpartition(":")[2])
    assert sorted({one["port"] for rule in policy["egress"] for one in rule["ports"]}) == sorted({53, kafka_port})


def test_the_image_is_the_kustomizations() -> None:
    """One place names the registry and the version, which is this project's."""
    (image,) = KUSTOMIZATION["images"]
    assert CONTAINER["image"] == image["name"]
    assert f'version = "{image["newTag"]}"' in (ROOT / "pyproject.toml").read_text()
    assert CONTAINER["args"] == ["run"]
